#include "control/record.h"

#include "config/memory.h"
#include "kanal/sdk/json.h"

int record_read(struct record *record, kanal_str text)
{
    *record = (struct record){ 0 };
    if (text.len == 0)
        return 0;
    record->document = kanal_json_parse(text);
    yyjson_val *root = yyjson_doc_get_root(record->document);
    if (!yyjson_is_obj(root)) {
        record_release(record);
        return KANAL_E_INVALID;
    }
    record->channel = kanal_json_at(root, "channel");
    record->is_paused = kanal_json_bool_at(root, "paused");
    record->restarts = kanal_json_int_at(root, "restarts", 0);
    record->plugin_file = kanal_json_text_at(root, "plugin_file");
    return 0;
}

void record_release(struct record *record)
{
    yyjson_doc_free(record->document);
    *record = (struct record){ 0 };
}

void record_write(const struct record *record, kanal_str channel, int64_t changed_ms,
                  struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (channel.len > 0) {
        kanal_json_key(&json, "channel");
        kanal_json_raw(&json, channel);
    }
    kanal_json_member_bool(&json, "paused", record->is_paused);
    kanal_json_member_int(&json, "restarts", record->restarts);
    kanal_json_member_str(&json, "plugin_file", record->plugin_file);
    kanal_json_member_time(&json, "changed", changed_ms);
    kanal_json_object_end(&json);
}

/* ---- Secrets ---- */

struct secrets {
    const struct sealer *sealer;
    int open;
    kanal_str channel_id;
    struct kanal_json json;
};

/* A sealed text opens only for the channel and the name that it was made for. */
static void purpose_of(const struct secrets *s, kanal_str name, struct kanal_buffer *out)
{
    kanal_buffer_text(out, "kanal channel ");
    kanal_buffer_str(out, s->channel_id);
    kanal_buffer_byte(out, '\0');
    kanal_buffer_str(out, name);
}

static int copy_secret(struct secrets *s, kanal_str name, yyjson_val *value)
{
    struct kanal_buffer purpose = { 0 }, text = { 0 };
    kanal_str given = s->open ? kanal_json_text_at(value, "sealed") : kanal_json_text(value);
    int status = given.ptr ? 0 : KANAL_E_INVALID;
    purpose_of(s, name, &purpose);
    if (status == 0 && !s->sealer)
        status = KANAL_E_DENIED;
    if (status == 0)
        status = s->open ? seal_open(s->sealer, kanal_buffer_view(&purpose), given, &text)
                         : seal_close(s->sealer, kanal_buffer_view(&purpose), given, &text);
    kanal_json_key_str(&s->json, name);
    if (status == 0 && s->open) {
        kanal_json_str(&s->json, kanal_buffer_view(&text));
    } else if (status == 0) {
        kanal_json_object(&s->json);
        kanal_json_member_str(&s->json, "sealed", kanal_buffer_view(&text));
        kanal_json_object_end(&s->json);
    }
    kanal_buffer_release(&purpose);
    config_wipe_free(text.data, text.capacity);
    return status;
}

static int copy_secrets(struct secrets *s, yyjson_val *secrets, kanal_str *ret_which)
{
    size_t index, count;
    yyjson_val *key, *value;
    int status = 0;
    if (!yyjson_is_obj(secrets)) { /* the schema says what is wrong with it */
        kanal_json_value(&s->json, secrets);
        return 0;
    }
    kanal_json_object(&s->json);
    yyjson_obj_foreach (secrets, index, count, key, value) {
        if (status != 0)
            break;
        *ret_which = kanal_json_text(key);
        status = copy_secret(s, *ret_which, value);
    }
    kanal_json_object_end(&s->json);
    return status;
}

static int copy_channel(const struct sealer *sealer, int open, yyjson_val *channel, struct kanal_buffer *out,
                        kanal_str *ret_which)
{
    struct secrets s = { .sealer = sealer, .open = open, .channel_id = kanal_json_text_at(channel, "id") };
    size_t index, count, room = 0;
    yyjson_val *key, *value;
    int status = 0;
    char *text = yyjson_val_write_opts(channel, 0, &config_wiping_allocator, &room, NULL);
    config_wiping_allocator.free(NULL, text);
    kanal_buffer_reserve(out, room * 6 + 4096); /* growing would leave copies of secrets behind */
    kanal_json_init(&s.json, out);
    if (!yyjson_is_obj(channel)) {
        kanal_json_value(&s.json, channel);
        return out->failed ? KANAL_E_INTERNAL : 0;
    }
    kanal_json_object(&s.json);
    yyjson_obj_foreach (channel, index, count, key, value) {
        kanal_json_key_str(&s.json, kanal_json_text(key));
        if (yyjson_equals_str(key, "secrets"))
            status = copy_secrets(&s, value, ret_which);
        else
            kanal_json_value(&s.json, value);
        if (status != 0)
            return status;
    }
    kanal_json_object_end(&s.json);
    return out->failed ? KANAL_E_INTERNAL : 0;
}

int record_seal(const struct sealer *sealer, yyjson_val *channel, struct kanal_buffer *out,
                kanal_str *ret_which)
{
    return copy_channel(sealer, 0, channel, out, ret_which);
}

int record_open(const struct sealer *sealer, yyjson_val *channel, struct kanal_buffer *out,
                kanal_str *ret_which)
{
    return copy_channel(sealer, 1, channel, out, ret_which);
}
