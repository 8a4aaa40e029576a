/* config/duration.c */
#include "duration.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Digits, then one of the units. */
static int parse_quantity(kanal_str text, const struct unit *units, size_t unit_count, int64_t *ret_value)
{
    int64_t number = 0;
    size_t digits = 0;

    for (; digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.ptr[digits] - '0', &number))
            return KANAL_E_INVALID;
    if (digits == 0)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < unit_count; i++) {
        if (!kanal_str_is(kanal_str_from(text, digits), units[i].name))
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, &number))
            return KANAL_E_INVALID;
        *ret_value = number;
        return 0;
    }
    return KANAL_E_INVALID;
}

int config_duration_parse(kanal_str text, int64_t *ret_ms)
{
    static const struct unit units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                                         { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };

    if (kanal_str_starts(text, "P"))
        return kanal_time_parse_duration(text, ret_ms);
    return parse_quantity(text, units, sizeof units / sizeof *units, ret_ms);
}

int config_size_parse(kanal_str text, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        { "", 1 },
        { "K", INT64_C(1) << 10 },
        { "KiB", INT64_C(1) << 10 },
        { "M", INT64_C(1) << 20 },
        { "MiB", INT64_C(1) << 20 },
        { "G", INT64_C(1) << 30 },
        { "GiB", INT64_C(1) << 30 },
        { "T", INT64_C(1) << 40 },
        { "TiB", INT64_C(1) << 40 },
    };

    return parse_quantity(text, units, sizeof units / sizeof *units, ret_bytes);
}
