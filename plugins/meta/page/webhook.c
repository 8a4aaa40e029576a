#include "page.h"

struct place { /* what stands around one thing of entry[].messaging[] */
    struct meta_batch *batch;
    const struct page_self *self;
    yyjson_val *whole;
    kanal_str person;
    int64_t time_ms;
};

void page_address(char out[META_ADDRESS_MAX], const struct page_self *self, kanal_str person)
{
    struct kanal_buffer address = { 0 };
    kanal_buffer_text(&address, self->brand->id);
    kanal_buffer_byte(&address, ':');
    kanal_url_encode(&address, self->page_id);
    kanal_buffer_byte(&address, '/');
    kanal_url_encode(&address, person);
    size_t len = person.len > 0 && address.len < META_ADDRESS_MAX && !address.failed ? address.len : 0;
    if (len > 0)
        memcpy(out, address.data, len);
    out[len] = 0;
    kanal_buffer_release(&address);
}

/* ---- Around every event ---- */

struct draft {
    const char *type;
    kanal_str key; /* of the dedupe key; absent: a hash of the whole thing */
    const char *suffix;
    kanal_str external_id;
};

/* What the customer does opens the window; a receipt does not. */
static int opens_window(const char *type)
{
    return strcmp(type, "message.received") == 0 || strcmp(type, "message.reacted") == 0 ||
           strcmp(type, "conversation.started") == 0;
}

static struct meta_item *begin(const struct place *place, struct kanal_json *json, const struct draft *draft)
{
    char address[META_ADDRESS_MAX];
    page_address(address, place->self, place->person);
    if (!address[0]) {
        meta_ignore(place->batch, KANAL_LIT("something of nobody"));
        return NULL;
    }
    struct meta_start start = { .type = draft->type,
                                .key = draft->key,
                                .suffix = draft->suffix,
                                .whole = place->whole,
                                .external_id = draft->external_id,
                                .address = kanal_str_c(address),
                                .chat = place->person,
                                .time_ms = place->time_ms };
    struct meta_item *item = meta_item_begin(place->batch, json, &start);
    if (!item)
        return NULL;
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", "private");
    struct kanal_provider provider = kanal_provider_begin(json);
    if (opens_window(draft->type) && place->time_ms > 0)
        kanal_json_member_time(json, "window_until", place->time_ms + PAGE_WINDOW_MS);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    return item;
}

static void end(const struct place *place, struct meta_item *item, struct kanal_json *json)
{
    meta_item_end(place->batch, item, json);
}

static int is_id(kanal_str id)
{
    return id.len > 0 && id.len <= META_ID_MAX;
}

/* ---- Messages ---- */

static void write_reply(struct kanal_json *json, yyjson_val *reply)
{
    kanal_str mid = kanal_json_text_at(reply, "mid");
    if (!is_id(mid))
        return;
    kanal_json_key(json, "reply_to");
    kanal_json_object(json);
    kanal_json_member_str(json, "external_id", mid);
    kanal_json_object_end(json);
}

/* The story that is answered, or the one that mentions us. */
static void write_story(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *story = kanal_json_at(kanal_json_at(message, "reply_to"), "story"), *attachment;
    kanal_str id = kanal_json_text_at(story, "id"), url = kanal_json_text_at(story, "url");
    size_t index, max;
    yyjson_arr_foreach (kanal_json_at(message, "attachments"), index, max, attachment)
        if (kanal_str_is(kanal_json_text_at(attachment, "type"), "story_mention"))
            url = kanal_json_text_at(kanal_json_at(attachment, "payload"), "url");
    if (id.len == 0 && url.len == 0)
        return;
    kanal_json_key(json, "story");
    kanal_json_object(json);
    if (is_id(id))
        kanal_json_member_str(json, "external_id", id);
    kanal_member_uri(json, "url", url);
    kanal_json_object_end(json);
}

static void write_message(struct kanal_json *json, yyjson_val *message)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    page_content_write(json, message);
    write_reply(json, kanal_json_at(message, "reply_to"));
    write_story(json, message);
    kanal_json_object_end(json);
}

static void say_started(const struct place *place, kanal_str key, yyjson_val *referral)
{
    const struct draft draft = { .type = "conversation.started", .key = key, .suffix = "started" };
    struct kanal_json json;
    struct meta_item *item = begin(place, &json, &draft);
    if (!item)
        return;
    if (referral)
        page_referral_write(&json, referral);
    end(place, item, &json);
}

