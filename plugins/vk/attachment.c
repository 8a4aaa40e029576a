/* Attachments of a message (https://dev.vk.com/ru/reference/objects/attachments-message). */
#include <stdio.h>

#include "content.h"
#include "kanal/sdk/member.h"

#define PIXELS_MAX 100000
#define SECONDS_MAX INT64_C(9007199254740)
#define SIZE_LIMIT INT64_C(9007199254740991)
#define CARD_TITLE_MAX 512
#define CARD_TEXT_MAX 4096

static void part_start(struct kanal_json *json, const char *type)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
}

/* ---- Names ---- */

static int64_t owner_of(yyjson_val *object)
{
    static const char *const names[] = { "owner_id", "to_id", "from_id" };
    int64_t owner = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && owner == 0; i++)
        owner = kanal_json_int_at(object, names[i], 0);
    return owner;
}

/* "photo1_2" or "photo1_2_key": how an attachment is named in messages.send. 0: it cannot be named. */
static int write_name(char out[128], const char *kind, yyjson_val *object, int with_key)
{
    int64_t owner = owner_of(object), id = kanal_json_int_at(object, "id", 0);
    kanal_str key = kanal_json_text_at(object, "access_key");
    out[0] = 0;
    if (owner == 0 || id <= 0)
        return 0;
    snprintf(out, 128, "%s%lld_%lld", kind, (long long)owner, (long long)id);
    size_t n = strlen(out);
    if (with_key && key.len > 0 && key.len < 64 && kanal_str_ascii(key))
        snprintf(out + n, 128 - n, "_%.*s", (int)key.len, key.ptr);
    return 1;
}

/* The provider's id of the file, and the name that sends it again without a transfer. */
static void write_identity(struct kanal_json *json, const char *kind, yyjson_val *object)
{
    char name[128];
    if (write_name(name, kind, object, 0))
        kanal_json_member_text(json, "external_id", name);
    struct kanal_provider provider = kanal_provider_begin(json);
    if (write_name(name, kind, object, 1))
        kanal_json_member_text(json, "attachment", name);
    kanal_provider_end(json, &provider);
}

static void write_page(struct kanal_json *json, const char *kind, yyjson_val *object)
{
    char name[128], url[160];
    if (!write_name(name, kind, object, 0))
        return;
    snprintf(url, sizeof url, "https://vk.com/%s", name);
    kanal_json_member_text(json, "url", url);
}

/* ---- Bytes ---- */

static void write_reference(struct kanal_json *json, kanal_str url)
{
    if (vk_is_reference(url))
        kanal_json_member_str(json, "ref", url);
    else
        kanal_json_member_text(json, "unavailable", url.len > 0 ? "failed" : "refused");
}

static yyjson_val *largest(yyjson_val *sizes)
{
    size_t index, max;
    yyjson_val *size, *best = NULL;
    double best_area = -1;
    yyjson_arr_foreach (sizes, index, max, size) {
        double area =
            (double)kanal_json_int_at(size, "width", 0) * (double)kanal_json_int_at(size, "height", 0);
        if (yyjson_is_obj(size) && kanal_json_text_at(size, "url").len > 0 && area >= best_area) {
            best = size;
            best_area = area;
        }
    }
    return best;
}

static void write_sides(struct kanal_json *json, yyjson_val *size)
{
    kanal_member_count_of(json, "width", size, "width", 1, PIXELS_MAX, 1);
    kanal_member_count_of(json, "height", size, "height", 1, PIXELS_MAX, 1);
}

static void write_picture(struct kanal_json *json, const char *key, yyjson_val *sizes)
{
    yyjson_val *size = largest(sizes);
    if (!size || !vk_is_reference(kanal_json_text_at(size, "url")))
        return;
    kanal_json_key(json, key);
    kanal_json_object(json);
    write_reference(json, kanal_json_text_at(size, "url"));
    write_sides(json, size);
    kanal_json_object_end(json);
}

/* ---- Kinds ---- */

static void write_photo(struct kanal_json *json, yyjson_val *photo)
{
    yyjson_val *size = largest(kanal_json_at(photo, "sizes")), *whole = kanal_json_at(photo, "orig_photo");
    if (kanal_json_text_at(whole, "url").len > 0)
        size = whole;
    part_start(json, "image");
    write_reference(json, kanal_json_text_at(size, "url"));
    kanal_json_member_text(json, "mime", "image/jpeg"); /* VK makes a JPEG of every photo */
    vk_member_text(json, "caption", kanal_json_text_at(photo, "text"), VK_TEXT_MAX);
    write_sides(json, size);
    write_identity(json, "photo", photo);
    kanal_json_object_end(json);
}

