/* What a channel can show as it is. Runs for every command, so it allocates nothing. */
#include "outbound/adapt/grapheme.h"
#include "outbound/adapt/inside.h"

static const struct {
    const char *type;
    kanal_caps cap;
} types[] = {
    { "text", KANAL_CAP_TEXT },       { "image", KANAL_CAP_IMAGE },       { "video", KANAL_CAP_VIDEO },
    { "audio", KANAL_CAP_AUDIO },     { "voice", KANAL_CAP_VOICE },       { "file", KANAL_CAP_FILE },
    { "sticker", KANAL_CAP_STICKER }, { "location", KANAL_CAP_LOCATION }, { "contact", KANAL_CAP_CONTACT },
    { "card", KANAL_CAP_CARD },       { "carousel", KANAL_CAP_CAROUSEL }, { "template", KANAL_CAP_TEMPLATE },
};

#define MEDIA_CAPS                                                                                           \
    (KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE | KANAL_CAP_FILE |                \
     KANAL_CAP_STICKER)

kanal_caps cap_of_type(kanal_str type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i].type))
            return types[i].cap;
    return 0;
}

kanal_caps cap_of_style(kanal_str style)
{
    return kanal_str_is(style, "list")            ? KANAL_CAP_LIST
           : kanal_str_is(style, "quick_replies") ? KANAL_CAP_QUICK_REPLIES
                                                  : KANAL_CAP_BUTTONS;
}

int is_media(kanal_str type)
{
    return (cap_of_type(type) & MEDIA_CAPS) != 0;
}

int is_choice(yyjson_val *part)
{
    return kanal_str_is(kanal_json_text_at(part, "type"), "choice");
}

struct split_limits text_limits(const kanal_limits *limits)
{
    return (struct split_limits){ limits ? limits->text_chars : 0, limits ? limits->text_bytes : 0 };
}

struct split_limits caption_limits(const kanal_limits *limits)
{
    return (struct split_limits){ limits ? limits->caption_chars : 0, limits ? limits->text_bytes : 0 };
}

int markup_fits(kanal_caps caps, enum markup markup)
{
    return markup == MARKUP_PLAIN || (markup == MARKUP_HTML && (caps & KANAL_CAP_MARKUP_HTML)) ||
           (markup == MARKUP_MARKDOWN && (caps & KANAL_CAP_MARKUP_MARKDOWN));
}

int media_size_fits(yyjson_val *part, const kanal_limits *limits)
{
    return !limits || limits->media_bytes == 0 || kanal_json_int_at(part, "size", 0) <= limits->media_bytes;
}

int option_answers(yyjson_val *option)
{
    return !kanal_json_at(option, "url") && !kanal_json_at(option, "phone") &&
           !kanal_json_at(option, "request");
}

int options_fit(yyjson_val *options, const kanal_limits *limits)
{
    size_t index, max;
    yyjson_val *option;
    if (!yyjson_is_arr(options) || !limits)
        return 1;
    if (limits->options > 0 && yyjson_arr_size(options) > limits->options)
        return 0;
    yyjson_arr_foreach (options, index, max, option) {
        struct split_limits text = { .chars = limits->option_chars };
        if (!split_text_fits(&text, kanal_json_text_at(option, "text")) ||
            (limits->payload_bytes > 0 && kanal_json_text_at(option, "payload").len > limits->payload_bytes))
            return 0;
    }
    return 1;
}

static int caption_must_move(yyjson_val *media, yyjson_val *choice, kanal_caps caps)
{
    return (caps & KANAL_CAP_CHOICE_ON_MEDIA) == 0 && kanal_json_text_at(media, "caption").len > 0 &&
           kanal_json_text_at(choice, "text").len == 0;
}

/* ---- One part ---- */

static int text_fits(yyjson_val *part, const struct adapt_target *target)
{
    struct split_limits limits = text_limits(target->limits);
    return markup_fits(target->caps, markup_of(kanal_json_text_at(part, "markup"))) &&
           split_text_fits(&limits, kanal_json_text_at(part, "text"));
}

