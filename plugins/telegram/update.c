#include "update.h"

#include <stdio.h>

#include "content.h"
#include "kanal/sdk/member.h"
#include "message.h"

#define UPDATE_ID_MAX (INT64_MAX / 2) /* the next one is still a number */

typedef void kind_fn(struct tg_batch *, yyjson_val *body);

static kind_fn on_message, on_edited, on_business, on_business_edited, on_business_deleted, on_guest,
    on_callback, on_reaction, on_bot_member;

static const struct kind {
    const char *name;
    kind_fn *read; /* NULL, as of unknown ones: an "unsupported" part with that name */
} kinds[] = {
    { "message", on_message },
    { "edited_message", on_edited },
    { "channel_post", on_message },
    { "edited_channel_post", on_edited },
    { "callback_query", on_callback },
    { "message_reaction", on_reaction },
    { "my_chat_member", on_bot_member },
    { "business_message", on_business },
    { "edited_business_message", on_business_edited },
    { "deleted_business_messages", on_business_deleted },
    { "guest_message", on_guest },
};

/* ---- The batch ---- */

void tg_batch_init(struct tg_batch *batch, const struct tg_self *self, kanal_str channel_id)
{
    memset(batch, 0, sizeof *batch);
    batch->self = self;
    batch->channel_id = channel_id;
}

void tg_batch_release(struct tg_batch *batch)
{
    kanal_batch_release(&batch->events);
    memset(batch, 0, sizeof *batch);
}

struct draft { /* what an event is made of */
    const char *type;
    struct tg_who who;
    struct tg_place place;
    yyjson_val *message;       /* for the people's members; may be NULL */
    int64_t message_id;        /* 0: the event is about no message */
    int64_t date;              /* seconds; 0: not told */
    const char *discriminator; /* of several events of one update */
    int64_t number;            /* likewise; 0: none */
};

/* The types that tell who in the chat did it. */
static int is_of_customer(const char *type)
{
    return strncmp(type, "message.", 8) == 0 && strcmp(type, "message.sent") != 0;
}

/* An event with its people written; the JSON stands inside of data, for the type's own members. NULL: nobody is
 * named, or out of memory. */
static struct kanal_json *begin(struct tg_batch *batch, const struct draft *draft)
{
    if (draft->who.id == 0 || batch->events.count == KANAL_BATCH_MAX)
        return NULL;
    struct kanal_batch_item *item = kanal_batch_begin(&batch->events, draft->type);
    if (!item)
        return NULL;
    snprintf(item->dedupe, sizeof item->dedupe, "%lld", (long long)batch->update_id);
    size_t n = strlen(item->dedupe);
    if (draft->number != 0)
        snprintf(item->dedupe + n, sizeof item->dedupe - n, ":%lld", (long long)draft->number);
    else if (draft->discriminator)
        snprintf(item->dedupe + n, sizeof item->dedupe - n, ":%s", draft->discriminator);
    snprintf(item->address, sizeof item->address, "telegram:%lld", (long long)draft->who.id);
    tg_chat_id(item->chat, &draft->place);
    tg_external_id(item->external_id, &draft->place, draft->message_id);
    item->event.time_ms = draft->date > 0 && draft->date < INT64_C(253402300800) ? draft->date * 1000 : 0;
    tg_write_people(&item->json, &draft->who, &draft->place, draft->message);
    if (is_of_customer(draft->type))
        tg_write_author(&item->json, &draft->who, &draft->place, draft->message);
    return &item->json;
}

static void end(struct tg_batch *batch)
{
    kanal_batch_end(&batch->events, batch->events.items[batch->events.count - 1]);
}

/* ---- Messages ---- */

static struct draft draft_of(yyjson_val *message, const char *type, kanal_str business)
{
    struct draft draft = { .type = type, .message = message };
    draft.place = tg_place_of(kanal_json_at(message, "chat"), business);
    draft.who = tg_sender(message);
    draft.message_id = kanal_json_int_at(message, "message_id", 0);
    draft.date = kanal_json_int_at(message, "date", 0);
    return draft;
}

