/* config/yaml_scalar.c - plain scalars: YAML 1.2.2, 10.3.2 (core schema). */
#include <string.h>
#include "kanal/sdk/str.h"
#include "yaml.h"

#define NUMBER_BYTES 128u

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_one_of(kanal_str text, const char *const *words)
{
    for (; *words; words++)
        if (kanal_str_is(text, *words))
            return 1;
    return 0;
}

/* Digits of a base after 0o or 0x: -1: more than 64 bits. */
static int read_based(kanal_str digits, unsigned base, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (digits.len == 0)
        return 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned digit = is_digit(c)           ? (unsigned)(c - '0')
                         : ((c | 0x20) >= 'a') ? (unsigned)((c | 0x20) - 'a') + 10
                                               : 99;
        if (digit >= base)
            return 0;
        if (__builtin_mul_overflow(number, base, &number) || __builtin_add_overflow(number, digit, &number))
            return -1;
    }
    *ret_number = number;
    return 1;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static int is_number(kanal_str text, int *ret_is_float)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'), whole = 0, fraction = 0,
           exponent = 0;

    *ret_is_float = 0;
    for (; at < text.len && is_digit(text.ptr[at]); at++)
        whole++;
    if (at < text.len && text.ptr[at] == '.') {
        *ret_is_float = 1;
        for (at++; at < text.len && is_digit(text.ptr[at]); at++)
            fraction++;
    }
    if (whole + fraction == 0)
        return 0;
    if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
        *ret_is_float = 1;
        at++;
        at += at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+');
        for (; at < text.len && is_digit(text.ptr[at]); at++)
            exponent++;
        if (exponent == 0)
            return 0;
    }
    return at == text.len;
}

/* The same number as JSON writes it: no '+', no leading zeros, digits on both sides of the point. */
static int to_json_number(kanal_str text, char out[NUMBER_BYTES])
{
    size_t at = 0, len = 0;

    if (text.len + 4 > NUMBER_BYTES)
        return -1;
    if (text.ptr[0] == '-' || text.ptr[0] == '+')
        at = 1;
    if (text.ptr[0] == '-')
        out[len++] = '-';
    while (at + 1 < text.len && text.ptr[at] == '0' && is_digit(text.ptr[at + 1]))
        at++;
    if (text.ptr[at] == '.')
        out[len++] = '0';
    while (at < text.len) {
        char c = text.ptr[at++];
        out[len++] = c;
        if (c == '.' && (at == text.len || !is_digit(text.ptr[at])))
            out[len++] = '0';
    }
    out[len] = 0;
    return 0;
}

static int read_number(yyjson_mut_val *value, kanal_str text, int is_float)
{
    char json[NUMBER_BYTES];
    yyjson_mut_val number;
    const char *end;

    if (to_json_number(text, json) != 0)
        return -1;
    memset(&number, 0, sizeof number);
    end = yyjson_mut_read_number(json, &number, 0, NULL, NULL);
    /* An integer that does not fit becomes a double there: its digits would be lost. */
    if (!end || *end || (!is_float && yyjson_mut_is_real(&number) && strcmp(json, "-0") != 0))
        return -1;
    value->tag = number.tag;
    value->uni = number.uni;
    return 1;
}

int config_yaml_plain(yyjson_mut_val *value, kanal_str text)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    static const char *const not_finite[] = { ".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF", "+.inf",
                                              "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL };
    uint64_t number;
    int is_float, based = 0;

    if (is_one_of(text, nulls)) {
        yyjson_mut_set_null(value);
        return 1;
    }
    if (is_one_of(text, trues) || is_one_of(text, falses)) {
        yyjson_mut_set_bool(value, is_one_of(text, trues));
        return 1;
    }
    if (is_one_of(text, not_finite))
        return -1;
    if (kanal_str_starts(text, "0x") || kanal_str_starts(text, "0o"))
        based = read_based(kanal_str_from(text, 2), text.ptr[1] == 'x' ? 16 : 8, &number);
    if (based > 0)
        yyjson_mut_set_uint(value, number);
    if (based != 0)
        return based;
    return is_number(text, &is_float) ? read_number(value, text, is_float) : 0;
}
