#include "content.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define PARTS_MAX 64    /* of a message, as the contract says */
#define FORWARD_DEPTH 5 /* forwarded messages may forward others */
#define PAYLOAD_MAX 4096

/* ---- Text ---- */

void vk_unescape(struct kanal_buffer *out, kanal_str text)
{
    static const struct {
        const char *escaped, *written;
    } rows[] = { { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&amp;", "&" }, { "<br>", "\n" } };
    size_t since = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '&' && text.ptr[i] != '<')
            continue;
        kanal_str rest = kanal_str_from(text, i);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            if (kanal_str_starts(rest, rows[r].escaped)) {
                kanal_buffer_append(out, text.ptr + since, i - since);
                kanal_buffer_text(out, rows[r].written);
                i += strlen(rows[r].escaped) - 1;
                since = i + 1;
                break;
            }
    }
    if (text.len > since)
        kanal_buffer_append(out, text.ptr + since, text.len - since);
}

void vk_member_text(struct kanal_json *json, const char *key, kanal_str text, size_t max_chars)
{
    int is_escaped = text.len > 0 && (memchr(text.ptr, '&', text.len) || memchr(text.ptr, '<', text.len));
    if (!is_escaped) {
        kanal_member_text(json, key, text, max_chars);
        return;
    }
    struct kanal_buffer plain = { 0 };
    vk_unescape(&plain, text);
    kanal_member_text(json, key, kanal_buffer_view(&plain), max_chars);
    kanal_buffer_release(&plain);
}

void vk_write_unsupported(struct kanal_json *json, kanal_str kind, kanal_str text, yyjson_val *what)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "unsupported");
    kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    vk_member_text(json, "text", text, VK_TEXT_MAX);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "value", what);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

int vk_is_reference(kanal_str url)
{
    return kanal_url_is_fetchable(url, VK_REFERENCE_BYTES_MAX);
}

/* ---- Buttons ---- */

/* The document of a payload that is JSON text, or NULL; *ret_value: what it says, parsed by VK or by us. */
static yyjson_doc *read_payload(yyjson_val *payload, yyjson_val **ret_value)
{
    yyjson_doc *document = yyjson_is_str(payload) ? kanal_json_parse(kanal_json_text(payload)) : NULL;
    *ret_value = document ? yyjson_doc_get_root(document) : payload;
    return document;
}

int vk_payload_starts(yyjson_val *payload)
{
    yyjson_val *value;
    yyjson_doc *document = read_payload(payload, &value);
    int starts = kanal_str_is(kanal_json_text_at(value, "command"), "start");
    yyjson_doc_free(document);
    return starts;
}

/* VK wants payloads to be JSON objects, so ours are {"k": "…"} (keyboard.c); others are told as they are. */
static void write_payload(struct kanal_json *json, yyjson_val *payload)
{
    yyjson_val *value;
    yyjson_doc *document = read_payload(payload, &value);
    kanal_str ours = kanal_json_text_at(value, "k");
    if (ours.len > 0 && yyjson_obj_size(value) == 1) {
        kanal_member_text(json, "payload", ours, PAYLOAD_MAX);
    } else if (yyjson_is_str(payload)) {
        kanal_member_text(json, "payload", kanal_json_text(payload), PAYLOAD_MAX);
    } else if (payload) {
        char *text = yyjson_val_write(payload, 0, NULL);
        kanal_member_text(json, "payload", kanal_str_c(text), PAYLOAD_MAX);
        free(text);
    }
    yyjson_doc_free(document);
}

static void write_answer(struct kanal_json *json, yyjson_val *payload, kanal_str text)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "answer");
    kanal_json_member_text(json, "kind", "button");
    write_payload(json, payload);
    vk_member_text(json, "text", text, 4096);
    kanal_json_object_end(json);
}

void vk_content_answer(struct kanal_json *json, yyjson_val *payload)
{
    kanal_json_array(json);
    write_answer(json, payload, kanal_str_of(NULL, 0));
    kanal_json_array_end(json);
}

/* ---- Places ---- */

