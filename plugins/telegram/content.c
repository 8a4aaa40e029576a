#include "content.h"

#include "kanal/sdk/member.h"
#include "markup.h"

#define HTML_BYTES_MAX (64u * 1024)
#define NAME_MAX_CHARS 255
#define PIXELS_MAX 100000
#define FILE_ID_MAX 900 /* bytes; the host's references hold 1024 */
#define SIZE_LIMIT INT64_C(9007199254740991)
#define SECONDS_MAX INT64_C(9007199254740)

static void part_start(struct kanal_json *json, const char *type)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
}

static int is_present(yyjson_val *object, const char *name)
{
    return kanal_json_at(object, name) != NULL;
}

/* ---- Text ---- */

/* The text as HTML if its entities ask for it and it stays within bounds; 0: it is plain. */
static int format(struct kanal_buffer *html, kanal_str text, yyjson_val *entities)
{
    if (!tg_entities_matter(entities))
        return 0;
    tg_entities_html(html, text, entities);
    return !html->failed && html->len <= HTML_BYTES_MAX;
}

static void write_entities(struct kanal_json *json, yyjson_val *entities)
{
    struct kanal_provider provider = kanal_provider_begin(json);
    if (yyjson_arr_size(entities) > 0)
        kanal_member_copy(json, "entities", entities);
    kanal_provider_end(json, &provider);
}

static void write_text(struct kanal_json *json, kanal_str text, yyjson_val *entities)
{
    struct kanal_buffer html = { 0 };
    part_start(json, "text");
    if (format(&html, text, entities)) {
        kanal_json_member_str(json, "text", kanal_buffer_view(&html));
        kanal_json_member_text(json, "markup", "html");
        kanal_member_text(json, "plain", text, TG_TEXT_MAX);
    } else {
        kanal_member_text(json, "text", text, TG_TEXT_MAX);
    }
    write_entities(json, entities);
    kanal_json_object_end(json);
    kanal_buffer_release(&html);
}

static void write_caption(struct kanal_json *json, yyjson_val *message)
{
    struct kanal_buffer html = { 0 };
    kanal_str caption = kanal_json_text_at(message, "caption");
    if (caption.len > 0 && format(&html, caption, kanal_json_at(message, "caption_entities"))) {
        kanal_json_member_str(json, "caption", kanal_buffer_view(&html));
        kanal_json_member_text(json, "caption_markup", "html");
    } else {
        kanal_member_text(json, "caption", caption, TG_TEXT_MAX);
    }
    kanal_buffer_release(&html);
}

/* ---- Media ---- */

/* How the bytes are had: a reference for media(), or why there is none. */
static void write_reference(struct kanal_json *json, yyjson_val *file)
{
    kanal_str id = kanal_json_text_at(file, "file_id");
    if (kanal_json_int_at(file, "file_size", 0) > TG_DOWNLOAD_MAX)
        kanal_json_member_text(json, "unavailable", "too_large");
    else if (id.len > 0 && id.len <= FILE_ID_MAX)
        kanal_json_member_str(json, "ref", id);
    else
        kanal_json_member_text(json, "unavailable", "failed");
    kanal_member_count_of(json, "size", file, "file_size", 0, SIZE_LIMIT, 1);
}

static void write_sides(struct kanal_json *json, yyjson_val *file)
{
    kanal_member_count_of(json, "width", file, "width", 1, PIXELS_MAX, 1);
    kanal_member_count_of(json, "height", file, "height", 1, PIXELS_MAX, 1);
}

static void write_thumbnail(struct kanal_json *json, yyjson_val *file)
{
    yyjson_val *thumbnail = kanal_json_at(file, "thumbnail");
    if (!yyjson_is_obj(thumbnail))
        return;
    kanal_json_key(json, "thumbnail");
    kanal_json_object(json);
    write_reference(json, thumbnail);
    kanal_json_member_text(json, "mime", "image/jpeg");
    write_sides(json, thumbnail);
    kanal_json_object_end(json);
}

/* What every media part has. The file_id is repeated under provider: it sends the file again without an
 * upload. */
