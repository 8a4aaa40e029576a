/* The first byte says what the rest is: a payload for the fixture's rules, headers, settings (a template before the first NUL, a payload behind it),
 * or the data of a delivery. */
#include "kanal/testing/fakehost.h"
#include "mapping.h"
#include "signature.h"

static const char rules[] =
    "{\"default_country\":\"RU\",\"url\":\"https://crm.example/\",\"body\":{\"c\":{\"$each\":\"/data/"
    "content\",\"do\":{\"$\":\"@/text\"}}},"
    "\"events\":[{\"when\":{\"/t\":[1,\"x\"]},\"each\":\"/"
    "l\",\"type\":\"message.received\",\"address\":{\"$join\":[\"a:\",{\"$\":\"@/id\","
    "\"as\":\"encoded\"}]},\"dedupe\":{\"$\":\"@/id\"},\"time\":{\"$\":\"/"
    "time\"},\"data\":{\"message\":{\"content\":[{\"$if\":\"@/x\",\"type\":"
    "\"text\",\"text\":{\"$\":\"@/x\",\"as\":\"text\"}}]}}},{\"when\":{\"/"
    "t\":{\"not\":2}},\"type\":\"activity.tracked\",\"data\":{\"activity\":"
    "{\"name\":{\"$\":\"/n\",\"map\":{\"a\":\"b\"},\"default\":\"c\"},\"properties\":{\"m\":{\"$\":\"/"
    "m\",\"as\":\"money\"},\"t\":{\"$\":\"/m\","
    "\"as\":\"time\"},\"p\":{\"$\":\"/m\",\"as\":\"tel\"},\"e\":{\"$\":\"/"
    "m\",\"as\":\"mail\"},\"n\":{\"$\":\"/m\",\"as\":\"number\"},\"all\":{\"$\":\"\"}}}}}]}";

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void fuzz_payload(const char *settings_text, kanal_str payload)
{
    struct settings settings;
    struct kanal_buffer why = { 0 };
    struct kanal_batch batch = { 0 };
    if (settings_read(&settings, kanal_str_c(settings_text), &why) == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(payload);
        const char *fault =
            doc ? mapping_read(&batch, &settings, KANAL_LIT("id"), yyjson_doc_get_root(doc), &why) : "none";
        for (uint32_t i = 0; fault == NULL && i < batch.count; i++) {
            yyjson_doc *data = kanal_json_parse(batch.items[i]->event.data);
            check(data != NULL && batch.items[i]->event.dedupe.len > 0);
            yyjson_doc_free(data);
        }
        yyjson_doc_free(doc);
    } else {
        check(why.len > 0);
    }
    kanal_batch_release(&batch);
    kanal_buffer_release(&why);
    settings_release(&settings);
}

static void fuzz_headers(kanal_str text)
{
    struct signature signature;
    const kanal_field headers[] = { { KANAL_LIT("webhook-id"), text },
                                    { KANAL_LIT("webhook-timestamp"), KANAL_LIT("1") },
                                    { KANAL_LIT("webhook-signature"), text } };
    const kanal_field other[] = { { KANAL_LIT("webhook-id"), KANAL_LIT("m") },
                                  { KANAL_LIT("webhook-timestamp"), text },
                                  headers[2] };
    signature_read(&signature, headers, 3);
    check(signature.count <= SIGNATURES_MAX);
    signature_read(&signature, other, 3);
}

static void fuzz_delivery(kanal_str text)
{
    static const char *const secrets[][2] = { { "out_secret", "whsec_AAAA" } };
    struct fake_host *host = fake_new(kanal_plugin_v1(), rules, secrets, 1);
    yyjson_doc *doc = kanal_json_parse(text); /* the host's data is well-formed */
    const kanal_delivery delivery = { .idempotency_key = KANAL_LIT("k"),
                                      .data = doc ? text : KANAL_LIT("{}") };
    fake_deliver(host, &delivery);
    const kanal_http_response response = { .struct_size = sizeof response, .code = 200, .body = text };
    if (fake_request_count(host) > 0)
        fake_request_answer_with(host, 0, &response);
    yyjson_doc_free(doc);
    check(fake_free(host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    kanal_str text = { (const char *)data + 1, size - 1 };
    const char *end = text.len > 0 ? memchr(text.ptr, 0, text.len) : NULL;
    switch (data[0]) {
    case 'p':
        fuzz_payload(rules, text);
        break;
    case 's':
        if (end != NULL)
            fuzz_payload(text.ptr, kanal_str_from(text, (size_t)(end - text.ptr) + 1));
        break;
    case 'd':
        fuzz_delivery(text);
        break;
    default:
        fuzz_headers(text);
        break;
    }
    return 0;
}