/* VK gives no file of a film, only the page that plays it. */
static void write_video(struct kanal_json *json, yyjson_val *video)
{
    char name[128], url[160];
    part_start(json, "video");
    kanal_json_member_text(json, "unavailable", "refused");
    vk_member_text(json, "name", kanal_json_text_at(video, "title"), 255);
    vk_member_text(json, "alt", kanal_json_text_at(video, "description"), 2048);
    kanal_member_count_of(json, "duration_ms", video, "duration", 0, SECONDS_MAX, 1000);
    write_sides(json, video);
    write_picture(json, "thumbnail", kanal_json_at(video, "image"));
    if (write_name(name, "video", video, 0))
        kanal_json_member_text(json, "external_id", name);
    struct kanal_provider provider = kanal_provider_begin(json);
    if (write_name(name, "video", video, 1))
        kanal_json_member_text(json, "attachment", name);
    if (write_name(name, "video", video, 0)) {
        snprintf(url, sizeof url, "https://vk.com/%s", name);
        kanal_json_member_text(json, "page", url);
    }
    kanal_member_text_of(json, "player", video, "player", 1024);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static void write_audio(struct kanal_json *json, yyjson_val *audio)
{
    part_start(json, "audio");
    write_reference(json, kanal_json_text_at(audio, "url")); /* as a rule VK tells none */
    kanal_json_member_text(json, "mime", "audio/mpeg");
    kanal_member_count_of(json, "duration_ms", audio, "duration", 0, SECONDS_MAX, 1000);
    vk_member_text(json, "title", kanal_json_text_at(audio, "title"), 512);
    vk_member_text(json, "performer", kanal_json_text_at(audio, "artist"), 512);
    write_identity(json, "audio", audio);
    kanal_json_object_end(json);
}

static void write_voice(struct kanal_json *json, yyjson_val *voice)
{
    kanal_str ogg = kanal_json_text_at(voice, "link_ogg");
    part_start(json, "voice");
    write_reference(json, ogg.len > 0 ? ogg : kanal_json_text_at(voice, "link_mp3"));
    kanal_json_member_text(json, "mime", ogg.len > 0 ? "audio/ogg" : "audio/mpeg");
    kanal_member_count_of(json, "duration_ms", voice, "duration", 0, SECONDS_MAX, 1000);
    vk_member_text(json, "transcript", kanal_json_text_at(voice, "transcript"), 65536);
    write_identity(json, "audio_message", voice);
    kanal_json_object_end(json);
}

static void write_document(struct kanal_json *json, yyjson_val *document)
{
    kanal_str extension = kanal_json_text_at(document, "ext");
    int is_gif = kanal_str_is(extension, "gif");
    part_start(json, is_gif ? "image" : "file");
    write_reference(json, kanal_json_text_at(document, "url"));
    kanal_member_mime(json, kanal_str_of(NULL, 0), is_gif ? "image/gif" : NULL);
    kanal_member_count_of(json, "size", document, "size", 0, SIZE_LIMIT, 1);
    vk_member_text(json, "name", kanal_json_text_at(document, "title"), 255);
    write_picture(json, "thumbnail",
                  kanal_json_at(kanal_json_at(kanal_json_at(document, "preview"), "photo"), "sizes"));
    write_identity(json, "doc", document);
    kanal_json_object_end(json);
}

static void write_sticker(struct kanal_json *json, yyjson_val *sticker)
{
    char scratch[24];
    yyjson_val *size = largest(kanal_json_at(sticker, "images"));
    kanal_str id = kanal_json_id_at(sticker, "sticker_id", scratch);
    part_start(json, "sticker");
    write_reference(json, kanal_json_text_at(size, "url"));
    kanal_json_member_text(json, "mime", "image/png");
    write_sides(json, size);
    kanal_member_text(json, "external_id", id, 1024);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "sticker_id", id, 24);
    kanal_provider_end(json, &provider);
    kanal_member_text(json, "set", kanal_json_id_at(sticker, "product_id", scratch), 256);
    if (kanal_json_text_at(sticker, "animation_url").len > 0)
        kanal_json_member_bool(json, "animated", 1);
    kanal_json_object_end(json);
}

static void write_graffiti(struct kanal_json *json, yyjson_val *graffiti)
{
    part_start(json, "image");
    write_reference(json, kanal_json_text_at(graffiti, "url"));
    kanal_json_member_text(json, "mime", "image/png");
    write_sides(json, graffiti);
    write_identity(json, "doc", graffiti);
    kanal_json_object_end(json);
}

/* ---- Cards ---- */

/* The first line of a text, or what it is when there is none. */
static void write_title(struct kanal_json *json, kanal_str text, const char *otherwise)
{
    size_t n = 0;
    while (n < text.len && text.ptr[n] != '\n')
        n++;
    vk_member_text(json, "title", n > 0 ? kanal_str_of(text.ptr, n) : kanal_str_c(otherwise), CARD_TITLE_MAX);
}

static void write_kind(struct kanal_json *json, const char *kind, yyjson_val *object)
{
    char name[128];
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_json_member_text(json, "kind", kind);
    if (write_name(name, kind, object, 1))
        kanal_json_member_text(json, "attachment", name);
    kanal_provider_end(json, &provider);
}

