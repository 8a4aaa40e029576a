/* cli/cli.h - the subcommands of `kanal`, one a file. */
#ifndef KANAL_CLI_CLI_H
#define KANAL_CLI_CLI_H

/* Exit codes of every subcommand. */
#define CLI_OK 0
#define CLI_FAILED 1  /* it could not be done; the reason is on stderr */
#define CLI_USAGE 2   /* the call's words are wrong; nothing was done */
#define CLI_CONFIG 3  /* the configuration is wrong; every error is on stderr */
#define CLI_BROKER 4  /* no broker */
#define CLI_TIMEOUT 5 /* it did not come in time; it may still */

struct cli_command {
    const char *name;
    const char *arguments;                                         /* "[-c FILE] CHANNEL ADDRESS TEXT" */
    const char *summary;                                           /* one line */
    const char *help;                                              /* options and examples */
    int (*run)(const struct cli_command *, int argc, char **argv); /* argv[0] is the name */
};

extern const struct cli_command command_run, command_check, command_plugin, command_plugins, command_tail,
    command_send, command_plan, command_channel, command_customer, command_profiles, command_dead,
    command_log, command_resolve, command_replay, command_consumer, command_health, command_version;

/* To stdout. */
void cli_help(const struct cli_command *);
/* "kanal send: WHAT; see kanal send --help" to stderr; returns CLI_USAGE. */
int cli_usage(const struct cli_command *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CLI_CONFIG_DEFAULT "kanal.yaml"

#endif