static void write_file(struct kanal_json *json, yyjson_val *file, const char *mime)
{
    kanal_str id = kanal_json_text_at(file, "file_id");
    write_reference(json, file);
    kanal_member_mime(json, kanal_json_text_at(file, "mime_type"), mime);
    kanal_member_text_of(json, "name", file, "file_name", NAME_MAX_CHARS);
    kanal_member_text_of(json, "external_id", file, "file_unique_id", 1024);
    struct kanal_provider provider = kanal_provider_begin(json);
    if (id.len > 0 && id.len <= FILE_ID_MAX)
        kanal_json_member_str(json, "file_id", id);
    kanal_provider_end(json, &provider);
}

static yyjson_val *largest(yyjson_val *sizes)
{
    size_t index, max;
    yyjson_val *size, *best = NULL;
    double best_area = -1;
    yyjson_arr_foreach (sizes, index, max, size) {
        double area =
            (double)kanal_json_int_at(size, "width", 0) * (double)kanal_json_int_at(size, "height", 0);
        if (yyjson_is_obj(size) && area > best_area) {
            best = size;
            best_area = area;
        }
    }
    return best;
}

static void write_photo(struct kanal_json *json, yyjson_val *message, yyjson_val *sizes)
{
    yyjson_val *photo = largest(sizes);
    part_start(json, "image");
    write_file(json, photo, "image/jpeg"); /* Telegram makes a JPEG of every photo */
    write_caption(json, message);
    write_sides(json, photo);
    kanal_member_true_of(json, "spoiler", message, "has_media_spoiler");
    kanal_json_object_end(json);
}

static void write_video(struct kanal_json *json, yyjson_val *message, yyjson_val *video, const char *flag)
{
    part_start(json, "video");
    write_file(json, video, "video/mp4");
    write_caption(json, message);
    write_sides(json, video);
    kanal_member_count_of(json, "width", video, "length", 1, PIXELS_MAX, 1); /* a video note is a square */
    kanal_member_count_of(json, "height", video, "length", 1, PIXELS_MAX, 1);
    kanal_member_count_of(json, "duration_ms", video, "duration", 0, SECONDS_MAX, 1000);
    if (flag)
        kanal_json_member_bool(json, flag, 1);
    kanal_member_true_of(json, "spoiler", message, "has_media_spoiler");
    write_thumbnail(json, video);
    kanal_json_object_end(json);
}

static void write_audio(struct kanal_json *json, yyjson_val *message, yyjson_val *audio)
{
    part_start(json, "audio");
    write_file(json, audio, "audio/mpeg");
    write_caption(json, message);
    kanal_member_count_of(json, "duration_ms", audio, "duration", 0, SECONDS_MAX, 1000);
    kanal_member_text_of(json, "title", audio, "title", 512);
    kanal_member_text_of(json, "performer", audio, "performer", 512);
    write_thumbnail(json, audio);
    kanal_json_object_end(json);
}

static void write_voice(struct kanal_json *json, yyjson_val *message, yyjson_val *voice)
{
    part_start(json, "voice");
    write_file(json, voice, "audio/ogg");
    write_caption(json, message);
    kanal_member_count_of(json, "duration_ms", voice, "duration", 0, SECONDS_MAX, 1000);
    kanal_json_object_end(json);
}

static void write_document(struct kanal_json *json, yyjson_val *message, yyjson_val *document)
{
    part_start(json, "file");
    write_file(json, document, NULL);
    write_caption(json, message);
    write_thumbnail(json, document);
    kanal_json_object_end(json);
}

static void write_sticker(struct kanal_json *json, yyjson_val *sticker)
{
    int animated = kanal_json_bool_at(sticker, "is_animated"),
        video = kanal_json_bool_at(sticker, "is_video");
    part_start(json, "sticker");
    write_file(json, sticker, video ? "video/webm" : animated ? "application/x-tgsticker" : "image/webp");
    write_sides(json, sticker);
    kanal_member_text_of(json, "emoji", sticker, "emoji", 64);
    kanal_member_text_of(json, "set", sticker, "set_name", 256);
    if (animated || video)
        kanal_json_member_bool(json, "animated", 1);
    kanal_json_object_end(json);
}

/* ---- Places and people ---- */

