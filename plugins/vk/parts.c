#include "parts.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

static const struct {
    const char *type;
    enum vk_file_kind kind;
} media_kinds[] = {
    { "image", VK_PHOTO }, { "video", VK_DOCUMENT }, { "audio", VK_DOCUMENT },
    { "voice", VK_VOICE }, { "file", VK_DOCUMENT },  { "sticker", VK_GRAFFITI },
};

static int media_kind(kanal_str type, enum vk_file_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof media_kinds / sizeof *media_kinds; i++)
        if (kanal_str_is(type, media_kinds[i].type)) {
            *ret_kind = media_kinds[i].kind;
            return 1;
        }
    return 0;
}

/* ---- Which there are ---- */

static kanal_status take(struct vk_outgoing *out, yyjson_val **place, yyjson_val *part)
{
    if (*place)
        return vk_refuse(out, "unsupported_content", "this is more than one message of VK can show");
    *place = part;
    return KANAL_OK;
}

static kanal_status take_part(struct vk_outgoing *out, struct vk_content *content, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    enum vk_file_kind kind;
    if (kanal_str_is(type, "text")) {
        if (content->text_count == VK_TEXTS_MAX)
            return vk_refuse(out, "unsupported_content", "too many text parts in one message");
        content->texts[content->text_count++] = part;
        return KANAL_OK;
    }
    if (media_kind(type, &kind)) {
        if (content->media_count == VK_FILES_MAX)
            return vk_refuse(out, "unsupported_content", "a message of VK has at most 10 attachments");
        content->media[content->media_count++] = part;
        return KANAL_OK;
    }
    if (kanal_str_is(type, "location"))
        return take(out, &content->location, part);
    if (kanal_str_is(type, "choice"))
        return take(out, &content->choice, part);
    if (kanal_str_is(type, "card"))
        return take(out, &content->card, part);
    if (kanal_str_is(type, "carousel"))
        return take(out, &content->carousel, part);
    return vk_refuse(out, "unsupported_content", "VK cannot show this kind of part");
}

kanal_status vk_read_content(struct vk_outgoing *out, struct vk_content *content, yyjson_val *data)
{
    yyjson_val *part;
    size_t index, max;
    memset(content, 0, sizeof *content);
    yyjson_arr_foreach (kanal_json_at(data, "content"), index, max, part) {
        kanal_status status = take_part(out, content, part);
        if (status != KANAL_OK)
            return status;
    }
    int bodies = (content->media_count > 0) + (content->location != NULL) + (content->card != NULL) +
                 (content->carousel != NULL);
    if (bodies > 1 || (content->choice &&
                       (content->carousel || yyjson_arr_size(kanal_json_at(content->card, "options")) > 0)))
        return vk_refuse(out, "unsupported_content", "this is more than one message of VK can show");
    return KANAL_OK;
}

/* ---- Words ---- */

static void append(struct kanal_buffer *words, kanal_str text, const char *between)
{
    if (text.len == 0)
        return;
    if (words->len > 0)
        kanal_buffer_text(words, between);
    kanal_buffer_str(words, text);
}

static void append_card(struct kanal_buffer *words, yyjson_val *card)
{
    kanal_str price = kanal_json_text_at(card, "price");
    append(words, kanal_json_text_at(card, "title"), "\n\n");
    append(words, kanal_json_text_at(card, "text"), "\n");
    append(words, price, "\n");
    if (price.len > 0)
        append(words, kanal_json_text_at(card, "currency"), " ");
    append(words, kanal_json_text_at(card, "url"), "\n");
}

int vk_write_words(struct kanal_buffer *form, const struct vk_content *content)
{
    struct kanal_buffer words = { 0 };
    for (size_t i = 0; i < content->text_count; i++)
        append(&words, kanal_json_text_at(content->texts[i], "text"), "\n\n");
    for (size_t i = 0; i < content->media_count; i++)
        append(&words, kanal_json_text_at(content->media[i], "caption"), "\n\n");
    if (content->card)
        append_card(&words, content->card);
    append(&words, kanal_json_text_at(content->choice, "text"), "\n\n");
    if (words.len == 0 && content->carousel) /* VK refuses one without words */
        append(&words,
               kanal_json_text_at(yyjson_arr_get_first(kanal_json_at(content->carousel, "cards")), "title"),
               "");
    int is_there = words.len > 0;
    if (is_there)
        kanal_form_add(form, "message", kanal_buffer_view(&words));
    if (words.failed)
        form->failed = 1;
    kanal_buffer_release(&words);
    return is_there;
}

