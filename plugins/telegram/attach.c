#include "kanal/sdk/member.h"
#include "parts.h"

/* Telegram fetches a URL only up to these sizes (https://core.telegram.org/bots/api#sending-files). */
#define URL_PHOTO_BYTES_MAX (INT64_C(5) * 1000 * 1000)
#define URL_FILE_BYTES_MAX (INT64_C(20) * 1000 * 1000)

struct sort { /* how a kind of media is sent */
    const char *method, *field,
        *input; /* input: InputMedia's type; NULL: it cannot be edited into a message */
    int has_caption;
};

static const struct sort sort_photo = { "sendPhoto", "photo", "photo", 1 };
static const struct sort sort_video = { "sendVideo", "video", "video", 1 };
static const struct sort sort_animation = { "sendAnimation", "animation", "animation", 1 };
static const struct sort sort_note = { "sendVideoNote", "video_note", NULL, 0 };
static const struct sort sort_audio = { "sendAudio", "audio", "audio", 1 };
static const struct sort sort_voice = { "sendVoice", "voice", NULL, 1 };
static const struct sort sort_document = { "sendDocument", "document", "document", 1 };
static const struct sort sort_sticker = { "sendSticker", "sticker", NULL, 0 };

static const struct sort *sort_of(const struct tg_content *content)
{
    kanal_str type = kanal_json_text_at(content->media, "type");
    int has_words = content->text_count > 0 || kanal_json_text_at(content->media, "caption").len > 0;
    if (kanal_str_is(type, "image"))
        return &sort_photo;
    if (kanal_str_is(type, "audio"))
        return &sort_audio;
    if (kanal_str_is(type, "voice"))
        return &sort_voice;
    if (kanal_str_is(type, "sticker"))
        return &sort_sticker;
    if (!kanal_str_is(type, "video"))
        return &sort_document;
    if (kanal_json_bool_at(content->media, "animation"))
        return &sort_animation;
    /* A round one has no place for words: then it goes as an ordinary film. */
    return kanal_json_bool_at(content->media, "round") && !has_words ? &sort_note : &sort_video;
}

/* The name for an uploaded file: as given, else the last segment of the URL's path. */
static kanal_str filename_of(yyjson_val *media, kanal_str url)
{
    kanal_str name = kanal_json_text_at(media, "name");
    if (name.len > 0)
        return name;
    size_t end = 0, start;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    for (start = end; start > 0 && url.ptr[start - 1] != '/'; start--)
        ;
    return end > start ? kanal_str_of(url.ptr + start, end - start) : KANAL_LIT("file");
}

static int is_over_url_limit(const struct sort *sort, yyjson_val *media)
{
    int64_t size = kanal_json_int_at(media, "size", 0);
    return size > (sort == &sort_photo ? URL_PHOTO_BYTES_MAX : URL_FILE_BYTES_MAX);
}

/* The file as a member `key`, or as an upload beside the parameters: then the member is written only if it
 * has to name it. */
static kanal_status write_file(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish,
                               const struct sort *sort, yyjson_val *media, const char *key)
{
    kanal_str file_id = kanal_json_text_at(tg_options(media), "file_id"),
              url = kanal_json_text_at(media, "url");
    if (file_id.len > 0) {
        kanal_json_member_str(json, key, file_id);
        return KANAL_OK;
    }
    if (url.len == 0)
        return tg_refuse(out, "invalid_content", "the media part has no url");
    if (wish->way == TG_WAY_URL && sort != &sort_note && !is_over_url_limit(sort, media)) {
        kanal_json_member_str(json, key, url);
        out->has_media = 1;
        return KANAL_OK;
    }
    out->field = sort->field;
    out->url = url;
    out->filename = filename_of(media, url);
    out->mime = kanal_json_text_at(media, "mime");
    if (strcmp(key, "media") == 0)
        kanal_json_member_text(json, key, "attach://upload");
    return KANAL_OK;
}

static void write_media_facts(struct kanal_json *json, const struct sort *sort, yyjson_val *media)
{
    int64_t duration = kanal_json_int_at(media, "duration_ms", 0) / 1000;
    int is_film = sort == &sort_video || sort == &sort_animation;
    if (duration > 0 && duration <= INT32_MAX &&
        (is_film || sort == &sort_note || sort == &sort_audio || sort == &sort_voice))
        kanal_json_member_int(json, "duration", duration);
    if (is_film) {
        kanal_member_count_of(json, "width", media, "width", 1, 100000, 1);
        kanal_member_count_of(json, "height", media, "height", 1, 100000, 1);
    }
    if (sort == &sort_video)
        kanal_json_member_bool(json, "supports_streaming", 1);
    if (sort == &sort_audio) {
        kanal_member_text_of(json, "performer", media, "performer", 512);
        kanal_member_text_of(json, "title", media, "title", 512);
    }
    if (is_film || sort == &sort_photo)
        kanal_member_true_of(json, "has_spoiler", media, "spoiler");
}

kanal_status tg_write_media(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish,
                            const struct tg_content *content)
{
    const struct sort *sort = sort_of(content);
    kanal_status status = write_file(out, json, wish, sort, content->media, sort->field);
    if (status != KANAL_OK)
        return status;
    out->method = sort->method;
    write_media_facts(json, sort, content->media);
    if (tg_write_words(json, "caption", content) && !sort->has_caption)
        return tg_refuse(out, "unsupported_content", "a sticker has no caption in Telegram");
    return KANAL_OK;
}

kanal_status tg_write_input_media(struct tg_outgoing *out, struct kanal_json *json,
                                  const struct tg_wish *wish, const struct tg_content *content)
{
    const struct sort *sort = sort_of(content);
    if (!sort->input)
        return tg_refuse(out, "unsupported_content", "Telegram cannot put this into a message that exists");
    out->method = "editMessageMedia";
    kanal_json_key(json, "media");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", sort->input);
    kanal_status status = write_file(out, json, wish, sort, content->media, "media");
    write_media_facts(json, sort, content->media);
    tg_write_words(json, "caption", content);
    kanal_json_object_end(json);
    if (out->field)
        out->field = "upload";
    return status;
}
