#include "progress.h"

#include <stdio.h>

#include "kanal/sdk/json.h"

static uint32_t hash(kanal_str text)
{
    uint32_t h = 0x811c9dc5u; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 0x01000193u;
    return h ^ h >> 15;
}

uint16_t sms_progress_reference(kanal_str key)
{
    uint32_t h = hash(key);
    return (uint16_t)(h >> 8 & 0xffff);
}

void sms_progress_place(char out[16], kanal_str key)
{
    snprintf(out, 16, "part-%02x", (unsigned)(hash(key) & 0xff));
}

void sms_progress_write(struct kanal_buffer *out, kanal_str key, const struct sms_progress *progress)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "key", key);
    if (progress->external_id[0])
        kanal_json_member_text(&json, "id", progress->external_id);
    kanal_json_key(&json, "taken");
    kanal_json_array(&json);
    for (uint32_t i = 0; i < progress->count; i++)
        kanal_json_int(&json, progress->taken[i]);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
}

kanal_status sms_progress_read(struct sms_progress *progress, kanal_str key, uint32_t count, kanal_str text)
{
    kanal_status status = KANAL_E_NOT_FOUND;
    yyjson_doc *document = kanal_json_parse(text);
    yyjson_val *root = yyjson_doc_get_root(document), *list = kanal_json_at(root, "taken"), *value;
    kanal_str id = kanal_json_text_at(root, "id");
    size_t index, max;
    memset(progress, 0, sizeof *progress);
    if (kanal_str_equal(kanal_json_text_at(root, "key"), key) && yyjson_arr_size(list) == count &&
        count <= SMS_SEGMENTS_MAX && id.len <= SMS_ID_BYTES_MAX) {
        progress->count = count;
        yyjson_arr_foreach (list, index, max, value) {
            progress->taken[index] = yyjson_get_uint(value) == 1;
        }
        if (id.len > 0)
            memcpy(progress->external_id, id.ptr, id.len);
        status = KANAL_OK;
    }
    yyjson_doc_free(document);
    return status;
}