static void read_message(const struct place *place, yyjson_val *message)
{
    kanal_str mid = kanal_json_text_at(message, "mid");
    yyjson_val *referral = kanal_json_at(message, "referral");
    struct draft draft = { .type = "message.received", .key = mid, .external_id = mid };
    struct kanal_json json;
    if (kanal_json_bool_at(message, "is_echo")) {
        meta_ignore(place->batch, KANAL_LIT("an echo"));
        return;
    }
    if (kanal_json_bool_at(message, "is_deleted") && is_id(mid)) {
        draft.type = "message.deleted";
        draft.suffix = "deleted";
    } else if (yyjson_is_obj(referral)) {
        say_started(place, mid, referral);
    }
    struct meta_item *item = begin(place, &json, &draft);
    if (!item)
        return;
    if (!draft.suffix)
        write_message(&json, message);
    if (!draft.suffix && yyjson_is_obj(referral))
        page_referral_write(&json, referral);
    end(place, item, &json);
}

static void read_edit(const struct place *place, yyjson_val *edit)
{
    kanal_str mid = kanal_json_text_at(edit, "mid");
    const struct draft draft = { .type = "message.edited", .external_id = mid };
    struct kanal_json json;
    struct meta_item *item = is_id(mid) ? begin(place, &json, &draft) : NULL;
    if (!item)
        return;
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    page_content_write(&json, edit);
    kanal_json_object_end(&json);
    end(place, item, &json);
}

/* A button of a template, of the greeting or of the menu. */
static void read_postback(const struct place *place, yyjson_val *postback)
{
    kanal_str mid = kanal_json_text_at(postback, "mid");
    yyjson_val *referral = kanal_json_at(postback, "referral");
    const struct draft draft = {
        .type = "message.received", .key = mid, .suffix = "postback", .external_id = mid
    };
    struct kanal_json json;
    if (yyjson_is_obj(referral))
        say_started(place, mid, referral);
    struct meta_item *item = begin(place, &json, &draft);
    if (!item)
        return;
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "answer");
    kanal_json_member_text(&json, "kind", "button");
    kanal_member_text_of(&json, "payload", postback, "payload", 4096);
    kanal_member_text_of(&json, "text", postback, "title", 4096);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    if (yyjson_is_obj(referral))
        page_referral_write(&json, referral);
    end(place, item, &json);
}

