#include "parts.h"

#include "markup.h"
#include "kanal/sdk/member.h"

/* ---- Content ---- */

static int is_media(kanal_str type)
{
    static const char *const types[] = { "image", "video", "audio", "voice", "file", "sticker" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i]))
            return 1;
    return 0;
}

static kanal_status take(struct tg_outgoing *out, yyjson_val **place, yyjson_val *part)
{
    if (*place)
        return tg_refuse(out, "unsupported_content", "this is more than one Telegram message can show");
    *place = part;
    return KANAL_OK;
}

static kanal_status take_part(struct tg_outgoing *out, struct tg_content *content, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    if (kanal_str_is(type, "text")) {
        if (content->text_count == sizeof content->texts / sizeof *content->texts)
            return tg_refuse(out, "unsupported_content", "too many text parts in one message");
        content->texts[content->text_count++] = part;
        return KANAL_OK;
    }
    if (is_media(type))
        return take(out, &content->media, part);
    if (kanal_str_is(type, "location"))
        return take(out, &content->location, part);
    if (kanal_str_is(type, "contact"))
        return take(out, &content->contact, part);
    if (kanal_str_is(type, "choice"))
        return take(out, &content->choice, part);
    return tg_refuse(out, "unsupported_content", "Telegram cannot show this kind of part");
}

kanal_status tg_read_content(struct tg_outgoing *out, struct tg_content *content, yyjson_val *data)
{
    yyjson_val *part;
    size_t index, max;
    memset(content, 0, sizeof *content);
    yyjson_arr_foreach (kanal_json_at(data, "content"), index, max, part) {
        kanal_status status = take_part(out, content, part);
        if (status != KANAL_OK)
            return status;
    }
    int bodies = (content->media != NULL) + (content->location != NULL) + (content->contact != NULL);
    if (bodies > 1 || (bodies == 1 && !content->media && content->text_count > 0))
        return tg_refuse(out, "unsupported_content", "this is more than one Telegram message can show");
    return KANAL_OK;
}

/* ---- Text ---- */

static int is_plain(yyjson_val *part, const char *markup)
{
    kanal_str how = kanal_json_text_at(part, markup);
    return how.len == 0 || kanal_str_is(how, "plain");
}

static void append_text(struct kanal_buffer *text, yyjson_val *part, const char *member, const char *markup,
                        int as_html)
{
    kanal_str words = kanal_json_text_at(part, member), how = kanal_json_text_at(part, markup);
    if (words.len == 0)
        return;
    if (text->len > 0)
        kanal_buffer_text(text, "\n\n");
    if (!as_html)
        kanal_buffer_str(text, words);
    else if (kanal_str_is(how, "html"))
        tg_html_from_html(text, words);
    else if (kanal_str_is(how, "markdown"))
        tg_html_from_markdown(text, words);
    else
        tg_escape(text, words);
}

/* All words of the message as one member, and its parse_mode: the media's caption, the texts, the question of
 * a choice. 1: there are some. */
int tg_write_words(struct kanal_json *json, const char *key, const struct tg_content *content)
{
    struct kanal_buffer text = { 0 };
    int as_html = content->media && !is_plain(content->media, "caption_markup");
    for (size_t i = 0; i < content->text_count; i++)
        as_html |= !is_plain(content->texts[i], "markup");
    append_text(&text, content->media, "caption", "caption_markup", as_html);
    for (size_t i = 0; i < content->text_count; i++)
        append_text(&text, content->texts[i], "text", "markup", as_html);
    append_text(&text, content->choice, "text", "", as_html);
    int is_there = text.len > 0;
    if (is_there) {
        kanal_json_member_str(json, key, kanal_buffer_view(&text));
        if (as_html)
            kanal_json_member_text(json, "parse_mode", "HTML");
    }
    if (text.failed)
        json->out->failed = 1;
    kanal_buffer_release(&text);
    return is_there;
}

void tg_write_preview(struct kanal_json *json, const struct tg_content *content, yyjson_val *options)
{
    yyjson_val *given = kanal_json_at(options, "link_preview_options");
    if (given) {
        kanal_member_copy(json, "link_preview_options", given);
        return;
    }
    for (size_t i = 0; i < content->text_count; i++) {
        yyjson_val *preview = kanal_json_at(content->texts[i], "preview");
        if (yyjson_is_false(preview)) {
            kanal_json_key(json, "link_preview_options");
            kanal_json_object(json);
            kanal_json_member_bool(json, "is_disabled", 1);
            kanal_json_object_end(json);
            return;
        }
    }
}
