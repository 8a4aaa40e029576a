/* An event without what it says of a person: written from a list of what may be told. */
#include "kanal/sdk/member.h"
#include "project/facts.h"
#include "project/profile.h"

static int is_one_of(kanal_str word, const char *const *list)
{
    for (; *list; list++)
        if (kanal_str_is(word, *list))
            return 1;
    return 0;
}

/* A word of a closed list; anything else is not told. */
static void tell_word(struct kanal_json *out, const char *key, yyjson_val *object, const char *const *list)
{
    kanal_str word = kanal_json_text_at(object, key);
    if (is_one_of(word, list))
        kanal_json_member_str(out, key, word);
}

static void tell_true(struct kanal_json *out, const char *key, int is_true)
{
    if (is_true)
        kanal_json_member_bool(out, key, 1);
}

static void tell_count(struct kanal_json *out, const char *key, yyjson_val *object)
{
    int64_t count = kanal_json_int_at(object, key, -1);
    if (count >= 0)
        kanal_json_member_int(out, key, count);
}

/* Letters, digits and -_.: */
static int is_plain(kanal_str text, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("-_.:", c))))
            return 0;
    }
    return text.len > 0 && text.len <= max;
}

/* A name that the company or the provider gave, not a person. */
static void tell_plain(struct kanal_json *out, const char *key, yyjson_val *object, size_t max)
{
    kanal_str text = kanal_json_text_at(object, key);
    if (is_plain(text, max))
        kanal_json_member_str(out, key, text);
}

static void tell_id(struct kanal_json *out, const char *key, yyjson_val *object, char kind)
{
    kanal_str id = kanal_json_text_at(object, key);
    if (id.len == ID_LEN && id.ptr[0] == kind && is_plain(id, ID_LEN))
        kanal_json_member_str(out, key, id);
}

static int begin(struct kanal_json *out, const char *key, yyjson_val *object)
{
    if (!yyjson_is_obj(object))
        return 0;
    kanal_json_key(out, key);
    kanal_json_object(out);
    return 1;
}

/* ---- The message ---- */

static size_t characters_of(kanal_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static const char *const part_types[] = { "text",     "image",    "video",   "audio",       "voice",  "file",
                                          "sticker",  "location", "contact", "choice",      "answer", "card",
                                          "carousel", "template", "order",   "unsupported", NULL };

/* Types, and how much there is, of all parts. */
static void tell_content(struct kanal_json *out, yyjson_val *content)
{
    size_t index, count;
    int64_t characters = 0, bytes = 0;
    yyjson_val *part;
    if (!yyjson_is_arr(content))
        return;
    kanal_json_key(out, "kinds");
    kanal_json_array(out);
    yyjson_arr_foreach (content, index, count, part) {
        kanal_str type = kanal_json_text_at(part, "type"), plain = kanal_json_text_at(part, "plain");
        int64_t size = kanal_json_int_at(part, "size", 0);
        if (index < 64)
            kanal_json_str(out, is_one_of(type, part_types) ? type : KANAL_LIT("unsupported"));
        characters += (int64_t)characters_of(plain.ptr ? plain : kanal_json_text_at(part, "text"));
        characters += (int64_t)characters_of(kanal_json_text_at(part, "caption"));
        bytes += size > 0 && size < INT64_C(1) << 50 ? size : 0;
    }
    kanal_json_array_end(out);
    kanal_json_member_int(out, "characters", characters);
    kanal_json_member_int(out, "bytes", bytes);
}

static void tell_message(struct kanal_json *out, const struct projected *event)
{
    static const char *const classes[] = { "live", "bulk", NULL };
    yyjson_val *message = kanal_json_at(event->data, "message");
    if (!begin(out, "message", message))
        return;
    tell_plain(out, "id", message, 128);
    tell_content(out, kanal_json_at(message, "content"));
    tell_true(out, "reply", yyjson_is_obj(kanal_json_at(message, "reply_to")));
    tell_true(out, "forwarded", yyjson_is_obj(kanal_json_at(message, "forwarded")));
    tell_true(out, "auto", kanal_json_bool_at(message, "auto"));
    tell_word(out, "class", message, classes);
    tell_plain(out, "purpose", message, 64);
    tell_count(out, "part", message);
    tell_count(out, "parts", message);
    kanal_json_object_end(out);
}

/* What became of it. */
static void tell_outcome(struct kanal_json *out, yyjson_val *data)
{
    static const char *const scopes[] = { "message", "recipient", "channel", NULL };
    yyjson_val *error = kanal_json_at(data, "error"), *attempt = kanal_json_at(data, "attempt");
    yyjson_val *price = kanal_json_at(kanal_json_at(data, "message"), "price");
    if (begin(out, "attempt", attempt)) {
        tell_count(out, "number", attempt);
        tell_count(out, "step", attempt);
        tell_true(out, "abandoned", kanal_json_bool_at(attempt, "abandoned"));
        kanal_json_object_end(out);
    }
    if (begin(out, "error", error)) {
        tell_plain(out, "code", error, 64);
        tell_word(out, "scope", error, scopes);
        tell_plain(out, "provider_code", error, 128);
        kanal_json_object_end(out);
    }
    if (begin(out, "price", price)) {
        tell_plain(out, "amount", price, 24);
        tell_plain(out, "currency", price, 3);
        tell_count(out, "units", price);
        tell_plain(out, "category", price, 64);
        if (yyjson_is_bool(kanal_json_at(price, "billable")))
            kanal_json_member_bool(out, "billable", kanal_json_bool_at(price, "billable"));
        kanal_json_object_end(out);
    }
}

/* ---- Other ways of getting in touch ---- */

static void tell_call(struct kanal_json *out, yyjson_val *data)
{
    static const char *const directions[] = { "inbound", "outbound", NULL };
    static const char *const reasons[] = { "completed",   "no_answer", "busy",   "rejected", "cancelled",
                                           "unreachable", "voicemail", "failed", NULL };
    yyjson_val *call = kanal_json_at(data, "call");
    if (!begin(out, "call", call))
        return;
    tell_id(out, "id", call, 'e');
    tell_word(out, "direction", call, directions);
    tell_count(out, "ring_ms", call);
    tell_count(out, "talk_ms", call);
    tell_word(out, "reason", call, reasons);
    kanal_json_object_end(out);
}

static void tell_form(struct kanal_json *out, yyjson_val *data)
{
    yyjson_val *form = kanal_json_at(data, "form");
    if (!begin(out, "form", form))
        return;
    tell_plain(out, "id", form, 128);
    kanal_json_member_int(out, "fields", (int64_t)yyjson_arr_size(kanal_json_at(form, "fields")));
    kanal_json_object_end(out);
}

/* Names of activities are the shop's, with spaces. What has the form of an address is none. */
static int is_name(kanal_str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == '@' || c == '/' || c == '+')
            return 0;
        digits += c >= '0' && c <= '9';
    }
    return text.len > 0 && digits < 7 && characters_of(text) <= 256;
}

