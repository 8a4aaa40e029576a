/* A time that parses is written as a text that parses to the same time. */
#include "kanal/sdk/time.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { (const char *)data, size };
    struct kanal_buffer out = { 0 };
    int64_t ms, again = 0, any;
    uint32_t wait_ms;
    if (kanal_time_parse_rfc3339(text, &ms) == KANAL_OK) {
        const int64_t day_ms = 86400000; /* an offset may lead out of the years 1 to 9999 */
        check(ms >= -62135596800000 - day_ms && ms <= 253402300799999 + day_ms);
        kanal_time_rfc3339(&out, ms);
        check(out.len == 24 && kanal_time_parse_rfc3339(kanal_buffer_view(&out), &again) == KANAL_OK);
        check(again == ms || ms < -62135596800000 || ms > 253402300799999);
        kanal_time_http(&out, ms);
        check(kanal_time_retry_after(kanal_str_from(kanal_buffer_view(&out), 24), 0, &wait_ms) == KANAL_OK);
    }
    if (kanal_time_parse_mail(text, &ms) == KANAL_OK && ms >= -62135596800000 && ms <= 253402300799999) {
        kanal_buffer_clear(&out);
        kanal_time_http(&out, ms);
        check(kanal_time_parse_mail(kanal_buffer_view(&out), &again) == KANAL_OK && again == ms);
    }
    kanal_time_retry_after(text, 1795294385412, &wait_ms);
    if (kanal_time_parse_duration(text, &any) == KANAL_OK)
        check(any >= 0);
    if (size >= 8) {
        memcpy(&any, data, 8);
        kanal_time_rfc3339(&out, any);
        kanal_time_retry_after(text, any, &wait_ms);
    }
    kanal_buffer_release(&out);
    return 0;
}
