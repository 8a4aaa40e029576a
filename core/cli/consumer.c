/* `kanal consumer`: durables for those who read events, and the permissions that let them read these and nothing else.
 *
 * Permissions on subjects do not protect a stream: whoever may create a consumer, or use STREAM.MSG.GET, reads all of it. So the
 * operator makes the durable, and its reader may ask for the messages of that one, look at it, and acknowledge; and from an
 * account of its own, see grant.h. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/consumer.h"
#include "config/duration.h"
#include "kanal/sdk/str.h"

#define ACK_WAIT_MS 30000
#define GATEWAY_ACCOUNT "KANAL"

enum {
    OPTION_FILTER = CLIENT_OPTION_OWN,
    OPTION_STREAM,
    OPTION_ACK_WAIT,
    OPTION_MAX_DELIVER,
    OPTION_SINCE,
    OPTION_FORCE,
    OPTION_ACCOUNT,
    OPTION_SHARED_ACCOUNT,
    OPTION_JSON
};

static const struct option long_options[] = { { "filter", required_argument, NULL, OPTION_FILTER },
                                              { "stream", required_argument, NULL, OPTION_STREAM },
                                              { "ack-wait", required_argument, NULL, OPTION_ACK_WAIT },
                                              { "max-deliver", required_argument, NULL, OPTION_MAX_DELIVER },
                                              { "since", required_argument, NULL, OPTION_SINCE },
                                              { "account", required_argument, NULL, OPTION_ACCOUNT },
                                              { "shared-account", no_argument, NULL, OPTION_SHARED_ACCOUNT },
                                              { "force", no_argument, NULL, OPTION_FORCE },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

/* ---- The words of the call ---- */

static int read_filter(struct consumer *c, const char *value)
{
    if (c->options.filter_count == CONSUMER_FILTERS)
        return cli_usage(c->command, "--filter: at most %u of them", CONSUMER_FILTERS);
    c->options.filters[c->options.filter_count++] = value;
    return CLI_OK;
}

static int read_stream(struct consumer *c, const char *value)
{
    for (int i = 0; i < FILTER_STREAMS; i++)
        if (strcmp(filter_branch_name((enum filter_branch)i), value) == 0) {
            c->options.stream = value;
            return CLI_OK;
        }
    return cli_usage(c->command, "--stream: expected events, activity or facts, found '%s'", value);
}

static int name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && n <= 32 && name[n] == '\0';
}

static int read_option(struct consumer *c, int option, const char *value)
{
    struct consumer_options *o = &c->options;

    switch (option) {
    case OPTION_FILTER:
        return read_filter(c, value);
    case OPTION_STREAM:
        return read_stream(c, value);
    case OPTION_ACK_WAIT:
        if (config_duration_parse(kanal_str_c(value), &o->ack_wait_ms) == 0 && o->ack_wait_ms >= 100 &&
            o->ack_wait_ms <= INT64_C(86400000))
            return CLI_OK;
        return cli_usage(c->command, "--ack-wait: expected a duration from 100ms to 1d, found '%s'", value);
    case OPTION_MAX_DELIVER:
        if (kanal_str_int(kanal_str_c(value), &o->max_deliver) == 0 && o->max_deliver > 0 &&
            o->max_deliver < 1000000)
            return CLI_OK;
        return cli_usage(c->command, "--max-deliver: expected a number from 1, found '%s'", value);
    case OPTION_SINCE:
        o->all = strcmp(value, "all") == 0;
        if (o->all || strcmp(value, "new") == 0)
            return CLI_OK;
        return cli_usage(c->command, "--since: expected new or all, found '%s'", value);
    case OPTION_ACCOUNT:
        o->account = value;
        return name_valid(value)
                   ? CLI_OK
                   : cli_usage(
                         c->command,
                         "--account: an account's name is 1 to 32 of A-Z, a-z, 0-9, _ and -, found '%s'",
                         value);
    case OPTION_SHARED_ACCOUNT:
        o->shared_account = 1;
        return CLI_OK;
    case OPTION_FORCE:
        o->force = 1;
        return CLI_OK;
    case OPTION_JSON:
        o->json = 1;
        return CLI_OK;
    default:
        if (client_option(&o->client, option, value) < 0)
            return cli_usage(c->command, "--server: at most %u of them", CLIENT_SERVERS);
        return option == '?' ? cli_usage(c->command, "unknown option") : CLI_OK;
    }
}

