#include "callback.h"

#include <stdio.h>

#include "content.h"
#include "kanal/sdk/member.h"
#include "message.h"
#include "reaction.h"

#define EVENT_ID_BYTES_MAX 100

typedef void type_fn(struct vk_callback *, yyjson_val *object);

static type_fn on_new, on_edit, on_reply, on_allow, on_deny, on_typing, on_press, on_read, on_reaction;

static const struct type {
    const char *name;
    type_fn *read; /* unknown ones: an "unsupported" part with that name, if they name a person */
} types[] = {
    { "message_new", on_new },     { "message_edit", on_edit }, { "message_reply", on_reply },
    { "message_allow", on_allow }, { "message_deny", on_deny }, { "message_typing_state", on_typing },
    { "message_event", on_press }, { "message_read", on_read }, { "message_reaction_event", on_reaction },
};

void vk_callback_init(struct vk_callback *callback, const struct vk_us *us)
{
    memset(callback, 0, sizeof *callback);
    callback->us = us;
}

void vk_callback_release(struct vk_callback *callback)
{
    kanal_batch_release(&callback->batch);
}

/* ---- Events ---- */

/* An event with its keys and people written; its JSON stands inside of data, for the type's own members. NULL: nobody
 * is named, or out of memory. suffix: of several events of one callback; may be NULL. */
static struct kanal_batch_item *begin(struct vk_callback *callback, const char *type,
                                      const struct vk_place *place, int64_t seconds, const char *suffix,
                                      yyjson_val *client)
{
    if (place->person == 0)
        return NULL;
    struct kanal_batch_item *item = kanal_batch_begin(&callback->batch, type);
    if (!item)
        return NULL;
    snprintf(item->dedupe, sizeof item->dedupe, "%s%s", callback->key, suffix ? suffix : "");
    snprintf(item->address, sizeof item->address, "vk:%lld", (long long)place->person);
    if (place->peer != 0)
        snprintf(item->chat, sizeof item->chat, "%lld", (long long)place->peer);
    if (seconds > 0 && seconds < INT64_C(253402300800))
        item->event.time_ms = seconds * 1000;
    int is_theirs = strncmp(type, "message.", 8) == 0 && strcmp(type, "message.sent") != 0 &&
                    strcmp(type, "message.read") != 0;
    vk_write_people(&item->json, place, client, is_theirs);
    return item;
}

static void say_unsupported(struct vk_callback *callback, yyjson_val *object)
{
    static const char *const names[] = { "from_id", "user_id", "liker_id", "customer_id" };
    struct vk_place place = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names && place.person <= 0; i++)
        place.person = kanal_json_int_at(object, names[i], 0);
    if (place.person <= 0) {
        callback->why = "it names no person";
        return;
    }
    struct kanal_batch_item *item =
        begin(callback, "message.received", &place, kanal_json_int_at(object, "date", 0), NULL, NULL);
    if (!item)
        return;
    kanal_json_key(&item->json, "message");
    kanal_json_object(&item->json);
    kanal_json_key(&item->json, "content");
    vk_content_unsupported(&item->json, callback->type, object);
    kanal_json_object_end(&item->json);
    kanal_batch_end(&callback->batch, item);
}

/* ---- Messages ---- */

static struct vk_place place_of(yyjson_val *message)
{
    struct vk_place place = { .person = kanal_json_int_at(message, "from_id", 0),
                              .peer = kanal_json_int_at(message, "peer_id", 0) };
    return place;
}

static void set_message_id(struct kanal_batch_item *item, yyjson_val *message)
{
    char id[VK_ID_MAX];
    vk_external_id(id, kanal_json_int_at(message, "peer_id", 0),
                   kanal_json_int_at(message, "conversation_message_id", 0));
    kanal_batch_text(item->external_id, sizeof item->external_id, kanal_str_c(id));
}

static void write_referral(struct kanal_json *json, yyjson_val *message)
{
    kanal_str ref = kanal_json_text_at(message, "ref");
    if (ref.len == 0)
        return;
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    kanal_member_text(json, "payload", ref, 2048);
    kanal_json_member_text(json, "kind", "link");
    kanal_member_text_of(json, "source", message, "ref_source", 128);
    kanal_json_object_end(json);
}

