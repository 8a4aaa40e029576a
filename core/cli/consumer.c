/* `kanal consumer`: durables for those who read events, and the permissions that let them read these and nothing else.
 *
 * Permissions on subjects do not protect a stream: whoever may create a consumer, or use STREAM.MSG.GET, reads all of it. So the
 * operator makes the durable, and its reader may ask for the messages of that one, look at it, and acknowledge; and from an
 * account of its own, see grant.h. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "broker/topology.h"
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/filter.h"
#include "cli/grant.h"
#include "cli/terminal.h"
#include "config/duration.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define FILTERS 16u
#define MARK "made by kanal consumer add" /* the description of ours */
#define ACK_WAIT_MS 30000
#define GATEWAY_ACCOUNT "KANAL"
#define NS_PER_MS INT64_C(1000000)

struct options {
    struct client_options client;
    const char *filters[FILTERS];
    size_t filter_count;
    const char *stream; /* "events" …; NULL: as the filters say */
    int64_t ack_wait_ms, max_deliver;
    const char *account; /* the gateway's, at the broker */
    int all, json, force, shared_account;
};

struct consumer {
    const struct cli_command *command;
    struct options options;
    struct client client;
    const char *name;
    enum filter_branch branch;
    char stream[64];
};

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

static const enum filter_branch streams[] = { FILTER_EVENTS, FILTER_ACTIVITY, FILTER_FACTS };
#define STREAMS (sizeof streams / sizeof *streams)

/* ---- The words of the call ---- */

static int read_filter(struct consumer *c, const char *value)
{
    if (c->options.filter_count == FILTERS)
        return cli_usage(c->command, "--filter: at most %u of them", FILTERS);
    c->options.filters[c->options.filter_count++] = value;
    return CLI_OK;
}

