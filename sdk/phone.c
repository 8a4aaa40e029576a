/* Reads as Google's libphonenumber does, with its metadata, less what is said in phone.h; compared with it by sdk-phone-peer. */
#include "kanal/sdk/phone.h"
#include "phone_pattern.h"
#include "phone_plans.h"
#include "utf8.h"

#define E164_DIGITS_MIN 7u
#define E164_DIGITS_MAX 15u
#define TYPED_DIGITS_MIN 5u
#define TYPED_DIGITS_MAX 20u /* a prefix of 5, and a number */
#define EXTENSION_DIGITS_MAX 7u

_Static_assert(TYPED_DIGITS_MAX + 8 < PHONE_PATTERN_TEXT, "with what a transformation puts before it");

/* ---- What was typed ---- */

struct typed {
    char digits[TYPED_DIGITS_MAX + 1];
    size_t count;
    int has_plus;
    char extension[EXTENSION_DIGITS_MAX + 1];
};

/* The character at the beginning; its bytes in *ret_len. 0: none that is well formed. */
static uint32_t take_character(kanal_str text, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    int len = text.len > 0 ? utf8_sequence(p, text.len) : 0;
    if (len <= 0)
        return 0;
    uint32_t character = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));
    for (int i = 1; i < len; i++)
        character = character << 6 | (p[i] & 0x3F);
    *ret_len = (size_t)len;
    return character;
}

/* 0 to 9, or -1. Keyboards of Japan and of Arabic countries have digits of their own. */
static int digit_value(uint32_t character)
{
    static const uint32_t zeros[] = { '0', 0xFF10, 0x0660, 0x06F0 };
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
        if (character >= zeros[i] && character <= zeros[i] + 9)
            return (int)(character - zeros[i]);
    return -1;
}

/* What stands between digits: also all spaces and dashes of Unicode, and the marks of direction that copying a contact brings. */
static int is_separator(uint32_t c)
{
    if (c < 0x80)
        return c != 0 && strchr(" -.()/[]", (int)c) != NULL;
    return c == 0xA0 || c == 0xAD || (c >= 0x2000 && c <= 0x2015) || (c >= 0x202A && c <= 0x202F) ||
           (c >= 0x2060 && c <= 0x2069) || c == 0x2212 || c == 0x3000 || c == 0xFEFF || c == 0xFF08 ||
           c == 0xFF09 || c == 0xFF0D || c == 0xFF0E || c == 0xFF0F;
}

static int starts_as(kanal_str text, const char *word)
{
    size_t i = 0;
    for (; word[i] && i < text.len; i++) {
        char c = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] | 0x20) : text.ptr[i];
        if (c != word[i])
            return 0;
    }
    return word[i] == 0;
}

/* "ext. 12", ";ext=12" (RFC 3966), "доб. 12", to the text's end. 0, or -1: something else. */
static int take_extension(struct typed *typed, kanal_str text)
{
    static const char *const words[] = { ";ext=", "extension", "extn", "ext", "x", "#", "доб", "Доб", "вн" };
    size_t i = 0, count = 0;
    while (i < sizeof words / sizeof words[0] && !starts_as(text, words[i]))
        i++;
    if (i == sizeof words / sizeof words[0])
        return -1;
    text = kanal_str_from(text, strlen(words[i]));
    while (text.len > 0 && strchr(" .:", text.ptr[0]) != NULL && text.ptr[0] != 0)
        text = kanal_str_from(text, 1);
    for (; count < text.len; count++) {
        if (text.ptr[count] < '0' || text.ptr[count] > '9' || count == EXTENSION_DIGITS_MAX)
            return -1;
        typed->extension[count] = text.ptr[count];
    }
    return count > 0 ? 0 : -1;
}

/* 0, or -1: no telephone number. */
static int take_typed(struct typed *typed, kanal_str text)
{
    *typed = (struct typed){ 0 };
    if (starts_as(text, "tel:"))
        text = kanal_str_from(text, 4);
    while (text.len > 0) {
        size_t len = 0;
        uint32_t character = take_character(text, &len);
        int digit = digit_value(character);
        if (digit >= 0) {
            if (typed->count == TYPED_DIGITS_MAX)
                return -1;
            typed->digits[typed->count++] = (char)('0' + digit);
        } else if ((character == '+' || character == 0xFF0B) && typed->count == 0 && !typed->has_plus) {
            typed->has_plus = 1;
        } else if (!is_separator(character)) {
            if (take_extension(typed, text) != 0)
                return -1;
            break;
        }
        text = kanal_str_from(text, len);
    }
    return typed->count >= TYPED_DIGITS_MIN && !(typed->has_plus && typed->digits[0] == '0') ? 0 : -1;
}

