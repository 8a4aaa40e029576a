#include "api/contract.h"

#include <stdio.h>

#include "kanal/sdk/json.h"

#define VIOLATIONS_MAX 64u

struct violations {
    struct kanal_json json;
    uint32_t count;
};

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct violations *v = user;
    struct kanal_buffer place = { 0 };
    if (v->count++ >= VIOLATIONS_MAX)
        return;
    kanal_buffer_str(&place, pointer);
    if (member.len > 0) {
        kanal_buffer_byte(&place, '/');
        kanal_buffer_str(&place, member);
    }
    kanal_json_object(&v->json);
    kanal_json_member_str(&v->json, "pointer", place.len > 0 ? kanal_buffer_view(&place) : KANAL_LIT(""));
    kanal_json_member_str(&v->json, "message", message);
    kanal_json_object_end(&v->json);
    kanal_buffer_release(&place);
}

/* 1: it is wrong, and that was answered. */
static int refuses(struct api_request *request, const struct json_schema *contract, const char *endpoint,
                   yyjson_val *asked)
{
    struct kanal_buffer wrong = { 0 };
    struct violations violations = { 0 };
    char definition[96];
    size_t count = 1;
    snprintf(definition, sizeof definition, "#/$defs/api.%s.request", endpoint);
    kanal_json_init(&violations.json, &wrong);
    kanal_json_array(&violations.json);
    if (yyjson_is_obj(asked))
        count = json_schema_check_at(contract, definition, asked, on_violation, &violations);
    kanal_json_array_end(&violations.json);
    if (count > 0)
        api_refuse(request, 400, "invalid_request",
                   yyjson_is_obj(asked) ? KANAL_LIT("the request breaks the contract")
                                        : KANAL_LIT("the request must be a JSON object of at most 512 KiB"),
                   kanal_buffer_view(&wrong));
    kanal_buffer_release(&wrong);
    return count > 0;
}

yyjson_doc *api_read_valid(struct api_request *request, const struct json_schema *contract,
                           const char *endpoint, kanal_str body)
{
    if (!contract) {
        api_refuse(request, 503, "unavailable", KANAL_LIT("the gateway is starting"), (kanal_str){ 0 });
        return NULL;
    }
    yyjson_doc *document = body.len <= API_BODY_MAX ? kanal_json_parse(body) : NULL;
    if (!refuses(request, contract, endpoint, yyjson_doc_get_root(document)))
        return document;
    yyjson_doc_free(document);
    return NULL;
}
