#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/setup.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "plugins", required_argument, NULL, 'p' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    const char *path = CLI_CONFIG_DEFAULT, *plugins = NULL;
    int json = 0;
    for (int c; (c = getopt_long(argc, argv, "c:p:h", options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (c == 'c')
            path = optarg;
        else if (c == 'p')
            plugins = optarg;
        else if (c == 'j')
            json = 1;
        else
            return cli_usage(command, "unknown option");
    }
    if (optind < argc)
        return cli_usage(command, "unexpected argument '%s'", argv[optind]);
    struct setup setup;
    int code = setup_load(&setup, SETUP_ALL, path, plugins);
    size_t channels = setup.config ? setup.config->channel_count : 0;
    if (json)
        printf("{\"ok\":%s,\"errors\":%zu,\"warnings\":%zu,\"channels\":%zu}\n",
               code == CLI_OK ? "true" : "false", setup.errors, setup.warnings, channels);
    else if (code == CLI_OK)
        printf("%s: right (%zu channel%s)\n", path, channels, channels == 1 ? "" : "s");
    else
        fprintf(stderr, "%s: %zu error%s\n", path, setup.errors, setup.errors == 1 ? "" : "s");
    setup_release(&setup);
    return code;
}

const struct cli_command command_check = {
    .name = "check",
    .arguments = "[-c FILE] [-p DIR] [--json]",
    .summary = "Checks the configuration, its plugins and every channel's settings; starts nothing.",
    .help = "  -c, --config FILE   the configuration (kanal.yaml); - is standard input\n"
            "  -p, --plugins DIR   look for plugins there instead of plugins.path\n"
            "      --json          one JSON object on stdout; the errors stay on stderr\n\n"
            "Every error is told, as FILE:LINE:COLUMN: WHERE: WHAT. Exit code 0: right; 3: errors.\n",
    .run = run,
};
