/* PDUs, texts, numbers, receipts: what is pure. */
#include "address.h"
#include "compose.h"
#include "kanal/sdk/base64.h"
#include "outcome.h"
#include "receipt.h"
#include "test/capture.h"
#include "text.h"

/* ---- PDUs ---- */

static int header_of(const char *hex, struct sms_header *header)
{
    struct kanal_buffer bytes = { 0 };
    cr_assert_eq(kanal_hex_decode(&bytes, kanal_str_c(hex)), KANAL_OK);
    int found = sms_header_read(header, kanal_buffer_view(&bytes));
    kanal_buffer_release(&bytes);
    return found;
}

Test(pdu, headers)
{
    struct sms_header header;
    cr_expect_eq(header_of("000000", &header), 0);
    cr_expect_eq(header_of("00000010000000150000000000", &header), 0);
    cr_expect_eq(header_of("00000010000000150000000000000007", &header), 1);
    cr_expect(header.length == 16 && header.command == SMS_ENQUIRE_LINK && header.status == 0 &&
              header.sequence == 7);
    cr_expect_eq(header_of("0000000f", &header), KANAL_E_INVALID, "shorter than a header");
    cr_expect_eq(header_of("00000000", &header), KANAL_E_INVALID);
    cr_expect_eq(header_of("ffffffff", &header), KANAL_E_INVALID, "at once, before all of it has come");
    cr_expect_eq(header_of("00011171", &header), KANAL_E_INVALID);
    cr_expect_eq(header_of("00011170", &header), 0, "the largest");
}

static void cut_everywhere(const char *name, void *user)
{
    size_t len;
    char *bytes = read_hex(name, &len);
    struct sms_header header;
    struct sms_message message;
    (void)user;
    cr_assert_eq(sms_header_read(&header, kanal_str_of(bytes, len)), 1, "%s", name);
    for (size_t cut = 16; cut < len;
         cut++) { /* at the end of an exact block, so that ASan sees a byte too much */
        char *copy = malloc(cut - 16 + 1);
        memcpy(copy, bytes + 16, cut - 16);
        copy = realloc(copy, cut > 16 ? cut - 16 : 1);
        uint32_t status = sms_message_read(&message, header.command, kanal_str_of(copy, cut - 16));
        cr_expect(status == SMS_OK || status == SMS_INVALID_LENGTH || status == SMS_BROKEN_PARAMETERS);
        free(copy);
    }
    cr_expect_eq(sms_message_read(&message, header.command, kanal_str_of(bytes + 16, len - 16)), SMS_OK, "%s",
                 name);
    free(bytes);
}

Test(pdu, cut_at_every_byte)
{
    cr_expect_gt(each_hex(cut_everywhere, NULL), 20);
}

Test(pdu, a_message_comes_back)
{
    struct sms_message message = { .service_type = KANAL_LIT("WAP"),
                                   .source_ton = 1,
                                   .source_npi = 1,
                                   .source = KANAL_LIT("79161234567"),
                                   .destination = KANAL_LIT("900"),
                                   .esm_class = 0x40,
                                   .validity = KANAL_LIT("000001000000000R"),
                                   .registered_delivery = 1,
                                   .data_coding = 8,
                                   .text = KANAL_LIT("\0a\0b"),
                                   .receipted = KANAL_LIT("id-1"),
                                   .has_state = 1,
                                   .state = 2,
                                   .network_error = KANAL_LIT("\3\0\33"),
                                   .has_sar_reference = 1,
                                   .sar_reference = 0xbeef,
                                   .has_sar_total = 1,
                                   .sar_total = 3,
                                   .has_sar_sequence = 1,
                                   .sar_sequence = 2 };
    struct sms_message back;
    struct kanal_buffer pdu = { 0 };
    cr_assert_eq(sms_message_write(&pdu, SMS_DELIVER_SM, 9, &message), KANAL_OK);
    cr_assert_eq(sms_message_read(&back, SMS_DELIVER_SM, kanal_str_from(kanal_buffer_view(&pdu), 16)),
                 SMS_OK);
    cr_expect(kanal_str_is(back.service_type, "WAP") && kanal_str_is(back.source, "79161234567") &&
              kanal_str_is(back.destination, "900") && kanal_str_equal(back.text, message.text) &&
              kanal_str_is(back.validity, "000001000000000R") && kanal_str_is(back.receipted, "id-1") &&
              kanal_str_equal(back.network_error, message.network_error));
    cr_expect(back.esm_class == 0x40 && back.data_coding == 8 && back.state == 2 &&
              back.sar_reference == 0xbeef && back.sar_total == 3 && back.sar_sequence == 2);
    kanal_buffer_clear(&pdu);
    message.validity = KANAL_LIT("much longer than it may be");
    cr_expect_eq(sms_message_write(&pdu, SMS_DELIVER_SM, 9, &message), KANAL_E_INVALID);
    cr_expect_eq(pdu.len, 0);
    message.validity = KANAL_LIT("a\0b");
    cr_expect_eq(sms_message_write(&pdu, SMS_DELIVER_SM, 9, &message), KANAL_E_INVALID, "a NUL ends a field");
    kanal_buffer_release(&pdu);
}

