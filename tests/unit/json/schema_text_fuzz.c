/* [schema, instance]: whatever compiles checks, and what defaults add stays within bounds. */
#include <stdlib.h>
#include "json/schema.h"
#include "kanal/sdk/json.h"

static void ignore(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    (void)user;
    (void)pointer;
    (void)member;
    (void)message;
}

static void use(const struct json_schema *schema, yyjson_val *instance)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *copy = instance ? yyjson_val_mut_copy(doc, instance) : NULL;
    size_t quiet = json_schema_check(schema, instance, NULL, NULL);

    if ((quiet == 0) != (json_schema_check(schema, instance, ignore, NULL) == 0))
        __builtin_trap();
    if (copy)
        json_schema_defaults(schema, doc, copy);
    yyjson_mut_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_of((const char *)data, size));
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct kanal_buffer error = { 0 };
    struct json_schema *schema = NULL;
    size_t len = 0;
    char *text = yyjson_val_write(yyjson_arr_get(root, 0), 0, &len);

    if (text && json_schema_new(&schema, kanal_str_of(text, len), &error) == 0)
        use(schema, yyjson_arr_get(root, 1));
    else if (text && error.len == 0)
        __builtin_trap();
    json_schema_free(schema);
    kanal_buffer_release(&error);
    free(text);
    yyjson_doc_free(doc);
    return 0;
}
