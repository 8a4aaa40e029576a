#include "callback.h"

#include <stdio.h>

#include "address.h"
#include "content.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define TIME_MAX_MS INT64_C(253402300800000)

typedef void event_fn(struct viber_callback *, yyjson_val *);

static event_fn on_message, on_subscribed, on_unsubscribed, on_started, on_delivered, on_seen, on_failed,
    on_webhook;

static const struct event {
    const char *name;
    event_fn *read; /* unknown ones: an "unsupported" part with that name, if they name a person */
} events[] = {
    { "message", on_message },
    { "subscribed", on_subscribed },
    { "unsubscribed", on_unsubscribed },
    { "conversation_started", on_started },
    { "delivered", on_delivered },
    { "seen", on_seen },
    { "failed", on_failed },
    { "webhook", on_webhook },
};

void viber_callback_init(struct viber_callback *callback, const struct viber_us *us)
{
    memset(callback, 0, sizeof *callback);
    callback->us = us;
}

void viber_callback_release(struct viber_callback *callback)
{
    kanal_batch_release(&callback->batch);
}

/* ---- People ---- */

/* A BCP 47 tag if it looks like one. */
static void write_locale(struct kanal_json *json, yyjson_val *user)
{
    kanal_str language = kanal_json_text_at(user, "language");
    int is_tag = language.len >= 2 && language.len <= 35;
    for (size_t i = 0; i < language.len && is_tag; i++) {
        char c = language.ptr[i];
        is_tag = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (is_tag)
        kanal_json_member_str(json, "locale", language);
}

static void write_people(struct kanal_json *json, yyjson_val *user, int is_group)
{
    kanal_str avatar = kanal_json_text_at(user, "avatar");
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    kanal_member_text_of(json, "name", user, "name", 256);
    write_locale(json, user);
    if (kanal_url_is_fetchable(avatar, VIBER_REFERENCE_BYTES_MAX)) {
        kanal_json_key(json, "avatar");
        kanal_json_object(json);
        kanal_json_member_str(json, "ref", avatar);
        kanal_json_object_end(json);
    }
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "country", user, "country", 16);
    kanal_member_count_of(json, "api_version", user, "api_version", 0, 1000, 1);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", is_group ? "group" : "private");
    kanal_json_object_end(json);
}

/* ---- Events ---- */

/* An event with its keys and people written; NULL: nobody is named, or out of memory. user: who, as an object with
 * an id; id: where Viber tells only that. */
static struct kanal_batch_item *begin(struct viber_callback *callback, const char *type, yyjson_val *root,
                                      yyjson_val *user, kanal_str id)
{
    char address[sizeof((struct kanal_batch_item *)0)->address];
    kanal_str chat = kanal_json_text_at(root, "chat_id");
    if (!viber_address_write(address, sizeof address, callback->us->account, id))
        return NULL;
    struct kanal_batch_item *item = kanal_batch_begin(&callback->batch, type);
    if (!item)
        return NULL;
    int64_t time = kanal_json_int_at(root, "timestamp", 0);
    snprintf(item->dedupe, sizeof item->dedupe, "%s", callback->key);
    snprintf(item->address, sizeof item->address, "%s", address);
    int is_group = kanal_batch_text(item->chat, sizeof item->chat, chat);
    if (!is_group)
        kanal_batch_text(item->chat, sizeof item->chat, id);
    if (time > 0 && time < TIME_MAX_MS)
        item->event.time_ms = time;
    write_people(&item->json, user, is_group);
    if (is_group && strcmp(type, "message.received") == 0) {
        kanal_json_key(&item->json, "author");
        kanal_json_object(&item->json);
        kanal_json_member_text(&item->json, "address", address);
        kanal_json_object_end(&item->json);
    }
    return item;
}

static void end(struct viber_callback *callback, struct kanal_batch_item *item)
{
    kanal_batch_end(&callback->batch, item);
}