/* ---- Texts ---- */

static void expect_coding(const char *words, enum sms_default_alphabet alphabet, int latin1, uint8_t coding,
                          uint32_t count)
{
    struct sms_text text;
    cr_assert_eq(sms_text_encode(&text, kanal_str_c(words), alphabet, latin1, SMS_JOIN_UDH8), KANAL_OK);
    cr_expect(text.data_coding == coding && text.count == count, "%s: coding %d, %u segments", words,
              text.data_coding, text.count);
    sms_text_release(&text);
}

Test(text, the_smallest_alphabet)
{
    expect_coding("Hello €", SMS_DEFAULT_GSM7, 0, 0, 1);
    expect_coding("ça va", SMS_DEFAULT_GSM7, 0, 8, 1);
    expect_coding("ça va", SMS_DEFAULT_GSM7, 1, 3, 1);
    expect_coding("ça va", SMS_DEFAULT_LATIN1, 0, 0, 1);
    expect_coding("Да", SMS_DEFAULT_GSM7, 1, 8, 1);
    expect_coding("5 €", SMS_DEFAULT_LATIN1, 0, 8, 1); /* the euro is not in ISO 8859-1 */
}

/* Joined as the other side would. */
static void expect_joined(enum sms_join join, const char *unit, size_t times, uint32_t count)
{
    struct kanal_buffer words = { 0 }, joined = { 0 };
    struct sms_text text;
    char scratch[SMS_TEXT_BYTES_MAX];
    for (size_t i = 0; i < times; i++)
        kanal_buffer_text(&words, unit);
    cr_assert_eq(sms_text_encode(&text, kanal_buffer_view(&words), SMS_DEFAULT_GSM7, 0, join), KANAL_OK);
    cr_expect_eq(text.count, count, "%s x %zu: %u", unit, times, text.count);
    for (uint32_t i = 0; i < text.count; i++) {
        struct sms_message message = { 0 };
        struct sms_part part;
        sms_text_segment(&text, i, join, 0xabcd, &message, scratch);
        sms_part_read(&part, &message);
        cr_expect(part.total == text.count && part.sequence == i + 1);
        if (text.count > 1)
            cr_expect_eq(part.reference, join == SMS_JOIN_UDH8    ? 0xcdu
                                         : join == SMS_JOIN_UDH16 ? 0x1abcdu
                                                                  : 0x2abcdu);
        size_t octets = text.data_coding == 8 ? part.bytes.len : (part.bytes.len * 7 + 7) / 8;
        if (join != SMS_JOIN_PAYLOAD)
            cr_expect_leq(octets + (join == SMS_JOIN_SAR ? 7 : message.text.len - part.bytes.len), 140);
        cr_expect(sms_text_decode(&joined, message.data_coding, SMS_DEFAULT_GSM7, part.bytes));
    }
    cr_expect(kanal_str_equal(kanal_buffer_view(&joined), kanal_buffer_view(&words)), "%s", unit);
    sms_text_release(&text);
    kanal_buffer_release(&words);
    kanal_buffer_release(&joined);
}

Test(text, segments)
{
    expect_joined(SMS_JOIN_UDH8, "a", 160, 1);
    expect_joined(SMS_JOIN_UDH8, "a", 161, 2);
    expect_joined(SMS_JOIN_UDH8, "€", 153, 3);
    expect_joined(SMS_JOIN_UDH16, "a", 304, 2);
    expect_joined(SMS_JOIN_UDH16, "a", 305, 3);
    expect_joined(SMS_JOIN_SAR, "я", 132, 2);
    expect_joined(SMS_JOIN_SAR, "я", 133, 3);
    expect_joined(SMS_JOIN_UDH8, "😀", 67, 3);
    expect_joined(SMS_JOIN_PAYLOAD, "я", 670, 1);
    expect_joined(SMS_JOIN_PAYLOAD, "a", 200, 1);
}

