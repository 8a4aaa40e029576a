#include "kanal/sdk/json.h"

#define MAX_DEPTH 64

/* yyjson keeps the values of a document in one array, a container before what it holds, so its depth is found in one
 * pass without recursion. */
static int is_too_deep(yyjson_doc *doc)
{
    yyjson_val *ends[MAX_DEPTH];
    size_t depth = 0;
    yyjson_val *end = doc->root + doc->val_read;
    for (yyjson_val *value = doc->root; value < end; value++) {
        while (depth > 0 && value >= ends[depth - 1])
            depth--;
        if (!unsafe_yyjson_is_ctn(value))
            continue;
        if (depth == MAX_DEPTH)
            return 1;
        ends[depth++] = unsafe_yyjson_get_next(value);
    }
    return 0;
}

static yyjson_doc *checked(yyjson_doc *doc)
{
    if (doc != NULL && is_too_deep(doc)) {
        yyjson_doc_free(doc);
        return NULL;
    }
    return doc;
}

yyjson_doc *kanal_json_parse(kanal_str text)
{
    return text.ptr ? checked(yyjson_read(text.ptr, text.len, YYJSON_READ_NOFLAG)) : NULL;
}

yyjson_doc *kanal_json_parse_in(kanal_str text, void *memory, size_t size)
{
    yyjson_alc pool;
    yyjson_read_err error = { 0 };
    yyjson_doc *doc = NULL;
    if (text.ptr == NULL)
        return NULL;
    if (text.len < size / 4 && yyjson_alc_pool_init(&pool, memory, size))
        /* The cast is for the signature: without the flag for it, the text is not written to. */
        doc = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, YYJSON_READ_NOFLAG, &pool, &error);
    else
        error.code = YYJSON_READ_ERROR_MEMORY_ALLOCATION;
    return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? kanal_json_parse(text) : checked(doc);
}

int64_t kanal_json_int_at(yyjson_val *object, const char *key, int64_t otherwise)
{
    yyjson_val *value = kanal_json_at(object, key);
    if (yyjson_is_sint(value))
        return yyjson_get_sint(value);
    if (yyjson_is_uint(value) && yyjson_get_uint(value) <= (uint64_t)INT64_MAX)
        return (int64_t)yyjson_get_uint(value);
    return otherwise;
}

kanal_str kanal_json_id(yyjson_val *value, char scratch[24])
{
    if (!yyjson_is_int(value))
        return kanal_json_text(value);
    int negative = yyjson_is_sint(value) && yyjson_get_sint(value) < 0;
    uint64_t number = negative ? 0 - (uint64_t)yyjson_get_sint(value) : yyjson_get_uint(value);
    size_t start = 24;
    do {
        scratch[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (negative)
        scratch[--start] = '-';
    return kanal_str_of(scratch + start, 24 - start);
}

kanal_str kanal_json_id_at(yyjson_val *object, const char *key, char scratch[24])
{
    return kanal_json_id(kanal_json_at(object, key), scratch);
}