static void write_wall(struct kanal_json *json, yyjson_val *post)
{
    kanal_str text = kanal_json_text_at(post, "text");
    yyjson_val *photo = kanal_json_at(yyjson_arr_get_first(kanal_json_at(post, "attachments")), "photo");
    part_start(json, "card");
    write_title(json, text, "wall");
    vk_member_text(json, "text", text, CARD_TEXT_MAX);
    write_picture(json, "image", kanal_json_at(photo, "sizes"));
    write_page(json, "wall", post);
    write_kind(json, "wall", post);
    kanal_json_object_end(json);
}

static void write_comment(struct kanal_json *json, yyjson_val *comment)
{
    kanal_str text = kanal_json_text_at(comment, "text");
    int64_t owner = kanal_json_int_at(comment, "owner_id", 0),
            post = kanal_json_int_at(comment, "post_id", 0);
    char url[160];
    part_start(json, "card");
    write_title(json, text, "wall_reply");
    vk_member_text(json, "text", text, CARD_TEXT_MAX);
    if (owner != 0 && post > 0) {
        snprintf(url, sizeof url, "https://vk.com/wall%lld_%lld?reply=%lld", (long long)owner,
                 (long long)post, (long long)kanal_json_int_at(comment, "id", 0));
        kanal_json_member_text(json, "url", url);
    }
    write_kind(json, "wall_reply", comment);
    kanal_json_object_end(json);
}

static void write_link(struct kanal_json *json, yyjson_val *link)
{
    kanal_str title = kanal_json_text_at(link, "title"), url = kanal_json_text_at(link, "url");
    part_start(json, "card");
    vk_member_text(json, "title",
                   title.len > 0 ? title
                   : url.len > 0 ? url
                                 : KANAL_LIT("link"),
                   CARD_TITLE_MAX);
    vk_member_text(json, "text", kanal_json_text_at(link, "description"), CARD_TEXT_MAX);
    write_picture(json, "image", kanal_json_at(kanal_json_at(link, "photo"), "sizes"));
    kanal_member_uri(json, "url", url);
    write_kind(json, "link", NULL);
    kanal_json_object_end(json);
}

/* An amount is given in hundredths, as text. */
static void write_price(struct kanal_json *json, yyjson_val *price)
{
    char scratch[24], decimal[32];
    int64_t amount;
    kanal_str told = kanal_json_id_at(price, "amount", scratch);
    kanal_str currency = kanal_json_text_at(kanal_json_at(price, "currency"), "name");
    int is_currency = currency.len == 3;
    for (size_t i = 0; i < currency.len; i++)
        is_currency = is_currency && currency.ptr[i] >= 'A' && currency.ptr[i] <= 'Z';
    if (!is_currency || kanal_str_int(told, &amount) != 0 || amount < 0 ||
        amount > INT64_C(99999999999999999))
        return;
    snprintf(decimal, sizeof decimal, "%lld.%02d", (long long)(amount / 100), (int)(amount % 100));
    kanal_json_member_text(json, "price", decimal);
    kanal_json_member_str(json, "currency", currency);
}

static void write_market(struct kanal_json *json, yyjson_val *item)
{
    kanal_str picture = kanal_json_text_at(item, "thumb_photo");
    part_start(json, "card");
    write_title(json, kanal_json_text_at(item, "title"), "market");
    vk_member_text(json, "text", kanal_json_text_at(item, "description"), CARD_TEXT_MAX);
    if (vk_is_reference(picture)) {
        kanal_json_key(json, "image");
        kanal_json_object(json);
        write_reference(json, picture);
        kanal_json_object_end(json);
    }
    write_price(json, kanal_json_at(item, "price"));
    write_page(json, "product", item);
    write_kind(json, "market", item);
    kanal_json_object_end(json);
}

/* ---- The table ---- */

static const struct kind {
    const char *name; /* the attachment's type, and the member that holds it */
    void (*write)(struct kanal_json *, yyjson_val *);
} kinds[] = {
    { "photo", write_photo },       { "video", write_video },         { "audio", write_audio },
    { "doc", write_document },      { "audio_message", write_voice }, { "sticker", write_sticker },
    { "graffiti", write_graffiti }, { "wall", write_wall },           { "wall_reply", write_comment },
    { "link", write_link },         { "market", write_market },
};

/* What a person would read of other kinds. */
static kanal_str words_of(yyjson_val *value)
{
    static const char *const names[] = { "question", "title", "text", "name" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        kanal_str words = kanal_json_text_at(value, names[i]);
        if (words.len > 0)
            return words;
    }
    return kanal_str_of(NULL, 0);
}

void vk_write_attachment(struct kanal_json *json, yyjson_val *attachment)
{
    kanal_str type = kanal_json_text_at(attachment, "type");
    yyjson_val *value = type.len > 0 ? yyjson_obj_getn(attachment, type.ptr, type.len) : NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(type, kinds[i].name) && yyjson_is_obj(value)) {
            kinds[i].write(json, value);
            return;
        }
    vk_write_unsupported(json, type, words_of(value), value ? value : attachment);
}
