/* From a command's content to provider messages. A text, a piece of media, a location … is one message; a choice belongs to the one
 * before it where the channel can show both together. */
#include "outbound/internal.h"

static const struct {
    const char *type;
    kanal_caps cap;
} content_caps[] = {
    { "text", KANAL_CAP_TEXT },       { "image", KANAL_CAP_IMAGE },       { "video", KANAL_CAP_VIDEO },
    { "audio", KANAL_CAP_AUDIO },     { "voice", KANAL_CAP_VOICE },       { "file", KANAL_CAP_FILE },
    { "sticker", KANAL_CAP_STICKER }, { "location", KANAL_CAP_LOCATION }, { "contact", KANAL_CAP_CONTACT },
    { "card", KANAL_CAP_CARD },       { "carousel", KANAL_CAP_CAROUSEL }, { "template", KANAL_CAP_TEMPLATE },
};

static kanal_caps cap_of(yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    if (kanal_str_is(type, "choice")) {
        kanal_str style = kanal_json_text_at(part, "style");
        return kanal_str_is(style, "list")            ? KANAL_CAP_LIST
               : kanal_str_is(style, "quick_replies") ? KANAL_CAP_QUICK_REPLIES
                                                      : KANAL_CAP_BUTTONS;
    }
    for (size_t i = 0; i < sizeof content_caps / sizeof *content_caps; i++)
        if (kanal_str_is(type, content_caps[i].type))
            return content_caps[i].cap;
    return 0;
}

kanal_str parts_unsupported(yyjson_val *content, kanal_caps caps)
{
    size_t index, max;
    yyjson_val *part;
    yyjson_arr_foreach (content, index, max, part)
        if ((cap_of(part) & caps) == 0)
            return kanal_json_text_at(part, "type");
    return (kanal_str){ 0 };
}

/* May the choice at this place be shown together with the part before it? */
static int joins(yyjson_val *before, yyjson_val *part, kanal_caps caps)
{
    if (!before || !kanal_str_is(kanal_json_text_at(part, "type"), "choice"))
        return 0;
    kanal_str type = kanal_json_text_at(before, "type");
    if (kanal_str_is(type, "text"))
        return 1;
    return !kanal_str_is(type, "choice") && (caps & KANAL_CAP_CHOICE_ON_MEDIA);
}

uint32_t parts_split(yyjson_val *content, kanal_caps caps, struct part_range ret_parts[PARTS_MAX])
{
    uint32_t count = 0;
    size_t index, max;
    yyjson_val *part, *before = NULL;
    yyjson_arr_foreach (content, index, max, part) {
        if (joins(before, part, caps)) {
            ret_parts[count - 1].end = (uint32_t)index + 1;
            before = NULL; /* one choice a message */
            continue;
        }
        if (count == PARTS_MAX)
            break;
        ret_parts[count++] = (struct part_range){ (uint32_t)index, (uint32_t)index + 1 };
        before = part;
    }
    return count;
}

void parts_write(yyjson_val *command, const struct part_range *range, struct kanal_buffer *out)
{
    /* These are the core's business, not the provider's. `expires` goes along: an SMS centre keeps a message, and wants
     * to know for how long. */
    static const char *const skipped[] = { "id",       "type",       "to",           "content",     "class",
                                           "purpose",  "at",         "reference",    "variants",    "route",
                                           "adapt",    "on_unknown", "conversation", "traceparent", "message",
                                           "reply_to", NULL };
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (range && range->end > 0) {
        kanal_json_key(&json, "content");
        kanal_json_array(&json);
        for (uint32_t i = range->first; i < range->end; i++)
            kanal_json_value(&json, yyjson_arr_get(kanal_json_at(command, "content"), i));
        kanal_json_array_end(&json);
    }
    yyjson_obj_foreach (command, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        const char *const *skip = skipped;
        while (*skip && !kanal_str_is(name, *skip))
            skip++;
        if (*skip)
            continue;
        kanal_json_key_str(&json, name);
        kanal_json_value(&json, value);
    }
    kanal_json_object_end(&json);
}
