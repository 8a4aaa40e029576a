#include "content.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define SIZE_LIMIT INT64_C(9007199254740991)
#define SECONDS_MAX INT64_C(9007199254740)

static void part_start(struct kanal_json *json, const char *type)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
}

static void write_unsupported(struct kanal_json *json, kanal_str kind, kanal_str text, yyjson_val *what)
{
    part_start(json, "unsupported");
    kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    kanal_member_text(json, "text", text, VIBER_TEXT_MAX);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "value", what);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* ---- Media: Viber's URLs can be fetched for an hour ---- */

static int write_reference(struct kanal_json *json, kanal_str url)
{
    int is_there = kanal_url_is_fetchable(url, VIBER_REFERENCE_BYTES_MAX);
    if (is_there)
        kanal_json_member_str(json, "ref", url);
    else
        kanal_json_member_text(json, "unavailable", "failed");
    return is_there;
}

static void write_media(struct kanal_json *json, yyjson_val *message)
{
    kanal_str thumbnail = kanal_json_text_at(message, "thumbnail");
    int64_t size = kanal_json_int_at(message, "size", -1);
    write_reference(json, kanal_json_text_at(message, "media"));
    kanal_member_count_of(json, "size", message, size >= 0 ? "size" : "file_size", 0, SIZE_LIMIT, 1);
    kanal_member_text_of(json, "name", message, "file_name", 255);
    kanal_member_text_of(json, "caption", message, "text", VIBER_TEXT_MAX);
    if (kanal_url_is_fetchable(thumbnail, VIBER_REFERENCE_BYTES_MAX)) {
        kanal_json_key(json, "thumbnail");
        kanal_json_object(json);
        kanal_json_member_str(json, "ref", thumbnail);
        kanal_json_object_end(json);
    }
}

static void write_picture(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "image");
    write_media(json, message);
    kanal_json_object_end(json);
}

static void write_video(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "video");
    write_media(json, message);
    kanal_member_count_of(json, "duration_ms", message, "duration", 0, SECONDS_MAX, 1000);
    kanal_json_object_end(json);
}

static void write_file(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "file");
    write_media(json, message);
    kanal_json_object_end(json);
}

static void write_sticker(struct kanal_json *json, yyjson_val *message)
{
    char scratch[24];
    kanal_str id = kanal_json_id_at(message, "sticker_id", scratch);
    part_start(json, "sticker");
    write_reference(json, kanal_json_text_at(message, "media"));
    kanal_member_text(json, "external_id", id, 1024);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "sticker_id", id, 64);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* ---- Others ---- */

static void write_text(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "text");
    kanal_member_text_of(json, "text", message, "text", VIBER_TEXT_MAX);
    kanal_json_object_end(json);
}

static void write_answer(struct kanal_json *json, yyjson_val *message)
{
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "button");
    kanal_member_text_of(json, "payload", message, "text", 4096);
    kanal_json_object_end(json);
}

static void write_link(struct kanal_json *json, yyjson_val *message)
{
    kanal_str url = kanal_json_text_at(message, "media"), text = kanal_json_text_at(message, "text");
    struct kanal_buffer words = { 0 };
    int is_said = text.len > 0 && memmem(text.ptr, text.len, url.ptr, url.len);
    kanal_buffer_str(&words, text);
    if (text.len > 0 && !is_said)
        kanal_buffer_byte(&words, '\n');
    if (!is_said)
        kanal_buffer_str(&words, url);
    part_start(json, "text");
    kanal_member_text(json, "text", kanal_buffer_view(&words), VIBER_TEXT_MAX);
    kanal_buffer_release(&words);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_json_member_text(json, "kind", "url");
    kanal_member_text(json, "media", url, 4096);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static void write_contact(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *contact = kanal_json_at(message, "contact");
    kanal_str name = kanal_json_text_at(contact, "name"), phone = kanal_json_text_at(contact, "phone_number");
    part_start(json, "contact");
    kanal_member_text(json, "name", name.len > 0 ? name : phone.len > 0 ? phone : KANAL_LIT("?"), 512);
    kanal_json_key(json, "phones");
    kanal_json_array(json);
    if (phone.len > 0)
        kanal_json_str(json, kanal_str_cut(phone, 64));
    kanal_json_array_end(json);
    kanal_json_object_end(json);
}

/* A number, also where Viber gives it as text. */
static int read_degrees(yyjson_val *location, const char *name, double limit, double *ret_degrees)
{
    yyjson_val *value = kanal_json_at(location, name);
    kanal_str told = kanal_json_text(value);
    char text[40], *end;
    *ret_degrees = yyjson_get_num(value);
    if (told.len > 0 && told.len < sizeof text) {
        memcpy(text, told.ptr, told.len);
        text[told.len] = 0;
        *ret_degrees = strtod(text, &end);
        if (*end)
            return 0;
    } else if (!yyjson_is_num(value)) {
        return 0;
    }
    return *ret_degrees >= -limit && *ret_degrees <= limit;
}

static void write_location(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *location = kanal_json_at(message, "location");
    double lat, lon;
    if (!read_degrees(location, "lat", 90, &lat) || !read_degrees(location, "lon", 180, &lon)) {
        write_unsupported(json, KANAL_LIT("location"), kanal_str_of(NULL, 0), message);
        return;
    }
    part_start(json, "location");
    kanal_json_member_double(json, "lat", lat);
    kanal_json_member_double(json, "lon", lon);
    kanal_member_text_of(json, "address", location, "address", 1024);
    kanal_json_object_end(json);
}

static const struct kind {
    const char *type;
    const char *needs;   /* a member without which it is none; NULL: nothing */
    int needs_an_object; /* else a text that is not empty */
    void (*write)(struct kanal_json *, yyjson_val *message);
} kinds[] = {
    { "text", "text", 0, write_text },       { "picture", NULL, 0, write_picture },
    { "video", NULL, 0, write_video },       { "file", NULL, 0, write_file },
    { "sticker", NULL, 0, write_sticker },   { "contact", "contact", 1, write_contact },
    { "location", NULL, 0, write_location }, { "url", "media", 0, write_link },
};

static int has_what_it_needs(const struct kind *kind, yyjson_val *message)
{
    yyjson_val *needed = kind->needs ? kanal_json_at(message, kind->needs) : NULL;
    return !kind->needs || (kind->needs_an_object ? yyjson_is_obj(needed) : kanal_json_text(needed).len > 0);
}

void viber_content_write(struct kanal_json *json, yyjson_val *message, int is_silent)
{
    kanal_str type = kanal_json_text_at(message, "type"), text = kanal_json_text_at(message, "text");
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(type, kinds[i].type))
            kind = &kinds[i];
    kanal_json_array(json);
    if (!kind || !has_what_it_needs(kind, message))
        write_unsupported(json, type, text, message);
    else if (is_silent && kind->write == write_text)
        write_answer(json, message);
    else
        kind->write(json, message);
    kanal_json_array_end(json);
}

void viber_content_unsupported(struct kanal_json *json, kanal_str kind, yyjson_val *what)
{
    kanal_json_array(json);
    write_unsupported(json, kind, kanal_str_of(NULL, 0), what);
    kanal_json_array_end(json);
}