/* The chat was opened: the button "Start", or a link vk.me/COMMUNITY?ref=…. */
static void say_started(struct vk_callback *callback, yyjson_val *message, yyjson_val *client)
{
    struct vk_place place = place_of(message);
    if (!vk_payload_starts(kanal_json_at(message, "payload")) && kanal_json_text_at(message, "ref").len == 0)
        return;
    struct kanal_batch_item *item = begin(callback, "conversation.started", &place,
                                          kanal_json_int_at(message, "date", 0), ":started", client);
    if (!item)
        return;
    write_referral(&item->json, message);
    kanal_batch_end(&callback->batch, item);
}

/* Since API 5.103 the message stands beside client_info; before, and in other events, it is the object. */
static yyjson_val *message_of(yyjson_val *object)
{
    yyjson_val *message = kanal_json_at(object, "message");
    return yyjson_is_obj(message) ? message : object;
}

static int is_ours(yyjson_val *message)
{
    return kanal_json_int_at(message, "out", 0) == 1 && kanal_json_int_at(message, "peer_id", 0) != 0;
}

static void on_new(struct vk_callback *callback, yyjson_val *object)
{
    yyjson_val *message = message_of(object), *client = kanal_json_at(object, "client_info");
    struct vk_place place = place_of(message);
    if (is_ours(message)) {
        on_reply(callback, object);
        return;
    }
    say_started(callback, message, client);
    struct kanal_batch_item *item =
        begin(callback, "message.received", &place, kanal_json_int_at(message, "date", 0), NULL, client);
    if (!item)
        return;
    set_message_id(item, message);
    vk_write_message(&item->json, callback->us, message);
    write_referral(&item->json, message);
    kanal_batch_end(&callback->batch, item);
    callback->person = place.person > 0 ? place.person : 0;
}

static void on_edit(struct vk_callback *callback, yyjson_val *object)
{
    yyjson_val *message = message_of(object);
    struct vk_place place = place_of(message);
    if (is_ours(message)) { /* there is no event for an edit of ours */
        on_reply(callback, object);
        return;
    }
    if (place.peer == 0 || kanal_json_int_at(message, "conversation_message_id", 0) <= 0)
        return; /* it is about a message that can be named */
    struct kanal_batch_item *item =
        begin(callback, "message.edited", &place,
              kanal_json_int_at(message, "update_time", kanal_json_int_at(message, "date", 0)), NULL, NULL);
    if (!item)
        return;
    set_message_id(item, message);
    vk_write_message(&item->json, callback->us, message);
    kanal_batch_end(&callback->batch, item);
}

/* What was written to the customer in our name. What went through the API, with a random_id and no administrator, is
 * our own (or another program's of the same token): Kanal has told of it. */
static void on_reply(struct vk_callback *callback, yyjson_val *object)
{
    yyjson_val *message = message_of(object);
    struct vk_place place = { .person = kanal_json_int_at(message, "peer_id", 0) };
    place.peer = place.person;
    if (vk_is_group_chat(place.peer))
        place.person = 0; /* to all of them */
    if (kanal_json_int_at(message, "admin_author_id", 0) == 0 &&
        kanal_json_int_at(message, "random_id", 0) != 0) {
        callback->is_echo = 1;
        callback->why = "it was sent through the API";
        return;
    }
    if (place.person == 0 || kanal_json_int_at(message, "conversation_message_id", 0) <= 0) {
        callback->why = "it was written to no person, or has no number";
        return;
    }
    struct kanal_batch_item *item =
        begin(callback, "message.sent", &place, kanal_json_int_at(message, "date", 0), NULL, NULL);
    if (!item)
        return;
    set_message_id(item, message);
    vk_write_sent(&item->json, message);
    kanal_batch_end(&callback->batch, item);
}

/* ---- Others ---- */

static void say_consent(struct vk_callback *callback, yyjson_val *object, int given)
{
    struct vk_place place = { .person = kanal_json_int_at(object, "user_id", 0) };
    place.peer = place.person;
    struct kanal_batch_item *item =
        begin(callback, given ? "consent.given" : "consent.withdrawn", &place, 0, NULL, NULL);
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
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "key", object, "key", 1024);
    kanal_provider_end(json, &provider);
    kanal_batch_end(&callback->batch, item);
}

static void on_allow(struct vk_callback *callback, yyjson_val *object)
{
    say_consent(callback, object, 1);
}

static void on_deny(struct vk_callback *callback, yyjson_val *object)
{
    say_consent(callback, object, 0);
}

