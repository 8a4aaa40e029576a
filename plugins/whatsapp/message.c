#include "content.h"
#include "webhook.h"

/* ---- Where it came from ---- */

/* Not the pictures: their URLs are Meta's own and short-lived. */
static void write_ad(struct kanal_json *json, yyjson_val *referral)
{
    kanal_json_key(json, "ad");
    kanal_json_object(json);
    kanal_member_text_of(json, "id", referral, "source_id", 256);
    kanal_member_text_of(json, "title", referral, "headline", 1024);
    kanal_member_text_of(json, "text", referral, "body", 4096);
    kanal_member_text_of(json, "click_id", referral, "ctwa_clid", 1024);
    kanal_json_object_end(json);
}

static void write_referral(struct kanal_json *json, yyjson_val *referral, yyjson_val *product)
{
    kanal_str source = kanal_json_text_at(referral, "source_type");
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    if (referral) {
        kanal_json_member_text(json, "kind",
                               kanal_str_is(source, "ad")     ? "ad"
                               : kanal_str_is(source, "post") ? "post"
                                                              : "other");
        kanal_member_text(json, "source", source, 128);
        kanal_member_uri(json, "url", kanal_json_text_at(referral, "source_url"));
        write_ad(json, referral);
    }
    kanal_member_text_of(json, "product", product, "product_retailer_id", 256);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "catalog_id", product, "catalog_id", 256);
    kanal_member_text_of(json, "media_type", referral, "media_type", 64);
    kanal_member_text_of(json, "image_url", referral, "image_url", 4096);
    kanal_member_text_of(json, "video_url", referral, "video_url", 4096);
    kanal_member_text_of(json, "thumbnail_url", referral, "thumbnail_url", 4096);
    kanal_member_copy(json, "welcome_message", kanal_json_at(referral, "welcome_message"));
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* ---- Members ---- */

static void write_context(struct kanal_json *json, yyjson_val *context)
{
    kanal_str id = kanal_json_text_at(context, "id");
    int is_forwarded = kanal_json_bool_at(context, "forwarded"),
        is_often = kanal_json_bool_at(context, "frequently_forwarded");
    if (id.len > 0 && id.len <= META_ID_MAX) {
        kanal_json_key(json, "reply_to");
        kanal_json_object(json);
        kanal_json_member_str(json, "external_id", id);
        kanal_json_object_end(json);
    }
    if (is_forwarded || is_often) {
        kanal_json_key(json, "forwarded");
        kanal_json_object(json);
        kanal_json_object_end(json);
    }
}

