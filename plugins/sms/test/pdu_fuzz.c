/* Bytes of an SMS centre: whatever they are, what is read lies within them, and what is read of a message can be written and read again. */
#include <stdint.h>

#include "address.h"
#include "receipt.h"
#include "text.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_within(kanal_str whole, kanal_str part)
{
    check(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void read_message(uint32_t command, kanal_str body)
{
    struct sms_message message, again;
    struct sms_part part;
    struct sms_receipt receipt;
    struct kanal_buffer text = { 0 }, pdu = { 0 };
    char uri[SMS_URI_BYTES_MAX + 1];
    if (sms_message_read(&message, command, body) != SMS_OK)
        return;
    check_within(body, message.source);
    check_within(body, message.text);
    check_within(body, message.receipted);
    sms_part_read(&part, &message);
    check_within(message.text, part.bytes);
    check(part.sequence >= 1 && part.sequence <= part.total);
    if (sms_text_decode(&text, message.data_coding, SMS_DEFAULT_GSM7, part.bytes))
        check(kanal_str_utf8(kanal_buffer_view(&text)));
    if (sms_is_receipt(&message) && sms_receipt_read(&receipt, &message, SMS_IDS_HEX) == KANAL_OK)
        check(receipt.id[0] != 0);
    sms_uri_write(uri, message.source_ton, message.source, KANAL_LIT("RU"));
    check(sms_message_write(&pdu, command, 1, &message) == KANAL_OK);
    check(sms_message_read(&again, command, kanal_str_from(kanal_buffer_view(&pdu), SMS_PDU_HEADER_BYTES)) ==
          SMS_OK);
    check(kanal_str_equal(again.text, message.text) && kanal_str_equal(again.source, message.source) &&
          kanal_str_equal(again.receipted, message.receipted) && again.esm_class == message.esm_class &&
          again.has_sar_total == message.has_sar_total);
    kanal_buffer_release(&text);
    kanal_buffer_release(&pdu);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sms_header header;
    kanal_str rest = kanal_str_of((const char *)bytes, len);
    while (sms_header_read(&header, rest) == 1) {
        kanal_str body = kanal_str_of(rest.ptr + SMS_PDU_HEADER_BYTES, header.length - SMS_PDU_HEADER_BYTES);
        read_message(header.command == SMS_DATA_SM ? SMS_DATA_SM : SMS_DELIVER_SM, body);
        check_within(body, sms_response_text(body, SMS_ID_BYTES_MAX));
        rest = kanal_str_from(rest, header.length);
    }
    return 0;
}
