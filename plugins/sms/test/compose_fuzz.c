/* Deliveries' data: what is composed is cut into segments that are joined to the same text. */
#include <stdint.h>

#include "compose.h"
#include "text.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void join(kanal_str words, enum sms_join how, int latin1)
{
    struct sms_text text;
    struct kanal_buffer joined = { 0 };
    char scratch[SMS_TEXT_BYTES_MAX];
    if (sms_text_encode(&text, words, SMS_DEFAULT_GSM7, latin1, how) == KANAL_OK) {
        for (uint32_t i = 0; i < text.count; i++) {
            struct sms_message message = { 0 };
            struct sms_part part;
            sms_text_segment(&text, i, how, 7, &message, scratch);
            sms_part_read(&part, &message);
            check(part.total == text.count && part.sequence == i + 1);
            kanal_buffer_str(&joined, part.bytes);
        }
        check(kanal_str_equal(kanal_buffer_view(&joined), kanal_buffer_view(&text.bytes)));
    }
    sms_text_release(&text);
    kanal_buffer_release(&joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sms_wish wish;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes, len));
    kanal_status status = sms_compose(&wish, yyjson_doc_get_root(document), 1795294385000, 0);
    check(status != KANAL_E_REJECTED || (wish.error_code && wish.reason));
    if (status == KANAL_OK) {
        for (int how = SMS_JOIN_UDH8; how <= SMS_JOIN_PAYLOAD; how++)
            join(kanal_buffer_view(&wish.text), (enum sms_join)how, how & 1);
    }
    sms_wish_release(&wish);
    yyjson_doc_free(document);
    return 0;
}
