#include "compose.h"

#include <stdio.h>

#include "kanal/sdk/url.h"
#include "parts.h"
#include "reaction.h"

void vk_outgoing_release(struct vk_outgoing *out)
{
    kanal_buffer_release(&out->form);
    memset(out, 0, sizeof *out);
}

kanal_status vk_refuse(struct vk_outgoing *out, const char *error_code, const char *reason)
{
    out->error_code = error_code;
    out->reason = reason;
    return KANAL_E_REJECTED;
}

yyjson_val *vk_options(yyjson_val *object)
{
    yyjson_val *provider = kanal_json_at(object, "provider"), *ours = kanal_json_at(provider, "vk");
    return yyjson_is_obj(ours) ? ours : provider;
}

const char *vk_uploaded(const struct vk_wish *wish, const yyjson_val *part)
{
    for (size_t i = 0; i < wish->file_count; i++)
        if (wish->files[i].part == part && wish->files[i].name[0])
            return wish->files[i].name;
    return NULL;
}

void vk_form_int(struct kanal_buffer *form, const char *name, int64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)number);
    kanal_form_add(form, name, kanal_str_of(text, (size_t)n));
}

int32_t vk_random_id(kanal_str idempotency_key)
{
    uint64_t h =
        UINT64_C(0xcbf29ce484222325); /* FNV-1a, then mixed: neighbouring keys must not stay neighbours */
    for (size_t i = 0; i < idempotency_key.len; i++)
        h = (h ^ (unsigned char)idempotency_key.ptr[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    int32_t number = (int32_t)(uint32_t)h;
    return number != 0 ? number : 1;
}

/* ---- Whom ---- */

int vk_peer_of_chat(int64_t *ret_peer, kanal_str chat)
{
    return kanal_str_int(chat, ret_peer) == 0 && *ret_peer != 0 ? 0 : -1;
}

int vk_peer_of_address(int64_t *ret_peer, kanal_str address)
{
    return kanal_str_starts(address, "vk:") ? vk_peer_of_chat(ret_peer, kanal_str_from(address, 3)) : -1;
}

int vk_message_of_id(int64_t *ret_peer, int64_t *ret_cmid, kanal_str external_id)
{
    size_t slash = 0;
    while (slash < external_id.len && external_id.ptr[slash] != '/')
        slash++;
    if (slash == external_id.len || vk_peer_of_chat(ret_peer, kanal_str_of(external_id.ptr, slash)) != 0)
        return -1;
    return kanal_str_int(kanal_str_from(external_id, slash + 1), ret_cmid) == 0 && *ret_cmid > 0 ? 0 : -1;
}

/* ---- Verbs ---- */

/* What VK has beyond the contract, in its own words. */
static void write_options(struct kanal_buffer *form, yyjson_val *options)
{
    static const char *const names[] = { "intent",         "subscribe_id",     "payload",
                                         "content_source", "disable_mentions", "dont_parse_links" };
    char scratch[24];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        yyjson_val *value = kanal_json_at(options, names[i]);
        kanal_str text = yyjson_is_bool(value) ? kanal_str_c(yyjson_get_bool(value) ? "1" : "0")
                                               : kanal_json_id(value, scratch);
        if (text.len > 0 && text.len <= 1000)
            kanal_form_add(form, names[i], text);
    }
}

static void write_preview(struct kanal_buffer *form, const struct vk_content *content, yyjson_val *options)
{
    if (kanal_json_at(options, "dont_parse_links"))
        return;
    for (size_t i = 0; i < content->text_count; i++)
        if (yyjson_is_false(kanal_json_at(content->texts[i], "preview"))) {
            kanal_form_add(form, "dont_parse_links", KANAL_LIT("1"));
            return;
        }
}

static void form_double(struct kanal_buffer *form, const char *name, yyjson_val *value)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_double(&json, yyjson_get_num(value));
    kanal_form_add(form, name, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

static kanal_status write_location(struct vk_outgoing *out, yyjson_val *location)
{
    yyjson_val *lat = kanal_json_at(location, "lat"), *lon = kanal_json_at(location, "lon");
    if (!yyjson_is_num(lat) || !yyjson_is_num(lon))
        return vk_refuse(out, "invalid_content", "the location has no lat and lon");
    form_double(&out->form, "lat", lat);
    form_double(&out->form, "long", lon);
    return KANAL_OK;
}

/* The fields that a message and its edit have in common. */
static kanal_status write_content(struct vk_outgoing *out, const struct vk_wish *wish,
                                  const struct vk_content *content)
{
    kanal_status status = KANAL_OK;
    yyjson_val *options = vk_options(wish->data), *buttons = kanal_json_at(content->card, "options");
    int words = vk_write_words(&out->form, content);
    int attachments = vk_write_attachments(&out->form, wish, content);
    if (!words && !attachments && !content->location)
        return vk_refuse(out, "invalid_content", "the message has nothing to show");
    if (content->location)
        status = write_location(out, content->location);
    if (status == KANAL_OK && content->choice)
        status = vk_write_keyboard(out, wish, kanal_json_at(content->choice, "options"), content->choice);
    if (status == KANAL_OK && yyjson_arr_size(buttons) > 0)
        status = vk_write_keyboard(out, wish, buttons, NULL);
    if (status == KANAL_OK && content->carousel)
        status = vk_write_carousel(out, wish, content->carousel);
    write_preview(&out->form, content, options);
    write_options(&out->form, options);
    return status;
}

static void write_reply(struct vk_outgoing *out, const struct vk_wish *wish)
{
    const struct vk_target *target = &wish->target;
    char text[160];
    if (target->cmid == 0)
        return;
    int n = snprintf(text, sizeof text, "{\"peer_id\":%lld,\"conversation_message_ids\":[%lld]%s}",
                     (long long)target->cmid_peer, (long long)target->cmid,
                     target->cmid_peer == target->peer ? ",\"is_reply\":true" : "");
    kanal_form_add(&out->form, "forward", kanal_str_of(text, (size_t)n));
}

static kanal_status compose_send(struct vk_outgoing *out, const struct vk_wish *wish)
{
    struct vk_content content;
    char scratch[24];
    kanal_status status = vk_read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    out->method = "messages.send";
    /* With peer_ids, even of one, VK tells the number that the message has in its conversation. */
    vk_form_int(&out->form, "peer_ids", wish->target.peer);
    vk_form_int(&out->form, "random_id", wish->random_id);
    write_reply(out, wish);
    kanal_str sticker = vk_sticker_of(&content, scratch);
    if (sticker.len > 0 && content.text_count == 0 && !content.choice) {
        kanal_form_add(&out->form, "sticker_id", sticker);
        return KANAL_OK;
    }
    return write_content(out, wish, &content);
}

static kanal_status compose_edit(struct vk_outgoing *out, const struct vk_wish *wish)
{
    struct vk_content content;
    kanal_status status = vk_read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    if (content.choice && kanal_str_is(kanal_json_text_at(content.choice, "style"), "quick_replies"))
        return vk_refuse(out, "unsupported_content", "VK cannot edit quick_replies");
    out->method = "messages.edit";
    vk_form_int(&out->form, "peer_id", wish->target.cmid_peer);
    vk_form_int(&out->form, "cmid", wish->target.cmid);
    kanal_form_add(&out->form, "keep_forward_messages", KANAL_LIT("1"));
    return write_content(out, wish, &content);
}

static kanal_status compose_delete(struct vk_outgoing *out, const struct vk_wish *wish)
{
    out->method = "messages.delete";
    vk_form_int(&out->form, "peer_id", wish->target.cmid_peer);
    vk_form_int(&out->form, "cmids", wish->target.cmid);
    kanal_form_add(&out->form, "delete_for_all", KANAL_LIT("1"));
    return KANAL_OK;
}

static kanal_status compose_read(struct vk_outgoing *out, const struct vk_wish *wish)
{
    out->method = "messages.markAsRead";
    vk_form_int(&out->form, "peer_id", wish->target.cmid_peer);
    vk_form_int(&out->form, "up_to_cmid", wish->target.cmid);
    return KANAL_OK;
}

static kanal_status compose_react(struct vk_outgoing *out, const struct vk_wish *wish)
{
    yyjson_val *reactions = kanal_json_at(wish->data, "reactions"), *first = yyjson_arr_get_first(reactions);
    int64_t number = vk_reaction_number(kanal_json_text_at(first, "emoji"));
    if (number == 0 && kanal_str_int(kanal_json_text_at(first, "custom_id"), &number) != 0)
        number = 0;
    if (yyjson_arr_size(reactions) > 1)
        return vk_refuse(out, "unsupported_content", "VK has one reaction of us to a message");
    if (first && number <= 0)
        return vk_refuse(out, "unsupported_content", "VK has no such reaction");
    out->method = first ? "messages.sendReaction" : "messages.deleteReaction";
    vk_form_int(&out->form, "peer_id", wish->target.cmid_peer);
    vk_form_int(&out->form, "cmid", wish->target.cmid);
    if (first)
        vk_form_int(&out->form, "reaction_id", number);
    return KANAL_OK;
}

static kanal_status compose_typing(struct vk_outgoing *out, const struct vk_wish *wish)
{
    static const char *const kinds[][2] = { { "voice", "audiomessage" },
                                            { "video", "video" },
                                            { "file", "file" } };
    kanal_str kind = kanal_json_text_at(wish->data, "kind");
    const char *type = "typing";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(kind, kinds[i][0]))
            type = kinds[i][1];
    out->method = "messages.setActivity";
    vk_form_int(&out->form, "peer_id", wish->target.peer);
    kanal_form_add(&out->form, "type", kanal_str_c(type));
    return KANAL_OK;
}

static const struct verb {
    const char *type;
    int needs_message;
    kanal_status (*compose)(struct vk_outgoing *, const struct vk_wish *);
} verbs[] = {
    { "message.send", 0, compose_send },     { "message.edit", 1, compose_edit },
    { "message.delete", 1, compose_delete }, { "message.react", 1, compose_react },
    { "message.read", 1, compose_read },     { "typing.start", 0, compose_typing },
};

kanal_status vk_compose(struct vk_outgoing *out, const struct vk_wish *wish)
{
    const struct verb *verb = NULL;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (kanal_str_is(wish->type, verbs[i].type))
            verb = &verbs[i];
    if (!verb)
        return vk_refuse(out, "unsupported_verb", "VK has nothing for this verb");
    if (verb->needs_message && wish->target.cmid == 0)
        return vk_refuse(out, "message_not_found", "no message of VK is named (external_id is PEER/NUMBER)");
    if (!verb->needs_message && wish->target.peer == 0)
        return vk_refuse(out, "recipient_unknown", "the chat or address is not one of VK's");
    kanal_status status = verb->compose(out, wish);
    return status == KANAL_OK && out->form.failed ? KANAL_E_INTERNAL : status;
}
