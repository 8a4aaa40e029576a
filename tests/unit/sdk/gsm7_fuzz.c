/* Text that can be encoded comes back the same; whatever is decoded is UTF-8; segments join to the whole. */
#include "kanal/sdk/gsm7.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_segments(enum kanal_sms_alphabet alphabet, kanal_str encoded, size_t room)
{
    size_t sum = 0;
    for (kanal_str rest = encoded; rest.len > 0;) {
        size_t n = kanal_sms_cut(alphabet, rest, room);
        check(n > 0 && n <= rest.len && (n <= room || n == 1));
        rest = kanal_str_from(rest, n);
        sum += n;
    }
    check(sum == encoded.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kanal_str text = { (const char *)data, size };
    struct kanal_buffer encoded = { 0 }, back = { 0 };
    struct kanal_sms_size measured;
    if (kanal_gsm7_encode(&encoded, text) == KANAL_OK) {
        kanal_gsm7_decode(&back, kanal_buffer_view(&encoded));
        check(kanal_str_equal(kanal_buffer_view(&back), text));
        check_segments(KANAL_SMS_GSM7, kanal_buffer_view(&encoded), 153);
    }
    kanal_buffer_clear(&encoded);
    kanal_buffer_clear(&back);
    kanal_ucs2_encode(&encoded, text);
    kanal_ucs2_decode(&back, kanal_buffer_view(&encoded));
    check(kanal_str_utf8(kanal_buffer_view(&back)));
    check(!kanal_str_utf8(text) || kanal_str_equal(kanal_buffer_view(&back), text));
    check_segments(KANAL_SMS_UCS2, kanal_buffer_view(&encoded), size > 0 ? data[0] : 1);
    kanal_buffer_clear(&back);
    kanal_gsm7_decode(&back, text);
    kanal_ucs2_decode(&back, text);
    check(kanal_str_utf8(kanal_buffer_view(&back)));
    check(kanal_sms_measure(text, KANAL_SMS_UDH_8, &measured) == KANAL_OK);
    check((measured.segments == 0) == (size == 0));
    kanal_buffer_release(&encoded);
    kanal_buffer_release(&back);
    return 0;
}
