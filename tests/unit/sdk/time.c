#include "expect.h"
#include <stdio.h>
#include <time.h>
#include "kanal/sdk/time.h"

static const struct {
    int64_t ms;
    const char *rfc3339, *http;
} moments[] = {
    { 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
    { 1795294385412, "2026-11-21T20:53:05.412Z", "Sat, 21 Nov 2026 20:53:05 GMT" },
    { 784111777000, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT" }, /* RFC 9110, 5.6.7 */
    { -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
    { 951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
    { -62135596800000, "0001-01-01T00:00:00.000Z", "Mon, 01 Jan 0001 00:00:00 GMT" },
    { 253402300799999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
};

Test(time, known_moments)
{
    struct kanal_buffer b = { 0 };
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        int64_t back = 1;
        kanal_buffer_clear(&b);
        kanal_time_rfc3339(&b, moments[i].ms);
        EXPECT_STR(kanal_buffer_view(&b), moments[i].rfc3339);
        cr_assert_eq(kanal_time_parse_rfc3339(kanal_buffer_view(&b), &back), 0);
        cr_assert_eq(back, moments[i].ms);
        kanal_buffer_clear(&b);
        kanal_time_http(&b, moments[i].ms);
        EXPECT_STR(kanal_buffer_view(&b), moments[i].http);
    }
    kanal_buffer_release(&b);
}

Test(time, cut_to_the_representable_years)
{
    struct kanal_buffer b = { 0 };
    kanal_time_rfc3339(&b, INT64_MIN);
    kanal_time_rfc3339(&b, INT64_MAX);
    EXPECT_STR(kanal_buffer_view(&b), "0001-01-01T00:00:00.000Z9999-12-31T23:59:59.999Z");
    kanal_buffer_release(&b);
}

/* The C library's calendar is the reference. */
Test(time, agrees_with_the_c_library)
{
    struct kanal_buffer b = { 0 };
    uint64_t seed = 3;
    for (int i = 0; i < 100000; i++) {
        int64_t ms = (int64_t)(next_random(&seed) % 315537897600000u) - 62135596800000;
        time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
        struct tm tm;
        char wanted[64], clock[32];
        int64_t back;
        gmtime_r(&seconds, &tm);
        strftime(clock, sizeof clock, "%m-%dT%H:%M:%S", &tm);
        snprintf(wanted, sizeof wanted, "%04d-%s.%03dZ", tm.tm_year + 1900, clock,
                 (int)(ms - (int64_t)seconds * 1000));
        kanal_buffer_clear(&b);
        kanal_time_rfc3339(&b, ms);
        EXPECT_STR(kanal_buffer_view(&b), wanted);
        cr_assert_eq(kanal_time_parse_rfc3339(kanal_buffer_view(&b), &back), 0);
        cr_assert_eq(back, ms);
    }
    kanal_buffer_release(&b);
}

Test(time, rfc3339_forms)
{
    /* The examples of RFC 3339, 5.8, and the freedoms that it gives. */
    static const struct {
        const char *text;
        int64_t ms;
    } right[] = { { "1985-04-12T23:20:50.52Z", 482196050520 },
                  { "1996-12-19T16:39:57-08:00", 851042397000 },
                  { "1990-12-31T23:59:60Z", 662688000000 },
                  { "1990-12-31T15:59:60-08:00", 662688000000 },
                  { "1937-01-01T12:00:27.87+00:20", -1041337172130 },
                  { "2026-11-21t20:53:05z", 1795294385000 },
                  { "2026-11-21 20:53:05.123456789Z", 1795294385123 },
                  { "1970-01-01T00:00:00.0009Z", 0 } };
    static const char *const wrong[] = { "",
                                         "2026-11-21",
                                         "2026-11-21T20:53:05",
                                         "2026-11-21T20:53Z",
                                         "2026-13-01T00:00:00Z",
                                         "2026-00-01T00:00:00Z",
                                         "2026-02-29T00:00:00Z",
                                         "2026-04-31T00:00:00Z",
                                         "1900-02-29T00:00:00Z",
                                         "2026-01-00T00:00:00Z",
                                         "2026-01-01T24:00:00Z",
                                         "2026-01-01T00:60:00Z",
                                         "2026-01-01T00:00:61Z",
                                         "0000-01-01T00:00:00Z",
                                         "2026-1-01T00:00:00Z",
                                         "2026-01-01T00:00:00.Z",
                                         "2026-01-01T00:00:00.1234567890Z",
                                         "2026-01-01T00:00:00+24:00",
                                         "2026-01-01T00:00:00+0300",
                                         "2026-01-01T00:00:00+03:60",
                                         "2026-01-01T00:00:00ZZ",
                                         " 2026-01-01T00:00:00Z",
                                         "2026-01-01T00:00:00Z ",
                                         "-026-01-01T00:00:00Z",
                                         "2026-01-01T-1:00:00Z" };
    int64_t ms;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(kanal_time_parse_rfc3339(kanal_str_c(right[i].text), &ms), 0, "refused %s",
                     right[i].text);
        cr_assert_eq(ms, right[i].ms, "%s: %lld", right[i].text, (long long)ms);
    }
    ms = 42;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_time_parse_rfc3339(kanal_str_c(wrong[i]), &ms), KANAL_E_INVALID, "accepted %s",
                     wrong[i]);
        cr_assert_eq(ms, 42);
    }
}

Test(time, mail_dates)
{
    static const char *const wrong[] = { "",
                                         "Sat, 21 Nov 2026 20:53:05",
                                         "Sat 21 Nov 2026 20:53:05 +0000",
                                         "Sat, 21 Nov 2026 20:53:05 +00:00",
                                         "Sat, 21 Nov 2026 20:53:05 +2400",
                                         "Sat, 21 Nov 2026 20:53:05 +0000 ",
                                         "Sat, 31 Feb 2026 20:53:05 +0000",
                                         "Sat, 21 nov 2026 20:53:05 +0000",
                                         "Sat, 21 Nov 26 20:53:05 +0000",
                                         "Sat, 21 Nov 2026 20:53 +0000" };
    static const struct {
        const char *text;
        int64_t ms;
    } right[] = { { "Sat, 21 Nov 2026 20:53:05 +0000", INT64_C(1795294385000) },
                  { "Sat, 21 Nov 2026 23:53:05 +0300", INT64_C(1795294385000) },
                  { "21 Nov 2026 15:23:05 -0530", INT64_C(1795294385000) },
                  { "Thu, 1 Jan 1970 00:00:01 GMT", 1000 } };
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_expect_eq(kanal_time_parse_mail(kanal_str_c(right[i].text), &ms), 0, "%s", right[i].text);
        cr_expect_eq(ms, right[i].ms, "%s is %lld", right[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_eq(kanal_time_parse_mail(kanal_str_c(wrong[i]), &ms), KANAL_E_INVALID, "%s", wrong[i]);
}

Test(time, retry_after)
{
    static const int64_t now_ms = 784111777000; /* 1994-11-06T08:49:37Z */
    static const struct {
        const char *text;
        uint32_t wait_ms;
    } right[] = { { "0", 0 },
                  { "120", 120000 },
                  { "00007", 7000 },
                  { "4294967", 4294967000 },
                  { "4294968", UINT32_MAX },
                  { "99999999999999999999999999", UINT32_MAX },
                  { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
                  { "Sun, 06 Nov 1994 08:50:37 GMT", 60000 },
                  { "Sunday, 06-Nov-94 08:50:37 GMT", 60000 },
                  { "Sun Nov  6 08:50:37 1994", 60000 },
                  { "Sun Nov 06 08:50:37 1994", 60000 },
                  { "Sun, 06 Nov 1993 08:49:37 GMT", 0 },
                  { "Friday, 06-Nov-93 08:50:37 GMT", 0 },
                  { "Monday, 06-Nov-45 08:50:37 GMT", 0 }, /* 1945: more than 50 years ahead is past */
                  { "Fri, 31 Dec 9999 23:59:59 GMT", UINT32_MAX } };
    static const char *const wrong[] = { "",
                                         " ",
                                         "-1",
                                         "1.5",
                                         "1s",
                                         "5 ",
                                         "soon",
                                         "Sun, 6 Nov 1994 08:49:37 GMT",
                                         "Sun, 06 Nov 1994 08:49:37",
                                         "Sun, 06 Nov 1994 08:49:37 UTC",
                                         "Sun, 31 Feb 1994 08:49:37 GMT",
                                         "Xxx, 06 Nov 1994 08:49:37 GMT",
                                         "Sun, 06 Nov 1994 25:49:37 GMT",
                                         "Sun Nov   6 08:50:37 1994" };
    uint32_t wait_ms = 42;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(kanal_time_retry_after(kanal_str_c(right[i].text), now_ms, &wait_ms), 0, "refused '%s'",
                     right[i].text);
        cr_assert_eq(wait_ms, right[i].wait_ms, "'%s': %u", right[i].text, wait_ms);
    }
    wait_ms = 42;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_time_retry_after(kanal_str_c(wrong[i]), now_ms, &wait_ms), KANAL_E_INVALID,
                     "accepted '%s'", wrong[i]);
        cr_assert_eq(wait_ms, 42);
    }
    cr_assert_eq(kanal_time_retry_after(KANAL_LIT("Fri, 31 Dec 9999 23:59:59 GMT"), INT64_MIN, &wait_ms),
                 KANAL_E_INVALID);
}

Test(time, durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } right[] = { { "PT10M", 600000 }, { "P1DT2H", 93600000 },   { "P2W", 1209600000 },
                  { "PT0S", 0 },       { "P400D", 34560000000 }, { "P1W2DT3H4M5S", 788645000 },
                  { "PT90S", 90000 },  { "PT1H30S", 3630000 },   { "P1D", 86400000 } };
    static const char *const wrong[] = { "",
                                         "P",
                                         "PT",
                                         "P1",
                                         "10M",
                                         "PT10",
                                         "P1DT",
                                         "P1Y",
                                         "P1M",
                                         "PT1D",
                                         "PT1M1H",
                                         "PT1M1M",
                                         "P-1D",
                                         "-P1D",
                                         "PT1.5S",
                                         "P1H",
                                         "pt1m",
                                         "PT1M ",
                                         "PTT1M",
                                         "P1DT1M1D",
                                         "PT9999999999999999S",
                                         "P999999999999999W",
                                         "P1D1W",
                                         "PTM" };
    int64_t ms;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(kanal_time_parse_duration(kanal_str_c(right[i].text), &ms), 0, "refused %s",
                     right[i].text);
        cr_assert_eq(ms, right[i].ms, "%s: %lld", right[i].text, (long long)ms);
    }
    ms = 42;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_time_parse_duration(kanal_str_c(wrong[i]), &ms), KANAL_E_INVALID, "accepted '%s'",
                     wrong[i]);
        cr_assert_eq(ms, 42);
    }
}