int consumer_fail(const struct consumer *c, const struct api_failure *failure)
{
    if (failure->error == API_STREAM_NOT_FOUND)
        fprintf(
            stderr,
            "kanal consumer: there is no stream %s at %s: has a gateway with the prefix '%s' run there?\n",
            c->stream, c->client.server, c->client.prefix);
    else
        fprintf(stderr, "kanal consumer: %s\n", failure->reason);
    return failure->code;
}

/* ---- The command ---- */

static const struct action {
    const char *name;
    int needs_name;
    int (*run)(struct consumer *);
} actions[] = { { "add", 1, consumer_add }, { "list", 0, consumer_list }, { "remove", 1, consumer_remove } };

static int run_action(struct consumer *c, char **arguments, int count)
{
    const struct action *action = NULL;
    int code;

    for (size_t i = 0; count > 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, arguments[0]) == 0)
            action = &actions[i];
    if (!action)
        return cli_usage(c->command, "expected add, list or remove%s%s", count > 0 ? ", found " : "",
                         count > 0 ? arguments[0] : "");
    if (count < 1 + action->needs_name)
        return cli_usage(c->command, "NAME is missing");
    if (count > 1 + action->needs_name)
        return cli_usage(c->command, "unexpected argument '%s'", arguments[1 + action->needs_name]);
    c->name = action->needs_name ? arguments[1] : NULL;
    if (c->name && !name_valid(c->name))
        return cli_usage(c->command, "a name is 1 to 32 of A-Z, a-z, 0-9, _ and -, found '%s'", c->name);
    if (action->run == consumer_add && c->options.filter_count == 0)
        return cli_usage(c->command, "--filter is missing: '%s.events.>' would be everything",
                         c->options.client.prefix ? c->options.client.prefix : "kanal");
    if (c->name && !c->options.shared_account && strcmp(c->name, c->options.account) == 0)
        return cli_usage(c->command,
                         "the reader's account takes its name, and '%s' is the gateway's: choose another",
                         c->name);
    code = client_open(&c->client, &c->options.client, c->command);
    if (code == CLI_OK)
        code = action->run(c);
    client_close(&c->client);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct consumer c = { .command = command,
                          .options = {
                              .ack_wait_ms = ACK_WAIT_MS, .max_deliver = -1, .account = GATEWAY_ACCOUNT } };
    int code = CLI_OK;

    for (int option;
         code == CLI_OK && (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        code = read_option(&c, option, optarg);
    }
    return code == CLI_OK ? run_action(&c, argv + optind, argc - optind) : code;
}

const struct cli_command command_consumer = {
    .name = "consumer",
    .arguments = "add NAME --filter SUBJECT [OPTION …]\n       kanal consumer list [OPTION …]\n       kanal "
                 "consumer remove NAME [OPTION …]",
    .summary = "Makes a durable for a reader of events, and prints the permissions that let it read these "
               "and nothing else.",
    .help = "  NAME                 of the durable, and of the user in the permissions\n"
            "      --filter SUBJECT what it reads: 'kanal.events.*.*.message.received.*'; may be repeated on "
            "nats-server 2.10\n"
            "                       and newer (older ones take one for a durable)\n"
            "      --stream S       events, activity or facts; only to be sure, or to choose (list, remove)\n"
            "      --since WHEN     new: what comes from now on (default), or all: what is stored too\n"
            "      --ack-wait TIME  not acknowledged for so long, it comes again (30s)\n"
            "      --max-deliver N  it comes at most so often (for ever)\n"
            "      --account NAME   the gateway's account at the broker (KANAL)\n"
            "      --shared-account print permissions for a reader in the gateway's account: only for "
            "readers that are trusted\n"
            "                       as the gateway is\n"
            "      --force          remove a durable that was not made by `kanal consumer add`\n"
            "      --json           JSON instead of text; for add: the permissions\n\n" CLIENT_HELP "\n"
            "The user that runs this needs the gateway's rights at the broker. The printed user gets a new "
            "random password, and an\n"
            "account of its own: permissions alone would not keep a hostile reader from having the broker's "
            "answers, which\n"
            "it may direct to any subject, delete a stream.\n"
            "Exit code 0: done; 1: the broker refused, or one of that name is there, made otherwise; 2: "
            "wrong words; 3: the\n"
            "configuration is wrong; 4: no broker.\n",
    .run = run,
};
