/* cli/send_inside.h - what the files of `kanal send` share. */
#ifndef KANAL_CLI_SEND_INSIDE_H
#define KANAL_CLI_SEND_INSIDE_H
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/draft.h"
#include "cli/outcome.h"

#define WAIT_MS 30000

struct send_options {
    struct client_options client;
    struct draft_words words;
    const char *json_path;
    int64_t wait_ms; /* 0: not; -1: as the verb needs */
    enum outcome_level until;
    int unchecked, output_json;
};

struct send {
    const struct cli_command *cli;
    struct send_options options;
    struct client client;
    struct draft command;
    struct kanal_buffer input, error;
    struct outcome outcome;
    const char *channel;
};

/* send_words.c. Reads the command line into options, channel and input: CLI_OK, CLI_USAGE, or CLI_FAILED if a file cannot be read; what is
 * wrong is told already. *ret_help: only the help is wanted. */
int send_read_words(struct send *, int argc, char **argv, int *ret_help);

#endif
