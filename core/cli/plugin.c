/* `kanal plugin`: for those who write one. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "kit/kit.h"

#define LIMIT_DEFAULT_S 10

enum {
    OPTION_FIXTURES = 256,
    OPTION_JSON,
    OPTION_LIMIT,
    OPTION_LIST,
    OPTION_ONLY,
    OPTION_SEED,
    OPTION_SETTINGS
};

static int read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || number > max)
        return -1;
    *ret_number = number;
    return 0;
}

static int finish(int result, struct kanal_buffer *error)
{
    if (result < 0)
        fprintf(stderr, "kanal plugin: %.*s\n", (int)error->len, error->data ? error->data : "");
    kanal_buffer_release(error);
    return result == 0 ? CLI_OK : CLI_FAILED;
}

static int run_new(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "directory", required_argument, NULL, 'd' }, { 0 } };
    struct kanal_buffer error = { 0 };
    const char *directory = NULL;
    for (int c; (c = getopt_long(argc, argv, "d:", options, NULL)) != -1;) {
        if (c != 'd')
            return cli_usage(command, "new: unknown option");
        directory = optarg;
    }
    if (optind != argc - 1)
        return cli_usage(command, "new: expected one NAME");
    const char *name = argv[optind];
    return finish(kit_new(name, directory ? directory : name, &error), &error);
}

static int read_check_option(const struct cli_command *command, int option, const char *value,
                             struct kit_check_options *o)
{
    uint64_t number = 0;
    switch (option) {
    case OPTION_FIXTURES:
        o->fixtures = value;
        return CLI_OK;
    case OPTION_JSON:
        o->json = 1;
        return CLI_OK;
    case OPTION_LIMIT:
        if (read_number(value, 3600, &number) != 0 || number == 0)
            return cli_usage(command, "check: --limit: expected 1 to 3600 seconds, found '%s'", value);
        o->limit_s = (uint32_t)number;
        return CLI_OK;
    case OPTION_ONLY:
        o->only = value;
        return CLI_OK;
    case OPTION_SEED:
        if (read_number(value, INT64_MAX, &o->seed) != 0)
            return cli_usage(command, "check: --seed: expected a number, found '%s'", value);
        return CLI_OK;
    case OPTION_SETTINGS:
        o->settings = value;
        return CLI_OK;
    default:
        return cli_usage(command, "check: unknown option");
    }
}

static int run_check(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "fixtures", required_argument, NULL, OPTION_FIXTURES },
                                             { "json", no_argument, NULL, OPTION_JSON },
                                             { "limit", required_argument, NULL, OPTION_LIMIT },
                                             { "list", no_argument, NULL, OPTION_LIST },
                                             { "only", required_argument, NULL, OPTION_ONLY },
                                             { "seed", required_argument, NULL, OPTION_SEED },
                                             { "settings", required_argument, NULL, OPTION_SETTINGS },
                                             { 0 } };
    struct kit_check_options o = { .seed = 1, .limit_s = LIMIT_DEFAULT_S };
    struct kanal_buffer error = { 0 };
    for (int c, code; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == OPTION_LIST) {
            kit_check_list();
            return CLI_OK;
        }
        if ((code = read_check_option(command, c, optarg, &o)) != CLI_OK)
            return code;
    }
    if (optind != argc - 1)
        return cli_usage(command, "check: expected one FILE.so");
    o.file = argv[optind];
    return finish(kit_check(&o, &error), &error);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    if (argc < 2)
        return cli_usage(command, "expected new or check");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help(command);
        return CLI_OK;
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            cli_help(command);
            return CLI_OK;
        }
    if (strcmp(argv[1], "new") == 0)
        return run_new(command, argc - 1, argv + 1);
    if (strcmp(argv[1], "check") == 0)
        return run_check(command, argc - 1, argv + 1);
    return cli_usage(command, "there is no '%s'", argv[1]);
}

const struct cli_command command_plugin = {
    .name = "plugin",
    .arguments = "new NAME [-d DIR] | check FILE.so [OPTIONS]",
    .summary = "Writes a new channel plugin, or checks a finished one for conformance.",
    .help = "kanal plugin new NAME\n"
            "  -d, --directory DIR   where to write it (./NAME); no file that is there is touched\n\n"
            "kanal plugin check FILE.so: each test in a process of its own, with a clock, a network and "
            "chance of its own\n"
            "      --fixtures DIR    the folder with conformance.json (fixtures/ beside the file, or here)\n"
            "      --settings FILE   the channel's settings as JSON, instead of those in conformance.json\n"
            "      --only NAME       one test, or one group: life, provider …\n"
            "      --seed N          what chance is made from (1); the same seed, the same run\n"
            "      --limit SECONDS   of one test in real time (10)\n"
            "      --json            one JSON object on stdout\n"
            "      --list            the tests\n\n"
            "Exit code 0: nothing failed; 1: something did. docs/plugin-author.md tells the whole way.\n",
    .run = run,
};
