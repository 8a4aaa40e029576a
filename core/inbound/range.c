#include "inbound/range.h"

#include <inttypes.h>
#include <stdio.h>

#include "kanal/sdk/str.h"

/* Digits at *at, which moves on; -1: there are none, or too many. */
static int64_t number(kanal_str text, size_t *at)
{
    int64_t value = -1;
    for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++) {
        if (value > INT64_MAX / 10 - 1)
            return -1;
        value = (value < 0 ? 0 : value) * 10 + (text.ptr[*at] - '0');
    }
    return value;
}

static int take(kanal_str text, size_t *at, char wanted)
{
    if (*at >= text.len || text.ptr[*at] != wanted)
        return 0;
    (*at)++;
    return 1;
}

static int unit(kanal_str text, char after, size_t *ret_at)
{
    *ret_at = 6;
    return text.len > 6 && kanal_str_equal_nocase(kanal_str_of(text.ptr, 5), KANAL_LIT("bytes")) &&
           text.ptr[5] == after;
}

int range_parse(kanal_str header, struct range *ret_range)
{
    size_t at;
    if (!unit(header, '=', &at))
        return -1;
    size_t before = at;
    int64_t first = number(header, &at);
    int has_first = at > before;
    if (!take(header, &at, '-'))
        return -1;
    before = at;
    int64_t last = number(header, &at);
    int has_last = at > before;
    if (at != header.len || (has_first && first < 0) || (has_last && last < 0) || (!has_first && !has_last) ||
        (has_first && has_last && last < first))
        return -1;
    *ret_range = (struct range){ first, last };
    return 0;
}

int range_of(const struct range *range, uint64_t size, uint64_t *ret_from, uint64_t *ret_end)
{
    uint64_t from, end = size;
    if (range->first < 0) {
        from = (uint64_t)range->last < size ? size - (uint64_t)range->last : 0;
        if (range->last == 0)
            return -1;
    } else {
        from = (uint64_t)range->first;
        if (range->last >= 0 && (uint64_t)range->last < size)
            end = (uint64_t)range->last + 1;
    }
    if (from >= size)
        return -1;
    *ret_from = from;
    *ret_end = end;
    return 0;
}

kanal_str range_write(const struct range *range, char text[RANGE_TEXT_BYTES])
{
    int n;
    if (range->first < 0)
        n = snprintf(text, RANGE_TEXT_BYTES, "bytes=-%" PRId64, range->last);
    else if (range->last < 0)
        n = snprintf(text, RANGE_TEXT_BYTES, "bytes=%" PRId64 "-", range->first);
    else
        n = snprintf(text, RANGE_TEXT_BYTES, "bytes=%" PRId64 "-%" PRId64, range->first, range->last);
    return kanal_str_of(text, (size_t)n);
}

int range_content_parse(kanal_str header, uint64_t *ret_bytes)
{
    size_t at;
    int64_t first = 0, last = -1, size = -1;
    if (!unit(header, ' ', &at))
        return -1;
    int is_unsatisfied = take(header, &at, '*');
    if (!is_unsatisfied && ((first = number(header, &at)) < 0 || !take(header, &at, '-') ||
                            (last = number(header, &at)) < first))
        return -1;
    if (!take(header, &at, '/'))
        return -1;
    if (!is_unsatisfied && take(header, &at, '*'))
        size = INT64_MAX;
    else if ((size = number(header, &at)) < 0)
        return -1;
    if (at != header.len || last >= size)
        return -1;
    *ret_bytes = is_unsatisfied ? 0 : (uint64_t)(last - first) + 1;
    return 0;
}
