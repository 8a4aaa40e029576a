#include "outbound/zone_rule.h"

#include "kanal/sdk/str.h"

#define DAY_S 86400

/* ---- Reading ---- */

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int starts_with(kanal_str text, char c)
{
    return text.len > 0 && text.ptr[0] == c;
}

/* "CEST", or "<+03>" */
static int skip_name(kanal_str *text)
{
    size_t count = 0;
    if (starts_with(*text, '<')) {
        const char *end = memchr(text->ptr, '>', text->len);
        if (!end)
            return -1;
        *text = kanal_str_from(*text, (size_t)(end - text->ptr) + 1);
        return 0;
    }
    while (count < text->len && is_letter(text->ptr[count]))
        count++;
    *text = kanal_str_from(*text, count);
    return count >= 3 ? 0 : -1;
}

static int read_number(kanal_str *text, int32_t most, int32_t *ret_number)
{
    int32_t number = 0;
    size_t count = 0;
    for (; count < text->len && count < 4 && text->ptr[count] >= '0' && text->ptr[count] <= '9'; count++)
        number = number * 10 + (text->ptr[count] - '0');
    *text = kanal_str_from(*text, count);
    if (count == 0 || number > most)
        return -1;
    *ret_number = number;
    return 0;
}

/* [+-]hh[:mm[:ss]] in seconds */
static int read_time(kanal_str *text, int32_t hours_max, int32_t *ret_seconds)
{
    int32_t sign = starts_with(*text, '-') ? -1 : 1, total = 0, number = 0;
    if (starts_with(*text, '-') || starts_with(*text, '+'))
        *text = kanal_str_from(*text, 1);
    for (int32_t unit = 3600; unit > 0; unit /= 60) {
        if (unit < 3600) {
            if (!starts_with(*text, ':'))
                break;
            *text = kanal_str_from(*text, 1);
        }
        if (read_number(text, unit == 3600 ? hours_max : 59, &number) != 0)
            return -1;
        total += number * unit;
    }
    *ret_seconds = sign * total;
    return 0;
}

static int skip(kanal_str *text, char c)
{
    if (!starts_with(*text, c))
        return -1;
    *text = kanal_str_from(*text, 1);
    return 0;
}

static int read_weekday(kanal_str *text, struct zone_change *change)
{
    change->kind = ZONE_WEEKDAY;
    if (read_number(text, 12, &change->month) != 0 || skip(text, '.') != 0 ||
        read_number(text, 5, &change->week) != 0 || skip(text, '.') != 0 ||
        read_number(text, 6, &change->day) != 0)
        return -1;
    return change->month >= 1 && change->week >= 1 ? 0 : -1;
}

static int read_change(kanal_str *text, struct zone_change *change)
{
    int status;
    *change = (struct zone_change){ .time_s = 7200 };
    if (skip(text, 'M') == 0) {
        status = read_weekday(text, change);
    } else if (skip(text, 'J') == 0) {
        change->kind = ZONE_JULIAN;
        status = read_number(text, 365, &change->day) == 0 && change->day >= 1 ? 0 : -1;
    } else {
        change->kind = ZONE_DAY;
        status = read_number(text, 365, &change->day);
    }
    if (status == 0 && skip(text, '/') == 0)
        status = read_time(text, 167, &change->time_s);
    return status;
}

static int read_summer(struct zone_rule *rule, kanal_str *text)
{
    rule->has_summer = 1;
    rule->summer_s = rule->standard_s + 3600;
    if (skip_name(text) != 0)
        return -1;
    if (!starts_with(*text, ',')) {
        if (read_time(text, 24, &rule->summer_s) != 0)
            return -1;
        rule->summer_s = -rule->summer_s;
    }
    return skip(text, ',') != 0 || read_change(text, &rule->begins) != 0 || skip(text, ',') != 0 ||
                   read_change(text, &rule->ends) != 0
               ? -1
               : 0;
}

int zone_rule_read(struct zone_rule *ret_rule, kanal_str text)
{
    struct zone_rule rule = { .is_known = 1 };
    if (skip_name(&text) != 0 || read_time(&text, 24, &rule.standard_s) != 0)
        return KANAL_E_INVALID;
    rule.standard_s = -rule.standard_s; /* POSIX counts to the west */
    if ((text.len > 0 && read_summer(&rule, &text) != 0) || text.len > 0)
        return KANAL_E_INVALID;
    *ret_rule = rule;
    return 0;
}

/* ---- Days (Gregorian, from 1 January 1970) ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_before(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

static int64_t year_of(int64_t day)
{
    int64_t year = 1970 + floor_div(day, 366);
    while (days_before(year + 1) <= day)
        year++;
    while (days_before(year) > day)
        year--;
    return year;
}

static int32_t month_begins(int64_t year, int32_t month)
{
    static const int16_t days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
    return days[month - 1] + (month > 2 && is_leap(year));
}

static int64_t change_day(const struct zone_change *change, int64_t year)
{
    int64_t first = days_before(year);
    if (change->kind == ZONE_DAY)
        return first + change->day;
    if (change->kind == ZONE_JULIAN)
        return first + change->day - 1 + (change->day >= 60 && is_leap(year));
    int64_t month = first + month_begins(year, change->month);
    int64_t next =
        change->month == 12 ? days_before(year + 1) : first + month_begins(year, change->month + 1);
    int64_t weekday =
        month - floor_div(month + 4, 7) * 7 + 4; /* of the month's first day; 1 January 1970: Thursday */
    int64_t day = month + (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
    return day < next ? day : day - 7; /* the fifth is the last */
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s)
{
    const int64_t far = INT64_C(300000000000); /* some 9,500 years: nobody's clock */
    if (!rule->has_summer || utc_s > far || utc_s < -far)
        return rule->standard_s;
    int64_t year = year_of(floor_div(utc_s + rule->standard_s, DAY_S));
    int64_t begins = change_day(&rule->begins, year) * DAY_S + rule->begins.time_s - rule->standard_s;
    int64_t ends = change_day(&rule->ends, year) * DAY_S + rule->ends.time_s - rule->summer_s;
    int is_summer = begins <= ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
    return is_summer ? rule->summer_s : rule->standard_s;
}