/* Coordinates as an object, or as in older versions "55.75 37.61" or [55.75, 37.61]. */
static int read_coordinates(yyjson_val *geo, double *ret_lat, double *ret_lon)
{
    yyjson_val *coordinates = kanal_json_at(geo, "coordinates");
    yyjson_val *lat = kanal_json_at(coordinates, "latitude"), *lon = kanal_json_at(coordinates, "longitude");
    if (yyjson_is_arr(coordinates)) {
        lat = yyjson_arr_get(coordinates, 0);
        lon = yyjson_arr_get(coordinates, 1);
    }
    if (yyjson_is_str(coordinates)) {
        char text[64], *end;
        kanal_str told = kanal_json_text(coordinates);
        if (told.len >= sizeof text)
            return 0;
        memcpy(text, told.ptr, told.len);
        text[told.len] = 0;
        *ret_lat = strtod(text, &end);
        if (end == text)
            return 0;
        char *second = end;
        *ret_lon = strtod(second, &end);
        return end != second;
    }
    *ret_lat = yyjson_get_num(lat);
    *ret_lon = yyjson_get_num(lon);
    return yyjson_is_num(lat) && yyjson_is_num(lon);
}

static void write_place(struct kanal_json *json, yyjson_val *geo)
{
    yyjson_val *place = kanal_json_at(geo, "place");
    double lat, lon;
    if (!read_coordinates(geo, &lat, &lon) || !(lat >= -90 && lat <= 90) || !(lon >= -180 && lon <= 180)) {
        vk_write_unsupported(json, KANAL_LIT("geo"), kanal_str_of(NULL, 0), geo);
        return;
    }
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "location");
    kanal_json_member_double(json, "lat", lat);
    kanal_json_member_double(json, "lon", lon);
    vk_member_text(json, "name", kanal_json_text_at(place, "title"), 512);
    vk_member_text(json, "address", kanal_json_text_at(place, "address"), 1024);
    kanal_json_object_end(json);
}

/* ---- A message ---- */

/* Its own parts and those of what it forwards, `left` at most; how many there are. */
static size_t write_parts(struct kanal_json *json, yyjson_val *message, size_t left, int depth)
{
    size_t index, max, count = 0;
    yyjson_val *value, *payload = depth == FORWARD_DEPTH ? kanal_json_at(message, "payload") : NULL;
    yyjson_val *action = kanal_json_at(message, "action"), *geo = kanal_json_at(message, "geo");
    kanal_str text = kanal_json_text_at(message, "text");
    if (left == 0)
        return 0;
    if (yyjson_is_str(payload) && yyjson_get_len(payload) > 0) {
        write_answer(json, payload, text);
        count++;
    } else if (text.len > 0) {
        kanal_json_object(json);
        kanal_json_member_text(json, "type", "text");
        vk_member_text(json, "text", text, VK_TEXT_MAX);
        kanal_json_object_end(json);
        count++;
    }
    yyjson_arr_foreach (kanal_json_at(message, "attachments"), index, max, value)
        if (count < left) {
            vk_write_attachment(json, value);
            count++;
        }
    if (yyjson_is_obj(geo) && count < left) {
        write_place(json, geo);
        count++;
    }
    if (yyjson_is_obj(action) && count < left) {
        vk_write_unsupported(json, kanal_json_text_at(action, "type"), kanal_json_text_at(action, "text"),
                             action);
        count++;
    }
    if (depth > 0)
        yyjson_arr_foreach (kanal_json_at(message, "fwd_messages"), index, max, value)
            count += write_parts(json, value, left - count, depth - 1);
    return count;
}

void vk_content_write(struct kanal_json *json, yyjson_val *message)
{
    kanal_json_array(json);
    if (write_parts(json, message, PARTS_MAX, FORWARD_DEPTH) == 0)
        vk_write_unsupported(json, KANAL_LIT("empty"), kanal_str_of(NULL, 0), NULL);
    kanal_json_array_end(json);
}

void vk_content_unsupported(struct kanal_json *json, kanal_str kind, yyjson_val *what)
{
    kanal_json_array(json);
    vk_write_unsupported(json, kind, kanal_json_text_at(what, "text"), what);
    kanal_json_array_end(json);
}