static void write_referral(struct kanal_json *json, kanal_str payload)
{
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    kanal_member_text(json, "payload", payload, 2048);
    kanal_json_member_text(json, "kind", "link");
    kanal_json_member_text(json, "source", "start");
    kanal_json_object_end(json);
}

/* What follows "/start" or "/start@name". 0: the text is another one. Empty: nothing follows. */
static int read_start(kanal_str text, kanal_str *ret_payload)
{
    size_t at = 6;
    if (!kanal_str_starts(text, "/start") || (text.len > at && text.ptr[at] != ' ' && text.ptr[at] != '@'))
        return 0;
    while (at < text.len && text.ptr[at] != ' ')
        at++;
    while (at < text.len && text.ptr[at] == ' ')
        at++;
    *ret_payload = kanal_str_from(text, at);
    return 1;
}

/* The chat was opened: the button "Start", or a link t.me/BOT?start=PAYLOAD. */
static void say_started(struct tg_batch *batch, struct draft draft, kanal_str payload)
{
    draft.type = "conversation.started";
    draft.message_id = 0;
    draft.discriminator = "started";
    struct kanal_json *json = begin(batch, &draft);
    if (!json)
        return;
    if (payload.len > 0)
        write_referral(json, payload);
    end(batch);
}

static void say_message(struct tg_batch *batch, const struct draft *draft, kanal_str payload)
{
    int is_received = strcmp(draft->type, "message.received") == 0;
    if (!is_received && (draft->place.id == 0 || draft->message_id <= 0))
        return; /* these are about a message that can be named */
    struct kanal_json *json = begin(batch, draft);
    if (!json)
        return;
    if (strcmp(draft->type, "message.sent") == 0)
        tg_write_sent(json, draft->message);
    else
        tg_write_message(json, batch->self, &draft->place, draft->message);
    if (payload.len > 0)
        write_referral(json, payload);
    end(batch);
}

static void on_message(struct tg_batch *batch, yyjson_val *message)
{
    struct draft draft = draft_of(message, "message.received", kanal_str_of(NULL, 0));
    kanal_str payload = { NULL, 0 };
    if (read_start(kanal_json_text_at(message, "text"), &payload))
        say_started(batch, draft, payload);
    say_message(batch, &draft, payload);
}

static void say_edited(struct tg_batch *batch, yyjson_val *message, kanal_str business)
{
    struct draft draft = draft_of(message, "message.edited", business);
    draft.date = kanal_json_int_at(message, "edit_date", draft.date);
    say_message(batch, &draft, kanal_str_of(NULL, 0));
}

static void on_edited(struct tg_batch *batch, yyjson_val *message)
{
    say_edited(batch, message, kanal_str_of(NULL, 0));
}

/* In a chat of a business account the customer is the chat; what somebody else writes there, the account's
 * owner writes to them. */
static void on_business(struct tg_batch *batch, yyjson_val *message)
{
    struct draft draft =
        draft_of(message, "message.received", kanal_json_text_at(message, "business_connection_id"));
    if (draft.place.id != 0 && draft.who.id != draft.place.id) {
        draft.type = "message.sent";
        draft.who = tg_who_of(draft.place.chat, NULL);
    }
    say_message(batch, &draft, kanal_str_of(NULL, 0));
}

static void on_business_edited(struct tg_batch *batch, yyjson_val *message)
{
    kanal_str business = kanal_json_text_at(message, "business_connection_id");
    if (tg_sender(message).id == kanal_json_int_at(kanal_json_at(message, "chat"), "id", 0))
        say_edited(batch, message, business);
    else
        on_business(batch,
                    message); /* there is no event for an edit of ours: it is told again as it is now */
}

