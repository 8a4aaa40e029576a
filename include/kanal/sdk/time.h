/* kanal/sdk/time.h - times as text. Part of the static helpers, not of the ABI. All are UTC; no locale, no time zone data. */
#ifndef KANAL_SDK_TIME_H
#define KANAL_SDK_TIME_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* "2026-11-21T20:53:05.412Z" (RFC 3339); years 1 to 9999, others are cut to these. */
void kanal_time_rfc3339(struct kanal_buffer *out, int64_t ms);
/* Accepts any offset, and 0 to 9 digits of a second (cut to milliseconds). 0 or KANAL_E_INVALID. */
kanal_status kanal_time_parse_rfc3339(kanal_str text, int64_t *ret_ms);
/* "Sat, 21 Nov 2026 20:53:05 GMT" (RFC 9110, the preferred form). */
void kanal_time_http(struct kanal_buffer *out, int64_t ms);
/* "Sat, 21 Nov 2026 20:53:05 +0300" (RFC 5322, section 3.3, without comments and the obsolete forms): the weekday and a
 * day of one digit are optional, "GMT" is "+0000". 0 or KANAL_E_INVALID. */
kanal_status kanal_time_parse_mail(kanal_str text, int64_t *ret_ms);
/* A Retry-After value: seconds, or an HTTP date counted from now. Milliseconds from now, 0 if past; or KANAL_E_INVALID. */
kanal_status kanal_time_retry_after(kanal_str text, int64_t now_ms, uint32_t *ret_ms);
/* An ISO 8601 duration of weeks, days, hours, minutes and seconds: "PT10M", "P1DT2H". 0 or KANAL_E_INVALID. */
kanal_status kanal_time_parse_duration(kanal_str text, int64_t *ret_ms);

#ifdef __cplusplus
}
#endif
#endif
