/* A published event as the core writes it: with its own members stamped, media references turned into URLs. The ids have the
 * right form and are stable, but are not those of a real core. */
#include "inside.h"
#include <openssl/evp.h>
#include "kanal/sdk/base64.h"

struct line {
    struct kanal_json json;
    const kanal_event *event;
    struct fake_host *host;
    char event_id[29], node[29], customer[29];
};

/* prefix, and 128 bits of a hash in base32. */
static void make_id(char out[29], const char *prefix, kanal_str first, kanal_str second)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct kanal_buffer text = { 0 }, id = { 0 };
    kanal_buffer_str(&text, first);
    kanal_buffer_byte(&text, 0);
    kanal_buffer_str(&text, second);
    EVP_Digest(text.data, text.len, hash, &length, EVP_sha256(), NULL);
    kanal_buffer_text(&id, prefix);
    kanal_base32_encode(&id, kanal_str_of((char *)hash, 16));
    memcpy(out, id.data, 28);
    out[28] = 0;
    kanal_buffer_release(&text);
    kanal_buffer_release(&id);
}

static int is_one_of(kanal_str name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (kanal_str_is(name, *names))
            return 1;
    }
    return 0;
}

/* A value, in which "ref": REFERENCE becomes "url": a URL of the gateway. What is the provider's own stays. */
static void write_value(struct line *line, yyjson_val *value)
{
    struct kanal_json *json = &line->json;
    size_t index, max;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value)) {
        kanal_json_array(json);
        yyjson_arr_foreach (value, index, max, item)
            write_value(line, item);
        kanal_json_array_end(json);
        return;
    }
    if (!yyjson_is_obj(value)) {
        kanal_json_value(json, value);
        return;
    }
    kanal_json_object(json);
    yyjson_obj_foreach (value, index, max, key, item) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_is(name, "ref") && yyjson_is_str(item)) {
            struct kanal_buffer url = { 0 };
            kanal_buffer_text(&url, FAKE_ORIGIN "/m/");
            kanal_buffer_text(&url, line->host->channel_id);
            kanal_buffer_byte(&url, '/');
            kanal_base64_encode(&url, kanal_json_text(item), KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
            kanal_json_member_str(json, "url", kanal_buffer_view(&url));
            kanal_buffer_release(&url);
            continue;
        }
        kanal_json_key_str(json, name);
        if (kanal_str_is(name, "provider"))
            kanal_json_value(json, item);
        else
            write_value(line, item);
    }
    kanal_json_object_end(json);
}

/* The plugin's members, less those that are the core's. */
static void write_members(struct line *line, yyjson_val *object, const char *const *reserved)
{
    struct kanal_json *json = &line->json;
    size_t index, max;
    yyjson_val *key, *member;
    if (object == NULL)
        return;
    yyjson_obj_foreach (object, index, max, key, member) {
        kanal_str name = kanal_json_text(key);
        if (is_one_of(name, reserved))
            continue;
        kanal_json_key_str(json, name);
        if (kanal_str_is(name, "provider"))
            kanal_json_value(json, member);
        else
            write_value(line, member);
    }
}

static void write_channel(struct line *line)
{
    kanal_json_key(&line->json, "channel");
    kanal_json_object(&line->json);
    kanal_json_member_text(&line->json, "id", line->host->channel_id);
    kanal_json_member_text(&line->json, "plugin", line->host->plugin->id);
    kanal_json_object_end(&line->json);
}

static void write_customer(struct line *line, yyjson_val *said)
{
    static const char *const reserved[] = { "id", "node", "address", NULL };
    if (line->event->address.len == 0)
        return;
    kanal_json_key(&line->json, "customer");
    kanal_json_object(&line->json);
    kanal_json_member_text(&line->json, "id", line->customer);
    kanal_json_member_text(&line->json, "node", line->node);
    kanal_json_member_str(&line->json, "address", line->event->address);
    write_members(line, said, reserved);
    kanal_json_object_end(&line->json);
}

