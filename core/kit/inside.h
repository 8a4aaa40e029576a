/* kit/inside.h - the checker's own: what a test is, what it is given, and how it tells what it found.
 *
 * Everything here but the table of tests lives in a child process of one test. */
#ifndef KANAL_KIT_INSIDE_H
#define KANAL_KIT_INSIDE_H
#include "host/loader.h"
#include "kanal/testing/fakehost.h"
#include "kit/elf.h"
#include "kit/kit.h"

/* ---- knowledge.c: conformance.json ---- */

struct knowledge {
    yyjson_doc *doc;
    yyjson_val *root; /* NULL: there is none */
    char *directory;
    char *settings; /* JSON text; NULL: {} */
};
/* 0, also when there is none; or negative and error. */
int knowledge_load(struct knowledge *, const struct kit_check_options *, struct kanal_buffer *error);
void knowledge_release(struct knowledge *);
yyjson_val *knowledge_list(const struct knowledge *, const char *name, size_t *ret_count);
#define KIT_JSON_MAX (4u * 1024 * 1024)
#define KIT_PLUGIN_MAX (256u * 1024 * 1024)
/* Appends a whole file; 0 or -1 with errno. */
int kit_read_file(const char *path, size_t max, struct kanal_buffer *ret_bytes);

/* ---- A test ---- */

#define KIT_FAULT(kind) (1u << FAKE_FAULT_##kind)
#define KIT_ALL_FAULTS UINT32_MAX

struct kit_run;
struct kit_test {
    const char *name;   /* "life.two-channels" */
    const char *what;   /* what is looked at */
    const char *advice; /* what to do about it */
    void (*run)(struct kit_run *);
    int file_only;   /* the plugin is not loaded */
    uint32_t faults; /* of the fake host that count; 0: all */
};
extern const struct kit_test file_tests[], descriptor_tests[], life_tests[], host_tests[], in_tests[],
    out_tests[], memory_tests[];
extern const struct kit_test *const kit_groups[]; /* each ends with an entry without a name; NULL-ended */

/* What was learned while playing: whom to write to, and about what. */
struct learned {
    struct kanal_buffer address, chat, received_id, sent_id;
};

struct kit_run {
    const struct kit_check_options *options;
    const struct kit_test *test;
    const struct knowledge *knowledge;
    kanal_str bytes; /* of the file */
    struct elf_file elf;
    struct plugin *loaded;
    const kanal_plugin *plugin; /* the plugin's own descriptor, as it gave it */
    uint64_t seed, random;
    int out;          /* where findings go */
    const char *step; /* what is being played: "webhook text.json"; part of every finding */
    char step_text[128];
    size_t failures;
    int is_skipped, wants_output; /* what was written to stderr belongs to the finding */
    struct fake_host *hosts[2];   /* alive, for the crash handler */
    struct learned learned;
    uint32_t deliveries;
};

__attribute__((format(printf, 2, 3))) void kit_fail(struct kit_run *, const char *format, ...);
__attribute__((format(printf, 2, 3))) void kit_warn(struct kit_run *, const char *format, ...);
/* The reason why the test says nothing; it should return then. */
__attribute__((format(printf, 2, 3))) void kit_skip(struct kit_run *, const char *format, ...);
__attribute__((format(printf, 2, 3))) void kit_step(struct kit_run *, const char *format, ...);
/* Of the run's own, by seed: 0 to below - 1. */
uint64_t kit_random(struct kit_run *, uint64_t below);

/* ---- play.c: a channel's life, from the knowledge ---- */

/* A host with the settings, secrets and the provider's script. NULL: create() refused, which is a failure. */
struct fake_host *play_begin(struct kit_run *, uint32_t flags);
struct fake_host *play_begin_as(struct kit_run *, uint32_t flags, const char *channel_id, uint64_t seed,
                                kanal_op first_op, size_t place, enum fake_trouble);
void play_end(struct kit_run *, struct fake_host *);
/* Moves the clock until the op is answered, at most as long as a host waits. */
void play_settle(struct fake_host *, kanal_op);

size_t play_webhook_count(const struct kit_run *);
yyjson_val *play_webhook_at(const struct kit_run *, size_t index);
const char *play_name_of(yyjson_val *fixture, size_t index, char text[64]);
/* Sends it, signed as its route says. 0: it has no such route, which is a failure. */
kanal_op play_webhook(struct kit_run *, struct fake_host *, yyjson_val *fixture);
/* A request of one's own, signed likewise. */
kanal_op play_request(struct kit_run *, struct fake_host *, const char *method, const char *target,
                      const kanal_field *headers, size_t header_count, kanal_str body);
/* The connection, still open; 0: refused. */
kanal_op play_socket(struct kit_run *, struct fake_host *, yyjson_val *fixture);
/* The sample of a capability; "text" is always there. 0: nobody to send it to, or there is none. */
kanal_op play_sample(struct kit_run *, struct fake_host *, const char *cap, kanal_str idempotency_key);
void play_samples(struct kit_run *, struct fake_host *); /* of every declared capability */
/* Asks for each media reference that was published or is known; how many. */
size_t play_media(struct kit_run *, struct fake_host *);
/* Everything that is known, once: with receipts, media, registration, wakes, time. */
void play_all(struct kit_run *, struct fake_host *);
void play_webhooks(struct kit_run *, struct fake_host *, int after_deliveries);
/* Remembers whom to write to from what was published; true if somebody is known. */
int play_learn(struct kit_run *, struct fake_host *);
/* As nothing had been played yet. */
void play_forget(struct kit_run *);
/* Learns on a host of its own, if nobody is known yet. */
int play_know_somebody(struct kit_run *);

/* ---- child.c ---- */

/* One test in this process. Does not return. */
void child_run(const struct kit_check_options *, const struct kit_test *, const struct knowledge *,
               kanal_str bytes, int out) __attribute__((noreturn));

#endif
