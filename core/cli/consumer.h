/* cli/consumer.h - what the files of `kanal consumer` share. */
#ifndef KANAL_CLI_CONSUMER_H
#define KANAL_CLI_CONSUMER_H
#include "cli/api.h"
#include "cli/filter.h"

#define CONSUMER_FILTERS 16u
#define CONSUMER_MARK "made by kanal consumer add" /* the description of ours */
#define CONSUMER_NS_PER_MS INT64_C(1000000)

struct consumer_options {
    struct client_options client;
    const char *filters[CONSUMER_FILTERS];
    size_t filter_count;
    const char *stream; /* "events" …; NULL: as the filters say */
    int64_t ack_wait_ms, max_deliver;
    const char *account; /* the gateway's, at the broker */
    int all, json, force, shared_account;
};

struct consumer {
    const struct cli_command *command;
    struct consumer_options options;
    struct client client;
    const char *name;
    enum filter_branch branch;
    char stream[64];
};

/* Each returns the exit code and has said what was wrong. */
int consumer_add(struct consumer *);
int consumer_list(struct consumer *);
int consumer_remove(struct consumer *);

/* Of c->stream; returns the exit code. */
int consumer_fail(const struct consumer *, const struct api_failure *);

#endif