static void write_chat(struct line *line, yyjson_val *said)
{
    static const char *const reserved[] = { "id", NULL };
    if (line->event->chat.len == 0)
        return;
    kanal_json_key(&line->json, "chat");
    kanal_json_object(&line->json);
    kanal_json_member_str(&line->json, "id", line->event->chat);
    write_members(line, said, reserved);
    kanal_json_object_end(&line->json);
}

static void write_thing(struct line *line, const char *key, kanal_str id, yyjson_val *said)
{
    static const char *const reserved[] = { "id", "external_id", NULL };
    kanal_json_key(&line->json, key);
    kanal_json_object(&line->json);
    if (id.len > 0)
        kanal_json_member_str(&line->json, "id", id);
    if (line->event->external_id.len > 0)
        kanal_json_member_str(&line->json, "external_id", line->event->external_id);
    write_members(line, said, reserved);
    kanal_json_object_end(&line->json);
}

static void write_data(struct line *line, yyjson_val *said)
{
    static const char *const reserved[] = { "channel", "customer", "chat", "message", "call", NULL };
    kanal_str type = line->event->type;
    kanal_json_key(&line->json, "data");
    kanal_json_object(&line->json);
    write_channel(line);
    write_customer(line, kanal_json_at(said, "customer"));
    write_chat(line, kanal_json_at(said, "chat"));
    if (kanal_str_starts(type, "message.")) {
        kanal_str id =
            kanal_str_is(type, "message.received") ? kanal_str_c(line->event_id) : line->event->command_id;
        write_thing(line, "message", id, kanal_json_at(said, "message"));
    }
    if (kanal_str_starts(type, "call.")) {
        char id[29];
        make_id(id, "e_", KANAL_LIT("call"), line->event->external_id);
        write_thing(line, "call", kanal_str_c(id), kanal_json_at(said, "call"));
    }
    write_members(line, said, reserved);
    kanal_json_object_end(&line->json);
}

void fake_event_line(struct fake_host *host, const struct fake_event *published, struct kanal_buffer *out)
{
    struct line line = { .event = &published->event, .host = host };
    struct kanal_buffer schema = { 0 }, source = { 0 };
    kanal_str type = line.event->type;
    make_id(line.event_id, "e_", type, line.event->dedupe);
    make_id(line.node, "a_", KANAL_LIT("salt"), line.event->address);
    memcpy(line.customer, line.node, sizeof line.customer);
    line.customer[0] = 'c';
    kanal_buffer_text(&schema, "urn:kanal:schema:");
    kanal_buffer_str(&schema, type);
    kanal_buffer_text(&schema, ":1");

    kanal_json_init(&line.json, out);
    kanal_json_object(&line.json);
    kanal_json_member_text(&line.json, "specversion", "1.0");
    kanal_json_member_text(&line.json, "id", line.event_id);
    kanal_json_member_str(&line.json, "type", type);
    kanal_buffer_text(&source, "urn:kanal:kanal:");
    kanal_buffer_text(&source, host->channel_id);
    kanal_json_member_str(&line.json, "source", kanal_buffer_view(&source));
    if (line.event->address.len > 0)
        kanal_json_member_text(&line.json, "subject", line.node);
    kanal_json_member_time(&line.json, "time", line.event->time_ms ? line.event->time_ms : host->now_ms);
    kanal_json_member_time(&line.json, "recordedtime", host->now_ms);
    kanal_json_member_text(&line.json, "datacontenttype", "application/json");
    kanal_json_member_str(&line.json, "dataschema", kanal_buffer_view(&schema));
    write_data(&line, yyjson_doc_get_root(published->document));
    kanal_json_object_end(&line.json);
    kanal_buffer_byte(out, '\n');
    kanal_buffer_release(&schema);
    kanal_buffer_release(&source);
}