static void tell_activity(struct kanal_json *out, yyjson_val *data)
{
    static const char *const kinds[] = { "track", "page", "screen", "group", "alias", NULL };
    static const char *const values[] = { "revenue", "total", "price", NULL };
    yyjson_val *activity = kanal_json_at(data, "activity"),
               *properties = kanal_json_at(activity, "properties");
    kanal_str name = kanal_json_text_at(activity, "name");
    if (!begin(out, "activity", activity))
        return;
    if (is_name(name))
        kanal_json_member_str(out, "name", name);
    tell_word(out, "kind", activity, kinds);
    for (const char *const *value = values; *value; value++) {
        kanal_str money = kanal_json_text_at(properties, *value);
        if (!profile_is_money(money))
            continue;
        kanal_json_member_str(out, "value", money);
        tell_plain(out, "currency", properties, 3);
        break;
    }
    kanal_json_object_end(out);
}

/* Where they came from: the kind and the advertisement, not what a link carried or a page was called. */
static void tell_origin(struct kanal_json *out, yyjson_val *data)
{
    static const char *const utm[] = { "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
                                       "utm_id",     NULL };
    static const char *const kinds[] = { "link", "ad",    "qr",    "button", "widget",
                                         "post", "story", "other", NULL };
    yyjson_val *referral = kanal_json_at(data, "referral"), *attribution = kanal_json_at(data, "attribution");
    if (begin(out, "referral", referral)) {
        kanal_str ad = kanal_json_text_at(kanal_json_at(referral, "ad"), "id");
        tell_word(out, "kind", referral, kinds);
        tell_plain(out, "source", referral, 128);
        if (is_plain(ad, 256))
            kanal_json_member_str(out, "ad", ad);
        kanal_json_object_end(out);
    }
    if (begin(out, "attribution", attribution)) {
        for (const char *const *name = utm; *name; name++) {
            kanal_str text = kanal_json_text_at(attribution, *name);
            if (is_name(text) && text.len <= 512)
                kanal_json_member_str(out, *name, text);
        }
        kanal_json_object_end(out);
    }
}

