#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"
#include "outbound/zone.h"

#define TZDATA "/usr/share/zoneinfo"

static int64_t seconds(const char *rfc3339)
{
    int64_t ms = 0;
    cr_assert_eq(kanal_time_parse_rfc3339(kanal_str_c(rfc3339), &ms), KANAL_OK, "%s", rfc3339);
    return ms / 1000;
}

/* Moments around changes of the clocks, in the past and by rule, on both halves of the globe. */
Test(zone, the_systems_zones)
{
    static const struct {
        const char *zone, *utc;
        int32_t offset_s;
    } cases[] = {
        { "UTC", "2026-07-01T00:00:00Z", 0 },
        { "Europe/Moscow", "2010-07-01T00:00:00Z", 4 * 3600 },
        { "Europe/Moscow", "2013-01-01T00:00:00Z", 4 * 3600 },
        { "Europe/Moscow", "2026-07-01T00:00:00Z", 3 * 3600 },
        { "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
        { "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
        { "Europe/Berlin", "2026-10-25T00:59:59Z", 7200 },
        { "Europe/Berlin", "2026-10-25T01:00:00Z", 3600 },
        { "Europe/Berlin", "2098-07-01T00:00:00Z", 7200 },
        { "Europe/Berlin", "2098-12-01T00:00:00Z", 3600 },
        { "America/New_York", "2026-03-08T07:00:00Z", -4 * 3600 },
        { "America/New_York", "2026-11-01T05:59:59Z", -4 * 3600 },
        { "America/New_York", "2026-11-01T06:00:00Z", -5 * 3600 },
        { "Australia/Lord_Howe", "2026-01-01T00:00:00Z", 11 * 3600 },
        { "Australia/Lord_Howe", "2026-07-01T00:00:00Z", 10 * 3600 + 1800 },
        { "America/Santiago", "2090-01-01T00:00:00Z", -3 * 3600 },
        { "America/Santiago", "2090-07-01T00:00:00Z", -4 * 3600 },
        { "Asia/Kathmandu", "2026-07-01T00:00:00Z", 5 * 3600 + 45 * 60 },
        { "Europe/London", "1850-01-01T00:00:00Z", 0 },
        { "+03:00", "2026-07-01T00:00:00Z", 3 * 3600 },
        { "-0330", "2026-07-01T00:00:00Z", -(3 * 3600 + 1800) },
        { "+05", "2026-07-01T00:00:00Z", 5 * 3600 },
    };
    if (access(TZDATA "/Europe/Berlin", R_OK) != 0)
        cr_skip_test("tzdata is not installed");
    struct zones *zones = zones_new(TZDATA);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct zone *zone = zones_find(zones, kanal_str_c(cases[i].zone));
        cr_assert_not_null(zone, "%s", cases[i].zone);
        int32_t offset = zone_offset(zone, seconds(cases[i].utc));
        cr_expect_eq(offset, cases[i].offset_s, "%s at %s: %d", cases[i].zone, cases[i].utc, offset);
    }
    zones_free(zones);
}

/* As libc has it, in a process of its own (Criterion forks): every six days from 1971 to 2200. */
Test(zone, agrees_with_libc)
{
    static const char *const names[] = { "Europe/Moscow",     "Europe/Dublin",       "America/New_York",
                                         "Africa/Casablanca", "Australia/Lord_Howe", "America/Santiago",
                                         "Asia/Tehran",       "Pacific/Chatham",     "America/St_Johns",
                                         "Asia/Gaza",         "Antarctica/Troll",    "Pacific/Apia" };
    struct zones *zones = zones_new(TZDATA);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct zone *zone = zones_find(zones, kanal_str_c(names[i]));
        if (!zone)
            continue;
        setenv("TZ", names[i], 1);
        tzset();
        for (time_t t = 31536000; t < 7258118400; t += 6 * 86400 + 3607) {
            struct tm local;
            localtime_r(&t, &local);
            cr_assert_eq(zone_offset(zone, t), local.tm_gmtoff, "%s at %lld: %d, not %ld", names[i],
                         (long long)t, zone_offset(zone, t), local.tm_gmtoff);
        }
    }
    zones_free(zones);
}

Test(zone, names_stay_below_the_directory)
{
    static const char *const names[] = { "",        "/etc/passwd",    "../../../etc/passwd",
                                         "Europe/", "Europe//Berlin", "Europe/../Europe/Berlin",
                                         "Europe",  "tzdata.zi",      "+3",
                                         "+19:00",  "+03:60",         "+03:0",
                                         "+03-00",  "posix/.hidden",  "No/Such_Place" };
    struct zones *zones = zones_new(TZDATA);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_expect_null(zones_find(zones, kanal_str_c(names[i])), "%s", names[i]);
    cr_expect_null(zones_find(zones, KANAL_LIT("UTC\0x")));
    zones_free(zones);
}

Test(zone, more_zones_than_are_kept)
{
    struct zones *zones = zones_new(TZDATA);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100; i++) {
            char name[8];
            snprintf(name, sizeof name, "+%02d:%02d", i / 10, i % 10);
            const struct zone *zone = zones_find(zones, kanal_str_c(name));
            cr_assert_not_null(zone, "%s", name);
            cr_assert_eq(zone_offset(zone, 0), i / 10 * 3600 + i % 10 * 60);
        }
    zones_free(zones);
}

Test(zone, damaged_files_are_refused)
{
    struct zone *zone = NULL;
    unsigned char bytes[ZONE_FILE_MAX];
    FILE *file = fopen(TZDATA "/Europe/Berlin", "rb");
    if (!file)
        cr_skip_test("tzdata is not installed");
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_eq(zone_read(&zone, bytes, cut), KANAL_E_INVALID, "cut at %zu", cut);
    cr_assert_eq(zone_read(&zone, bytes, len), 0);
    zone_free(zone);
    bytes[0] = 't';
    cr_assert_eq(zone_read(&zone, bytes, len), KANAL_E_INVALID);
}
