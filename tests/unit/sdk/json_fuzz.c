/* Parsing bounds its depth, getters take anything, and whatever is written is JSON with the same content. */
#include "kanal/sdk/json.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static size_t depth_of(yyjson_val *value)
{
    size_t deepest = 0, index, max;
    yyjson_val *key, *inner;
    yyjson_arr_foreach (value, index, max, inner) {
        size_t depth = depth_of(inner);
        deepest = depth > deepest ? depth : deepest;
    }
    yyjson_obj_foreach (value, index, max, key, inner) {
        size_t depth = depth_of(inner);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (size_t)yyjson_is_ctn(value);
}

static void use_getters(yyjson_val *root)
{
    char scratch[24];
    kanal_json_text_at(root, "a");
    kanal_json_bool_at(root, "a");
    kanal_json_int_at(root, "a", 1);
    kanal_str id = kanal_json_id_at(root, "a", scratch);
    check(id.ptr != NULL || id.len == 0);
}

static void rewrite(yyjson_val *root)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &out);
    kanal_json_value(&json, root);
    yyjson_doc *again = yyjson_read(out.data, out.len, 0);
    check(again != NULL && yyjson_equals(root, yyjson_doc_get_root(again)));
    yyjson_doc_free(again);
    kanal_buffer_release(&out);
}

static void write_string(kanal_str bytes)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    kanal_json_key_str(&json, bytes);
    kanal_json_str(&json, bytes);
    kanal_json_object_end(&json);
    yyjson_doc *doc = yyjson_read(out.data, out.len, 0);
    check(doc != NULL);
    if (kanal_str_utf8(bytes)) {
        yyjson_val *value = yyjson_obj_getn(yyjson_doc_get_root(doc), bytes.ptr, bytes.len);
        check(kanal_str_equal(kanal_json_text(value), bytes));
    }
    yyjson_doc_free(doc);
    kanal_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { size > 0 ? (const char *)data : "", size };
    yyjson_doc *doc = kanal_json_parse(text);
    if (doc != NULL) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        check(depth_of(root) <= 64);
        use_getters(root);
        rewrite(root);
        yyjson_doc_free(doc);
    }
    write_string(text);
    return 0;
}
