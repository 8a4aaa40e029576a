#include "kanal/sdk/str.h"
#include <stdlib.h>
#include "utf8.h"

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

kanal_str kanal_str_keep(char *out, size_t size, kanal_str text)
{
    size_t n = text.len < size ? text.len : 0;
    if (n > 0)
        memcpy(out, text.ptr, n);
    out[n] = 0;
    return kanal_str_of(out, n);
}

char *kanal_str_dup(kanal_str s)
{
    char *copy = s.len < SIZE_MAX ? (char *)malloc(s.len + 1) : NULL;
    if (copy == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return copy;
}

int kanal_str_equal_nocase(kanal_str a, kanal_str b)
{
    if (a.len != b.len)
        return 0;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return 0;
    }
    return 1;
}

kanal_str kanal_field_get(const kanal_field *fields, size_t count, const char *name)
{
    kanal_str wanted = kanal_str_c(name);
    for (size_t i = 0; i < count; i++) {
        if (kanal_str_equal(fields[i].name, wanted)) {
            kanal_str value = fields[i].value;
            return value.ptr ? value : kanal_str_of("", 0); /* there, though empty */
        }
    }
    return kanal_str_of(NULL, 0);
}

int kanal_str_int(kanal_str text, int64_t *ret_number)
{
    int negative = text.len > 0 && text.ptr[0] == '-';
    size_t i = text.len > 0 && (negative || text.ptr[0] == '+') ? 1 : 0;
    if (i == text.len)
        return -1;
    const uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1u : 0u);
    uint64_t number = 0;
    for (; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (number > (limit - digit) / 10)
            return -1;
        number = number * 10 + digit;
    }
    if (!negative)
        *ret_number = (int64_t)number;
    else
        *ret_number = number == limit ? INT64_MIN : -(int64_t)number;
    return 0;
}

int kanal_str_utf8(kanal_str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t i = 0;
    while (i < text.len) {
        int length = utf8_sequence(p + i, text.len - i);
        if (length < 0)
            return 0;
        i += (size_t)length;
    }
    return 1;
}