static int media_fits(yyjson_val *part, yyjson_val *next, const struct adapt_target *target)
{
    struct split_limits limits = caption_limits(target->limits);
    kanal_str caption = kanal_json_text_at(part, "caption");
    if (!media_size_fits(part, target->limits))
        return 0;
    if (caption.len == 0)
        return 1;
    return (target->caps & KANAL_CAP_CAPTION) && split_text_fits(&limits, caption) &&
           markup_fits(target->caps, markup_of(kanal_json_text_at(part, "caption_markup"))) &&
           !(is_choice(next) && caption_must_move(part, next, target->caps));
}

static int cards_fit(yyjson_val *cards, const struct adapt_target *target)
{
    size_t index, max;
    yyjson_val *card;
    if (yyjson_is_arr(cards))
        yyjson_arr_foreach (cards, index, max, card)
            if (!options_fit(kanal_json_at(card, "options"), target->limits))
                return 0;
    return 1;
}

static int part_fits(yyjson_val *part, yyjson_val *next, const struct adapt_target *target)
{
    kanal_str type = kanal_json_text_at(part, "type");
    if (kanal_str_is(type, "choice"))
        return (cap_of_style(kanal_json_text_at(part, "style")) & target->caps) &&
               options_fit(kanal_json_at(part, "options"), target->limits);
    if ((cap_of_type(type) & target->caps) == 0)
        return 0;
    if (kanal_str_is(type, "text"))
        return text_fits(part, target);
    if (is_media(type))
        return media_fits(part, next, target);
    return options_fit(kanal_json_at(part, "options"), target->limits) &&
           cards_fit(kanal_json_at(part, "cards"), target);
}

int adapt_fits(yyjson_val *content, const struct adapt_target *target)
{
    size_t count = yyjson_arr_size(content);
    yyjson_val *part = yyjson_arr_get_first(content);
    if (count > ADAPT_RANGES_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *next = i + 1 < count ? unsafe_yyjson_get_next(part) : NULL;
        if (!part_fits(part, next, target))
            return 0;
        part = next;
    }
    return 1;
}

/* ---- Messages of what fits ---- */

/* May the choice at this place be shown together with the part before it? */
static int joins(yyjson_val *before, yyjson_val *part, kanal_caps caps)
{
    if (!before || !is_choice(part))
        return 0;
    if (kanal_str_is(kanal_json_text_at(before, "type"), "text"))
        return 1;
    return !is_choice(before) && (caps & KANAL_CAP_CHOICE_ON_MEDIA);
}

uint32_t adapt_ranges(yyjson_val *content, kanal_caps caps, struct adapt_range ret_ranges[ADAPT_RANGES_MAX])
{
    uint32_t count = 0;
    size_t index, max;
    yyjson_val *part, *before = NULL;
    if (!yyjson_is_arr(content))
        return 0;
    yyjson_arr_foreach (content, index, max, part) {
        if (joins(before, part, caps)) {
            ret_ranges[count - 1].end = (uint32_t)index + 1;
            before = NULL; /* one choice a message */
            continue;
        }
        if (count == ADAPT_RANGES_MAX)
            break;
        ret_ranges[count++] = (struct adapt_range){ (uint32_t)index, (uint32_t)index + 1 };
        before = part;
    }
    return count;
}

yyjson_val *adapt_content(yyjson_val *command, const struct adapt_target *target, int *ret_variant)
{
    yyjson_val *variants = kanal_json_at(command, "variants"), *variant;
    size_t index, max;
    *ret_variant = -1;
    if (yyjson_is_arr(variants))
        yyjson_arr_foreach (variants, index, max, variant) {
            kanal_str channel = kanal_json_text_at(variant, "channel");
            kanal_str plugin = kanal_json_text_at(variant, "plugin");
            kanal_str when = kanal_json_text_at(variant, "when");
            if ((channel.len == 0 || kanal_str_equal(channel, target->channel)) &&
                (plugin.len == 0 || kanal_str_equal(plugin, target->plugin)) &&
                (when.len == 0 || kanal_str_equal(when, target->when)) && kanal_json_at(variant, "content")) {
                *ret_variant = (int)index;
                return kanal_json_at(variant, "content");
            }
        }
    return kanal_json_at(command, "content");
}