static void on_business_deleted(struct tg_batch *batch, yyjson_val *deleted)
{
    yyjson_val *id;
    size_t index, max;
    yyjson_arr_foreach (kanal_json_at(deleted, "message_ids"), index, max, id) {
        struct draft draft =
            draft_of(deleted, "message.deleted", kanal_json_text_at(deleted, "business_connection_id"));
        draft.message_id = draft.number = yyjson_is_int(id) ? yyjson_get_sint(id) : 0;
        draft.who = tg_who_of(draft.place.chat, NULL);
        draft.message = NULL;
        struct kanal_json *json = draft.message_id > 0 && draft.place.id != 0 ? begin(batch, &draft) : NULL;
        if (json)
            end(batch);
    }
}

/* A message from a chat that the bot is no member of: it cannot be answered there, so it gets no chat and no
 * id. */
static void on_guest(struct tg_batch *batch, yyjson_val *message)
{
    struct draft draft = draft_of(message, "message.received", kanal_str_of(NULL, 0));
    memset(&draft.place, 0, sizeof draft.place);
    draft.message_id = 0;
    say_message(batch, &draft, kanal_str_of(NULL, 0));
}

/* ---- Others ---- */

static void on_callback(struct tg_batch *batch, yyjson_val *query)
{
    yyjson_val *message = kanal_json_at(query, "message");
    struct draft draft =
        draft_of(message, "message.received", kanal_json_text_at(message, "business_connection_id"));
    char offered[TG_EXTERNAL_ID_MAX];
    batch->callback_id = kanal_json_text_at(query, "id");
    tg_external_id(offered, &draft.place, draft.message_id);
    draft.who = tg_who_of(kanal_json_at(query, "from"), NULL);
    draft.message = NULL;
    draft.message_id = draft.date = 0; /* of the message that the button belongs to */
    struct kanal_json *json = begin(batch, &draft);
    if (!json)
        return;
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    tg_content_callback(json, query);
    if (offered[0]) {
        kanal_json_key(json, "reply_to");
        kanal_json_object(json);
        kanal_json_member_text(json, "external_id", offered);
        kanal_member_text_of(json, "text", message, "text", 4096);
        kanal_json_object_end(json);
    }
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "callback_query_id", batch->callback_id, 256);
    kanal_member_text_of(json, "inline_message_id", query, "inline_message_id", 256);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    end(batch);
}

