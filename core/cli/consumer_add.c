/* `kanal consumer add`. */
#include <stdio.h>
#include <sys/random.h>

#include "broker/topology.h"
#include "cli/consumer.h"
#include "cli/grant.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

/* All filters are right and of one stream; sets branch and stream. */
static int check_filters(struct consumer *c)
{
    const struct consumer_options *o = &c->options;
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
    const struct consumer_options *o = &c->options;

    kanal_json_object(json);
    kanal_json_member_text(json, "durable_name", c->name);
    kanal_json_member_text(json, "description", CONSUMER_MARK);
    kanal_json_member_text(json, "ack_policy", "explicit");
    kanal_json_member_text(json, "deliver_policy", o->all ? "all" : "new");
    kanal_json_member_text(json, "replay_policy", "instant");
    kanal_json_member_int(json, "ack_wait", o->ack_wait_ms * CONSUMER_NS_PER_MS);
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
    const struct consumer_options *o = &c->options;

    if (has_filters(c, config) && kanal_json_text_at(config, "deliver_subject").len == 0 &&
        kanal_str_is(kanal_json_text_at(config, "ack_policy"), "explicit") &&
        kanal_json_int_at(config, "ack_wait", 0) == o->ack_wait_ms * CONSUMER_NS_PER_MS &&
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
    code = answer ? check_created(c, yyjson_doc_get_root(answer)) : consumer_fail(c, &failure);
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

int consumer_add(struct consumer *c)
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
        code = failure.error == API_CONSUMER_NOT_FOUND ? create(c) : consumer_fail(c, &failure);
    yyjson_doc_free(info);
    return code == CLI_OK ? print_grant(c) : code;
}
