#include "page.h"

/* https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages. */
#define TEXT_MAX 65536
#define REF_MAX 900 /* bytes; the host's references hold 1024 */
#define PARTS_MAX 60

static void part_start(struct kanal_json *json, const char *type)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
}

static void write_unsupported(struct kanal_json *json, kanal_str kind, kanal_str url, yyjson_val *value)
{
    part_start(json, "unsupported");
    kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    kanal_member_uri(json, "url", url);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "value", value);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* ---- Attachments ---- */

/* The reference is Meta's URL of the file; it is signed, and good for some days. */
static void write_file(struct kanal_json *json, const char *type, yyjson_val *payload, const char *kind)
{
    kanal_str url = kanal_json_text_at(payload, "url");
    struct kanal_url parsed;
    char scratch[24];
    part_start(json, type);
    if (url.len <= REF_MAX && kanal_url_parse(url, &parsed) == KANAL_OK)
        kanal_json_member_str(json, "ref", url);
    else
        kanal_json_member_text(json, "unavailable", "failed");
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "sticker_id", kanal_json_id_at(payload, "sticker_id", scratch), 32);
    if (kind)
        kanal_json_member_text(json, "kind", kind);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* A post, a reel, a product, a link. 0: nothing of it can be shown. */
static int write_card(struct kanal_json *json, kanal_str type, yyjson_val *attachment)
{
    yyjson_val *payload = kanal_json_at(attachment, "payload");
    kanal_str title = kanal_json_text_at(payload, "title"), url = kanal_json_text_at(payload, "url");
    if (title.len == 0)
        title = kanal_json_text_at(attachment, "title");
    if (url.len == 0)
        url = kanal_json_text_at(attachment, "url");
    if (title.len == 0 && url.len == 0)
        return 0;
    part_start(json, "card");
    kanal_json_member_str(json, "title",
                          title.len > 0 ? kanal_str_cut(title, 512) : kanal_str_cut(type, 512));
    kanal_member_uri(json, "url", url);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "kind", type, 64);
    kanal_member_copy(json, "payload", payload);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    return 1;
}

static int write_location(struct kanal_json *json, yyjson_val *attachment)
{
    yyjson_val *place = kanal_json_at(kanal_json_at(attachment, "payload"), "coordinates");
    double lat = yyjson_get_num(kanal_json_at(place, "lat")),
           lon = yyjson_get_num(kanal_json_at(place, "long"));
    if (!yyjson_is_num(kanal_json_at(place, "lat")) || !yyjson_is_num(kanal_json_at(place, "long")) ||
        !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180))
        return 0;
    part_start(json, "location");
    kanal_json_member_double(json, "lat", lat);
    kanal_json_member_double(json, "lon", lon);
    kanal_member_text_of(json, "name", attachment, "title", 512);
    kanal_member_uri(json, "url", kanal_json_text_at(attachment, "url"));
    kanal_json_object_end(json);
    return 1;
}

static void write_heart(struct kanal_json *json)
{
    part_start(json, "sticker");
    kanal_json_member_text(json, "emoji", "❤️");
    kanal_json_object_end(json);
}

static void write_attachment(struct kanal_json *json, yyjson_val *attachment)
{
    static const char *const files[][2] = {
        { "image", "image" }, { "video", "video" }, { "audio", "voice" }, { "file", "file" }
    };
    static const char *const cards[] = {
        "fallback", "share", "ig_reel", "reel", "ig_post", "post", "template"
    };
    kanal_str type = kanal_json_text_at(attachment, "type");
    yyjson_val *payload = kanal_json_at(attachment, "payload");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (kanal_str_is(type, files[i][0])) {
            int is_sticker = i == 0 && kanal_json_at(payload, "sticker_id");
            write_file(json, is_sticker ? "sticker" : files[i][1], payload, NULL);
            return;
        }
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
        if (kanal_str_is(type, cards[i]) && write_card(json, type, attachment))
            return;
    if (kanal_str_is(type, "location") && write_location(json, attachment))
        return;
    if (kanal_str_is(type, "story_mention")) /* a picture or a film: only its server knows */
        write_file(json, "file", payload, "story_mention");
    else if (kanal_str_is(type, "like_heart"))
        write_heart(json);
    else
        write_unsupported(json, type, kanal_json_text_at(payload, "url"), attachment);
}

/* ---- A message ---- */

static void write_quick_reply(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "quick_reply");
    kanal_member_text_of(json, "payload", kanal_json_at(message, "quick_reply"), "payload", 4096);
    kanal_member_text_of(json, "text", message, "text", 4096);
    kanal_json_object_end(json);
}

static void write_text(struct kanal_json *json, kanal_str text)
{
    part_start(json, "text");
    kanal_member_text(json, "text", text, TEXT_MAX);
    kanal_json_object_end(json);
}

void page_content_write(struct kanal_json *json, yyjson_val *message)
{
    kanal_str text = kanal_json_text_at(message, "text");
    yyjson_val *attachment;
    size_t index, max, count = 0;
    kanal_json_array(json);
    if (yyjson_is_obj(kanal_json_at(message, "quick_reply"))) {
        write_quick_reply(json, message);
        count++;
    } else if (text.len > 0) {
        write_text(json, text);
        count++;
    }
    yyjson_arr_foreach (kanal_json_at(message, "attachments"), index, max, attachment)
        if (count++ < PARTS_MAX)
            write_attachment(json, attachment);
    if (count == 0)
        write_unsupported(json,
                          kanal_json_bool_at(message, "is_unsupported") ? KANAL_LIT("is_unsupported")
                                                                        : KANAL_LIT("empty"),
                          kanal_str_of(NULL, 0), NULL);
    kanal_json_array_end(json);
}
