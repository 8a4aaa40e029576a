#include <criterion/criterion.h>
#include "config/duration.h"
#include "kanal/sdk/str.h"

static int64_t ms(const char *text)
{
    int64_t value = -1;
    int status = config_duration_parse(kanal_str_c(text), &value);

    cr_expect_eq(status == 0, value != -1);
    return value;
}

static int64_t bytes(const char *text)
{
    int64_t value = -1;
    int status = config_size_parse(kanal_str_c(text), &value);

    cr_expect_eq(status == 0, value != -1);
    return value;
}

Test(duration, units)
{
    cr_expect_eq(ms("250ms"), 250);
    cr_expect_eq(ms("90s"), 90000);
    cr_expect_eq(ms("5m"), 300000);
    cr_expect_eq(ms("12h"), 43200000);
    cr_expect_eq(ms("7d"), 604800000);
    cr_expect_eq(ms("2w"), 1209600000);
    cr_expect_eq(ms("400d"), INT64_C(34560000000));
    cr_expect_eq(ms("0s"), 0);
    cr_expect_eq(ms("007s"), 7000);
    cr_expect_eq(ms("9223372036854775807ms"), INT64_MAX);
}

Test(duration, iso)
{
    cr_expect_eq(ms("PT10M"), 600000);
    cr_expect_eq(ms("P1DT2H"), 93600000);
    cr_expect_eq(ms("P2W"), 1209600000);
}

Test(duration, refused)
{
    static const char *const wrong[] = { "",
                                         "7",
                                         "d",
                                         "7 d",
                                         " 7d",
                                         "7d ",
                                         "-7d",
                                         "+7d",
                                         "1.5h",
                                         "7D",
                                         "7days",
                                         "7min",
                                         "1h30m",
                                         "P",
                                         "PT",
                                         "P1M",
                                         "PT1D",
                                         "0x7s",
                                         "9223372036854775808ms",
                                         "9223372036854775807s",
                                         "99999999999999999999d" };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(ms(wrong[i]), -1, "%s", wrong[i]);
}

Test(size, units)
{
    cr_expect_eq(bytes("65536"), 65536);
    cr_expect_eq(bytes("16K"), 16384);
    cr_expect_eq(bytes("16KiB"), 16384);
    cr_expect_eq(bytes("64M"), 67108864);
    cr_expect_eq(bytes("1MiB"), 1048576);
    cr_expect_eq(bytes("2G"), INT64_C(2147483648));
    cr_expect_eq(bytes("1TiB"), INT64_C(1099511627776));
    cr_expect_eq(bytes("0"), 0);
}

Test(size, refused)
{
    static const char *const wrong[] = { "",     "M",  "64 M", "64MB", "64kB",     "64m",
                                         "64Mi", "-1", "1.5M", "64M ", "8388608T", "9223372036854775808" };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(bytes(wrong[i]), -1, "%s", wrong[i]);
}
