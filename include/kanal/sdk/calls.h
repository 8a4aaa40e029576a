/* kanal/sdk/calls.h - the HTTP requests that a channel has under way, and a stop() that waits for them. Part of the static
 * helpers, not of the ABI.
 *
 * struct kanal_calls lives in the channel. Everything runs in the lane. */
#ifndef KANAL_SDK_CALLS_H
#define KANAL_SDK_CALLS_H
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_CALLS_DRAIN_MS 5000u /* what stop() grants to what is under way */

struct kanal_call;

struct kanal_calls {
    const kanal_host *host;
    struct kanal_call *first; /* each leaves the list when its callback has run */
    uint32_t held;            /* other things that are open */
    uint32_t reserved;
    kanal_op stopping; /* the op of stop(); 0 before */
    kanal_op timer;    /* of stop(); 0: none is set */
};

/* host is borrowed. */
void kanal_calls_init(struct kanal_calls *, const kanal_host *);
/* Sends a request; its callback runs exactly once, later. NULL: out of memory, the callback never runs. */
struct kanal_call *kanal_calls_send(struct kanal_calls *, kanal_op cause, const kanal_http_request *,
                                    kanal_response_fn *, void *user);
/* The timeout of a request for a delivery that has to be answered before deadline_ms (0: none): at most limit_ms, at least a second. */
uint32_t kanal_call_timeout_ms(const kanal_host *, int64_t deadline_ms, uint32_t limit_ms);
/* Its callback runs soon, with KANAL_E_CANCELLED. */
void kanal_calls_cancel(struct kanal_calls *, struct kanal_call *);
/* Something else is open (a verify(), a request to answer), until it is let go: one for one. */
void kanal_calls_hold(struct kanal_calls *);
void kanal_calls_let_go(struct kanal_calls *);
/* A wait, at most one at a time. Lives in the channel; zeroed: none is set. */
struct kanal_timer {
    struct kanal_calls *calls;
    kanal_op op; /* 0: none is set */
    void (*fired)(void *user);
    void *user;
};
/* Does nothing if it is set already, or while the channel is being stopped. */
void kanal_timer_set(struct kanal_timer *, struct kanal_calls *, uint32_t delay_ms, void (*fired)(void *user),
                     void *user);
/* fired() will not run. */
void kanal_timer_cancel(struct kanal_timer *);
/* How long to wait after so many failures in a row: min_ms doubled with each, at most max_ms, and of that a random part, at least half. */
uint32_t kanal_backoff_ms(const kanal_host *, uint32_t failures, uint32_t min_ms, uint32_t max_ms);

/* The slot stop(): finishes the op when nothing is open any more; requests that are still under way after
 * KANAL_CALLS_DRAIN_MS are cancelled. */
void kanal_calls_stop(struct kanal_calls *, kanal_op);

#ifdef __cplusplus
}
#endif
#endif
