/* cli/outcome.h - what becomes of a command: its events are printed until its end is known. */
#ifndef KANAL_CLI_OUTCOME_H
#define KANAL_CLI_OUTCOME_H
#include "cli/connect.h"
#include "cli/draft.h"
#include "cli/line.h"

#define OUTCOME_PARTS 10000 /* of one command, by the contract */

enum outcome_level { OUTCOME_NONE, OUTCOME_SENT, OUTCOME_DELIVERED, OUTCOME_READ };

/* The first ones are set by the caller; zero the rest. */
struct outcome {
    struct client *client;
    const struct draft *draft;
    const char *channel;
    int64_t wait_ms;
    enum outcome_level until; /* how far every part has to come */
    int json;
    struct line_style style;

    struct feed *feed;
    struct kanal_buffer line;
    int is_accepted;
    unsigned char reached[OUTCOME_PARTS + 1]; /* enum outcome_level, by part */
};

/* Begins to listen, before the command is sent; again: instead of before. since_ms as struct feed_options has it. The exit code. */
int outcome_watch(struct outcome *, int64_t since_ms);
/* The exit code: CLI_OK, CLI_FAILED, CLI_BROKER, CLI_TIMEOUT. */
int outcome_follow(struct outcome *);
void outcome_release(struct outcome *);

#endif