static int read_stream(struct consumer *c, const char *value)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (strcmp(filter_branch_name(streams[i]), value) == 0) {
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
    struct options *o = &c->options;

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

static int fail(const struct consumer *c, const struct api_failure *failure)
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

/* ---- add ---- */

/* All filters are right and of one stream; sets branch and stream. */
static int check_filters(struct consumer *c)
{
    const struct options *o = &c->options;
    struct kanal_buffer error = { 0 };
    int code = CLI_OK;

    for (size_t i = 0; i < o->filter_count && code == CLI_OK; i++) {
        kanal_str filter = kanal_str_c(o->filters[i]);
        enum filter_branch branch = FILTER_EVENTS;

        if (filter_check(kanal_str_c(c->client.prefix), filter, &branch, &error) != 0)
            code = cli_usage(c->command, "--filter '%s': %.*s", o->filters[i], (int)error.len,
                             error.data ? error.data : "");
        else if (!filter_branch_stream(branch))
            code = cli_usage(c->command,
                             "--filter '%s': live events are not kept in a stream; subscribe to them, with "
                             "permission for that subject",
                             o->filters[i]);
        else if (o->stream && strcmp(o->stream, filter_branch_name(branch)) != 0)
            code = cli_usage(c->command, "--filter '%s' is not of --stream %s", o->filters[i], o->stream);
        else if (i > 0 && branch != c->branch)
            code = cli_usage(c->command, "a durable reads one stream: add another for '%s'", o->filters[i]);
        else if (filter_is_slow(filter))
            code = cli_usage(
                c->command,
                "--filter '%s' names a single customer behind wildcards: on a large stream that stalls the "
                "broker. Name plugin, channel and type too, or ask kanal.api.customer-timeline",
                o->filters[i]);
        for (size_t k = 0; k < i && code == CLI_OK; k++)
            if (filter_overlaps(kanal_str_c(o->filters[k]), filter))
                code = cli_usage(c->command, "the filters '%s' and '%s' overlap: an event would come twice",
                                 o->filters[k], o->filters[i]);
        c->branch = branch;
    }
    kanal_buffer_release(&error);
    topology_stream_name(c->client.prefix,
                         filter_branch_stream(c->branch) ? filter_branch_stream(c->branch) : "EVENTS",
                         c->stream);
    return code;
}

static void write_config(const struct consumer *c, struct kanal_json *json)
{
    const struct options *o = &c->options;

    kanal_json_object(json);
    kanal_json_member_text(json, "durable_name", c->name);
    kanal_json_member_text(json, "description", MARK);
    kanal_json_member_text(json, "ack_policy", "explicit");
    kanal_json_member_text(json, "deliver_policy", o->all ? "all" : "new");
    kanal_json_member_text(json, "replay_policy", "instant");
    kanal_json_member_int(json, "ack_wait", o->ack_wait_ms * NS_PER_MS);
    kanal_json_member_int(json, "max_deliver", o->max_deliver);
    if (o->filter_count == 1) {
        kanal_json_member_text(json, "filter_subject", o->filters[0]);
    } else {
        kanal_json_key(json, "filter_subjects");
        kanal_json_array(json);
        for (size_t i = 0; i < o->filter_count; i++)
            kanal_json_str(json, kanal_str_c(o->filters[i]));
        kanal_json_array_end(json);
    }
    kanal_json_object_end(json);
}

static int has_filter(yyjson_val *config, kanal_str filter)
{
    yyjson_val *list = kanal_json_at(config, "filter_subjects"), *item;
    size_t i, max;

    if (kanal_str_equal(kanal_json_text_at(config, "filter_subject"), filter))
        return 1;
    if (yyjson_is_arr(list))
        yyjson_arr_foreach (list, i, max, item)
            if (kanal_str_equal(kanal_json_text(item), filter))
                return 1;
    return 0;
}

/* Reads the server's configuration exactly these filters? */
static int has_filters(const struct consumer *c, yyjson_val *config)
{
    size_t count = yyjson_arr_size(kanal_json_at(config, "filter_subjects"));

    for (size_t i = 0; i < c->options.filter_count; i++)
        if (!has_filter(config, kanal_str_c(c->options.filters[i])))
            return 0;
    return count == 0 ? c->options.filter_count == 1 : count == c->options.filter_count;
}

/* There is one of this name: the same, then it is fine; else it is not touched. */
static int check_existing(const struct consumer *c, yyjson_val *info)
{
    yyjson_val *config = kanal_json_at(info, "config");
    const struct options *o = &c->options;

    if (has_filters(c, config) && kanal_json_text_at(config, "deliver_subject").len == 0 &&
        kanal_str_is(kanal_json_text_at(config, "ack_policy"), "explicit") &&
        kanal_json_int_at(config, "ack_wait", 0) == o->ack_wait_ms * NS_PER_MS &&
        kanal_json_int_at(config, "max_deliver", -1) == o->max_deliver &&
        kanal_str_is(kanal_json_text_at(config, "deliver_policy"), o->all ? "all" : "new"))
        return CLI_OK;
    fprintf(stderr,
            "kanal consumer: %s has a consumer '%s' already, made otherwise; it was left as it is. Take "
            "another name, or remove it first (then it starts anew)\n",
            c->stream, c->name);
    return CLI_FAILED;
}

static void remove_again(struct consumer *c)
{
    struct api_failure failure;
    char subject[160];

    snprintf(subject, sizeof subject, "CONSUMER.DELETE.%s.%s", c->stream, c->name);
    yyjson_doc_free(api_request(&c->client, subject, (kanal_str){ 0 }, &failure));
}

/* Servers before 2.10 pass over `filter_subjects` in silence and give everything: seen by what they answer. */
static int check_created(struct consumer *c, yyjson_val *info)
{
    if (has_filters(c, kanal_json_at(info, "config")))
        return CLI_OK;
    remove_again(c);
    fprintf(stderr, "kanal consumer: this server takes one filter for a durable (several need nats-server "
                    "2.10 or newer), so nothing was made. "
                    "Add one durable for each --filter, with names of their own\n");
    return CLI_FAILED;
}

static int create(struct consumer *c)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    struct api_failure failure;
    char subject[160];
    yyjson_doc *answer;
    int code;

    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "stream_name", c->stream);
    kanal_json_key(&json, "config");
    write_config(c, &json);
    kanal_json_member_text(&json, "action", "create"); /* 2.10 and newer: never change one that is there */
    kanal_json_object_end(&json);
    snprintf(subject, sizeof subject, "CONSUMER.DURABLE.CREATE.%s.%s", c->stream, c->name);
    answer = api_request(&c->client, subject, kanal_buffer_view(&body), &failure);
    code = answer ? check_created(c, yyjson_doc_get_root(answer)) : fail(c, &failure);
    yyjson_doc_free(answer);
    kanal_buffer_release(&body);
    return code;
}

