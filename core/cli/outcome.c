#include "cli/outcome.h"

#include <stdio.h>

#include "cli/api.h"
#include "cli/feed.h"
#include "cli/terminal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

/* Its channel's events, and those of no channel, which tell that there is none of that id; a route may lead anywhere. */
int outcome_watch(struct outcome *o, int64_t since_ms)
{
    int anywhere = o->draft->is_routed || strcmp(o->channel, "any") == 0, code;
    char filters[2][160], reason[API_REASON];
    struct feed_source sources[2];
    struct feed_options options = { .sources = sources,
                                    .source_count = anywhere ? 1 : 2,
                                    .since_ms = since_ms };

    snprintf(filters[0], sizeof filters[0], "%s.events.*.%s.message.*.*", o->client->prefix,
             anywhere ? "*" : o->channel);
    snprintf(filters[1], sizeof filters[1], "%s.events.*._.message.*.*", o->client->prefix);
    for (size_t i = 0; i < 2; i++)
        sources[i] = (struct feed_source){ .filter = kanal_str_c(filters[i]), .branch = FILTER_EVENTS };
    feed_free(o->feed);
    o->feed = NULL;
    code = feed_new(&o->feed, o->client, &options, reason);
    if (code != CLI_OK)
        fprintf(stderr, "kanal send: cannot follow what becomes of it: %s\n", reason);
    return code;
}

void outcome_release(struct outcome *o)
{
    feed_free(o->feed);
    kanal_buffer_release(&o->line);
}

static enum outcome_level level_of(kanal_str type)
{
    return kanal_str_is(type, "message.sent")        ? OUTCOME_SENT
           : kanal_str_is(type, "message.delivered") ? OUTCOME_DELIVERED
           : kanal_str_is(type, "message.read")      ? OUTCOME_READ
                                                     : OUTCOME_NONE;
}

/* True if every part has come as far as is waited for. */
static int has_arrived(struct outcome *o, yyjson_val *message, enum outcome_level level)
{
    int64_t part = kanal_json_int_at(message, "part", 1), parts = kanal_json_int_at(message, "parts", 1);

    if (level == OUTCOME_NONE || part < 1 || part > parts || parts > OUTCOME_PARTS)
        return 0;
    if (o->reached[part] < level)
        o->reached[part] = (unsigned char)level;
    for (int64_t i = 1; i <= parts; i++)
        if (o->reached[i] < o->until)
            return 0;
    return 1;
}

static void print_event(struct outcome *o, const struct feed_item *item)
{
    kanal_buffer_clear(&o->line);
    o->style.now_ms = client_unix_ms();
    if (!o->json)
        line_write(&o->line, item->subject, item->payload, &o->style);
    else if (terminal_json(&o->line, item->payload) != 0)
        return;
    printf("%.*s\n", (int)o->line.len, o->line.data ? o->line.data : "");
    (void)fflush(stdout);
}

static int say_failed(struct outcome *o, kanal_str type, yyjson_val *data)
{
    kanal_buffer_clear(&o->line);
    line_error(&o->line, kanal_json_at(data, "error"));
    fprintf(stderr, "kanal send: %s: %.*s%s%.*s\n", o->draft->id, (int)type.len, type.ptr,
            o->line.len ? ": " : "", (int)o->line.len, o->line.len ? o->line.data : "");
    return CLI_FAILED;
}

/* The exit code, or -1: it goes on. */
static int judge(struct outcome *o, const struct feed_item *item)
{
    yyjson_doc *document = kanal_json_parse(item->payload);
    yyjson_val *root = yyjson_doc_get_root(document), *data = kanal_json_at(root, "data");
    yyjson_val *message = kanal_json_at(data, "message");
    kanal_str type = kanal_json_text_at(root, "type");
    int code = -1;

    if (kanal_str_is(kanal_json_text_at(message, "id"), o->draft->id)) {
        print_event(o, item);
        o->is_accepted = 1;
        if (kanal_str_is(type, "message.failed") || kanal_str_is(type, "message.expired") ||
            kanal_str_is(type, "message.cancelled"))
            code = say_failed(o, type, data);
        else if (has_arrived(o, message, level_of(type)))
            code = CLI_OK;
    }
    yyjson_doc_free(document);
    return code;
}

int outcome_follow(struct outcome *o)
{
    int64_t until_ms = client_now_ms() + o->wait_ms;

    for (int code = -1;;) {
        struct feed_item item;

        switch (feed_next(o->feed, until_ms, &item)) {
        case FEED_EVENT:
            code = judge(o, &item);
            if (code >= 0)
                return code;
            break;
        case FEED_NOTICE:
            fprintf(stderr, "kanal send: %s\n", item.text);
            break;
        case FEED_FAILED:
            fprintf(stderr, "kanal send: %s\n", item.text);
            return CLI_BROKER;
        case FEED_INTERRUPTED:
            fprintf(stderr, "kanal send: interrupted; the command goes on\n");
            return CLI_TIMEOUT;
        case FEED_TIMEOUT:
        case FEED_DONE:
            fprintf(stderr, "kanal send: %s within %lld s; it is kept and goes on\n",
                    o->is_accepted ? "the gateway has taken it, but not brought it there"
                                   : "no gateway took it",
                    (long long)(o->wait_ms / 1000));
            return CLI_TIMEOUT;
        }
    }
}