static void write_reactions(struct kanal_json *json, yyjson_val *reactions)
{
    size_t index, max;
    yyjson_val *reaction;
    kanal_json_key(json, "reactions");
    kanal_json_array(json);
    yyjson_arr_foreach (reactions, index, max, reaction) {
        kanal_str emoji = kanal_json_text_at(reaction, "emoji"),
                  custom = kanal_json_text_at(reaction, "custom_emoji_id");
        kanal_str type = kanal_json_text_at(reaction, "type");
        if (index == 32)
            break;
        if (emoji.len == 0 && custom.len == 0 && type.len == 0)
            continue;
        kanal_json_object(json);
        if (emoji.len > 0)
            kanal_member_text(json, "emoji", emoji, 64);
        else
            kanal_member_text(json, "custom_id", custom.len > 0 ? custom : type,
                              256); /* "paid" has no emoji */
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

static void on_reaction(struct tg_batch *batch, yyjson_val *reaction)
{
    struct draft draft = draft_of(reaction, "message.reacted", kanal_str_of(NULL, 0));
    draft.who = tg_who_of(kanal_json_at(reaction, "user"), kanal_json_at(reaction, "actor_chat"));
    draft.message = NULL;
    struct kanal_json *json = draft.place.id != 0 && draft.message_id > 0 ? begin(batch, &draft) : NULL;
    if (!json)
        return;
    write_reactions(json, kanal_json_at(reaction, "new_reaction"));
    end(batch);
}

static void say_unsupported(struct tg_batch *batch, yyjson_val *body, kanal_str text, int with_value)
{
    struct draft draft = draft_of(body, "message.received", kanal_str_of(NULL, 0));
    yyjson_val *user =
        kanal_json_at(body, "from") ? kanal_json_at(body, "from") : kanal_json_at(body, "user");
    draft.who = tg_who_of(user, kanal_json_at(body, "voter_chat"));
    if (draft.who.id == 0)
        draft.who = tg_who_of(NULL, kanal_json_at(body, "chat"));
    draft.message = NULL;
    draft.message_id = 0;
    struct kanal_json *json = begin(batch, &draft);
    if (!json)
        return;
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    tg_content_unsupported(json, batch->kind, text, with_value ? body : NULL);
    kanal_json_object_end(json);
    end(batch);
}

static void say_consent(struct tg_batch *batch, yyjson_val *update, int given)
{
    struct draft draft =
        draft_of(update, given ? "consent.given" : "consent.withdrawn", kanal_str_of(NULL, 0));
    draft.who = tg_who_of(kanal_json_at(update, "from"), NULL);
    draft.message = NULL;
    struct kanal_json *json = begin(batch, &draft);
    if (!json)
        return;
    kanal_json_key(json, "consent");
    kanal_json_array(json);
    kanal_json_object(json);
    kanal_json_member_bool(json, "given", given);
    kanal_json_member_str(json, "channel", batch->channel_id);
    kanal_json_object_end(json);
    kanal_json_array_end(json);
    kanal_json_member_text(json, "reason", given ? "unblocked" : "blocked");
    end(batch);
}

/* The bot's own membership changed: in a private chat the customer blocked or unblocked it. */
static void on_bot_member(struct tg_batch *batch, yyjson_val *update)
{
    kanal_str type = kanal_json_text_at(kanal_json_at(update, "chat"), "type");
    kanal_str before = kanal_json_text_at(kanal_json_at(update, "old_chat_member"), "status");
    kanal_str after = kanal_json_text_at(kanal_json_at(update, "new_chat_member"), "status");
    int is_private = kanal_str_is(type, "private");
    if (is_private && kanal_str_is(after, "kicked")) {
        say_consent(batch, update, 0);
    } else if (is_private && kanal_str_is(before, "kicked") && kanal_str_is(after, "member")) {
        say_consent(batch, update, 1);
    } else {
        struct kanal_buffer text = { 0 };
        kanal_buffer_str(&text, kanal_str_cut(before, 64));
        kanal_buffer_text(&text, " → ");
        kanal_buffer_str(&text, kanal_str_cut(after, 64));
        say_unsupported(batch, update, kanal_buffer_view(&text), 1);
        kanal_buffer_release(&text);
    }
}

/* ---- The update ---- */

/* The one member besides update_id that is an object. */
static yyjson_val *body_of(yyjson_val *update, kanal_str *ret_kind)
{
    size_t index, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(update))
        return NULL;
    yyjson_obj_foreach (update, index, max, key, value)
        if (yyjson_is_obj(value)) {
            *ret_kind = kanal_json_text(key);
            return value;
        }
    return NULL;
}

static const struct kind *kind_of(kanal_str name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

kanal_status tg_update_read(struct tg_batch *batch, yyjson_val *update)
{
    batch->update_id = kanal_json_int_at(update, "update_id", -1);
    if (batch->update_id < 0 || batch->update_id > UPDATE_ID_MAX)
        return KANAL_E_INVALID;
    yyjson_val *body = body_of(update, &batch->kind);
    const struct kind *kind = kind_of(batch->kind);
    if (kind)
        kind->read(batch, body);
    if (batch->events.count == 0 && body && !batch->events.failed)
        say_unsupported(batch, body, kanal_str_of(NULL, 0), 1);
    return batch->events.failed ? KANAL_E_INTERNAL : KANAL_OK;
}

kanal_status tg_update_fallback(struct tg_batch *batch, yyjson_val *update)
{
    kanal_str kind = { NULL, 0 };
    yyjson_val *body = body_of(update, &kind);
    kanal_batch_clear(&batch->events);
    say_unsupported(batch, body, KANAL_LIT("this update could not be told"), 0);
    return batch->events.failed ? KANAL_E_INTERNAL : batch->events.count > 0 ? KANAL_OK : KANAL_E_NOT_FOUND;
}