static void read_reaction(const struct place *place, yyjson_val *reaction)
{
    kanal_str mid = kanal_json_text_at(reaction, "mid"), emoji = kanal_json_text_at(reaction, "emoji");
    kanal_str name = kanal_json_text_at(reaction, "reaction");
    const struct draft draft = { .type = "message.reacted", .external_id = mid };
    int is_removed = kanal_str_is(kanal_json_text_at(reaction, "action"), "unreact");
    struct kanal_json json;
    struct meta_item *item = is_id(mid) ? begin(place, &json, &draft) : NULL;
    if (!item)
        return;
    kanal_json_key(&json, "reactions");
    kanal_json_array(&json);
    if (!is_removed && (emoji.len > 0 || name.len > 0)) {
        kanal_json_object(&json);
        if (emoji.len > 0)
            kanal_member_text(&json, "emoji", emoji, 64);
        else
            kanal_member_text(&json, "custom_id", name, 256);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    end(place, item, &json);
}

/* ---- Receipts ---- */

#define WATERMARK_MAX INT64_C(253402300799999)

/* Everything up to a time. 0: it tells none. */
static int say_until(const struct place *place, const char *type, yyjson_val *receipt)
{
    int64_t watermark = kanal_json_int_at(receipt, "watermark", 0);
    const struct draft draft = { .type = type };
    struct kanal_json json;
    if (watermark <= 0 || watermark > WATERMARK_MAX)
        return 0;
    struct meta_item *item = begin(place, &json, &draft);
    if (!item)
        return 1;
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_member_time(&json, "until", watermark);
    kanal_json_object_end(&json);
    end(place, item, &json);
    return 1;
}

static void say_receipt(const struct place *place, const char *type, const char *suffix, kanal_str mid)
{
    const struct draft draft = { .type = type, .key = mid, .suffix = suffix, .external_id = mid };
    struct kanal_json json;
    struct meta_item *item = begin(place, &json, &draft);
    if (item)
        end(place, item, &json);
}

static void read_read(const struct place *place, yyjson_val *receipt)
{
    kanal_str mid = kanal_json_text_at(receipt, "mid");
    if (is_id(mid))
        say_receipt(place, "message.read", "read", mid);
    else if (!say_until(place, "message.read", receipt))
        meta_ignore(place->batch, KANAL_LIT("a receipt of nothing"));
}

static void read_delivery(const struct place *place, yyjson_val *receipt)
{
    size_t index, max, count = 0;
    yyjson_val *mid;
    yyjson_arr_foreach (kanal_json_at(receipt, "mids"), index, max, mid)
        if (is_id(kanal_json_text(mid))) {
            say_receipt(place, "message.delivered", "delivered", kanal_json_text(mid));
            count++;
        }
    if (count == 0 && !say_until(place, "message.delivered", receipt))
        meta_ignore(place->batch, KANAL_LIT("a receipt of nothing"));
}

/* ---- Others ---- */

static void read_referral(const struct place *place, yyjson_val *referral)
{
    say_started(place, kanal_str_of(NULL, 0), referral);
}

/* A plug-in on a site or a checkbox carries a ref, as a link does; other permissions are told as they are. */
static int read_optin(const struct place *place, yyjson_val *optin)
{
    if (kanal_json_text_at(optin, "ref").len == 0 || kanal_json_at(optin, "type"))
        return 0;
    say_started(place, kanal_str_of(NULL, 0), optin);
    return 1;
}

static void say_unsupported(const struct place *place, kanal_str kind, yyjson_val *value)
{
    const struct draft draft = { .type = "message.received" };
    struct kanal_json json;
    struct meta_item *item = begin(place, &json, &draft);
    if (!item)
        return;
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "unsupported");
    kanal_json_member_str(&json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    struct kanal_provider provider = kanal_provider_begin(&json);
    kanal_member_copy(&json, "value", value);
    kanal_provider_end(&json, &provider);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    end(place, item, &json);
}

static const struct kind {
    const char *name;
    void (*read)(const struct place *, yyjson_val *body);
} kinds[] = {
    { "message", read_message },   { "postback", read_postback }, { "reaction", read_reaction },
    { "read", read_read },         { "delivery", read_delivery }, { "referral", read_referral },
    { "message_edit", read_edit },
};

/* Between apps of one page: nothing of the customer's. */
static int is_of_apps(kanal_str name)
{
    static const char *const names[] = { "pass_thread_control",    "take_thread_control",
                                         "request_thread_control", "app_roles",
                                         "policy_enforcement",     "messaging_feedback" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (kanal_str_is(name, names[i]))
            return 1;
    return 0;
}

/* The member that says what happened: the first object that names nobody. */
static yyjson_val *body_of(yyjson_val *thing, kanal_str *ret_name)
{
    size_t index, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (thing, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (yyjson_is_obj(value) && !kanal_str_is(name, "sender") && !kanal_str_is(name, "recipient") &&
            !kanal_str_is(name, "prior_message")) {
            *ret_name = name;
            return value;
        }
    }
    return NULL;
}

static void read_thing(const struct place *place)
{
    kanal_str name = { NULL, 0 };
    size_t before = place->batch->count + place->batch->ignored;
    yyjson_val *body = body_of(place->whole, &name);
    for (size_t i = 0; body && i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(name, kinds[i].name))
            kinds[i].read(place, body);
    if (kanal_str_is(name, "optin") && read_optin(place, body))
        return;
    if (place->batch->count + place->batch->ignored > before)
        return;
    if (!body || is_of_apps(name))
        meta_ignore(place->batch, name);
    else
        say_unsupported(place, name, body);
}

/* The customer is whoever is not the page; of an echo the recipient. */
static void read_messaging(struct meta_batch *batch, const struct page_self *self, yyjson_val *thing)
{
    char sender_scratch[24], recipient_scratch[24];
    kanal_str sender = kanal_json_id_at(kanal_json_at(thing, "sender"), "id", sender_scratch);
    kanal_str recipient = kanal_json_id_at(kanal_json_at(thing, "recipient"), "id", recipient_scratch);
    struct place place = { .batch = batch, .self = self, .whole = thing };
    place.person = kanal_str_equal(sender, self->page_id) ? recipient : sender;
    place.time_ms = kanal_json_int_at(thing, "timestamp", 0);
    if (place.time_ms <= 0 || place.time_ms > WATERMARK_MAX)
        place.time_ms = 0;
    if (place.person.len == 0 || place.person.len > 128)
        meta_ignore(batch, KANAL_LIT("something of nobody"));
    else
        read_thing(&place);
}

static void read_entry(struct meta_batch *batch, const struct page_self *self, yyjson_val *entry)
{
    char scratch[24];
    size_t index, max;
    yyjson_val *thing;
    yyjson_val *things = kanal_json_at(entry, "messaging");
    if (!kanal_str_equal(kanal_json_id_at(entry, "id", scratch), self->page_id)) {
        meta_ignore(batch, KANAL_LIT("of another page or account"));
        return;
    }
    yyjson_arr_foreach (things, index, max, thing) {
        if (yyjson_is_obj(thing))
            read_messaging(batch, self, thing);
        else
            meta_ignore(batch, KANAL_LIT("messaging"));
    }
    if (yyjson_arr_size(things) == 0) /* posts and comments (changes), what another app answers (standby) */
        meta_ignore(batch, KANAL_LIT("an entry without messaging"));
}

kanal_status page_webhook_read(struct meta_batch *batch, const struct page_self *self, yyjson_val *payload)
{
    yyjson_val *entries = kanal_json_at(payload, "entry"), *entry;
    size_t index, max;
    if (!kanal_str_is(kanal_json_text_at(payload, "object"), self->brand->object) || !yyjson_is_arr(entries))
        return KANAL_E_INVALID;
    yyjson_arr_foreach (entries, index, max, entry)
        read_entry(batch, self, entry);
    return batch->failed ? KANAL_E_INTERNAL : KANAL_OK;
}
