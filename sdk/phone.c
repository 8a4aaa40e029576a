#include "kanal/sdk/phone.h"
#include "kanal/sdk/url.h"

#define E164_DIGITS_MIN 7u
#define E164_DIGITS_MAX 15u

/* How the numbers of a country are written at home. From general knowledge of the national plans (E.164). */
struct plan {
    char country[3];
    const char *code;         /* after the '+' */
    const char *trunk;        /* dialled before the number at home; "": nothing */
    size_t shortest, longest; /* digits of the national number, without trunk */
};

static const struct plan plans[] = {
    { "AM", "374", "0", 8, 8 },  { "AZ", "994", "0", 9, 9 }, { "BY", "375", "80", 9, 9 },
    { "CA", "1", "1", 10, 10 },  { "DE", "49", "0", 7, 11 }, { "ES", "34", "", 9, 9 },
    { "FR", "33", "0", 9, 9 },   { "GB", "44", "0", 9, 10 }, { "GE", "995", "0", 9, 9 },
    { "IL", "972", "0", 8, 9 },  { "KG", "996", "0", 9, 9 }, { "KZ", "7", "8", 10, 10 },
    { "MD", "373", "0", 8, 8 },  { "PL", "48", "", 9, 9 },   { "RU", "7", "8", 10, 10 },
    { "TR", "90", "0", 10, 10 }, { "UA", "380", "0", 9, 9 }, { "US", "1", "1", 10, 10 },
    { "UZ", "998", "", 9, 9 },
};

static const struct plan *find_plan(kanal_str country)
{
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        if (kanal_str_is(country, plans[i].country))
            return &plans[i];
    }
    return NULL;
}

/* The digits alone. 0, or -1: something else is there too. */
static int take_digits(kanal_str typed, char digits[E164_DIGITS_MAX + 4], size_t *ret_count, int *ret_plus)
{
    size_t count = 0;
    *ret_plus = 0;
    for (size_t i = 0; i < typed.len; i++) {
        char c = typed.ptr[i];
        if (c >= '0' && c <= '9') {
            if (count == E164_DIGITS_MAX + 3)
                return -1;
            digits[count++] = c;
        } else if (c == '+' && count == 0 && !*ret_plus) {
            *ret_plus = 1;
        } else if (c == '\xC2' && i + 1 < typed.len && typed.ptr[i + 1] == '\xA0') {
            i++; /* a no-break space */
        } else if (c == 0 || strchr(" -.()/", c) == NULL) {
            return -1;
        }
    }
    *ret_count = count;
    return count >= E164_DIGITS_MIN ? 0 : -1;
}

static int append(struct kanal_buffer *out, const char *code, kanal_str number)
{
    kanal_buffer_text(out, "tel:+");
    kanal_buffer_text(out, code);
    kanal_buffer_str(out, number);
    return 1;
}

static int fits(const struct plan *plan, kanal_str number)
{
    return number.len >= plan->shortest && number.len <= plan->longest && number.ptr[0] != '0';
}

int kanal_phone_address(kanal_str typed, kanal_str country, struct kanal_buffer *out)
{
    char digits[E164_DIGITS_MAX + 4];
    size_t count;
    int plus;
    if (take_digits(typed, digits, &count, &plus) != 0)
        return KANAL_E_INVALID;
    kanal_str number = kanal_str_of(digits, count);
    if (plus)
        return count <= E164_DIGITS_MAX && digits[0] != '0' ? append(out, "", number) : KANAL_E_INVALID;
    const struct plan *plan = find_plan(country);
    if (plan == NULL)
        return 0;
    kanal_str rest = kanal_str_from(number, strlen(plan->trunk));
    if (plan->trunk[0] != 0 && kanal_str_starts(number, plan->trunk) && fits(plan, rest))
        return append(out, plan->code, rest);
    rest = kanal_str_from(number, strlen(plan->code));
    if (kanal_str_starts(number, plan->code) && fits(plan, rest))
        return append(out, plan->code, rest); /* the '+' was forgotten */
    return fits(plan, number) ? append(out, plan->code, number) : 0;
}

/* ---- E-mail ---- */

static int is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int is_local_part(kanal_str local)
{
    for (size_t i = 0; i < local.len; i++) {
        if (!is_alphanumeric(local.ptr[i]) &&
            (local.ptr[i] == 0 || strchr(".!#$%&'*+/=?^_`{|}~-", local.ptr[i]) == NULL))
            return 0;
    }
    return local.len >= 1 && local.len <= 64;
}

static int is_domain(kanal_str domain)
{
    size_t label = 0, dots = 0;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        int at_edge = label == 0 || i + 1 == domain.len || domain.ptr[i + 1] == '.';
        if (c == '.') {
            if (label == 0)
                return 0;
            label = 0;
            dots++;
        } else if (is_alphanumeric(c) || (c == '-' && !at_edge)) {
            if (++label > 63)
                return 0;
        } else {
            return 0;
        }
    }
    return label > 0 && dots > 0 && domain.len <= 253;
}

int kanal_mail_address(kanal_str typed, struct kanal_buffer *out)
{
    size_t at = 0;
    while (at < typed.len && typed.ptr[at] != '@')
        at++;
    kanal_str local = kanal_str_of(typed.ptr, at), domain = kanal_str_from(typed, at + 1);
    if (at == typed.len || !is_local_part(local) || !is_domain(domain))
        return KANAL_E_INVALID;
    kanal_buffer_text(out, "mailto:");
    kanal_url_encode(out, local);
    kanal_buffer_byte(out, '@');
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        kanal_buffer_byte(out, (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
    return 1;
}
