/* An instance against the contract: checking ends, tells exactly what it counts, and the quiet verdict is the same. */
#include <stdlib.h>
#include "json/schema.h"
#include "kanal/sdk/json.h"

static const char *const starts[] = { "#", "#/$defs/event", "#/$defs/command", "#/$defs/part",
                                      "#/$defs/content_out" };

/* For a tree without the contract. */
static const char fallback[] = "{\"$ref\":\"#/$defs/"
                               "event\",\"$defs\":{\"event\":{\"type\":\"object\",\"required\":[\"type\"],"
                               "\"properties\":{\"type\":{\"enum\":"
                               "[\"a\",\"b\"]},\"content\":{\"type\":\"array\",\"uniqueItems\":true,"
                               "\"items\":{\"$ref\":\"#/$defs/part\"}}}},\"part\":{\"oneOf\":["
                               "{\"properties\":{\"type\":{\"const\":\"text\"},\"text\":{\"pattern\":\"^[a-z]"
                               "+$\"}},\"required\":[\"type\"]},"
                               "{\"properties\":{\"type\":{\"const\":\"image\"},\"url\":{\"format\":\"uri\"},"
                               "\"parts\":{\"items\":{\"$ref\":\"#/$defs/part\"}}},"
                               "\"required\":[\"type\"],\"additionalProperties\":false}]}}}";

static struct json_schema *the_schema(void)
{
    static struct json_schema *schema; /* for the whole run */
    struct kanal_buffer error = { 0 };
    yyjson_doc *doc;
    char *text;
    size_t len;

    if (schema)
        return schema;
    doc = yyjson_read_file(SCHEMA_PATH, 0, NULL, NULL);
    text = doc ? yyjson_write(doc, 0, &len) : NULL;
    if (json_schema_new(&schema, text ? kanal_str_of(text, len) : kanal_str_c(fallback), &error) != 0)
        __builtin_trap();
    free(text);
    yyjson_doc_free(doc);
    return schema;
}

static void count_error(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    (void)member;
    if (message.len == 0 || (pointer.len > 0 && pointer.ptr[0] != '/'))
        __builtin_trap();
    ++*(size_t *)user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_of((const char *)data, size));
    const struct json_schema *schema = the_schema();

    for (size_t i = 0; doc && i < sizeof starts / sizeof *starts; i++) {
        size_t told = 0,
               quiet = json_schema_check_at(schema, starts[i], yyjson_doc_get_root(doc), NULL, NULL);
        size_t errors = json_schema_check_at(schema, starts[i], yyjson_doc_get_root(doc), count_error, &told);
        if (errors != SIZE_MAX && (told != errors || (quiet == 0) != (errors == 0)))
            __builtin_trap();
    }
    yyjson_doc_free(doc);
    return 0;
}
