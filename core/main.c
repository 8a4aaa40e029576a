#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct cli_command *const commands[] = { &command_run,      &command_check,   &command_plugins,
                                                      &command_plugin,   &command_channel, &command_tail,
                                                      &command_send,     &command_plan,    &command_dead,
                                                      &command_log,      &command_resolve, &command_customer,
                                                      &command_profiles, &command_replay,  &command_consumer,
                                                      &command_health,   &command_version };

static void usage(FILE *out)
{
    fprintf(out, "kanal is an omnichannel gateway: channels in, one schema on NATS out, and back.\n\nusage: "
                 "kanal COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`kanal COMMAND --help` tells more; the manual is kanal(1).\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i]->run(commands[i], argc - 1, argv + 1);
    fprintf(stderr, "kanal: there is no command '%s'; see `kanal --help`\n", argv[1]);
    return CLI_USAGE;
}
