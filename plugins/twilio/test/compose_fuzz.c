/* Deliveries of any shape, and answers to them: what is asked must be a form with a recipient, or refused with a code; an answer must have
 * an outcome. The first byte chooses which. */
#include <stdint.h>

#include "address.h"
#include "compose.h"
#include "kanal/sdk/url.h"
#include "outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void compose(kanal_str type, unsigned media, kanal_str text)
{
    struct tw_settings settings = { .from = (char[]){ "+14155550100" },
                                    .media = (enum tw_media_way)(media % 3) };
    yyjson_doc *document = kanal_json_parse(text);
    const struct tw_wish wish = { .settings = &settings,
                                  .type = type,
                                  .data = yyjson_doc_get_root(document),
                                  .to = KANAL_LIT("+14155551212"),
                                  .base = KANAL_LIT("https://hub.example.com/c/shop"),
                                  .command_id = KANAL_LIT("crm-1"),
                                  .part = 1,
                                  .parts = 1 };
    struct tw_outgoing outgoing;
    struct kanal_buffer to = { 0 };
    kanal_status status = tw_compose(&outgoing, &wish);
    if (status == KANAL_OK &&
        (!outgoing.path || kanal_form_get(kanal_buffer_view(&outgoing.form), "To", &to) != 0 || to.len != 12))
        __builtin_trap();
    if (status == KANAL_E_REJECTED && (!outgoing.error_code || !outgoing.reason))
        __builtin_trap();
    kanal_buffer_release(&to);
    tw_outgoing_release(&outgoing);
    yyjson_doc_free(document);
}

static void answer(int code, kanal_str text)
{
    const kanal_field after = { KANAL_LIT("retry-after"), text };
    kanal_http_response response = {
        .struct_size = sizeof response, .code = code, .body = text, .headers = &after, .header_count = 1
    };
    struct tw_reply reply;
    kanal_result result;
    char scratch[24];
    yyjson_doc *document = tw_reply_read(&reply, KANAL_OK, &response, INT64_C(1795294385000));
    tw_status_of_reply(&reply);
    if (!reply.is_ok) {
        tw_result_of_reply(&result, &reply, 0, scratch);
        if (result.outcome < KANAL_RETRY || result.outcome > KANAL_UNKNOWN || result.code.len == 0 ||
            result.scope < 0 || result.scope > KANAL_SCOPE_CHANNEL || result.reason.len == 0)
            __builtin_trap();
    }
    yyjson_doc_free(document);
}

static void address(kanal_str text)
{
    char party[TW_PARTY_BYTES_MAX + 1], again[TW_PARTY_BYTES_MAX + 1], written[TW_ADDRESS_BYTES];
    if (tw_address_read(party, text) == 0 && tw_address_write(written, kanal_str_c(party)) &&
        (tw_address_read(again, kanal_str_c(written)) != 0 || strcmp(again, party) != 0))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int codes[] = { 200, 201, 400, 401, 413, 429, 502 };
    if (len == 0)
        return 0;
    kanal_str text = kanal_str_of((const char *)bytes + 1, len - 1);
    unsigned choice = bytes[0] >> 2;
    if ((bytes[0] & 3) == 0)
        compose(KANAL_LIT("message.send"), choice, text);
    else if ((bytes[0] & 3) == 1)
        compose(KANAL_LIT("call.start"), 0, text);
    else if ((bytes[0] & 3) == 2)
        answer(codes[choice % (sizeof codes / sizeof *codes)], text);
    else
        address(text);
    return 0;
}
