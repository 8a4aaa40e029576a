/* The checker's sample deliveries are what the contract says: a plugin that cannot show them would not show a consumer's either. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "contract.h"
#include "json/schema.h"
#include "kit/caps.h"
#include "kit/embedded.h"
#include "kanal/sdk/json.h"

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    cr_assert_fail("%s at %.*s %.*s: %.*s", (const char *)user, (int)pointer.len, pointer.ptr,
                   (int)member.len, member.len ? member.ptr : "", (int)message.len, message.ptr);
}

Test(samples, every_part_is_valid_by_the_contract)
{
    struct json_schema *schema = NULL;
    struct kanal_buffer error = { 0 };
    size_t index, max, i, count, parts = 0;
    yyjson_val *name, *sample, *part;
    cr_assert_eq(
        json_schema_new(&schema, kanal_str_of((const char *)contract_schema, contract_schema_len), &error),
        0);
    yyjson_doc *doc = kanal_json_parse(kanal_str_of((const char *)kit_samples, kit_samples_len));
    cr_assert_not_null(doc);
    yyjson_obj_foreach (yyjson_doc_get_root(doc), index, max, name, sample) {
        yyjson_val *content = kanal_json_at(kanal_json_at(sample, "data"), "content");
        yyjson_arr_foreach (content, i, count, part) {
            char ref[64];
            snprintf(ref, sizeof ref, "#/$defs/part.%s", yyjson_get_str(kanal_json_at(part, "type")));
            cr_assert_eq(json_schema_check_at(schema, ref, part, on_violation,
                                              (void *)(uintptr_t)yyjson_get_str(name)),
                         0, "%s", ref);
            parts++;
        }
    }
    cr_assert_gt(parts, 20);
    yyjson_doc_free(doc);
    json_schema_free(schema);
    kanal_buffer_release(&error);
}

Test(samples, every_capability_of_content_and_verbs_has_one)
{
    const kanal_caps without = KANAL_CAP_DELIVERED_RECEIPT | KANAL_CAP_READ_RECEIPT | KANAL_CAP_IDEMPOTENT |
                               KANAL_CAP_TO_TEL | KANAL_CAP_TO_MAILTO | KANAL_CAP_OPT_OUT;
    yyjson_doc *doc = kanal_json_parse(kanal_str_of((const char *)kit_samples, kit_samples_len));
    for (size_t i = 0; i < cap_name_count; i++)
        if (!(cap_names[i].cap & without))
            cr_assert_not_null(kanal_json_at(yyjson_doc_get_root(doc), cap_names[i].name), "%s",
                               cap_names[i].name);
    yyjson_doc_free(doc);
}