/* ---- What it means ---- */

struct national {
    char digits[PHONE_PATTERN_TEXT + 1];
    size_t len;
};

static const char *text_at(uint16_t offset)
{
    return phone_texts + offset;
}

static kanal_str view(const struct national *number)
{
    return kanal_str_of(number->digits, number->len);
}

static void set(struct national *number, kanal_str digits)
{
    memcpy(number->digits, digits.ptr, digits.len);
    number->len = digits.len;
}

static const struct phone_plan *plan_of_region(kanal_str region)
{
    for (size_t i = 0; i < phone_plan_count; i++)
        if (kanal_str_is(region, phone_plans[i].region))
            return &phone_plans[i];
    return NULL;
}

/* The main plan of the calling code that the digits begin with: no code is the beginning of another. */
static const struct phone_plan *plan_of_code(kanal_str digits, size_t *ret_len)
{
    uint32_t code = 0;
    for (size_t len = 1; len <= 3 && len <= digits.len && digits.ptr[0] != '0'; len++) {
        code = code * 10 + (uint32_t)(digits.ptr[len - 1] - '0');
        for (size_t i = 0; i < phone_plan_count && phone_plans[i].code <= code; i++) {
            if (phone_plans[i].code == code) {
                *ret_len = len;
                return &phone_plans[i];
            }
        }
    }
    return NULL;
}

static int is_general(const struct phone_plan *plan, const struct national *number)
{
    return phone_pattern_whole(text_at(plan->general), view(number));
}

enum length { TOO_SHORT, POSSIBLE, TOO_LONG };

/* Of what the plan, or one that shares its code and knows the number, says of its length: not all seven digits behind "+1" are possible
 * because Canada's 310-1234 is. */
static enum length length_of(const struct phone_plan *plan, const struct national *number)
{
    if (number->len > 31 || plan->lengths >> number->len == 0)
        return TOO_LONG;
    if (plan->lengths >> number->len & 1)
        return POSSIBLE;
    for (size_t i = 0; i < phone_plan_count; i++)
        if (phone_plans[i].code == plan->code && phone_plans[i].lengths >> number->len & 1 &&
            is_general(&phone_plans[i], number))
            return POSSIBLE;
    return TOO_SHORT;
}

/* "9$1" with the group, then what comes behind the prefix. */
static void transform(const char *rule, const struct phone_match *match, kanal_str digits,
                      struct national *ret_number)
{
    struct national *out = ret_number;
    out->len = 0;
    for (; *rule; rule++) {
        kanal_str piece = kanal_str_of(rule, 1);
        if (*rule == '$')
            piece = match->group[*++rule - '1'];
        if (piece.len > 0)
            memcpy(out->digits + out->len, piece.ptr, piece.len);
        out->len += piece.len;
    }
    kanal_str rest = kanal_str_from(digits, match->end);
    memcpy(out->digits + out->len, rest.ptr, rest.len);
    out->len += rest.len;
}

/* The number without the trunk prefix, if it has one; a "8" of Russia may be that or a number's first digit. */
static void cut_trunk(const struct phone_plan *plan, kanal_str digits, struct national *ret_number)
{
    struct phone_match match = { 0 };
    struct national whole, cut;
    set(&whole, digits);
    *ret_number = whole;
    if (!phone_pattern_prefix(text_at(plan->trunk), digits, &match))
        return;
    if (*text_at(plan->transform) && match.groups > 0 && match.group[match.groups - 1].len > 0)
        transform(text_at(plan->transform), &match, digits, &cut);
    else
        set(&cut, kanal_str_from(digits, match.end));
    if (length_of(plan, &cut) != TOO_SHORT && (is_general(plan, &cut) || !is_general(plan, &whole)))
        *ret_number = cut;
}

