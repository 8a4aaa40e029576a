#include "content.h"
#include "kanal/sdk/member.h"

void tg_write_unsupported(struct kanal_json *json, kanal_str kind, kanal_str text, yyjson_val *what)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "unsupported");
    kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    kanal_member_text(json, "text", text, TG_TEXT_MAX);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "value", what);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static void poll_text(struct kanal_buffer *out, yyjson_val *poll)
{
    size_t index, max;
    yyjson_val *option;
    kanal_buffer_str(out, kanal_json_text_at(poll, "question"));
    yyjson_arr_foreach (kanal_json_at(poll, "options"), index, max, option) {
        kanal_buffer_text(out, "\n• ");
        kanal_buffer_str(out, kanal_json_text_at(option, "text"));
    }
}

static void dice_text(struct kanal_buffer *out, yyjson_val *dice)
{
    kanal_buffer_str(out, kanal_json_text_at(dice, "emoji"));
    kanal_buffer_byte(out, ' ');
    kanal_buffer_int(out, kanal_json_int_at(dice, "value", 0));
}

static void title_text(struct kanal_buffer *out, yyjson_val *titled)
{
    kanal_buffer_str(out, kanal_json_text_at(titled, "title"));
    if (out->len > 0 && kanal_json_text_at(titled, "description").len > 0)
        kanal_buffer_text(out, "\n");
    kanal_buffer_str(out, kanal_json_text_at(titled, "description"));
}

/* An amount is given in the smallest unit; how many of them make one differs by currency, so it is written as
 * told. */
static void payment_text(struct kanal_buffer *out, yyjson_val *payment)
{
    kanal_buffer_int(out, kanal_json_int_at(payment, "total_amount", 0));
    kanal_buffer_byte(out, ' ');
    kanal_buffer_str(out, kanal_json_text_at(payment, "currency"));
}

static void plain_text(struct kanal_buffer *out, yyjson_val *value)
{
    char scratch[24];
    kanal_buffer_str(out, kanal_json_id(value, scratch));
}

/* The words of a rich message: all its "text" members, a line for each block. */
static void rich_words(struct kanal_buffer *out, yyjson_val *value, int is_text, int depth)
{
    size_t index, max;
    yyjson_val *key, *member;
    if (depth == 0 || out->len > TG_TEXT_MAX)
        return;
    if (is_text)
        kanal_buffer_str(out, kanal_json_text(value));
    yyjson_arr_foreach (value, index, max, member)
        rich_words(out, member, is_text, depth - 1);
    yyjson_obj_foreach (value, index, max, key, member)
        if (kanal_str_is(kanal_json_text(key), "text") || yyjson_is_ctn(member))
            rich_words(out, member, kanal_str_is(kanal_json_text(key), "text"), depth - 1);
}

static void rich_text(struct kanal_buffer *out, yyjson_val *message)
{
    size_t index, max;
    yyjson_val *block;
    yyjson_arr_foreach (kanal_json_at(message, "blocks"), index, max, block) {
        if (out->len > 0)
            kanal_buffer_byte(out, '\n');
        rich_words(out, block, 0, 16);
    }
}

static const struct wordy {
    const char *name;
    void (*words)(struct kanal_buffer *out, yyjson_val *value); /* what a person would read; NULL: nothing */
} wordy[] = {
    { "poll", poll_text },
    { "dice", dice_text },
    { "game", title_text },
    { "invoice", title_text },
    { "successful_payment", payment_text },
    { "new_chat_title", plain_text },
    { "migrate_to_chat_id", plain_text },
    { "migrate_from_chat_id", plain_text },
    { "connected_website", plain_text },
    { "checklist", title_text },
    { "rich_message", rich_text },
    { NULL, NULL },
};

/* Members that say about a message, not what it is. */
static int is_about(kanal_str name)
{
    static const char *const names[] = {
        "message_id",
        "message_thread_id",
        "direct_messages_topic",
        "from",
        "sender_chat",
        "sender_boost_count",
        "sender_business_bot",
        "sender_tag",
        "date",
        "guest_query_id",
        "business_connection_id",
        "chat",
        "forward_origin",
        "forward_from",
        "forward_from_chat",
        "forward_from_message_id",
        "forward_signature",
        "forward_sender_name",
        "forward_date",
        "is_topic_message",
        "is_automatic_forward",
        "reply_to_message",
        "external_reply",
        "quote",
        "reply_to_story",
        "reply_to_checklist_task_id",
        "reply_to_poll_option_id",
        "via_bot",
        "guest_bot_caller_user",
        "guest_bot_caller_chat",
        "edit_date",
        "has_protected_content",
        "is_from_offline",
        "is_paid_post",
        "media_group_id",
        "author_signature",
        "paid_star_count",
        "entities",
        "link_preview_options",
        "suggested_post_info",
        "effect_id",
        "caption",
        "caption_entities",
        "show_caption_above_media",
        "has_media_spoiler",
        "reply_markup",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (kanal_str_is(name, names[i]))
            return 1;
    return 0;
}

void tg_write_other(struct kanal_json *json, yyjson_val *message)
{
    size_t index, max;
    yyjson_val *key, *value;
    struct kanal_buffer text = { 0 };
    yyjson_obj_foreach (message, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (is_about(name))
            continue;
        const struct wordy *w = wordy;
        while (w->name && !kanal_str_is(name, w->name))
            w++;
        if (w->words)
            w->words(&text, value);
        else
            kanal_buffer_str(&text, kanal_json_text_at(message, "caption"));
        tg_write_unsupported(json, name, kanal_buffer_view(&text), value);
        kanal_buffer_release(&text);
        return;
    }
    tg_write_unsupported(json, KANAL_LIT("empty"), kanal_json_text_at(message, "caption"), NULL);
}