Test(text, too_long)
{
    struct kanal_buffer words = { 0 };
    struct sms_text text;
    for (size_t i = 0; i < 153 * 255 + 1; i++)
        kanal_buffer_byte(&words, 'a');
    cr_expect_eq(sms_text_encode(&text, kanal_buffer_view(&words), SMS_DEFAULT_GSM7, 0, SMS_JOIN_UDH8),
                 KANAL_E_TOO_LARGE);
    sms_text_release(&text);
    words.len--;
    cr_expect_eq(sms_text_encode(&text, kanal_buffer_view(&words), SMS_DEFAULT_GSM7, 0, SMS_JOIN_UDH8),
                 KANAL_OK);
    cr_expect_eq(text.count, 255);
    sms_text_release(&text);
    for (size_t i = 0; i < 30000; i++)
        kanal_buffer_byte(&words, 'a');
    cr_expect_eq(sms_text_encode(&text, kanal_buffer_view(&words), SMS_DEFAULT_GSM7, 0, SMS_JOIN_PAYLOAD),
                 KANAL_E_TOO_LARGE);
    sms_text_release(&text);
    kanal_buffer_release(&words);
}

/* ---- Numbers ---- */

static void expect_uri(uint8_t ton, const char *number, const char *region, const char *uri)
{
    char out[SMS_URI_BYTES_MAX + 1];
    cr_expect(sms_uri_write(out, ton, kanal_str_c(number), kanal_str_c(region)) == (uri[0] != 0));
    EXPECT_TEXT(out, uri);
}

Test(address, of_what_comes)
{
    expect_uri(1, "79161234567", "", "tel:+79161234567");
    expect_uri(1, "+79161234567", "", "tel:+79161234567");
    expect_uri(0, "+79161234567", "", "tel:+79161234567");
    expect_uri(0, "79161234567", "", "tel:+79161234567");
    expect_uri(0, "0079161234567", "", "tel:+79161234567");
    expect_uri(0, "89161234567", "RU", "tel:+79161234567");
    expect_uri(2, "9161234567", "RU", "tel:+79161234567");
    expect_uri(2, "9161234567", "", "sms:9161234567"); /* of which country, nobody said */
    expect_uri(0, "447911123456", "RU", "tel:+447911123456");
    expect_uri(0, "900", "RU", "sms:900");
    expect_uri(3, "0611", "RU", "sms:0611");
    expect_uri(5, "Bank & Co", "RU", "sms:Bank%20%26%20Co");
    expect_uri(5, "79161234567", "RU", "sms:79161234567"); /* a name, whatever it looks like */
    expect_uri(1, "1", "", "sms:1");
    expect_uri(0, "", "RU", "");
}

static void expect_place(const char *uri, const char *region, int ton, const char *number)
{
    struct sms_place place;
    kanal_status status = sms_destination(&place, kanal_str_c(uri), kanal_str_c(region));
    cr_expect_eq(status, number[0] ? KANAL_OK : KANAL_E_INVALID, "%s", uri);
    EXPECT_TEXT(place.number, number);
    cr_expect(!number[0] || place.ton == ton, "%s: %d", uri, place.ton);
}

Test(address, of_what_goes)
{
    expect_place("tel:+79161234567", "", 1, "79161234567");
    expect_place("tel:89161234567", "RU", 1, "79161234567");
    expect_place("tel:89161234567", "", 0, "");
    expect_place("sms:900", "", 0, "900");
    expect_place("sms:Bank", "", 0, "");
    expect_place("sms:123456789012345678901", "", 0, "");
    expect_place("mailto:a@b.ru", "", 0, "");
    expect_place("tel:", "RU", 0, "");
    expect_place("tel:%zz", "RU", 0, "");
}