static int print_grant(const struct consumer *c)
{
    struct grant grant = { .name = c->name,
                           .stream = c->stream,
                           .account = c->options.shared_account ? NULL : c->options.account,
                           .filters = c->options.filters,
                           .filter_count = c->options.filter_count };
    struct kanal_buffer out = { 0 };
    unsigned char random[20];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return CLI_FAILED;
    grant_set_password(&grant, random, sizeof random);
    if (c->options.json)
        grant_write_json(&grant, &out);
    else
        grant_write_text(&grant, &out);
    printf("%.*s", (int)out.len, out.data ? out.data : "");
    kanal_buffer_release(&out);
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int add(struct consumer *c)
{
    struct api_failure failure;
    char subject[160];
    yyjson_doc *info;
    int code;

    if (c->options.filter_count == 0)
        return cli_usage(c->command, "--filter is missing: '%s.events.>' would be everything",
                         c->client.prefix);
    code = check_filters(c);
    if (code != CLI_OK)
        return code;
    snprintf(subject, sizeof subject, "CONSUMER.INFO.%s.%s", c->stream, c->name);
    info = api_request(&c->client, subject, (kanal_str){ 0 }, &failure);
    if (info)
        code = check_existing(c, yyjson_doc_get_root(info));
    else
        code = failure.error == API_CONSUMER_NOT_FOUND ? create(c) : fail(c, &failure);
    yyjson_doc_free(info);
    return code == CLI_OK ? print_grant(c) : code;
}

/* ---- list ---- */

typedef int each_fn(struct consumer *, yyjson_val *info, void *user);

/* Every durable of the stream; each() ends it with another code than CLI_OK. A stream that is not there has none. */
static int for_each(struct consumer *c, enum filter_branch branch, each_fn *each, void *user)
{
    int64_t offset = 0, total = 1;
    int code = CLI_OK;

    topology_stream_name(c->client.prefix, filter_branch_stream(branch), c->stream);
    while (offset < total && code == CLI_OK) {
        char subject[128], body[48];
        struct api_failure failure;
        yyjson_doc *answer;
        yyjson_val *list, *info;
        size_t i, max;

        snprintf(subject, sizeof subject, "CONSUMER.LIST.%s", c->stream);
        snprintf(body, sizeof body, "{\"offset\":%lld}", (long long)offset);
        answer = api_request(&c->client, subject, kanal_str_c(body), &failure);
        if (!answer)
            return failure.error == API_STREAM_NOT_FOUND ? CLI_OK : fail(c, &failure);
        list = kanal_json_at(yyjson_doc_get_root(answer), "consumers");
        total = kanal_json_int_at(yyjson_doc_get_root(answer), "total", 0);
        offset = yyjson_arr_size(list) > 0 ? offset + (int64_t)yyjson_arr_size(list) : total;
        if (yyjson_is_arr(list))
            yyjson_arr_foreach (list, i, max, info)
                if (code == CLI_OK &&
                    kanal_json_text_at(kanal_json_at(info, "config"), "durable_name").len > 0)
                    code = each(c, info, user);
        yyjson_doc_free(answer);
    }
    return code;
}

static void append_filters(struct kanal_buffer *out, yyjson_val *config)
{
    yyjson_val *list = kanal_json_at(config, "filter_subjects"), *item;
    size_t i, max;

    terminal_text(out, kanal_json_text_at(config, "filter_subject"));
    if (yyjson_is_arr(list))
        yyjson_arr_foreach (list, i, max, item) {
            kanal_buffer_text(out, i > 0 ? " " : "");
            terminal_text(out, kanal_json_text(item));
        }
}

static int list_text(struct consumer *c, yyjson_val *info, void *user)
{
    yyjson_val *config = kanal_json_at(info, "config");
    struct kanal_buffer filters = { 0 }, name = { 0 };

    (void)user;
    append_filters(&filters, config);
    terminal_text(&name, kanal_json_text_at(config, "durable_name"));
    printf("%-20.*s %-16s %10lld waiting %8lld unacknowledged %8lld again  %.*s%s\n", (int)name.len,
           name.data ? name.data : "", c->stream, (long long)kanal_json_int_at(info, "num_pending", 0),
           (long long)kanal_json_int_at(info, "num_ack_pending", 0),
           (long long)kanal_json_int_at(info, "num_redelivered", 0), (int)filters.len,
           filters.data ? filters.data : "",
           kanal_str_is(kanal_json_text_at(config, "description"), MARK) ? ""
                                                                         : "  (not made by kanal consumer)");
    kanal_buffer_release(&filters);
    kanal_buffer_release(&name);
    return CLI_OK;
}

static int list_json(struct consumer *c, yyjson_val *info, void *user)
{
    yyjson_val *config = kanal_json_at(info, "config"), *several = kanal_json_at(config, "filter_subjects");
    struct kanal_json *json = user;

    kanal_json_object(json);
    kanal_json_member_str(json, "name", kanal_json_text_at(config, "durable_name"));
    kanal_json_member_text(json, "stream", c->stream);
    kanal_json_key(json, "filters");
    if (yyjson_is_arr(several)) {
        kanal_json_value(json, several);
    } else {
        kanal_json_array(json);
        if (kanal_json_text_at(config, "filter_subject").len > 0)
            kanal_json_str(json, kanal_json_text_at(config, "filter_subject"));
        kanal_json_array_end(json);
    }
    kanal_json_member_int(json, "waiting", kanal_json_int_at(info, "num_pending", 0));
    kanal_json_member_int(json, "unacknowledged", kanal_json_int_at(info, "num_ack_pending", 0));
    kanal_json_member_int(json, "redelivered", kanal_json_int_at(info, "num_redelivered", 0));
    kanal_json_member_int(json, "ack_wait_ms", kanal_json_int_at(config, "ack_wait", 0) / NS_PER_MS);
    kanal_json_member_int(json, "max_deliver", kanal_json_int_at(config, "max_deliver", -1));
    kanal_json_member_bool(json, "made_here", kanal_str_is(kanal_json_text_at(config, "description"), MARK));
    kanal_json_object_end(json);
    return CLI_OK;
}

static int is_chosen(const struct consumer *c, enum filter_branch branch)
{
    return !c->options.stream || strcmp(c->options.stream, filter_branch_name(branch)) == 0;
}

static int list(struct consumer *c)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    int code = CLI_OK;

    kanal_json_init(&json, &out);
    kanal_json_array(&json);
    for (size_t i = 0; i < STREAMS && code == CLI_OK; i++)
        if (is_chosen(c, streams[i]))
            code = for_each(c, streams[i], c->options.json ? list_json : list_text, &json);
    kanal_json_array_end(&json);
    if (code == CLI_OK && c->options.json)
        printf("%.*s\n", (int)out.len, out.data ? out.data : "[]");
    kanal_buffer_release(&out);
    return code;
}

