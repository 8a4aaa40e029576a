/* `kanal consumer list` and `kanal consumer remove`. */
#include <stdio.h>

#include "broker/topology.h"
#include "cli/consumer.h"
#include "cli/terminal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

/* ---- list ---- */

typedef int each_fn(struct consumer *, yyjson_val *info, void *user);

/* Every durable of the stream; each() ends it with another code than CLI_OK. A stream that is not there has none. */
static int for_each_of(struct consumer *c, enum filter_branch branch, each_fn *each, void *user)
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
            return failure.error == API_STREAM_NOT_FOUND ? CLI_OK : consumer_fail(c, &failure);
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

static int for_each(struct consumer *c, each_fn *each, void *user)
{
    int code = CLI_OK;

    for (int i = 0; i < FILTER_STREAMS && code == CLI_OK; i++)
        if (!c->options.stream || strcmp(c->options.stream, filter_branch_name((enum filter_branch)i)) == 0)
            code = for_each_of(c, (enum filter_branch)i, each, user);
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
           kanal_str_is(kanal_json_text_at(config, "description"), CONSUMER_MARK)
               ? ""
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
    kanal_json_member_int(json, "ack_wait_ms", kanal_json_int_at(config, "ack_wait", 0) / CONSUMER_NS_PER_MS);
    kanal_json_member_int(json, "max_deliver", kanal_json_int_at(config, "max_deliver", -1));
    kanal_json_member_bool(json, "made_here",
                           kanal_str_is(kanal_json_text_at(config, "description"), CONSUMER_MARK));
    kanal_json_object_end(json);
    return CLI_OK;
}

int consumer_list(struct consumer *c)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    int code;

    kanal_json_init(&json, &out);
    kanal_json_array(&json);
    code = for_each(c, c->options.json ? list_json : list_text, &json);
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
    found->is_ours = kanal_str_is(kanal_json_text_at(config, "description"), CONSUMER_MARK);
    snprintf(found->stream, sizeof found->stream, "%s", c->stream);
    return CLI_OK;
}

int consumer_remove(struct consumer *c)
{
    struct found found = { 0 };
    struct api_failure failure;
    char subject[160];
    yyjson_doc *answer;
    int code = CLI_OK;

    code = for_each(c, note_found, &found);
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
    code = answer ? CLI_OK : consumer_fail(c, &failure);
    yyjson_doc_free(answer);
    if (code == CLI_OK && c->options.json)
        printf("{\"name\":\"%s\",\"stream\":\"%s\",\"removed\":true}\n", c->name, found.stream);
    else if (code == CLI_OK)
        printf("%s of %s is removed; take its user out of the broker's configuration too\n", c->name,
               found.stream);
    return code;
}
