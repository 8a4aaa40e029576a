/* content.c - see content.h. */
#include <stdlib.h>
#include "content.h"
#include "kanal/sdk/url.h"

#define PARTS_MAX 64
#define OPTIONS_MAX 100
#define CARDS_MAX 20

int content_url_ok(kanal_str url)
{
    struct kanal_url parsed;

    if (url.len == 0 || url.len > 4096)
        return 0;
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~' || strchr("\"<>\\^`{|}", url.ptr[i]))
            return 0;
    }
    if (!kanal_str_starts(url, "http://") && !kanal_str_starts(url, "https://"))
        return 0;
    return kanal_url_parse(url, &parsed) == KANAL_OK && parsed.host.len > 0;
}

const char *content_kind_of(kanal_str mime)
{
    if (kanal_str_starts(mime, "image/"))
        return "image";
    if (kanal_str_starts(mime, "video/"))
        return "video";
    return kanal_str_starts(mime, "audio/") ? "audio" : "file";
}

/* ---- Members, copied when they are what they should be ---- */

static void copy_text(struct kanal_json *json, yyjson_val *from, const char *key)
{
    kanal_str text = kanal_json_text_at(from, key);

    if (text.len > 0)
        kanal_json_member_str(json, key, text);
}

static void copy_url(struct kanal_json *json, yyjson_val *from, const char *key)
{
    kanal_str url = kanal_json_text_at(from, key);

    if (content_url_ok(url))
        kanal_json_member_str(json, key, url);
}

static void copy_number(struct kanal_json *json, yyjson_val *from, const char *key)
{
    yyjson_val *number = kanal_json_at(from, key);

    if (yyjson_is_num(number)) {
        kanal_json_key(json, key);
        kanal_json_value(json, number);
    }
}

static void copy_texts(struct kanal_json *json, yyjson_val *from, const char *key)
{
    yyjson_val *value;
    size_t i, count;

    kanal_json_key(json, key);
    kanal_json_array(json);
    yyjson_arr_foreach (kanal_json_at(from, key), i, count, value) {
        if (yyjson_is_str(value) && i < 16)
            kanal_json_str(json, kanal_json_text(value));
    }
    kanal_json_array_end(json);
}

static void copy_picture(struct kanal_json *json, yyjson_val *from)
{
    kanal_str url = kanal_json_text_at(kanal_json_at(from, "image"), "url");

    if (!content_url_ok(url))
        return;
    kanal_json_key(json, "image");
    kanal_json_object(json);
    kanal_json_member_str(json, "url", url);
    kanal_json_object_end(json);
}