static void set_token(struct viber_callback *callback, struct kanal_batch_item *item)
{
    snprintf(item->external_id, sizeof item->external_id, "%s", callback->token);
}

/* What only Viber has and a consumer may want. */
static void write_provider(struct kanal_json *json, yyjson_val *root, yyjson_val *message)
{
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "tracking_data", message, "tracking_data", 4096);
    kanal_member_text_of(json, "reply_type", root, "reply_type", 64);
    kanal_member_text_of(json, "chat_hostname", root, "chat_hostname", 256);
    kanal_member_true_of(json, "silent", root, "silent");
    kanal_provider_end(json, &provider);
}

static void on_message(struct viber_callback *callback, yyjson_val *root)
{
    yyjson_val *sender = kanal_json_at(root, "sender"), *message = kanal_json_at(root, "message");
    struct kanal_batch_item *item =
        begin(callback, "message.received", root, sender, kanal_json_text_at(sender, "id"));
    if (!item)
        return;
    set_token(callback, item);
    kanal_json_key(&item->json, "message");
    kanal_json_object(&item->json);
    kanal_json_key(&item->json, "content");
    viber_content_write(&item->json, message, kanal_json_bool_at(root, "silent"));
    write_provider(&item->json, root, message);
    kanal_json_object_end(&item->json);
    end(callback, item);
}

static void say_consent(struct viber_callback *callback, yyjson_val *root, yyjson_val *user, kanal_str id,
                        int given)
{
    struct kanal_batch_item *item =
        begin(callback, given ? "consent.given" : "consent.withdrawn", root, user, id);
    if (!item)
        return;
    struct kanal_json *json = &item->json;
    kanal_json_key(json, "consent");
    kanal_json_array(json);
    kanal_json_object(json);
    kanal_json_member_bool(json, "given", given);
    kanal_json_member_str(json, "channel", callback->us->channel_id);
    kanal_json_object_end(json);
    kanal_json_array_end(json);
    kanal_json_member_text(json, "reason", given ? "subscribed" : "unsubscribed");
    end(callback, item);
}

static void on_subscribed(struct viber_callback *callback, yyjson_val *root)
{
    yyjson_val *user = kanal_json_at(root, "user");
    say_consent(callback, root, user, kanal_json_text_at(user, "id"), 1);
}

static void on_unsubscribed(struct viber_callback *callback, yyjson_val *root)
{
    say_consent(callback, root, NULL, kanal_json_text_at(root, "user_id"), 0);
}

/* The chat was opened, perhaps by a link viber://pa?chatURI=…&context=…. It does not make the person a subscriber. */
static void on_started(struct viber_callback *callback, yyjson_val *root)
{
    yyjson_val *user = kanal_json_at(root, "user");
    kanal_str context = kanal_json_text_at(root, "context");
    struct kanal_batch_item *item =
        begin(callback, "conversation.started", root, user, kanal_json_text_at(user, "id"));
    if (!item)
        return;
    callback->wants_welcome = !kanal_json_bool_at(root, "subscribed");
    if (context.len > 0) {
        kanal_json_key(&item->json, "referral");
        kanal_json_object(&item->json);
        kanal_member_text(&item->json, "payload", context, 2048);
        kanal_json_member_text(&item->json, "kind", "link");
        kanal_json_member_text(&item->json, "source", "context");
        kanal_json_object_end(&item->json);
    }
    struct kanal_provider provider = kanal_provider_begin(&item->json);
    kanal_member_text_of(&item->json, "type", root, "type", 64);
    if (yyjson_is_bool(kanal_json_at(root, "subscribed")))
        kanal_json_member_bool(&item->json, "subscribed", kanal_json_bool_at(root, "subscribed"));
    kanal_provider_end(&item->json, &provider);
    end(callback, item);
}

