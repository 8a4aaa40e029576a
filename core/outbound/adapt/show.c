/* Texts, media and what is shown in words, each with the choice behind it. */
#include <stdio.h>

#include "outbound/adapt/inside.h"

void words_and_choice(struct builder *b, struct rich *words, enum markup from, yyjson_val *source,
                      const struct choice *choice)
{
    const char *style = choice ? choice_style(b, choice) : NULL;
    uint32_t before = b->out->part_count;
    if (choice && !style)
        choice_list(b, choice, words);
    words_show(b, words, from, source);
    if (style && b->out->part_count == before)
        builder_begin(b); /* there was nothing to be read */
    if (style)
        choice_write(b, choice, style);
}

void choice_show(struct builder *b, const struct choice *choice)
{
    const char *style = choice_style(b, choice);
    struct rich words = { 0 };
    if (choice_is_void(b, choice))
        return;
    if (style) {
        builder_begin(b);
        choice_write(b, choice, style);
        return;
    }
    choice_list(b, choice, &words);
    words_show(b, &words, MARKUP_PLAIN, NULL);
    rich_release(&words);
}

void part_copy(struct builder *b, yyjson_val *part, const struct choice *choice)
{
    builder_begin(b);
    if (b->out->error)
        return;
    kanal_json_value(&b->json, part);
    const char *style = choice ? choice_style(b, choice) : NULL;
    int joins = kanal_str_is(b->type, "text") || has_cap(b, KANAL_CAP_CHOICE_ON_MEDIA);
    if (style && joins)
        choice_write(b, choice, style);
    else if (choice)
        choice_show(b, choice);
}

void text_show(struct builder *b, yyjson_val *part, const struct choice *choice)
{
    struct split_limits limits = text_limits(b->limits);
    enum markup from = markup_of(kanal_json_text_at(part, "markup"));
    kanal_str text = kanal_json_text_at(part, "text");
    struct rich words = { 0 };
    if (has_cap(b, KANAL_CAP_TEXT) && markup_fits(b->target->caps, from) && split_text_fits(&limits, text) &&
        (!choice || choice_style(b, choice))) {
        part_copy(b, part, choice);
        return;
    }
    rich_read(&words, text, from);
    words_and_choice(b, &words, from, part, choice);
    rich_release(&words);
}

/* ---- Media ---- */

/* What it is shown as; absent: as a link. */
static kanal_str shown_type(const struct builder *b, const struct media *media)
{
    static const struct {
        const char *from, *to;
    } instead[] = { { "sticker", "image" }, { "voice", "audio" }, { "voice", "file" },
                    { "audio", "file" },    { "video", "file" },  { "image", "file" } };
    kanal_str mime = kanal_json_text_at(media->source, "mime");
    if (!media_size_fits(media->source, b->limits))
        return (kanal_str){ 0 };
    if (has_cap(b, cap_of_type(media->type)))
        return media->type;
    for (size_t i = 0; i < sizeof instead / sizeof *instead; i++) {
        if (!kanal_str_is(media->type, instead[i].from) ||
            !has_cap(b, cap_of_type(kanal_str_c(instead[i].to))))
            continue;
        /* An animated sticker may be a film or a program. */
        if (kanal_str_is(media->type, "sticker") && mime.len > 0 && !kanal_str_starts(mime, "image/"))
            continue;
        return kanal_str_c(instead[i].to);
    }
    return (kanal_str){ 0 };
}

/* As another type it has only what all media have. */
static int goes_along(kanal_str name, int is_other)
{
    static const char *const written[] = { "type", "url", "caption", "caption_markup", NULL };
    static const char *const common[] = { "mime", "size", "name", "alt", NULL };
    for (const char *const *other = written; *other; other++)
        if (kanal_str_is(name, *other))
            return 0;
    for (const char *const *same = common; *same; same++)
        if (kanal_str_is(name, *same))
            return 1;
    return !is_other;
}

static void write_media(struct builder *b, const struct media *media, kanal_str type)
{
    size_t index, max;
    yyjson_val *key, *value;
    int is_other = !kanal_str_equal(type, media->type);
    kanal_json_object(&b->json);
    kanal_json_member_str(&b->json, "type", type);
    kanal_json_member_str(&b->json, "url", media->url);
    if (!media->source)
        return;
    yyjson_obj_foreach (media->source, index, max, key, value) {
        if (!goes_along(kanal_json_text(key), is_other))
            continue;
        kanal_json_key_str(&b->json, kanal_json_text(key));
        kanal_json_value(&b->json, value);
    }
}

/* The words, then the address. */
static void show_link(struct builder *b, struct media *media, const struct choice *choice)
{
    struct rich *words = &media->caption;
    kanal_str emoji = kanal_json_text_at(media->source, "emoji"),
              name = kanal_json_text_at(media->source, "name");
    builder_loss(b, ADAPT_LINKED,
                 media_size_fits(media->source, b->limits)
                     ? "the channel cannot show it: its address is sent instead"
                     : "too large for the channel: its address is sent instead");
    if (words->text.len == 0)
        rich_text(words, emoji.len > 0 ? emoji : name);
    words_new_line(words);
    rich_text(words, media->url);
    words_and_choice(b, words, media->caption_from, NULL, choice);
}