/* An option answers with its payload, or with its text where it has none; one with a url or phone opens that. */
static void show_options(struct kanal_json *json, yyjson_val *from)
{
    yyjson_val *option;
    size_t i, count;

    kanal_json_key(json, "options");
    kanal_json_array(json);
    yyjson_arr_foreach (kanal_json_at(from, "options"), i, count, option) {
        kanal_str text = kanal_json_text_at(option, "text"), payload = kanal_json_text_at(option, "payload");
        kanal_str url = kanal_json_text_at(option, "url");

        if (i >= OPTIONS_MAX || text.len == 0 || (url.len > 0 && !content_url_ok(url)))
            continue;
        kanal_json_object(json);
        kanal_json_member_str(json, "text", text);
        copy_text(json, option, "description");
        copy_text(json, option, "section");
        copy_text(json, option, "look");
        if (url.len > 0)
            kanal_json_member_str(json, "url", url);
        else if (kanal_json_text_at(option, "phone").len > 0)
            copy_text(json, option, "phone");
        else
            kanal_json_member_str(json, "payload", payload.len > 0 ? payload : text);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

/* ---- Parts ---- */

static void show_text(struct kanal_json *json, yyjson_val *part)
{
    copy_text(json, part, "text");
}

static void show_media(struct kanal_json *json, yyjson_val *part)
{
    copy_url(json, part, "url");
    copy_text(json, part, "mime");
    copy_number(json, part, "size");
    copy_text(json, part, "name");
    copy_text(json, part, "caption");
    copy_text(json, part, "alt");
}

static void show_location(struct kanal_json *json, yyjson_val *part)
{
    copy_number(json, part, "lat");
    copy_number(json, part, "lon");
    copy_text(json, part, "name");
    copy_text(json, part, "address");
    copy_url(json, part, "url");
}

static void show_contact(struct kanal_json *json, yyjson_val *part)
{
    copy_text(json, part, "name");
    copy_text(json, part, "organization");
    copy_texts(json, part, "phones");
    copy_texts(json, part, "emails");
}

static void show_choice(struct kanal_json *json, yyjson_val *part)
{
    copy_text(json, part, "style");
    copy_text(json, part, "text");
    show_options(json, part);
}

static void show_card(struct kanal_json *json, yyjson_val *part)
{
    copy_text(json, part, "title");
    copy_text(json, part, "text");
    copy_picture(json, part);
    copy_url(json, part, "url");
    copy_text(json, part, "price");
    copy_text(json, part, "currency");
    show_options(json, part);
}

static void show_carousel(struct kanal_json *json, yyjson_val *part)
{
    yyjson_val *card;
    size_t i, count;

    kanal_json_key(json, "cards");
    kanal_json_array(json);
    yyjson_arr_foreach (kanal_json_at(part, "cards"), i, count, card) {
        if (i >= CARDS_MAX)
            break;
        kanal_json_object(json);
        show_card(json, card);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

static const struct {
    const char *type;
    void (*show)(struct kanal_json *, yyjson_val *);
} shows[] = {
    { "text", show_text },     { "image", show_media },       { "video", show_media },
    { "audio", show_media },   { "voice", show_media },       { "file", show_media },
    { "sticker", show_media }, { "location", show_location }, { "contact", show_contact },
    { "choice", show_choice }, { "card", show_card },         { "carousel", show_carousel },
};

static int show_part(struct kanal_json *json, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    int shown = 0;

    if (kanal_str_is(type, "choice") && yyjson_arr_size(kanal_json_at(part, "options")) == 0)
        return 0; /* takes a keyboard away: there is none here */
    kanal_json_object(json);
    for (size_t i = 0; !shown && i < sizeof shows / sizeof *shows; i++) {
        if (!kanal_str_is(type, shows[i].type))
            continue;
        kanal_json_member_text(json, "type", shows[i].type);
        shows[i].show(json, part);
        shown = 1;
    }
    if (!shown)
        kanal_json_member_text(json, "type", "unsupported");
    kanal_json_object_end(json);
    return 1;
}

size_t content_show(struct kanal_buffer *out, yyjson_val *content)
{
    struct kanal_json json;
    yyjson_val *part;
    size_t i, count, shown = 0;

    kanal_json_init(&json, out);
    kanal_json_array(&json);
    yyjson_arr_foreach (content, i, count, part) {
        if (i < PARTS_MAX)
            shown += (size_t)show_part(&json, part);
    }
    kanal_json_array_end(&json);
    return shown;
}

/* ---- Answers ---- */

static const char *answer_kind_of(kanal_str style)
{
    if (kanal_str_is(style, "quick_replies"))
        return "quick_reply";
    return kanal_str_is(style, "list") ? "list" : "button";
}

static kanal_status options_find(yyjson_val *holder, kanal_str payload, struct content_option *ret_option)
{
    yyjson_val *option;
    size_t i, count;

    yyjson_arr_foreach (kanal_json_at(holder, "options"), i, count, option) {
        kanal_str offered = kanal_json_text_at(option, "payload");

        if (offered.len == 0 || !kanal_str_equal(offered, payload))
            continue;
        ret_option->text = kanal_str_dup(kanal_json_text_at(option, "text"));
        ret_option->kind = answer_kind_of(kanal_json_text_at(holder, "style"));
        return ret_option->text ? KANAL_OK : KANAL_E_BUSY;
    }
    return KANAL_E_NOT_FOUND;
}

kanal_status content_option_find(const char *shown, kanal_str payload, struct content_option *ret_option)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(shown));
    yyjson_val *part, *card;
    size_t i, count, j, cards;
    kanal_status status = KANAL_E_NOT_FOUND;

    yyjson_arr_foreach (yyjson_doc_get_root(doc), i, count, part) {
        if (status == KANAL_E_NOT_FOUND)
            status = options_find(part, payload, ret_option);
        yyjson_arr_foreach (kanal_json_at(part, "cards"), j, cards, card) {
            if (status == KANAL_E_NOT_FOUND)
                status = options_find(card, payload, ret_option);
        }
    }
    yyjson_doc_free(doc);
    return status;
}
