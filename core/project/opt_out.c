#include "project/opt_out.h"

#include "kanal/sdk/str.h"
#include "outbound/words.h"

#define TEXT_MAX 256u /* bytes: nothing longer is one of the words */

struct opt_out {
    struct projection projection;
    struct host *host;
    struct opt_out_words words;
};

static int is_one_of(kanal_str text, const char *const *words)
{
    for (; words && *words; words++)
        if (words_equal(text, words_trim(kanal_str_c(*words))))
            return 1;
    return 0;
}

/* The message's only part, if that is a text; else absent. */
static kanal_str only_text(yyjson_val *data)
{
    yyjson_val *content = kanal_json_at(kanal_json_at(data, "message"), "content");
    yyjson_val *part = yyjson_arr_size(content) == 1 ? yyjson_arr_get_first(content) : NULL;
    kanal_str kind = kanal_json_text_at(kanal_json_at(data, "chat"), "kind");
    int is_group = kind.len > 0 && !kanal_str_is(kind, "private");
    if (is_group || !kanal_str_is(kanal_json_text_at(part, "type"), "text"))
        return (kanal_str){ 0 };
    kanal_str plain = kanal_json_text_at(part, "plain");
    return plain.len > 0 ? plain : kanal_json_text_at(part, "text");
}

int opt_out_read(yyjson_val *data, const struct opt_out_words *words)
{
    kanal_str text = only_text(data);
    if (text.len == 0 || text.len > TEXT_MAX)
        return 0;
    text = words_trim(text);
    while (text.len > 1 && (text.ptr[text.len - 1] == '.' || text.ptr[text.len - 1] == '!'))
        text.len--;
    return is_one_of(text, words->stop) ? -1 : is_one_of(text, words->start);
}

static void write_data(struct kanal_buffer *out, const struct projected *event, int given)
{
    struct kanal_json json;
    yyjson_val *chat = kanal_json_at(event->data, "chat");
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (chat) {
        kanal_json_key(&json, "chat");
        kanal_json_value(&json, chat);
    }
    kanal_json_key(&json, "consent");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "given", given);
    kanal_json_member_str(&json, "channel", event->channel);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_member_text(&json, "reason", given ? "message" : "stop_word");
    kanal_json_object_end(&json);
}

static void tell(struct opt_out *o, const struct channel *channel, const struct projected *projected,
                 int given, projected_fn *done, void *done_user)
{
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    write_data(&data, projected, given);
    kanal_buffer_text(&dedupe, "word:");
    kanal_buffer_str(&dedupe, projected->id);
    struct envelope_source core = channel->source;
    core.is_core = 1;
    core.spools = 0;
    core.is_said_again = 1;
    core.traceparent = kanal_json_text_at(projected->root, "traceparent");
    kanal_event event = { .struct_size = sizeof event,
                          .type = given ? KANAL_LIT("consent.given") : KANAL_LIT("consent.withdrawn"),
                          .dedupe = kanal_buffer_view(&dedupe),
                          .address = projected->address,
                          .chat = kanal_json_text_at(kanal_json_at(projected->data, "chat"), "id"),
                          .time_ms = projected->time_ms,
                          .data = kanal_buffer_view(&data) };
    const kanal_event *events[] = { &event };
    publisher_publish(o->host->publisher, &core, events, 1, 0, done, done_user);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}

static void on_event(void *user, const struct projected *event, projected_fn *done, void *done_user)
{
    struct opt_out *o = user;
    if (!kanal_str_is(event->type, "message.received") || event->address.len == 0) {
        done(done_user, KANAL_OK);
        return;
    }
    const struct channel *channel = host_find(o->host, event->channel);
    if (!channel || (channel->plugin->descriptor.caps & KANAL_CAP_OPT_OUT)) {
        done(done_user, KANAL_OK);
        return;
    }
    struct opt_out_words words = o->words;
    if (channel->config->stop_words)
        words.stop = channel->config->stop_words;
    if (channel->config->start_words)
        words.start = channel->config->start_words;
    int said = opt_out_read(event->data, &words);
    if (said == 0)
        done(done_user, KANAL_OK);
    else
        tell(o, channel, event, said > 0, done, done_user);
}

int opt_out_new(struct opt_out **ret_opt_out, struct host *host, const struct opt_out_words *words)
{
    struct opt_out *o = calloc(1, sizeof *o);
    if (!o)
        return KANAL_E_INTERNAL;
    o->host = host;
    o->words = *words;
    o->projection = (struct projection){ .name = "opt_out", .event = on_event, .user = o };
    *ret_opt_out = o;
    return 0;
}

struct projection *opt_out_projection(struct opt_out *o)
{
    return &o->projection;
}

void opt_out_free(struct opt_out *o)
{
    free(o);
}