static void tell_consent(struct kanal_json *out, yyjson_val *data)
{
    size_t index, count;
    yyjson_val *item, *consent = kanal_json_at(data, "consent");
    if (!yyjson_is_arr(consent))
        return;
    kanal_json_key(out, "consent");
    kanal_json_array(out);
    yyjson_arr_foreach (consent, index, count, item) {
        if (index >= 16)
            break;
        kanal_json_object(out);
        tell_plain(out, "purpose", item, 64);
        kanal_json_member_bool(out, "given", kanal_json_bool_at(item, "given"));
        kanal_json_object_end(out);
    }
    kanal_json_array_end(out);
}

/* ---- The whole ---- */

static void tell_who(struct kanal_json *out, const struct projected *event)
{
    static const char *const chats[] = { "private", "group", "channel", NULL };
    static const char *const states[] = { "open", "closed", NULL };
    yyjson_val *chat = kanal_json_at(event->data, "chat"),
               *conversation = kanal_json_at(event->data, "conversation");
    kanal_json_key(out, "channel");
    kanal_json_object(out);
    kanal_json_member_str(out, "id", event->channel);
    kanal_json_member_str(out, "plugin", event->plugin);
    kanal_json_object_end(out);
    if (event->node.text[0] && event->customer.text[0]) {
        kanal_json_key(out, "customer");
        kanal_json_object(out);
        kanal_json_member_text(out, "id", event->customer.text);
        kanal_json_member_text(out, "node", event->node.text);
        kanal_json_object_end(out);
    }
    if (is_one_of(kanal_json_text_at(chat, "kind"), chats) && begin(out, "chat", chat)) {
        tell_word(out, "kind", chat, chats);
        kanal_json_object_end(out);
    }
    if (begin(out, "conversation", conversation)) {
        tell_id(out, "id", conversation, 'v');
        tell_word(out, "state", conversation, states);
        kanal_json_object_end(out);
    }
}

static void tell_data(struct kanal_json *out, const struct projected *event)
{
    static const char *const reasons[] = { "request",    "superseded", "forgotten", "opted_out",
                                           "resolved",   "inactivity", "left",      "spam",
                                           "merged",     "other",      "form",      "message",
                                           "stop_word",  "blocked",    "unblocked", "unsubscribed",
                                           "subscribed", "bounce",     "provider",  NULL };
    yyjson_val *reactions = kanal_json_at(event->data, "reactions");
    kanal_json_key(out, "data");
    kanal_json_object(out);
    tell_who(out, event);
    tell_message(out, event);
    if (yyjson_is_arr(reactions))
        kanal_json_member_int(out, "reactions", (int64_t)yyjson_arr_size(reactions));
    tell_outcome(out, event->data);
    tell_call(out, event->data);
    tell_form(out, event->data);
    tell_activity(out, event->data);
    tell_origin(out, event->data);
    tell_consent(out, event->data);
    tell_word(out, "reason", event->data, reasons);
    kanal_json_object_end(out);
}

static void write_subject(const struct projected *event, kanal_str prefix, struct kanal_buffer *out)
{
    char bucket[4] = "_";
    if (event->node.text[0])
        ids_bucket(&event->node, bucket);
    projected_subject(prefix, "facts", event->plugin, event->channel, event->type, out);
    kanal_buffer_text(out, bucket);
}

int fact_write(const struct projected *event, kanal_str prefix, struct kanal_buffer *subject,
               struct kanal_buffer *json)
{
    struct kanal_json out;
    write_subject(event, prefix, subject);
    kanal_json_init(&out, json);
    kanal_json_object(&out);
    kanal_json_member_text(&out, "specversion", "1.0");
    kanal_json_member_str(&out, "id", event->id);
    kanal_json_member_str(&out, "type", event->type);
    kanal_json_key(&out, "source"); /* of checked characters only */
    kanal_json_raw(&out, KANAL_LIT("\"urn:kanal:"));
    kanal_buffer_str(json, prefix);
    kanal_buffer_byte(json, ':');
    kanal_buffer_str(json, event->channel);
    kanal_buffer_byte(json, '"');
    if (event->node.text[0])
        kanal_json_member_text(&out, "subject", event->node.text);
    kanal_json_member_str(&out, "time", kanal_json_text_at(event->root, "time"));
    kanal_json_member_str(&out, "recordedtime", kanal_json_text_at(event->root, "recordedtime"));
    kanal_json_member_text(&out, "datacontenttype", "application/json");
    kanal_json_member_text(&out, "dataschema", "urn:kanal:schema:fact:1");
    tell_plain(&out, "traceparent", event->root, 128);
    tell_data(&out, event);
    kanal_json_object_end(&out);
    return subject->failed || json->failed ? KANAL_E_INTERNAL : 0;
}
