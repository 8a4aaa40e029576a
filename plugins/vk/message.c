#include "message.h"

#include <stdio.h>

#include "content.h"
#include "kanal/sdk/member.h"

#define QUOTE_MAX_CHARS 4096

void vk_external_id(char *out, int64_t peer, int64_t cmid)
{
    out[0] = 0;
    if (peer != 0 && cmid > 0)
        snprintf(out, VK_ID_MAX, "%lld/%lld", (long long)peer, (long long)cmid);
}

static void write_address(struct kanal_json *json, int64_t id)
{
    char address[32];
    snprintf(address, sizeof address, "vk:%lld", (long long)id);
    kanal_json_member_text(json, "address", address);
}

/* ---- People ---- */

/* The language of VK's interface, by its number (https://dev.vk.com/ru/api/api-requests, parameter lang). */
static void write_locale(struct kanal_json *json, yyjson_val *client)
{
    static const struct {
        int64_t id;
        const char *locale;
    } rows[] = { { 0, "ru" }, { 1, "uk" }, { 2, "be" }, { 3, "en" }, { 4, "es" },
                 { 5, "fi" }, { 6, "de" }, { 7, "it" }, { 97, "kk" } };
    int64_t id = kanal_json_int_at(client, "lang_id", -1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].id == id)
            kanal_json_member_text(json, "locale", rows[i].locale);
}

void vk_write_people(struct kanal_json *json, const struct vk_place *place, yyjson_val *client,
                     int with_author)
{
    int is_group = vk_is_group_chat(place->peer);
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    write_locale(json, client);
    if (place->person < 0)
        kanal_json_member_bool(json, "is_bot", 1); /* a community writes by its API */
    kanal_json_object_end(json);
    if (place->peer == 0)
        return;
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", is_group ? "group" : "private");
    kanal_json_object_end(json);
    if (!is_group || !with_author)
        return;
    kanal_json_key(json, "author");
    kanal_json_object(json);
    write_address(json, place->person);
    kanal_json_object_end(json);
}

/* ---- The message ---- */

/* Replies and forwards within the same conversation tell no peer of their own. */
static void write_reply(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *original = kanal_json_at(message, "reply_message");
    char id[VK_ID_MAX];
    int64_t peer = kanal_json_int_at(original, "peer_id", kanal_json_int_at(message, "peer_id", 0));
    int64_t from = kanal_json_int_at(original, "from_id", 0);
    vk_external_id(id, peer, kanal_json_int_at(original, "conversation_message_id", 0));
    if (!id[0])
        return;
    kanal_json_key(json, "reply_to");
    kanal_json_object(json);
    kanal_json_member_text(json, "external_id", id);
    vk_member_text(json, "text", kanal_json_text_at(original, "text"), QUOTE_MAX_CHARS);
    if (from != 0)
        write_address(json, from);
    kanal_json_object_end(json);
}

/* Whose message the first one of those is that it forwards. */
static void write_forwarded(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *first = yyjson_arr_get_first(kanal_json_at(message, "fwd_messages"));
    char id[VK_ID_MAX];
    int64_t from = kanal_json_int_at(first, "from_id", 0);
    if (!yyjson_is_obj(first))
        return;
    kanal_json_key(json, "forwarded");
    kanal_json_object(json);
    if (from != 0)
        write_address(json, from);
    vk_external_id(id, kanal_json_int_at(first, "peer_id", 0),
                   kanal_json_int_at(first, "conversation_message_id", 0));
    if (id[0])
        kanal_json_member_text(json, "external_id", id);
    kanal_member_seconds(json, "time", kanal_json_int_at(first, "date", 0));
    kanal_json_object_end(json);
}

/* In a group chat a community reads what names it, [club5|…] or @club5, and what answers it. */
static int is_to_us(const struct vk_us *us, yyjson_val *message)
{
    char names[2][48];
    kanal_str text = kanal_json_text_at(message, "text");
    yyjson_val *original = kanal_json_at(message, "reply_message");
    snprintf(names[0], sizeof names[0], "[club%lld|", (long long)us->group_id);
    snprintf(names[1], sizeof names[1], "[public%lld|", (long long)us->group_id);
    for (size_t i = 0; i < 2 && text.len > 0; i++)
        if (memmem(text.ptr, text.len, names[i], strlen(names[i])))
            return 1;
    return original && kanal_json_int_at(original, "from_id", 0) == -us->group_id;
}

/* What only VK has and a consumer may want. */
static void write_provider(struct kanal_json *json, yyjson_val *message)
{
    static const char *const flags[] = { "important", "is_cropped", "is_silent", "is_hidden",
                                         "was_listened" };
    static const char *const numbers[] = { "id", "admin_author_id" };
    struct kanal_provider provider = kanal_provider_begin(json);
    char scratch[24];
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        kanal_member_true_of(json, flags[i], message, flags[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (kanal_json_int_at(message, numbers[i], 0) != 0)
            kanal_json_member_str(json, numbers[i], kanal_json_id_at(message, numbers[i], scratch));
    kanal_member_text_of(json, "payload", message, "payload", 1024);
    kanal_member_text_of(json, "ref", message, "ref", 2048);
    kanal_member_text_of(json, "ref_source", message, "ref_source", 256);
    if (yyjson_arr_size(kanal_json_at(message, "fwd_messages")) > 0) /* who said which part */
        kanal_member_copy(json, "fwd_messages", kanal_json_at(message, "fwd_messages"));
    kanal_provider_end(json, &provider);
}

void vk_write_message(struct kanal_json *json, const struct vk_us *us, yyjson_val *message)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    vk_content_write(json, message);
    write_reply(json, message);
    write_forwarded(json, message);
    kanal_member_seconds(json, "edited", kanal_json_int_at(message, "update_time", 0));
    if (vk_is_group_chat(kanal_json_int_at(message, "peer_id", 0)) && is_to_us(us, message))
        kanal_json_member_bool(json, "mentioned", 1);
    write_provider(json, message);
    kanal_json_object_end(json);
}

void vk_write_sent(struct kanal_json *json, yyjson_val *message)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    vk_content_write(json, message);
    write_provider(json, message);
    kanal_json_object_end(json);
}
