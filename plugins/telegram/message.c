#include "message.h"

#include <stdio.h>

#include "content.h"
#include "kanal/sdk/member.h"

#define NAME_MAX_CHARS 256
#define TITLE_MAX_CHARS 512
#define QUOTE_MAX_CHARS 4096
#define LOCALE_BYTES_MAX 35

struct tg_who tg_who_of(yyjson_val *user, yyjson_val *chat)
{
    struct tg_who who = { 0 };
    who.id = kanal_json_int_at(user, "id", 0);
    if (who.id != 0) {
        who.user = user;
        return who;
    }
    who.id = kanal_json_int_at(chat, "id", 0);
    who.chat = who.id != 0 ? chat : NULL;
    return who;
}

struct tg_who tg_sender(yyjson_val *message)
{
    yyjson_val *sender_chat = kanal_json_at(message, "sender_chat");
    /* Beside sender_chat stands a made-up user ("GroupAnonymousBot"), which is nobody. */
    if (kanal_json_int_at(sender_chat, "id", 0) != 0)
        return tg_who_of(NULL, sender_chat);
    return tg_who_of(kanal_json_at(message, "from"), kanal_json_at(message, "chat"));
}

struct tg_place tg_place_of(yyjson_val *chat, kanal_str business)
{
    struct tg_place place = { chat, kanal_json_int_at(chat, "id", 0), business, 0 };
    place.is_private = kanal_str_is(kanal_json_text_at(chat, "type"), "private");
    /* It becomes part of ids, where ':' and '/' separate. */
    for (size_t i = 0; i < business.len; i++)
        if (business.len > TG_BUSINESS_MAX || business.ptr[i] <= ' ' || strchr(":/", business.ptr[i]))
            place.id = 0;
    return place;
}

void tg_chat_id(char *out, const struct tg_place *place)
{
    out[0] = 0;
    if (place->id != 0 && place->business.len > 0)
        snprintf(out, TG_CHAT_MAX, "%.*s:%lld", (int)place->business.len, place->business.ptr,
                 (long long)place->id);
    else if (place->id != 0)
        snprintf(out, TG_CHAT_MAX, "%lld", (long long)place->id);
}

void tg_external_id(char *out, const struct tg_place *place, int64_t message_id)
{
    char chat[TG_CHAT_MAX];
    tg_chat_id(chat, place);
    out[0] = 0;
    if (chat[0] && message_id > 0)
        snprintf(out, TG_EXTERNAL_ID_MAX, "%s/%lld", chat, (long long)message_id);
}

/* ---- People ---- */

static void full_name(struct kanal_buffer *out, yyjson_val *user)
{
    kanal_str first = kanal_json_text_at(user, "first_name"), last = kanal_json_text_at(user, "last_name");
    kanal_buffer_str(out, first);
    if (first.len > 0 && last.len > 0)
        kanal_buffer_byte(out, ' ');
    kanal_buffer_str(out, last);
}

/* name and username, of a user or of a chat. */
static void write_names(struct kanal_json *json, const struct tg_who *who)
{
    struct kanal_buffer name = { 0 };
    if (who->user)
        full_name(&name, who->user);
    else
        kanal_buffer_str(&name, kanal_json_text_at(who->chat, "title"));
    kanal_member_text(json, "name", kanal_buffer_view(&name), NAME_MAX_CHARS);
    kanal_member_text_of(json, "username", who->user ? who->user : who->chat, "username", NAME_MAX_CHARS);
    kanal_buffer_release(&name);
}