/* ---- remove ---- */

struct found {
    size_t count;
    int is_ours;
    char stream[64];
};

static int note_found(struct consumer *c, yyjson_val *info, void *user)
{
    yyjson_val *config = kanal_json_at(info, "config");
    struct found *found = user;

    if (!kanal_str_is(kanal_json_text_at(config, "durable_name"), c->name))
        return CLI_OK;
    found->count++;
    found->is_ours = kanal_str_is(kanal_json_text_at(config, "description"), MARK);
    snprintf(found->stream, sizeof found->stream, "%s", c->stream);
    return CLI_OK;
}

static int remove_it(struct consumer *c)
{
    struct found found = { 0 };
    struct api_failure failure;
    char subject[160];
    yyjson_doc *answer;
    int code = CLI_OK;

    for (size_t i = 0; i < STREAMS && code == CLI_OK; i++)
        if (is_chosen(c, streams[i]))
            code = for_each(c, streams[i], note_found, &found);
    if (code != CLI_OK)
        return code;
    if (found.count != 1) {
        fprintf(stderr, "kanal consumer: %s '%s'%s\n",
                found.count ? "several streams have a consumer" : "there is no consumer", c->name,
                found.count ? ": say which with --stream" : "; see `kanal consumer list`");
        return CLI_FAILED;
    }
    if (!found.is_ours && !c->options.force) {
        fprintf(
            stderr,
            "kanal consumer: '%s' was not made by `kanal consumer add`; --force removes it all the same\n",
            c->name);
        return CLI_FAILED;
    }
    snprintf(subject, sizeof subject, "CONSUMER.DELETE.%s.%s", found.stream, c->name);
    answer = api_request(&c->client, subject, (kanal_str){ 0 }, &failure);
    code = answer ? CLI_OK : fail(c, &failure);
    yyjson_doc_free(answer);
    if (code == CLI_OK && c->options.json)
        printf("{\"name\":\"%s\",\"stream\":\"%s\",\"removed\":true}\n", c->name, found.stream);
    else if (code == CLI_OK)
        printf("%s of %s is removed; take its user out of the broker's configuration too\n", c->name,
               found.stream);
    return code;
}

/* ---- The command ---- */

static const struct action {
    const char *name;
    int needs_name;
    int (*run)(struct consumer *);
} actions[] = { { "add", 1, add }, { "list", 0, list }, { "remove", 1, remove_it } };

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
    if (action->run == add && c->options.filter_count == 0)
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