Test(address, senders)
{
    static const struct {
        const char *text;
        int status, ton, npi;
        const char *number;
    } cases[] = { { "+79161234567", KANAL_OK, 1, 1, "79161234567" },
                  { "79161234567", KANAL_OK, 1, 1, "79161234567" },
                  { "900", KANAL_OK, 0, 0, "900" },
                  { "Lavka", KANAL_OK, 5, 0, "Lavka" },
                  { "Лавка", KANAL_E_INVALID, 0, 0, "" },
                  { "Twelve chars", KANAL_E_INVALID, 0, 0, "" },
                  { "+1234567890123456", KANAL_E_INVALID, 0, 0, "" },
                  { "+x", KANAL_E_INVALID, 0, 0, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sms_place place;
        cr_expect_eq(sms_sender(&place, kanal_str_c(cases[i].text)), cases[i].status, "%s", cases[i].text);
        EXPECT_TEXT(place.number, cases[i].number);
        cr_expect(place.ton == cases[i].ton && place.npi == cases[i].npi, "%s", cases[i].text);
    }
}

/* ---- Receipts ---- */

static void expect_id(enum sms_ids ids, enum sms_id_source source, const char *id, const char *written)
{
    char out[SMS_ID_BYTES_MAX + 1];
    sms_id_write(out, ids, source, kanal_str_c(id));
    EXPECT_TEXT(out, written);
}

Test(receipt, ids_of_both_sides_meet)
{
    expect_id(SMS_IDS_SAME, SMS_ID_OF_SUBMIT, "0A1b", "0A1b");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "0A1B", "2587");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_TEXT, "a1b", "2587");
    expect_id(SMS_IDS_SUBMIT_HEX, SMS_ID_OF_SUBMIT, "0A1B", "2587");
    expect_id(SMS_IDS_SUBMIT_HEX, SMS_ID_OF_TEXT, "0000002587", "2587");
    expect_id(SMS_IDS_RECEIPT_HEX, SMS_ID_OF_SUBMIT, "2587", "2587");
    expect_id(SMS_IDS_RECEIPT_HEX, SMS_ID_OF_TEXT, "A1B", "2587");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "ffffffffffffffff", "18446744073709551615");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "10000000000000000",
              "10000000000000000"); /* over 64 bits: as it is */
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "a-b", "a-b");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "0", "0");
    expect_id(SMS_IDS_HEX, SMS_ID_OF_SUBMIT, "", "");
}

static void expect_receipt(const char *text, int status, const char *id, int state)
{
    struct sms_receipt receipt;
    const struct sms_message message = { .esm_class = 4, .text = kanal_str_c(text) };
    cr_expect_eq(sms_receipt_read(&receipt, &message, SMS_IDS_SAME), status, "%s", text);
    EXPECT_TEXT(receipt.id, id);
    cr_expect_eq((int)receipt.state, state, "%s: %d", text, (int)receipt.state);
}

Test(receipt, as_each_provider_writes_it)
{
    expect_receipt(
        "id:77 sub:001 dlvrd:001 submit date:2611210850 done date:2611210851 stat:DELIVRD err:000 text:x", 0,
        "77", 2);
    expect_receipt("id:77 stat:UNDELIV", 0, "77", 5);
    expect_receipt("ID:77 STAT:Expired", 0, "77", 3);
    expect_receipt("id:77 stat:REJECTD text:id:99 stat:DELIVRD", 0, "77",
                   8); /* what the customer wrote counts last */
    expect_receipt("id:77 stat:FAILED", 0, "77", 5);
    expect_receipt("id:77 stat:PURPLE", KANAL_E_INVALID, "77", 0);
    expect_receipt("stat:DELIVRD", KANAL_E_INVALID, "", 2);
    expect_receipt("xid:77 stat:DELIVRD", KANAL_E_INVALID, "", 2);
    expect_receipt("id: stat:DELIVRD", KANAL_E_INVALID, "", 2);
    expect_receipt("", KANAL_E_INVALID, "", 0);
    expect_receipt("id:0123456789012345678901234567890123456789012345678901234567890123456789 stat:DELIVRD",
                   KANAL_E_INVALID, "", 2);
}

/* ---- Statuses and times ---- */

Test(outcome, of_each_status)
{
    static const struct {
        uint32_t status;
        int outcome, scope;
        const char *code;
    } cases[] = {
        { 0x58, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 0x14, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 0x0b, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
        { 0x08, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 0x64, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 0x45, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { 0x01, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { 0x0e, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 0x0a, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { 0x04, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable" },
        { 0x62, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 0x401, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 0x402, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 0xffffffff, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
    };
    const uint32_t retried[] = { 0x402 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kanal_result result;
        char scratch[SMS_CODE_BYTES];
        sms_result_of_status(&result, cases[i].status, retried, 1, scratch);
        cr_expect(result.outcome == cases[i].outcome && result.scope == cases[i].scope &&
                      kanal_str_is(result.code, cases[i].code) && result.reason.len > 0,
                  "0x%x: %d %d %.*s", (unsigned)cases[i].status, result.outcome, result.scope,
                  (int)result.code.len, result.code.ptr);
        cr_expect_eq(result.provider_code.len, 10);
    }
}

Test(compose, validity)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = { { 5400000, "000000013000000R" },
                  { INT64_C(172800000), "000002000000000R" },
                  { 1, "000000000100000R" },
                  { INT64_C(45) * 86400000, "000115000000000R" },
                  { INT64_MAX, "010221000000000R" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[17];
        sms_validity_write(text, cases[i].ms);
        EXPECT_TEXT(text, cases[i].text);
    }
}