static int is_coordinate(yyjson_val *location, const char *name, double limit)
{
    yyjson_val *value = kanal_json_at(location, name);
    return yyjson_is_num(value) && yyjson_get_num(value) >= -limit && yyjson_get_num(value) <= limit;
}

/* 0: not a place that the contract can express. */
static int write_location(struct kanal_json *json, yyjson_val *location, yyjson_val *venue)
{
    if (!is_coordinate(location, "latitude", 90) || !is_coordinate(location, "longitude", 180))
        return 0;
    part_start(json, "location");
    kanal_member_number_of(json, "lat", location, "latitude", -90, 90);
    kanal_member_number_of(json, "lon", location, "longitude", -180, 180);
    kanal_member_number_of(json, "accuracy_m", location, "horizontal_accuracy", 0, 100000);
    kanal_member_text_of(json, "name", venue, "title", 512);
    kanal_member_text_of(json, "address", venue, "address", 1024);
    if (is_present(location, "live_period")) {
        kanal_json_member_bool(json, "live", 1);
        kanal_member_count_of(json, "live_duration_ms", location, "live_period", 0, SECONDS_MAX, 1000);
    }
    kanal_member_number_of(json, "heading", location, "heading", 0, 360);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "foursquare_id", venue, "foursquare_id", 256);
    kanal_member_text_of(json, "foursquare_type", venue, "foursquare_type", 256);
    kanal_member_text_of(json, "google_place_id", venue, "google_place_id", 256);
    kanal_member_text_of(json, "google_place_type", venue, "google_place_type", 256);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    return 1;
}

kanal_str tg_phone(kanal_str as_told, char out[24])
{
    size_t n = 0;
    out[n++] = '+';
    for (size_t i = 0; i < as_told.len; i++) {
        char c = as_told.ptr[i];
        if (c >= '0' && c <= '9' && n < 17)
            out[n++] = c;
        else if (c != ' ' && c != '-' && c != '(' && c != ')' && !(c == '+' && i == 0))
            return kanal_str_of(NULL, 0);
    }
    return n < 8 || n > 16 || out[1] == '0' ? kanal_str_of(NULL, 0) : kanal_str_of(out, n);
}

static void write_contact_name(struct kanal_json *json, yyjson_val *contact, kanal_str phone)
{
    struct kanal_buffer name = { 0 };
    kanal_str first = kanal_json_text_at(contact, "first_name"),
              last = kanal_json_text_at(contact, "last_name");
    kanal_buffer_str(&name, first);
    if (first.len > 0 && last.len > 0)
        kanal_buffer_byte(&name, ' ');
    kanal_buffer_str(&name, last);
    kanal_member_text(json, "name",
                      name.len > 0    ? kanal_buffer_view(&name)
                      : phone.len > 0 ? phone
                                      : KANAL_LIT("?"),
                      512);
    kanal_member_text(json, "first_name", first, 256);
    kanal_member_text(json, "last_name", last, 256);
    kanal_buffer_release(&name);
}

static void write_contact(struct kanal_json *json, yyjson_val *message, yyjson_val *contact)
{
    char scratch[24];
    kanal_str told = kanal_json_text_at(contact, "phone_number");
    /* Numbers of Telegram users come without '+' and in full; others as somebody typed them. */
    int64_t user = kanal_json_int_at(contact, "user_id", 0);
    int is_full = user != 0 || kanal_str_starts(told, "+");
    kanal_str phone = is_full ? tg_phone(told, scratch) : kanal_str_of(NULL, 0);
    part_start(json, "contact");
    write_contact_name(json, contact, told);
    kanal_json_key(json, "phones");
    kanal_json_array(json);
    if (phone.len > 0 || told.len > 0)
        kanal_json_str(json, phone.len > 0 ? phone : kanal_str_cut(told, 64));
    kanal_json_array_end(json);
    if (user > 0) {
        struct kanal_buffer address = { 0 };
        kanal_buffer_text(&address, "telegram:");
        kanal_buffer_int(&address, user);
        kanal_json_member_str(json, "address", kanal_buffer_view(&address));
        kanal_buffer_release(&address);
        if (user == kanal_json_int_at(kanal_json_at(message, "from"), "id", 0))
            kanal_json_member_bool(json, "own", 1);
    }
    kanal_member_text_of(json, "vcard", contact, "vcard", TG_TEXT_MAX);
    kanal_json_object_end(json);
}

