/* `kanal tail`: events as they come, for people or, with --json, for programs. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/feed.h"
#include "cli/filter.h"
#include "cli/line.h"
#include "cli/terminal.h"
#include "config/duration.h"
#include "event/address.h"
#include "event/types.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

#define CHOICES 16u /* --channel and --type, each */

struct options {
    struct client_options client;
    const char *channels[CHOICES], *types[CHOICES];
    size_t channel_count, type_count;
    const char *address;
    int64_t since_ms, count, timeout_ms; /* FEED_SINCE_NOW; 0: no limit */
    int stored_only, json;
};

struct tail {
    const struct cli_command *command;
    struct options options;
    struct client client;
    struct kanal_buffer filters; /* the texts of the sources */
    struct feed_source sources[FEED_SOURCES];
    size_t source_count;
    struct kanal_buffer address; /* the normal form; empty: any */
    struct kanal_buffer line;
    struct line_style style;
};

enum {
    OPTION_CHANNEL = CLIENT_OPTION_OWN,
    OPTION_TYPE,
    OPTION_ADDRESS,
    OPTION_SINCE,
    OPTION_COUNT,
    OPTION_NO_LIVE,
    OPTION_TIMEOUT,
    OPTION_JSON
};

static const struct option long_options[] = { { "channel", required_argument, NULL, OPTION_CHANNEL },
                                              { "type", required_argument, NULL, OPTION_TYPE },
                                              { "address", required_argument, NULL, OPTION_ADDRESS },
                                              { "since", required_argument, NULL, OPTION_SINCE },
                                              { "count", required_argument, NULL, OPTION_COUNT },
                                              { "no-live", no_argument, NULL, OPTION_NO_LIVE },
                                              { "timeout", required_argument, NULL, OPTION_TIMEOUT },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

/* ---- The words of the call ---- */

static int read_since(struct tail *t, const char *text)
{
    int64_t ago_ms;

    if (strcmp(text, "all") == 0) {
        t->options.since_ms = 0;
        return CLI_OK;
    }
    if (kanal_time_parse_rfc3339(kanal_str_c(text), &t->options.since_ms) == 0 && t->options.since_ms > 0)
        return CLI_OK;
    if (config_duration_parse(kanal_str_c(text), &ago_ms) != 0)
        return cli_usage(t->command,
                         "--since: expected a duration such as 10m, a time such as 2026-11-21T20:00:00Z, or "
                         "all; found '%s'",
                         text);
    t->options.since_ms = ago_ms < client_unix_ms() ? client_unix_ms() - ago_ms : 0;
    return CLI_OK;
}

static int read_choice(struct tail *t, const char *what, const char **list, size_t *count, const char *value)
{
    if (*count == CHOICES)
        return cli_usage(t->command, "%s: at most %u of them", what, CHOICES);
    list[(*count)++] = value;
    return CLI_OK;
}

static int read_option(struct tail *t, int c, const char *value)
{
    struct options *o = &t->options;

    switch (c) {
    case OPTION_CHANNEL:
        if (!channel_id_valid(kanal_str_c(value)) && strcmp(value, "_") != 0)
            return cli_usage(t->command, "--channel: '%s' cannot be a channel's id", value);
        return read_choice(t, "--channel", o->channels, &o->channel_count, value);
    case OPTION_TYPE:
        return read_choice(t, "--type", o->types, &o->type_count, value);
    case OPTION_ADDRESS:
        if (address_normalise(kanal_str_c(value), &t->address) != 0)
            return cli_usage(t->command,
                             "--address: '%s' is no address: a URI with percent-encoded parts is expected, "
                             "like telegram:3527065",
                             value);
        return CLI_OK;
    case OPTION_SINCE:
        return read_since(t, value);
    case OPTION_COUNT:
        if (kanal_str_int(kanal_str_c(value), &o->count) != 0 || o->count <= 0)
            return cli_usage(t->command, "--count: expected a number above 0, found '%s'", value);
        return CLI_OK;
    case OPTION_TIMEOUT:
        if (config_duration_parse(kanal_str_c(value), &o->timeout_ms) != 0 || o->timeout_ms <= 0)
            return cli_usage(t->command, "--timeout: expected a duration such as 30s, found '%s'", value);
        return CLI_OK;
    case OPTION_NO_LIVE:
        o->stored_only = 1;
        return CLI_OK;
    case OPTION_JSON:
        o->json = 1;
        return CLI_OK;
    default:
        if (client_option(&o->client, c, value) < 0)
            return cli_usage(t->command, "--server: at most %u of them", CLIENT_SERVERS);
        return c == '?' ? cli_usage(t->command, "unknown option") : CLI_OK;
    }
}

/* ---- What is to be shown ---- */

/* Notes a filter; the text moves while more are written, so views are made at the end. */
static int add_filter(struct tail *t, enum filter_branch branch, kanal_str channel, kanal_str rest)
{
    if (t->source_count == FEED_SOURCES)
        return cli_usage(t->command, "these are more than %u filters", FEED_SOURCES);
    t->sources[t->source_count++].branch = branch;
    kanal_buffer_text(&t->filters, t->client.prefix);
    kanal_buffer_byte(&t->filters, '.');
    kanal_buffer_text(&t->filters, filter_branch_name(branch));
    kanal_buffer_text(&t->filters, ".*.");
    kanal_buffer_str(&t->filters, channel);
    kanal_buffer_byte(&t->filters, '.');
    kanal_buffer_str(&t->filters, rest);
    kanal_buffer_byte(&t->filters, '\n');
    return CLI_OK;
}

static int type_matches(const char *pattern, const char *type)
{
    size_t n = strlen(pattern);

    if (n > 2 && strcmp(pattern + n - 2, ".*") == 0)
        return strncmp(pattern, type, n - 1) == 0;
    return strcmp(pattern, type) == 0;
}

static int add_type(struct tail *t, kanal_str channel, const char *pattern)
{
    char rest[80];
    int found = 0, code = CLI_OK;

    for (const struct event_type *type = event_types(); type->name && code == CLI_OK; type++) {
        if (!type_matches(pattern, type->name))
            continue;
        found = 1;
        snprintf(rest, sizeof rest, "%s.*", type->name);
        code = add_filter(t,
                          type->class == EVENT_STORED     ? FILTER_EVENTS
                          : type->class == EVENT_ACTIVITY ? FILTER_ACTIVITY
                                                          : FILTER_LIVE,
                          channel, kanal_str_c(rest));
    }
    if (!found)
        return cli_usage(t->command,
                         "--type: there is no event '%s'; message.received and message.* would be right",
                         pattern);
    return code;
}

static int add_of_channel(struct tail *t, kanal_str channel)
{
    static const enum filter_branch branches[] = { FILTER_EVENTS, FILTER_ACTIVITY, FILTER_LIVE };
    int code = CLI_OK;

    for (size_t i = 0; i < t->options.type_count && code == CLI_OK; i++)
        code = add_type(t, channel, t->options.types[i]);
    for (size_t i = 0; t->options.type_count == 0 && i < 3 && code == CLI_OK; i++)
        code = add_filter(t, branches[i], channel, KANAL_LIT(">"));
    return code;
}

static int add_argument(struct tail *t, const char *argument)
{
    struct kanal_buffer error = { 0 };
    enum filter_branch branch = FILTER_EVENTS;
    int code = CLI_OK;

    if (filter_check(kanal_str_c(t->client.prefix), kanal_str_c(argument), &branch, &error) != 0)
        code = cli_usage(t->command, "'%s': %.*s", argument, (int)error.len, error.data ? error.data : "");
    else if (t->source_count == FEED_SOURCES)
        code = cli_usage(t->command, "these are more than %u filters", FEED_SOURCES);
    else {
        t->sources[t->source_count++].branch = branch;
        kanal_buffer_text(&t->filters, argument);
        kanal_buffer_byte(&t->filters, '\n');
    }
    kanal_buffer_release(&error);
    return code;
}

static int make_filters(struct tail *t, char **arguments, int count)
{
    const struct options *o = &t->options;
    const char *at;
    int code = CLI_OK;

    for (int i = 0; i < count && code == CLI_OK; i++)
        code = add_argument(t, arguments[i]);
    for (size_t i = 0; count == 0 && i < o->channel_count && code == CLI_OK; i++)
        code = add_of_channel(t, kanal_str_c(o->channels[i]));
    if (count == 0 && o->channel_count == 0)
        code = add_of_channel(t, KANAL_LIT("*"));
    at = t->filters.data;
    for (size_t i = 0; i < t->source_count && code == CLI_OK; i++) {
        const char *end = memchr(at, '\n', t->filters.len - (size_t)(at - t->filters.data));

        t->sources[i].filter = kanal_str_of(at, (size_t)(end - at));
        at = end + 1;
    }
    return code;
}

/* ---- Showing ---- */

static int is_wanted(const struct tail *t, const struct feed_item *item)
{
    yyjson_doc *document;
    kanal_str address;
    int wanted;

    if (t->address.len == 0)
        return 1;
    document = kanal_json_parse(item->payload);
    address = kanal_json_text_at(
        kanal_json_at(kanal_json_at(yyjson_doc_get_root(document), "data"), "customer"), "address");
    wanted = kanal_str_equal(address, kanal_buffer_view(&t->address));
    yyjson_doc_free(document);
    return wanted;
}

/* 1: shown; 0: it cannot be shown, which is said; -1: nobody reads our output any more. */
static int show(struct tail *t, const struct feed_item *item)
{
    kanal_buffer_clear(&t->line);
    t->style.now_ms = client_unix_ms();
    if (!t->options.json) {
        line_write(&t->line, item->subject, item->payload, &t->style);
    } else if (terminal_json(&t->line, item->payload) != 0) {
        terminal_text(&t->line, item->subject);
        fprintf(stderr, "kanal tail: %.*s: a message of %zu bytes that is not JSON\n", (int)t->line.len,
                t->line.data, item->payload.len);
        return 0;
    }
    kanal_buffer_byte(&t->line, '\n');
    return fwrite(t->line.data, 1, t->line.len, stdout) == t->line.len ? 1 : -1;
}

static int write_failed(void)
{
    if (errno == EPIPE) /* `kanal tail | head` */
        return CLI_OK;
    fprintf(stderr, "kanal tail: cannot write: %s\n", strerror(errno));
    return CLI_FAILED;
}

static int follow(struct tail *t, struct feed *feed)
{
    const struct options *o = &t->options;
    int64_t until_ms = o->timeout_ms ? client_now_ms() + o->timeout_ms : INT64_MAX, shown = 0;

    for (;;) {
        struct feed_item item;

        switch (feed_next(feed, until_ms, &item)) {
        case FEED_EVENT: {
            int r = is_wanted(t, &item) ? show(t, &item) : 0;

            shown += r > 0;
            if (r < 0 || ((!feed_has_more(feed) || shown == o->count) && fflush(stdout) != 0))
                return write_failed();
            if (o->count && shown == o->count)
                return CLI_OK;
            break;
        }
        case FEED_NOTICE:
            fprintf(stderr, "kanal tail: %s\n", item.text);
            break;
        case FEED_FAILED:
            fprintf(stderr, "kanal tail: %s\n", item.text);
            return CLI_BROKER;
        case FEED_TIMEOUT:
            if (!o->count)
                return CLI_OK;
            fprintf(stderr, "kanal tail: %lld of %lld events came in time\n", (long long)shown,
                    (long long)o->count);
            return CLI_TIMEOUT;
        case FEED_INTERRUPTED:
        case FEED_DONE:
            return CLI_OK;
        }
    }
}

static int tail_run(struct tail *t, char **arguments, int count)
{
    struct feed_options feed_options = { .sources = t->sources,
                                         .since_ms = t->options.since_ms,
                                         .stored_only = t->options.stored_only };
    struct feed *feed = NULL;
    char reason[API_REASON];
    int code;

    if (count > 0 && t->options.channel_count + t->options.type_count > 0)
        return cli_usage(t->command, "a FILTER says channel and type itself: leave out --channel and --type");
    if (t->options.stored_only && t->options.since_ms == FEED_SINCE_NOW)
        return cli_usage(t->command, "--no-live needs --since: else there is nothing to show");
    code = client_open(&t->client, &t->options.client, t->command);
    if (code == CLI_OK)
        code = make_filters(t, arguments, count);
    feed_options.source_count = t->source_count;
    if (code == CLI_OK) {
        code = feed_new(&feed, &t->client, &feed_options, reason);
        if (code != CLI_OK)
            fprintf(stderr, "kanal tail: %s\n", reason);
    }
    if (code == CLI_OK) {
        if (!t->options.stored_only)
            fprintf(stderr, "kanal tail: listening at %s\n", t->client.server);
        t->style.colours = terminal_has_colours(STDOUT_FILENO);
        code = follow(t, feed);
    }
    feed_free(feed);
    client_close(&t->client);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct tail *t = calloc(1, sizeof *t);
    int code = CLI_OK;

    if (!t)
        return CLI_FAILED;
    t->command = command;
    t->options.since_ms = FEED_SINCE_NOW;
    for (int c; code == CLI_OK && (c = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            free(t);
            return CLI_OK;
        }
        code = read_option(t, c, optarg);
    }
    if (code == CLI_OK)
        code = tail_run(t, argv + optind, argc - optind);
    kanal_buffer_release(&t->filters);
    kanal_buffer_release(&t->address);
    kanal_buffer_release(&t->line);
    free(t);
    return code;
}

const struct cli_command command_tail = {
    .name = "tail",
    .arguments = "[OPTION …] [FILTER …]",
    .summary = "Prints each event as it arrives.",
    .help =
        "  FILTER               subjects to show: 'kanal.events.*.shop-telegram.>'; may be repeated. Without "
        "one:\n"
        "                       kanal.events.>, kanal.activity.> and kanal.live.>\n"
        "      --channel ID     only of this channel; may be repeated\n"
        "      --type TYPE      only of this type: message.received, or message.*; may be repeated\n"
        "      --address ADDR   only of this customer: telegram:3527065\n"
        "      --since WHEN     first what is stored since then: 10m (ago), a time (2026-11-21T20:00:00Z), "
        "or all\n"
        "      --no-live        end with what is stored (with --since)\n"
        "      --count N        end after N events\n"
        "      --timeout TIME   end after so long: 30s\n"
        "      --json           one event a line, as it is stored\n\n" CLIENT_HELP "\n"
        "Exit code 0: ended by --count, --no-live, --timeout, SIGINT or SIGTERM; 1: the broker refused; 2: "
        "wrong words;\n"
        "3: the configuration is wrong; 4: no broker; 5: fewer than --count events came within --timeout.\n",
    .run = run,
};