/* The caption with the options under it, all in the one message: 1. */
static int caption_with_list(struct builder *b, struct media *media, const struct choice *choice)
{
    struct adapted *out = b->out;
    uint32_t number = b->number, losses = out->loss_count, offer_part = out->offer_part;
    size_t offered = out->offer.len, text = media->caption.text.len;
    choice_list(b, choice, &media->caption);
    if (words_as_caption(b, &media->caption, media->caption_from)) {
        out->offer_part = offer_part > 0 ? offer_part : out->part_count;
        return 1;
    }
    b->number = number;
    out->loss_count = losses;
    out->offer_part = offer_part;
    out->offer.len = offered;
    media->caption.text.len = text;
    return 0;
}

/* What the media message could not hold. */
static void show_rest(struct builder *b, struct media *media, int has_words, const struct choice *choice)
{
    if (has_words) {
        builder_loss(b, ADAPT_CONVERTED, "its caption is sent as a text of its own");
        words_and_choice(b, &media->caption, media->caption_from, NULL, choice);
    } else if (choice) {
        choice_show(b, choice);
    }
}

void media_show(struct builder *b, struct media *media, const struct choice *choice)
{
    kanal_str type = shown_type(b, media);
    const char *style = choice ? choice_style(b, choice) : NULL;
    int has_words = media->caption.text.len > 0, rides = style && has_cap(b, KANAL_CAP_CHOICE_ON_MEDIA);
    if (type.len == 0 || b->out->error) {
        show_link(b, media, choice);
        return;
    }
    if (!kanal_str_equal(type, media->type))
        builder_loss(b, ADAPT_CONVERTED,
                     kanal_str_is(type, "file")    ? "sent as a file"
                     : kanal_str_is(type, "audio") ? "sent as an audio file"
                                                   : "sent as a picture");
    builder_begin(b);
    if (b->out->error)
        return;
    write_media(b, media, type);
    int captions = has_cap(b, KANAL_CAP_CAPTION);
    /* Buttons that stand below a message of their own need words there. */
    int moves = style && !rides && choice->text.len == 0;
    if (has_words && captions && choice && !style && caption_with_list(b, media, choice)) {
        has_words = 0;
        choice = NULL;
    } else if (has_words && captions && !moves && words_as_caption(b, &media->caption, media->caption_from)) {
        has_words = 0;
    }
    kanal_json_object_end(&b->json);
    if (rides && !has_words) {
        choice_write(b, choice, style);
        choice = NULL;
    }
    show_rest(b, media, has_words, choice);
}

void media_part_show(struct builder *b, yyjson_val *part, const struct choice *choice)
{
    struct media media = { .type = b->type,
                           .source = part,
                           .url = kanal_json_text_at(part, "url"),
                           .caption_from = markup_of(kanal_json_text_at(part, "caption_markup")) };
    rich_read(&media.caption, kanal_json_text_at(part, "caption"), media.caption_from);
    b->out->failed |= rich_failed(&media.caption);
    media_show(b, &media, choice);
    rich_release(&media.caption);
}

/* ---- In words ---- */

static void add_line(struct rich *words, kanal_str line)
{
    if (line.len == 0)
        return;
    words_new_line(words);
    rich_text(words, line);
}

/* "55.7558", without zeros at the end. */
static void write_degrees(char out[32], yyjson_val *value)
{
    double degrees = yyjson_get_num(value);
    int length = snprintf(out, 32, "%.6f", degrees >= -180 && degrees <= 180 ? degrees : 0);
    while (length > 0 && out[length - 1] == '0')
        out[--length] = 0;
    if (length > 0 && out[length - 1] == '.')
        out[--length] = 0;
}

void location_words(yyjson_val *part, struct rich *words)
{
    char lat[32], lon[32], link[160];
    write_degrees(lat, kanal_json_at(part, "lat"));
    write_degrees(lon, kanal_json_at(part, "lon"));
    add_line(words, kanal_json_text_at(part, "name"));
    add_line(words, kanal_json_text_at(part, "address"));
    add_line(words, kanal_json_text_at(part, "url"));
    snprintf(link, sizeof link, "https://www.openstreetmap.org/?mlat=%s&mlon=%s", lat, lon);
    add_line(words, kanal_str_c(link));
    snprintf(link, sizeof link, "geo:%s,%s", lat, lon);
    add_line(words, kanal_str_c(link));
}

void contact_words(yyjson_val *part, struct rich *words)
{
    static const char *const lists[] = { "phones", "emails", NULL };
    size_t index, max;
    yyjson_val *item;
    add_line(words, kanal_json_text_at(part, "name"));
    add_line(words, kanal_json_text_at(part, "organization"));
    for (const char *const *list = lists; *list; list++)
        if (yyjson_is_arr(kanal_json_at(part, *list)))
            yyjson_arr_foreach (kanal_json_at(part, *list), index, max, item)
                add_line(words, kanal_json_text(item));
}