static void on_typing(struct vk_callback *callback, yyjson_val *object)
{
    struct vk_place place = { .person = kanal_json_int_at(object, "from_id", 0) };
    if (place.person < 0) {
        callback->is_echo = 1;
        callback->why = "we are the ones who type";
        return;
    }
    place.peer = place.person;
    struct kanal_batch_item *item = begin(callback, "typing.started", &place, 0, NULL, NULL);
    if (!item)
        return;
    int is_voice = kanal_str_is(kanal_json_text_at(object, "state"), "audiomessage");
    kanal_json_key(&item->json, "typing");
    kanal_json_object(&item->json);
    kanal_json_member_text(&item->json, "kind", is_voice ? "voice" : "text");
    kanal_json_object_end(&item->json);
    kanal_batch_end(&callback->batch, item);
}

/* A callback button: the customer's client waits until it is answered. */
static void on_press(struct vk_callback *callback, yyjson_val *object)
{
    struct vk_place place = { .person = kanal_json_int_at(object, "user_id", 0),
                              .peer = kanal_json_int_at(object, "peer_id", 0) };
    char offered[VK_ID_MAX];
    struct kanal_batch_item *item = begin(callback, "message.received", &place, 0, NULL, NULL);
    if (!item)
        return;
    callback->press_id = kanal_json_text_at(object, "event_id");
    callback->press_user = place.person;
    callback->press_peer = place.peer;
    struct kanal_json *json = &item->json;
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    vk_content_answer(json, kanal_json_at(object, "payload"));
    vk_external_id(offered, place.peer, kanal_json_int_at(object, "conversation_message_id", 0));
    if (offered[0]) {
        kanal_json_key(json, "reply_to");
        kanal_json_object(json);
        kanal_json_member_text(json, "external_id", offered);
        kanal_json_object_end(json);
    }
    kanal_json_object_end(json);
    kanal_batch_end(&callback->batch, item);
}

/* The customer has read everything up to a message. */
static void on_read(struct vk_callback *callback, yyjson_val *object)
{
    struct vk_place place = place_of(object);
    int64_t cmid = kanal_json_int_at(object, "conversation_message_id", 0);
    if (place.person < 0) {
        callback->is_echo = 1;
        callback->why = "we are the ones who read";
        return;
    }
    if (place.peer == 0 || cmid <= 0)
        return;
    struct kanal_batch_item *item = begin(callback, "message.read", &place, 0, NULL, NULL);
    if (!item)
        return;
    set_message_id(item, object);
    kanal_batch_end(&callback->batch, item);
}

static void on_reaction(struct vk_callback *callback, yyjson_val *object)
{
    struct vk_place place = { .person = kanal_json_int_at(object, "reacted_id", 0),
                              .peer = kanal_json_int_at(object, "peer_id", 0) };
    int64_t cmid = kanal_json_int_at(object, "cmid", 0),
            reaction = kanal_json_int_at(object, "reaction_id", 0);
    if (place.person < 0) {
        callback->is_echo = 1;
        callback->why = "we are the ones who react";
        return;
    }
    if (place.peer == 0 || cmid <= 0)
        return;
    struct kanal_batch_item *item = begin(callback, "message.reacted", &place, 0, NULL, NULL);
    if (!item)
        return;
    vk_external_id(item->external_id, place.peer, cmid);
    kanal_json_key(&item->json, "reactions");
    kanal_json_array(&item->json);
    if (reaction > 0) { /* a person has one; none: it was taken back */
        kanal_json_object(&item->json);
        kanal_json_member_text(&item->json, "emoji", vk_reaction_emoji(reaction));
        kanal_member_digits(&item->json, "custom_id", reaction);
        kanal_json_object_end(&item->json);
    }
    kanal_json_array_end(&item->json);
    kanal_batch_end(&callback->batch, item);
}

/* ---- The callback ---- */

static void set_key(struct vk_callback *callback, kanal_str event_id, kanal_str raw)
{
    if (event_id.len > 0 && event_id.len <= EVENT_ID_BYTES_MAX && kanal_str_ascii(event_id))
        snprintf(callback->key, sizeof callback->key, "%.*s", (int)event_id.len, event_id.ptr);
    else
        kanal_batch_raw_key(callback->key, raw);
}

kanal_status vk_callback_read(struct vk_callback *callback, yyjson_val *event, kanal_str raw)
{
    callback->type = kanal_json_text_at(event, "type");
    callback->object = kanal_json_at(event, "object");
    if (callback->type.len == 0)
        return KANAL_E_INVALID;
    set_key(callback, kanal_json_text_at(event, "event_id"), raw);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(callback->type, types[i].name))
            types[i].read(callback, callback->object);
    if (callback->batch.count == 0 && !callback->why && !callback->batch.failed)
        say_unsupported(callback, callback->object);
    return callback->batch.failed ? KANAL_E_INTERNAL : KANAL_OK;
}