/* ---- Attachments ---- */

/* "photo1_2,doc3_4_key": as the consumer writes it. */
static int is_attachment(kanal_str text)
{
    if (text.len == 0 || text.len > 2048)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              c == '-' || c == ','))
            return 0;
    }
    return 1;
}

static kanal_str named(yyjson_val *object)
{
    kanal_str name = kanal_json_text_at(vk_options(object), "attachment");
    return is_attachment(name) ? name : kanal_str_of(NULL, 0);
}

int vk_write_attachments(struct kanal_buffer *form, const struct vk_wish *wish,
                         const struct vk_content *content)
{
    struct kanal_buffer list = { 0 };
    for (size_t i = 0; i < content->media_count; i++) {
        kanal_str name = named(content->media[i]);
        append(&list, name.len > 0 ? name : kanal_str_c(vk_uploaded(wish, content->media[i])), ",");
    }
    if (content->card)
        append(&list, kanal_str_c(vk_uploaded(wish, content->card)), ",");
    append(&list, named(wish->data), ",");
    int is_there = list.len > 0;
    if (is_there)
        kanal_form_add(form, "attachment", kanal_buffer_view(&list));
    if (list.failed)
        form->failed = 1;
    kanal_buffer_release(&list);
    return is_there;
}

kanal_str vk_sticker_of(const struct vk_content *content, char scratch[24])
{
    int64_t number;
    if (content->media_count != 1 || !kanal_str_is(kanal_json_text_at(content->media[0], "type"), "sticker"))
        return kanal_str_of(NULL, 0);
    kanal_str id = kanal_json_id_at(vk_options(content->media[0]), "sticker_id", scratch);
    return kanal_str_int(id, &number) == 0 && number > 0 ? id : kanal_str_of(NULL, 0);
}

/* ---- Files ---- */

/* VK takes JPEG and PNG as photos; other pictures go as documents, so that they stay what they are. */
static int is_photo(kanal_str mime)
{
    return mime.len == 0 || kanal_str_starts(mime, "image/jpeg") || kanal_str_starts(mime, "image/png");
}

/* The name for an uploaded file: as given, else the last segment of the URL's path. */
static kanal_str filename_of(yyjson_val *part, kanal_str url)
{
    kanal_str name = kanal_json_text_at(part, "name");
    if (name.len > 0)
        return name;
    size_t end = 0, start;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    for (start = end; start > 0 && url.ptr[start - 1] != '/'; start--)
        ;
    return end > start ? kanal_str_of(url.ptr + start, end - start) : KANAL_LIT("file");
}

static kanal_status plan(struct vk_outgoing *out, struct vk_wish *wish, yyjson_val *part, yyjson_val *source,
                         enum vk_file_kind kind)
{
    kanal_str url = kanal_json_text_at(source, "url"), mime = kanal_json_text_at(source, "mime");
    if (url.len == 0)
        return vk_refuse(out, "invalid_content", "the media part has no url");
    if (wish->file_count == VK_FILES_MAX)
        return vk_refuse(out, "unsupported_content", "a message of VK has at most 10 attachments");
    wish->files[wish->file_count++] = (struct vk_file){
        .part = part,
        .kind = kind == VK_PHOTO && !is_photo(mime) ? VK_DOCUMENT : kind,
        .url = url,
        .filename = filename_of(source, url),
        .mime = mime,
    };
    return KANAL_OK;
}

kanal_status vk_plan_files(struct vk_outgoing *out, struct vk_wish *wish)
{
    struct vk_content content;
    char scratch[24];
    enum vk_file_kind kind = VK_DOCUMENT;
    size_t index, max;
    yyjson_val *card;
    kanal_status status = vk_read_content(out, &content, wish->data);
    wish->file_count = 0;
    if (vk_sticker_of(&content, scratch).len > 0)
        return status;
    for (size_t i = 0; i < content.media_count && status == KANAL_OK; i++) {
        media_kind(kanal_json_text_at(content.media[i], "type"), &kind);
        if (named(content.media[i]).len == 0)
            status = plan(out, wish, content.media[i], content.media[i], kind);
    }
    yyjson_val *picture = kanal_json_at(content.card, "image");
    if (picture && status == KANAL_OK)
        status = plan(out, wish, content.card, picture, VK_PHOTO);
    yyjson_arr_foreach (kanal_json_at(content.carousel, "cards"), index, max, card) {
        picture = kanal_json_at(card, "image");
        if (picture && status == KANAL_OK)
            status = plan(out, wish, card, picture, VK_PHOTO);
    }
    return status;
}
