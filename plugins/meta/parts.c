#include "parts.h"

kanal_status meta_refuse(struct meta_refusal *refusal, const char *error_code, const char *reason)
{
    refusal->error_code = error_code;
    refusal->reason = reason;
    return KANAL_E_REJECTED;
}

static int is_media(kanal_str type)
{
    static const char *const types[] = { "image", "video", "audio", "voice", "file", "sticker" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i]))
            return 1;
    return 0;
}

static kanal_status take(struct meta_refusal *refusal, yyjson_val **place, yyjson_val *part)
{
    if (*place)
        return meta_refuse(refusal, "unsupported_content", "this is more than one message can show");
    *place = part;
    return KANAL_OK;
}

static kanal_status take_many(struct meta_refusal *refusal, yyjson_val **places, size_t *count, size_t max,
                              yyjson_val *part)
{
    if (*count == max)
        return meta_refuse(refusal, "unsupported_content", "too many parts of one kind in one message");
    places[(*count)++] = part;
    return KANAL_OK;
}

static kanal_status take_part(struct meta_refusal *refusal, struct meta_content *content, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    if (kanal_str_is(type, "text"))
        return take_many(refusal, content->texts, &content->text_count, META_TEXTS_MAX, part);
    if (kanal_str_is(type, "contact"))
        return take_many(refusal, content->contacts, &content->contact_count, META_CONTACTS_MAX, part);
    if (is_media(type))
        return take(refusal, &content->media, part);
    if (kanal_str_is(type, "location"))
        return take(refusal, &content->location, part);
    if (kanal_str_is(type, "choice"))
        return take(refusal, &content->choice, part);
    if (kanal_str_is(type, "template"))
        return take(refusal, &content->template, part);
    if (kanal_str_is(type, "card"))
        return take(refusal, &content->card, part);
    if (kanal_str_is(type, "carousel"))
        return take(refusal, &content->carousel, part);
    return meta_refuse(refusal, "unsupported_content", "this channel cannot show this kind of part");
}

kanal_status meta_read_content(struct meta_refusal *refusal, struct meta_content *content, yyjson_val *data)
{
    yyjson_val *part;
    size_t index, max;
    memset(content, 0, sizeof *content);
    yyjson_arr_foreach (kanal_json_at(data, "content"), index, max, part) {
        kanal_status status = take_part(refusal, content, part);
        if (status != KANAL_OK)
            return status;
    }
    int bodies = (content->media != NULL) + (content->location != NULL) + (content->template != NULL) +
                 (content->card != NULL) + (content->carousel != NULL) + (content->contact_count > 0);
    int stands_alone = bodies == 1 && !content->media;
    if (bodies > 1 || (stands_alone && (content->text_count > 0 || content->choice)))
        return meta_refuse(refusal, "unsupported_content", "this is more than one message can show");
    if (bodies == 0 && content->text_count == 0 && !content->choice)
        return meta_refuse(refusal, "invalid_content", "the message has nothing to show");
    return KANAL_OK;
}

/* ---- Words ---- */

static void append(struct kanal_buffer *out, kanal_str words)
{
    if (words.len > 0 && out->len > 0)
        kanal_buffer_text(out, "\n\n");
    kanal_buffer_str(out, words);
}

static kanal_str words_of(yyjson_val *text)
{
    kanal_str markup = kanal_json_text_at(text, "markup"), plain = kanal_json_text_at(text, "plain");
    int is_marked = markup.len > 0 && !kanal_str_is(markup, "plain");
    return is_marked && plain.len > 0 ? plain : kanal_json_text_at(text, "text");
}

void meta_write_words(struct kanal_buffer *out, const struct meta_content *content)
{
    append(out, kanal_json_text_at(content->media, "caption"));
    for (size_t i = 0; i < content->text_count; i++)
        append(out, words_of(content->texts[i]));
    append(out, kanal_json_text_at(content->choice, "text"));
}

yyjson_val *meta_options(yyjson_val *object, const char *plugin)
{
    yyjson_val *provider = kanal_json_at(object, "provider"), *ours = kanal_json_at(provider, plugin);
    return yyjson_is_obj(ours) ? ours : provider;
}

kanal_str meta_filename(yyjson_val *media)
{
    kanal_str name = kanal_json_text_at(media, "name"), url = kanal_json_text_at(media, "url");
    size_t end = 0, start;
    if (name.len > 0)
        return name;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    for (start = end; start > 0 && url.ptr[start - 1] != '/'; start--)
        ;
    return end > start ? kanal_str_of(url.ptr + start, end - start) : KANAL_LIT("file");
}

size_t meta_chars(kanal_str text)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++)
        chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return chars;
}
