/* bench/quick_host.h - the cheapest host that a plugin's way in can run on: what it costs is the plugin's.
 *
 * It takes the place of the fake host's table while the plugin is measured. publish() adds up what it is given, respond() keeps the code,
 * verify() says yes and sign() gives 32 bytes, state is empty and takes everything; callbacks run in order after the call that asked for
 * them has returned, as in every host. Whatever else is called is a fault, because it would not be measured honestly. */
#ifndef KANAL_BENCH_QUICK_HOST_H
#define KANAL_BENCH_QUICK_HOST_H
#include "kanal/testing/fakehost.h"

#define QUICK_CALLBACKS 32

struct quick_callback {
    kanal_done_fn *done;
    kanal_value_fn *value; /* of sign and state, instead of done */
    void *user;
    kanal_status status;
    kanal_str bytes;
};

struct quick_host {
    kanal_host table, saved; /* ours; and the fake host's, put back at the end */
    kanal_host *given;       /* where the plugin finds its host */
    struct quick_callback queue[QUICK_CALLBACKS];
    size_t first, count;
    kanal_op last_op;
    int64_t now_ms;
    uint64_t random;
    uint64_t requests, answers, events, event_bytes;
    int code;          /* of the last answer */
    const char *wrong; /* the first call that is not to be had here; NULL: none */
};

/* A host by itself. */
void quick_host_init(struct quick_host *);
/* … in the place of the fake host's table, which must outlive it, until the end. */
void quick_host_begin(struct quick_host *, struct fake_host *);
void quick_host_end(struct quick_host *);
/* One request, until nothing is left to be called. plugin NULL: the host calls of a plugin with one event, and nothing else. */
void quick_host_request(struct quick_host *, const kanal_plugin *, kanal_channel *,
                        const kanal_http_request *);

#endif
