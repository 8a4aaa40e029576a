/* verdicts: reads lines {"schema": …, "ref": "#/$defs/…" (or absent), "instances": […]} and answers each with an array of true and
 * false, or with the compiler's words. For comparing with another validator (ajv/compare.mjs). */
#include <stdio.h>
#include <stdlib.h>
#include "json/schema.h"
#include "kanal/sdk/json.h"

static void answer(const struct json_schema *schema, yyjson_val *request, struct kanal_json *json)
{
    const char *ref = yyjson_get_str(yyjson_obj_get(request, "ref"));
    yyjson_val *instance;
    size_t i, max;

    kanal_json_array(json);
    yyjson_arr_foreach (yyjson_obj_get(request, "instances"), i, max, instance)
        kanal_json_bool(json, json_schema_check_at(schema, ref ? ref : "#", instance, NULL, NULL) == 0);
    kanal_json_array_end(json);
}

static int answer_line(kanal_str line)
{
    yyjson_doc *doc = yyjson_read(line.ptr, line.len, 0);
    yyjson_val *request = yyjson_doc_get_root(doc);
    struct kanal_buffer out = { 0 }, error = { 0 };
    struct json_schema *schema = NULL;
    struct kanal_json json;
    size_t len = 0;
    char *text = doc ? yyjson_val_write(yyjson_obj_get(request, "schema"), 0, &len) : NULL;

    kanal_json_init(&json, &out);
    if (!text)
        kanal_json_str(&json, KANAL_LIT("not a request"));
    else if (json_schema_new(&schema, kanal_str_of(text, len), &error) != 0)
        kanal_json_str(&json, kanal_buffer_view(&error));
    else
        answer(schema, request, &json);
    printf("%.*s\n", (int)out.len, out.data);
    json_schema_free(schema);
    kanal_buffer_release(&out);
    kanal_buffer_release(&error);
    free(text);
    yyjson_doc_free(doc);
    return fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    int status = 0;

    while (status == 0 && (len = getline(&line, &capacity, stdin)) > 0)
        status = answer_line(kanal_str_of(line, (size_t)len));
    free(line);
    return status == 0 ? 0 : 1;
}