/* A receipt of a message that we sent: its token is what send_message answered. */
static struct kanal_batch_item *begin_receipt(struct viber_callback *callback, const char *type,
                                              yyjson_val *root)
{
    if (!callback->token[0]) {
        callback->why = "the receipt has no message_token";
        return NULL;
    }
    struct kanal_batch_item *item = begin(callback, type, root, NULL, kanal_json_text_at(root, "user_id"));
    if (item)
        set_token(callback, item);
    return item;
}

static void on_delivered(struct viber_callback *callback, yyjson_val *root)
{
    struct kanal_batch_item *item = begin_receipt(callback, "message.delivered", root);
    if (item)
        end(callback, item);
}

static void on_seen(struct viber_callback *callback, yyjson_val *root)
{
    struct kanal_batch_item *item = begin_receipt(callback, "message.read", root);
    if (item)
        end(callback, item);
}

static void on_failed(struct viber_callback *callback, yyjson_val *root)
{
    struct kanal_batch_item *item = begin_receipt(callback, "message.failed", root);
    if (!item)
        return;
    kanal_json_key(&item->json, "error");
    kanal_json_object(&item->json);
    kanal_json_member_text(&item->json, "code", "provider_error");
    kanal_json_member_text(&item->json, "scope", "message");
    kanal_member_text_of(&item->json, "provider_message", root, "desc", 2048);
    kanal_json_object_end(&item->json);
    end(callback, item);
}

/* set_webhook asks whether we are there. */
static void on_webhook(struct viber_callback *callback, yyjson_val *root)
{
    (void)root;
    callback->why = "Viber checks the webhook";
}

static void say_unsupported(struct viber_callback *callback, yyjson_val *root)
{
    yyjson_val *user =
        kanal_json_at(root, "sender") ? kanal_json_at(root, "sender") : kanal_json_at(root, "user");
    kanal_str id = kanal_json_text_at(user, "id");
    struct kanal_batch_item *item = begin(callback, "message.received", root, user,
                                          id.len > 0 ? id : kanal_json_text_at(root, "user_id"));
    if (!item) {
        callback->why = "it names no person";
        return;
    }
    kanal_json_key(&item->json, "message");
    kanal_json_object(&item->json);
    kanal_json_key(&item->json, "content");
    viber_content_unsupported(&item->json, callback->event, root);
    kanal_json_object_end(&item->json);
    end(callback, item);
}

/* ---- The callback ---- */

/* Viber repeats a callback with the same token; a message's delivered and seen have its token too, and so have those of
 * every receiver of a broadcast. */
static void set_key(struct viber_callback *callback, yyjson_val *root, kanal_str raw)
{
    char scratch[24];
    kanal_str token = kanal_json_id_at(root, "message_token", scratch);
    kanal_str user = kanal_json_text_at(root, "user_id");
    int is_number = token.len > 0 && token.len < sizeof callback->token;
    for (size_t i = 0; i < token.len && is_number; i++)
        is_number = token.ptr[i] >= '0' && token.ptr[i] <= '9';
    if (!is_number || callback->event.len > 32 || !kanal_str_ascii(callback->event)) {
        kanal_batch_raw_key(callback->key, raw);
        return;
    }
    kanal_batch_text(callback->token, sizeof callback->token, token);
    int has_user = user.len > 0 && user.len <= 40 && kanal_str_ascii(user);
    snprintf(callback->key, sizeof callback->key, "%.*s:%s%s%.*s", (int)callback->event.len,
             callback->event.ptr, callback->token, has_user ? ":" : "", has_user ? (int)user.len : 0,
             has_user ? user.ptr : "");
}

kanal_status viber_callback_read(struct viber_callback *callback, yyjson_val *root, kanal_str raw)
{
    callback->event = kanal_json_text_at(root, "event");
    if (callback->event.len == 0)
        return KANAL_E_INVALID;
    set_key(callback, root, raw);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (kanal_str_is(callback->event, events[i].name))
            events[i].read(callback, root);
    if (callback->batch.count == 0 && !callback->why && !callback->batch.failed)
        say_unsupported(callback, root);
    return callback->batch.failed ? KANAL_E_INTERNAL : KANAL_OK;
}
