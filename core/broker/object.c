#include "object.h"

#include <stdio.h>
#include <string.h>
#include "kanal/sdk/base64.h"

void object_meta_subject(struct kanal_buffer *out, const char *bucket, kanal_str name)
{
    kanal_buffer_text(out, "$O.");
    kanal_buffer_text(out, bucket);
    kanal_buffer_text(out, ".M.");
    kanal_base64_encode(out, name, KANAL_BASE64_URL);
}

void object_chunk_subject(struct kanal_buffer *out, const char *bucket, kanal_str nuid)
{
    kanal_buffer_text(out, "$O.");
    kanal_buffer_text(out, bucket);
    kanal_buffer_text(out, ".C.");
    kanal_buffer_str(out, nuid);
}

int object_nuid(char out[OBJECT_NUID + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char random[OBJECT_NUID];

    if (uv_random(NULL, NULL, random, sizeof random, 0, NULL) != 0)
        return -1;
    for (size_t i = 0; i < OBJECT_NUID; i++)
        out[i] = digits[random[i] % 62];
    out[OBJECT_NUID] = '\0';
    return 0;
}

void object_digest(const unsigned char sha256[32], char out[OBJECT_DIGEST])
{
    struct kanal_buffer text;

    kanal_buffer_init(&text);
    kanal_buffer_text(&text, "SHA-256=");
    kanal_base64_encode(&text, kanal_str_of((const char *)sha256, 32), KANAL_BASE64_URL);
    snprintf(out, OBJECT_DIGEST, "%.*s", (int)kanal_buffer_view(&text).len, text.data ? text.data : "");
    kanal_buffer_release(&text);
}

static void write_header(struct kanal_json *j, const char *name, kanal_str value)
{
    if (value.len == 0)
        return;
    kanal_json_key(j, name);
    kanal_json_array(j);
    kanal_json_str(j, value);
    kanal_json_array_end(j);
}

void object_meta_write(struct kanal_buffer *out, const char *bucket, const struct object_meta *meta)
{
    struct kanal_json j;

    kanal_json_init(&j, out);
    kanal_json_object(&j);
    kanal_json_member_str(&j, "name", meta->name);
    if (meta->content_type.len > 0 || meta->filename.len > 0) {
        kanal_json_key(&j, "headers");
        kanal_json_object(&j);
        write_header(&j, "Content-Type", meta->content_type);
        write_header(&j, "Filename", meta->filename);
        kanal_json_object_end(&j);
    }
    kanal_json_key(&j, "options");
    kanal_json_object(&j);
    kanal_json_member_int(&j, "max_chunk_size", OBJECT_CHUNK);
    kanal_json_object_end(&j);
    kanal_json_member_text(&j, "bucket", bucket);
    kanal_json_member_str(&j, "nuid", meta->nuid);
    kanal_json_member_int(&j, "size", (int64_t)meta->size);
    /* Readers take the message's own time. */
    kanal_json_member_text(&j, "mtime", "0001-01-01T00:00:00Z");
    kanal_json_member_int(&j, "chunks", (int64_t)meta->chunks);
    kanal_json_member_str(&j, "digest", meta->digest);
    kanal_json_object_end(&j);
}

static kanal_str read_header(yyjson_val *root, const char *name)
{
    return kanal_json_text(yyjson_arr_get_first(kanal_json_at(kanal_json_at(root, "headers"), name)));
}

int object_meta_parse(kanal_str json, yyjson_doc **ret_doc, struct object_meta *ret_meta)
{
    yyjson_doc *doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct object_meta meta = { 0 };
    int64_t size = kanal_json_int_at(root, "size", 0), chunks = kanal_json_int_at(root, "chunks", 0);

    meta.name = kanal_json_text_at(root, "name");
    meta.nuid = kanal_json_text_at(root, "nuid");
    meta.digest = kanal_json_text_at(root, "digest");
    meta.content_type = read_header(root, "Content-Type");
    meta.filename = read_header(root, "Filename");
    meta.deleted = kanal_json_bool_at(root, "deleted");
    meta.is_link = kanal_json_at(kanal_json_at(root, "options"), "link") != NULL;
    /* The nuid becomes part of a subject. */
    if (meta.name.len == 0 || size < 0 || chunks < 0 ||
        (!meta.deleted && !meta.is_link && !js_name_valid(meta.nuid))) {
        yyjson_doc_free(doc);
        return KANAL_E_INVALID;
    }
    meta.size = (uint64_t)size;
    meta.chunks = (uint64_t)chunks;
    *ret_meta = meta;
    *ret_doc = doc;
    return 0;
}

void object_store_ensure(struct broker *b, const char *bucket, int64_t ttl_ms, int32_t replicas,
                         js_result_fn *fn, void *user)
{
    char name[160], chunks[160], metas[160];
    const char *subjects[] = { chunks, metas, NULL };
    struct js_stream stream = { .name = name,
                                .subjects = subjects,
                                .max_age_ms = ttl_ms,
                                .replicas = replicas,
                                .allow_direct = 1,
                                .allow_rollup = 1,
                                .discard_new = 1 };

    stream.duplicate_window_ms = ttl_ms > 0 && ttl_ms < 120000 ? ttl_ms : 120000;
    snprintf(name, sizeof name, "OBJ_%s", bucket);
    snprintf(chunks, sizeof chunks, "$O.%s.C.>", bucket);
    snprintf(metas, sizeof metas, "$O.%s.M.>", bucket);
    js_stream_ensure(b, &stream, fn, user);
}