static void write_locale(struct kanal_json *json, yyjson_val *user)
{
    kanal_str locale = kanal_json_text_at(user, "language_code");
    for (size_t i = 0; i < locale.len; i++) {
        char c = locale.ptr[i], letter = (char)(c | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return;
    }
    if (locale.len >= 2 && locale.len <= LOCALE_BYTES_MAX)
        kanal_json_member_str(json, "locale", locale);
}

/* A shared card whose user_id is the sender's own proves the number: the server finds that id by the number,
 * clients cannot set it. */
static void write_identifiers(struct kanal_json *json, yyjson_val *user, yyjson_val *message)
{
    yyjson_val *contact = kanal_json_at(message, "contact");
    char scratch[24];
    kanal_str phone = tg_phone(kanal_json_text_at(contact, "phone_number"), scratch);
    int64_t id = kanal_json_int_at(contact, "user_id", 0);
    if (phone.len == 0 || id == 0 || id != kanal_json_int_at(user, "id", 0))
        return;
    struct kanal_buffer address = { 0 };
    kanal_buffer_text(&address, "tel:");
    kanal_buffer_str(&address, phone);
    kanal_json_key(json, "identifiers");
    kanal_json_array(json);
    kanal_json_object(json);
    kanal_json_member_str(json, "address", kanal_buffer_view(&address));
    kanal_json_member_bool(json, "verified", 1);
    kanal_json_member_text(json, "source", "contact");
    kanal_json_object_end(json);
    kanal_json_array_end(json);
    kanal_buffer_release(&address);
}

static void write_customer(struct kanal_json *json, const struct tg_who *who, yyjson_val *message)
{
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    write_names(json, who);
    if (who->user) {
        kanal_member_text_of(json, "first_name", who->user, "first_name", NAME_MAX_CHARS);
        kanal_member_text_of(json, "last_name", who->user, "last_name", NAME_MAX_CHARS);
        write_locale(json, who->user);
        kanal_member_true_of(json, "is_bot", who->user, "is_bot");
        write_identifiers(json, who->user, message);
        struct kanal_provider provider = kanal_provider_begin(json);
        kanal_member_true_of(json, "is_premium", who->user, "is_premium");
        kanal_provider_end(json, &provider);
    }
    kanal_json_object_end(json);
}

static void write_chat(struct kanal_json *json, const struct tg_place *place, yyjson_val *message)
{
    kanal_str type = kanal_json_text_at(place->chat, "type");
    yyjson_val *topic = kanal_json_at(message, "direct_messages_topic");
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind",
                           place->is_private               ? "private"
                           : kanal_str_is(type, "channel") ? "channel"
                                                           : "group");
    if (!place->is_private) {
        kanal_member_text_of(json, "title", place->chat, "title", TITLE_MAX_CHARS);
        kanal_member_text_of(json, "username", place->chat, "username", NAME_MAX_CHARS);
    }
    int64_t thread = kanal_json_int_at(message, "message_thread_id", 0);
    if (thread > 0 && kanal_json_bool_at(message, "is_topic_message"))
        kanal_member_digits(json, "thread", thread);
    struct kanal_provider provider = kanal_provider_begin(json);
    if (!place->is_private)
        kanal_member_text(json, "type", type, 32);
    kanal_member_true_of(json, "is_forum", place->chat, "is_forum");
    if (place->business.len > 0)
        kanal_json_member_str(json, "business_connection_id", place->business);
    int64_t topic_id = kanal_json_int_at(topic, "topic_id", 0);
    if (topic_id != 0)
        kanal_member_digits(json, "direct_messages_topic_id", topic_id);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static void write_address(struct kanal_json *json, int64_t id)
{
    struct kanal_buffer address = { 0 };
    kanal_buffer_text(&address, "telegram:");
    kanal_buffer_int(&address, id);
    kanal_json_member_str(json, "address", kanal_buffer_view(&address));
    kanal_buffer_release(&address);
}

void tg_write_author(struct kanal_json *json, const struct tg_who *who, const struct tg_place *place,
                     yyjson_val *message)
{
    kanal_str signature = kanal_json_text_at(message, "author_signature");
    if (who->id == 0 || place->id == 0 || place->is_private)
        return;
    kanal_json_key(json, "author");
    kanal_json_object(json);
    write_address(json, who->id);
    write_names(json, who);
    kanal_member_true_of(json, "is_bot", who->user, "is_bot");
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "signature", signature, NAME_MAX_CHARS);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

void tg_write_people(struct kanal_json *json, const struct tg_who *who, const struct tg_place *place,
                     yyjson_val *message)
{
    if (who->id != 0)
        write_customer(json, who, message);
    if (place->id != 0)
        write_chat(json, place, message);
}

/* ---- The message ---- */

static kanal_str words_of(yyjson_val *message)
{
    kanal_str text = kanal_json_text_at(message, "text");
    return text.len > 0 ? text : kanal_json_text_at(message, "caption");
}

static void write_reply(struct kanal_json *json, const struct tg_place *place, yyjson_val *message)
{
    yyjson_val *original = kanal_json_at(message, "reply_to_message"),
               *external = kanal_json_at(message, "external_reply");
    kanal_str quote = kanal_json_text_at(kanal_json_at(message, "quote"), "text");
    struct tg_place there =
        original ? *place : tg_place_of(kanal_json_at(external, "chat"), kanal_str_of(NULL, 0));
    char id[TG_EXTERNAL_ID_MAX];
    tg_external_id(id, &there, kanal_json_int_at(original ? original : external, "message_id", 0));
    if (!id[0])
        return;
    kanal_json_key(json, "reply_to");
    kanal_json_object(json);
    kanal_json_member_text(json, "external_id", id);
    kanal_member_text(json, "text", quote.len > 0 ? quote : words_of(original), QUOTE_MAX_CHARS);
    struct tg_who author = original ? tg_sender(original) : (struct tg_who){ 0 };
    if (author.id != 0)
        write_address(json, author.id);
    kanal_json_object_end(json);
}

struct origin {
    struct tg_who who;
    kanal_str name;   /* of an author who hides */
    yyjson_val *chat; /* it was first written in */
    int64_t message_id, date;
};

/* forward_origin, or what stood in its place before Bot API 7.0 (older servers still send it). 0: not
 * forwarded. */
static int read_origin(struct origin *origin, yyjson_val *message)
{
    yyjson_val *told = kanal_json_at(message, "forward_origin");
    memset(origin, 0, sizeof *origin);
    if (yyjson_is_obj(told)) {
        origin->chat = kanal_json_at(told, "sender_chat") ? kanal_json_at(told, "sender_chat")
                                                          : kanal_json_at(told, "chat");
        origin->who = tg_who_of(kanal_json_at(told, "sender_user"), origin->chat);
        origin->name = kanal_json_text_at(told, "sender_user_name");
        origin->message_id = kanal_json_int_at(told, "message_id", 0);
        origin->date = kanal_json_int_at(told, "date", 0);
        return 1;
    }
    origin->chat = kanal_json_at(message, "forward_from_chat");
    origin->who = tg_who_of(kanal_json_at(message, "forward_from"), origin->chat);
    origin->name = kanal_json_text_at(message, "forward_sender_name");
    origin->message_id = kanal_json_int_at(message, "forward_from_message_id", 0);
    origin->date = kanal_json_int_at(message, "forward_date", 0);
    return origin->who.id != 0 || origin->name.len > 0 || origin->date > 0;
}

#define DATE_MAX INT64_C(253402300799) /* the end of the year 9999, in seconds */

static void write_time(struct kanal_json *json, const char *key, int64_t seconds)
{
    if (seconds > 0 && seconds <= DATE_MAX)
        kanal_json_member_time(json, key, seconds * 1000);
}

static void write_forwarded(struct kanal_json *json, yyjson_val *message)
{
    struct origin origin;
    char id[TG_EXTERNAL_ID_MAX];
    if (!read_origin(&origin, message))
        return;
    kanal_json_key(json, "forwarded");
    kanal_json_object(json);
    struct kanal_buffer name = { 0 };
    if (origin.who.user)
        full_name(&name, origin.who.user);
    else
        kanal_buffer_str(&name, origin.name);
    kanal_member_text(json, "name", kanal_buffer_view(&name), NAME_MAX_CHARS);
    kanal_buffer_release(&name);
    if (origin.who.id != 0)
        write_address(json, origin.who.id);
    kanal_member_text_of(json, "chat_title", origin.chat, "title", TITLE_MAX_CHARS);
    struct tg_place place = tg_place_of(origin.chat, kanal_str_of(NULL, 0));
    tg_external_id(id, &place, origin.message_id);
    if (id[0])
        kanal_json_member_text(json, "external_id", id);
    write_time(json, "time", origin.date);
    kanal_json_object_end(json);
}

static int is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int names_us(kanal_str text, const char *username)
{
    size_t n = strlen(username);
    for (size_t i = 0; n > 0 && i + n < text.len; i++)
        if (text.ptr[i] == '@' &&
            kanal_str_equal_nocase(kanal_str_of(text.ptr + i + 1, n), kanal_str_c(username)) &&
            (i + 1 + n == text.len || !is_name_char(text.ptr[i + 1 + n])))
            return 1;
    return 0;
}

/* In a group: by name, by answering us, or by a command that is not for another bot. */
static int is_to_us(const struct tg_self *self, yyjson_val *message)
{
    kanal_str text = words_of(message);
    int64_t answered =
        kanal_json_int_at(kanal_json_at(kanal_json_at(message, "reply_to_message"), "from"), "id", 0);
    if ((self->id != 0 && answered == self->id) || names_us(text, self->username))
        return 1;
    if (!kanal_str_starts(text, "/"))
        return 0;
    for (size_t i = 1; i < text.len && text.ptr[i] != ' ' && text.ptr[i] != '\n'; i++)
        if (text.ptr[i] == '@')
            return 0;
    return text.len > 1;
}

static void write_story(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *story = kanal_json_at(message, "reply_to_story");
    struct tg_place place = tg_place_of(kanal_json_at(story, "chat"), kanal_str_of(NULL, 0));
    char id[TG_EXTERNAL_ID_MAX];
    tg_external_id(id, &place, kanal_json_int_at(story, "id", 0));
    if (!id[0])
        return;
    kanal_json_key(json, "story");
    kanal_json_object(json);
    kanal_json_member_text(json, "external_id", id);
    kanal_json_object_end(json);
}

/* What only Telegram has and a consumer may want. */
static void write_provider(struct kanal_json *json, yyjson_val *message)
{
    static const char *const flags[] = { "has_protected_content", "is_automatic_forward", "is_from_offline",
                                         "is_paid_post", "show_caption_above_media" };
    struct kanal_provider provider = kanal_provider_begin(json);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        kanal_member_true_of(json, flags[i], message, flags[i]);
    kanal_member_text_of(json, "via_bot", kanal_json_at(message, "via_bot"), "username", NAME_MAX_CHARS);
    kanal_member_text_of(json, "effect_id", message, "effect_id", 64);
    kanal_member_text_of(json, "guest_query_id", message, "guest_query_id", 256);
    kanal_member_count_of(json, "paid_star_count", message, "paid_star_count", 1, INT32_MAX, 1);
    kanal_member_copy(json, "quote", kanal_json_at(message, "quote"));
    kanal_member_copy(json, "external_reply", kanal_json_at(message, "external_reply"));
    kanal_provider_end(json, &provider);
}

void tg_write_sent(struct kanal_json *json, yyjson_val *message)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    tg_content_write(json, message);
    write_provider(json, message);
    kanal_json_object_end(json);
}

void tg_write_message(struct kanal_json *json, const struct tg_self *self, const struct tg_place *place,
                      yyjson_val *message)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    tg_content_write(json, message);
    write_reply(json, place, message);
    write_forwarded(json, message);
    kanal_member_text_of(json, "group", message, "media_group_id", NAME_MAX_CHARS);
    write_time(json, "edited", kanal_json_int_at(message, "edit_date", 0));
    if (!place->is_private && is_to_us(self, message))
        kanal_json_member_bool(json, "mentioned", 1);
    write_story(json, message);
    write_provider(json, message);
    kanal_json_object_end(json);
}