static void write_message(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *context = kanal_json_at(message, "context");
    kanal_json_key(json, "message");
    kanal_json_object(json);
    kanal_json_key(json, "content");
    wa_content_write(json, message);
    write_context(json, context);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_true_of(json, "frequently_forwarded", context, "frequently_forwarded");
    kanal_member_copy(json, "identity", kanal_json_at(message, "identity"));
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* ---- Events ---- */

struct draft { /* what the events of one message have in common */
    const struct wa_change *change;
    yyjson_val *message;
    struct wa_who who;
    kanal_str group;
    int is_system; /* WhatsApp says something of the person, who did nothing */
    char address[META_ADDRESS_MAX];
    int64_t time_ms;
};

static struct meta_item *begin(struct draft *draft, struct kanal_json *json, const char *type,
                               const char *suffix, kanal_str external_id)
{
    int is_profile = strcmp(type, "profile.observed") == 0; /* of the person, wherever they write */
    struct meta_start start = { .type = type,
                                .key = kanal_json_text_at(draft->message, "id"),
                                .suffix = suffix,
                                .whole = draft->message,
                                .external_id = external_id,
                                .address = kanal_str_c(draft->address),
                                .chat = is_profile             ? kanal_str_of(NULL, 0)
                                        : draft->group.len > 0 ? draft->group
                                                               : wa_chat(&draft->who),
                                .time_ms = draft->time_ms };
    struct meta_item *item = meta_item_begin(draft->change->batch, json, &start);
    int opens = strcmp(type, "message.received") == 0 || strcmp(type, "message.reacted") == 0;
    if (!item)
        return NULL;
    item->opens_window = opens && draft->group.len == 0 && !draft->is_system;
    wa_write_customer(json, &draft->who);
    if (!is_profile)
        wa_write_chat(json, draft->group,
                      item->opens_window && draft->time_ms > 0 ? draft->time_ms + WA_WINDOW_MS : 0);
    if (draft->group.len > 0 && strncmp(type, "message.", 8) == 0)
        wa_write_author(json, &draft->who);
    return item;
}

static void end(struct draft *draft, struct meta_item *item, struct kanal_json *json)
{
    meta_item_end(draft->change->batch, item, json);
}

static void say_received(struct draft *draft)
{
    yyjson_val *message = draft->message, *referral = kanal_json_at(message, "referral");
    yyjson_val *product = kanal_json_at(kanal_json_at(message, "context"), "referred_product");
    struct kanal_json json;
    struct meta_item *item = begin(draft, &json, "message.received", NULL, kanal_json_text_at(message, "id"));
    if (!item)
        return;
    write_message(&json, message);
    if (yyjson_is_obj(referral) || yyjson_is_obj(product))
        write_referral(&json, yyjson_is_obj(referral) ? referral : NULL, product);
    end(draft, item, &json);
}

/* A chat that was opened by an ad, or for the first time. */
static void say_started(struct draft *draft)
{
    yyjson_val *referral = kanal_json_at(draft->message, "referral");
    struct kanal_json json;
    struct meta_item *item = begin(draft, &json, "conversation.started", "started", kanal_str_of(NULL, 0));
    if (!item)
        return;
    if (yyjson_is_obj(referral))
        write_referral(&json, referral, NULL);
    if (kanal_str_is(kanal_json_text_at(draft->message, "type"), "request_welcome"))
        kanal_json_member_bool(&json, "first", 1);
    end(draft, item, &json);
}

static int say_reacted(struct draft *draft)
{
    yyjson_val *reaction = kanal_json_at(draft->message, "reaction");
    kanal_str target = kanal_json_text_at(reaction, "message_id");
    kanal_str emoji = kanal_json_text_at(reaction, "emoji");
    struct kanal_json json;
    if (target.len == 0 || target.len > META_ID_MAX)
        return 0;
    struct meta_item *item = begin(draft, &json, "message.reacted", NULL, target);
    if (!item)
        return 1;
    kanal_json_key(&json, "reactions");
    kanal_json_array(&json);
    if (emoji.len > 0) { /* empty: taken back */
        kanal_json_object(&json);
        kanal_member_text(&json, "emoji", emoji, 64);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    end(draft, item, &json);
    return 1;
}

/* The person has another telephone, or another BSUID, from now on: what follows comes from there. */
static int say_changed(struct draft *draft)
{
    yyjson_val *system = kanal_json_at(draft->message, "system");
    kanal_str type = kanal_json_text_at(system, "type");
    struct wa_who *who = &draft->who;
    struct kanal_json json;
    kanal_str previous = kanal_json_text_at(system, "previous_user_id");
    if (!kanal_str_is(type, "user_changed_number") && !kanal_str_is(type, "customer_changed_number") &&
        !kanal_str_is(type, "user_changed_user_id"))
        return 0;
    kanal_str wa_id = kanal_json_text_at(system, "wa_id");
    who->next_phone = wa_id.len > 0 ? wa_id : kanal_json_text_at(system, "new_wa_id");
    who->next_bsuid = kanal_json_text_at(system, "user_id");
    who->next_parent = kanal_json_text_at(system, "parent_user_id");
    if (previous.len > 0)
        who->bsuid = previous;
    wa_address(draft->address, who);
    if (!draft->address[0])
        return 0;
    struct meta_item *item = begin(draft, &json, "profile.observed", NULL, kanal_str_of(NULL, 0));
    if (!item)
        return 1;
    kanal_json_key(&json, "profile");
    kanal_json_object(&json);
    kanal_member_text(&json, "phone", who->next_phone, 64);
    kanal_json_object_end(&json);
    struct kanal_provider provider = kanal_provider_begin(&json);
    kanal_member_text(&json, "type", type, 64);
    kanal_member_text_of(&json, "body", system, "body", 1024);
    kanal_provider_end(&json, &provider);
    end(draft, item, &json);
    return 1;
}

/* A message was changed or taken back. */
static int say_edited(struct draft *draft)
{
    yyjson_val *edit = kanal_json_at(draft->message, "edit"), *now = kanal_json_at(edit, "message");
    kanal_str original = kanal_json_text_at(edit, "original_message_id");
    struct kanal_json json;
    if (!yyjson_is_obj(now) || original.len == 0 || original.len > META_ID_MAX)
        return 0;
    struct meta_item *item = begin(draft, &json, "message.edited", NULL, original);
    if (!item)
        return 1;
    write_message(&json, now);
    end(draft, item, &json);
    return 1;
}

static int say_deleted(struct draft *draft)
{
    kanal_str original = kanal_json_text_at(kanal_json_at(draft->message, "revoke"), "original_message_id");
    struct kanal_json json;
    if (original.len == 0 || original.len > META_ID_MAX)
        return 0;
    struct meta_item *item = begin(draft, &json, "message.deleted", NULL, original);
    if (item)
        end(draft, item, &json);
    return 1;
}

static int say_welcome(struct draft *draft)
{
    say_started(draft);
    return 1;
}

static const struct kind {
    const char *type;
    int (*say)(struct draft *); /* 0: it is not what it should be */
} kinds[] = {
    { "reaction", say_reacted }, { "system", say_changed },          { "edit", say_edited },
    { "revoke", say_deleted },   { "request_welcome", say_welcome },
};

void wa_read_message(const struct wa_change *change, yyjson_val *message)
{
    struct draft draft = { .change = change, .message = message };
    kanal_str type = kanal_json_text_at(message, "type");
    draft.who.phone = kanal_json_text_at(message, "from");
    draft.who.bsuid = kanal_json_text_at(message, "from_user_id");
    draft.who.parent = kanal_json_text_at(message, "from_parent_user_id");
    draft.group = kanal_json_text_at(message, "group_id");
    draft.time_ms = meta_seconds(kanal_json_at(message, "timestamp")) * 1000;
    wa_find_contact(change, &draft.who);
    if (wa_is_own_contact(message)) {
        yyjson_val *card = yyjson_arr_get_first(kanal_json_at(message, "contacts"));
        draft.who.own_phone =
            kanal_json_text_at(yyjson_arr_get_first(kanal_json_at(card, "phones")), "phone");
    }
    wa_address(draft.address, &draft.who);
    draft.is_system = kanal_str_is(type, "system");
    if (!draft.address[0] && !draft.is_system) { /* these may name the person inside */
        meta_ignore(change->batch, KANAL_LIT("a message of nobody"));
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(type, kinds[i].type) && kinds[i].say(&draft))
            return;
    if (!draft.address[0]) {
        meta_ignore(change->batch, KANAL_LIT("a system message of nobody"));
        return;
    }
    if (yyjson_is_obj(kanal_json_at(message, "referral")))
        say_started(&draft);
    say_received(&draft);
}

void wa_read_echo(const struct wa_change *change, yyjson_val *message)
{
    struct draft draft = { .change = change, .message = message };
    struct kanal_json json;
    kanal_str id = kanal_json_text_at(message, "id");
    draft.who.phone = kanal_json_text_at(message, "to");
    draft.who.bsuid = kanal_json_text_at(message, "to_user_id");
    draft.time_ms = meta_seconds(kanal_json_at(message, "timestamp")) * 1000;
    wa_find_contact(change, &draft.who);
    wa_address(draft.address, &draft.who);
    if (!draft.address[0] || id.len == 0 || id.len > META_ID_MAX) {
        meta_ignore(change->batch, KANAL_LIT("an echo to nobody, or without an id"));
        return;
    }
    struct meta_item *item = begin(&draft, &json, "message.sent", NULL, id);
    if (!item)
        return;
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    wa_content_write(&json, message);
    kanal_json_object_end(&json);
    end(&draft, item, &json);
}