static int write_number(const struct phone_plan *plan, const struct national *number,
                        struct kanal_phone *ret_phone, const char **ret_why)
{
    enum length length = length_of(plan, number);
    if (length != POSSIBLE) {
        *ret_why = length == TOO_LONG ? "it has more digits than the numbers of its country"
                                      : "it has fewer digits than the numbers of its country";
        return 0;
    }
    char code[4] = { 0 };
    size_t len = 0;
    for (uint32_t rest = plan->code; rest > 0; rest /= 10)
        code[len++] = (char)('0' + rest % 10);
    if (len + number->len > E164_DIGITS_MAX) {
        *ret_why = "it has more than 15 digits";
        return 0;
    }
    char *out = ret_phone->number;
    *out++ = '+';
    while (len > 0)
        *out++ = code[--len];
    memcpy(out, number->digits, number->len);
    out[number->len] = 0;
    return 1;
}

static int read_international(kanal_str digits, struct kanal_phone *ret_phone, const char **ret_why)
{
    size_t len = 0;
    struct national number;
    const struct phone_plan *plan = plan_of_code(digits, &len);
    if (plan == NULL) {
        *ret_why = "no country has this code";
        return 0;
    }
    cut_trunk(plan, kanal_str_from(digits, len), &number);
    return write_number(plan, &number, ret_phone, ret_why);
}

/* Was only the '+' forgotten? */
static int has_code(const struct phone_plan *home, kanal_str digits, const struct national *as_national)
{
    size_t len = 0;
    struct national shorter;
    const struct phone_plan *plan = plan_of_code(digits, &len);
    if (plan == NULL || plan->code != home->code)
        return 0;
    cut_trunk(home, kanal_str_from(digits, len), &shorter);
    return (!is_general(home, as_national) && is_general(home, &shorter)) ||
           length_of(home, as_national) == TOO_LONG;
}

static int read_typed(const struct typed *typed, kanal_str region, struct kanal_phone *ret_phone,
                      const char **ret_why)
{
    kanal_str digits = kanal_str_of(typed->digits, typed->count);
    const struct phone_plan *home = plan_of_region(region);
    struct phone_match match = { 0 };
    struct national number;
    if (typed->has_plus)
        return read_international(digits, ret_phone, ret_why);
    if (home == NULL) {
        *ret_why = region.len == 0 ? "it has no country code, and no region is configured to read it in"
                                   : "it has no country code, and the configured region is unknown";
        return 0;
    }
    if (phone_pattern_prefix(text_at(home->international), digits, &match) && match.end < digits.len &&
        digits.ptr[match.end] != '0')
        return read_international(kanal_str_from(digits, match.end), ret_phone, ret_why);
    cut_trunk(home, digits, &number);
    if (has_code(home, digits, &number))
        return read_international(digits, ret_phone, ret_why);
    if (!is_general(home, &number)) {
        *ret_why = "it has no country code, and is no number of the configured region";
        return 0;
    }
    return write_number(home, &number, ret_phone, ret_why);
}

int kanal_phone_read(kanal_str text, kanal_str region, struct kanal_phone *ret_phone, const char **ret_why)
{
    struct typed typed;
    struct kanal_phone phone = { 0 };
    const char *why =
        "only digits, spaces and - . / ( ) make a telephone number, a + before it, an extension behind it";
    int status = take_typed(&typed, text) == 0 ? read_typed(&typed, region, &phone, &why) : KANAL_E_INVALID;
    if (status == 1) {
        memcpy(phone.extension, typed.extension, sizeof phone.extension);
        *ret_phone = phone;
    } else if (ret_why) {
        *ret_why = why;
    }
    return status;
}

int kanal_phone_address(kanal_str typed, kanal_str region, struct kanal_buffer *out)
{
    struct kanal_phone phone;
    int status = kanal_phone_read(typed, region, &phone, NULL);
    if (status != 1)
        return status;
    if (phone.extension[0] != 0)
        return 0;
    kanal_buffer_text(out, "tel:");
    kanal_buffer_text(out, phone.number);
    return 1;
}

int kanal_phone_e164(kanal_str digits, struct kanal_buffer *out)
{
    if (digits.len < E164_DIGITS_MIN || digits.len > E164_DIGITS_MAX || digits.ptr[0] == '0')
        return KANAL_E_INVALID;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return KANAL_E_INVALID;
    kanal_buffer_text(out, "tel:+");
    kanal_buffer_str(out, digits);
    return 1;
}