static void write_web_app(struct kanal_json *json, yyjson_val *data)
{
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "flow");
    kanal_member_text_of(json, "payload", data, "data", 4096);
    kanal_member_text_of(json, "text", data, "button_text", 4096);
    kanal_json_object_end(json);
}

/* ---- A message ---- */

/* The member if it is an object. */
static yyjson_val *object_at(yyjson_val *message, const char *name)
{
    yyjson_val *value = kanal_json_at(message, name);
    return yyjson_is_obj(value) ? value : NULL;
}

/* A photo and the short film around it; the older member "photo" repeats the picture. */
static void write_live_photo(struct kanal_json *json, yyjson_val *message, yyjson_val *live)
{
    yyjson_val *sizes = kanal_json_at(message, "photo");
    int has_photo = largest(sizes) != NULL;
    if (has_photo)
        write_photo(json, message, sizes);
    write_video(json, has_photo ? NULL : message, live, NULL);
}

/* The media, if the message has some. An animation is repeated in the older member "document", so it comes
 * first. */
static int write_media(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *value;
    if ((value = object_at(message, "animation")) != NULL)
        write_video(json, message, value, "animation");
    else if ((value = object_at(message, "live_photo")) != NULL)
        write_live_photo(json, message, value);
    else if ((value = object_at(message, "video")) != NULL)
        write_video(json, message, value, NULL);
    else if (largest(value = kanal_json_at(message, "photo")) != NULL)
        write_photo(json, message, value);
    else if ((value = object_at(message, "video_note")) != NULL)
        write_video(json, message, value, "round");
    else if ((value = object_at(message, "audio")) != NULL)
        write_audio(json, message, value);
    else if ((value = object_at(message, "voice")) != NULL)
        write_voice(json, message, value);
    else if ((value = object_at(message, "document")) != NULL)
        write_document(json, message, value);
    else if ((value = object_at(message, "sticker")) != NULL)
        write_sticker(json, value);
    else
        return 0;
    return 1;
}

void tg_content_write(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *value, *venue = object_at(message, "venue");
    kanal_str text = kanal_json_text_at(message, "text");
    kanal_json_array(json);
    if (text.len > 0)
        write_text(json, text, kanal_json_at(message, "entities"));
    else if (write_media(json, message))
        ;
    else if ((value = object_at(message, "contact")) != NULL)
        write_contact(json, message, value);
    else if ((value = object_at(message, "web_app_data")) != NULL)
        write_web_app(json, value);
    else if (!write_location(
                 json, venue ? kanal_json_at(venue, "location") : kanal_json_at(message, "location"), venue))
        tg_write_other(json, message);
    kanal_json_array_end(json);
}

void tg_content_unsupported(struct kanal_json *json, kanal_str kind, kanal_str text, yyjson_val *what)
{
    kanal_json_array(json);
    tg_write_unsupported(json, kind, text, what);
    kanal_json_array_end(json);
}

/* What stood on the pressed button, if the message is still at hand. */
static kanal_str button_text(yyjson_val *query, kanal_str data)
{
    yyjson_val *rows =
        kanal_json_at(kanal_json_at(kanal_json_at(query, "message"), "reply_markup"), "inline_keyboard");
    yyjson_val *row, *button;
    size_t row_index, row_max, index, max;
    yyjson_arr_foreach (rows, row_index, row_max, row)
        yyjson_arr_foreach (row, index, max, button)
            if (kanal_str_equal(kanal_json_text_at(button, "callback_data"), data))
                return kanal_json_text_at(button, "text");
    return kanal_str_of(NULL, 0);
}

void tg_content_callback(struct kanal_json *json, yyjson_val *query)
{
    kanal_str data = kanal_json_text_at(query, "data");
    if (data.len == 0) {
        tg_content_unsupported(json, KANAL_LIT("callback_game"), kanal_json_text_at(query, "game_short_name"),
                               NULL);
        return;
    }
    kanal_json_array(json);
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "button");
    kanal_member_text(json, "payload", data, 4096);
    kanal_member_text(json, "text", button_text(query, data), 4096);
    kanal_json_object_end(json);
    kanal_json_array_end(json);
}
