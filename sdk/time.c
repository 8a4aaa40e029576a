/* The calendar is the proleptic Gregorian one. Days are counted in years that begin on 1 March, so that the leap day is a
 * year's last; 400 of these years have 146,097 days. */
#include "kanal/sdk/time.h"

#define MS_PER_DAY INT64_C(86400000)
#define FIRST_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */
#define DAYS_TO_EPOCH INT64_C(719468)     /* from 0000-03-01 to 1970-01-01 */

struct moment {
    int32_t year, month, day; /* month and day from 1 */
    int32_t hour, minute, second, ms;
    int32_t weekday; /* 0: Sunday */
};

static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    if (month < 3)
        year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_EPOCH;
}

static void date_from_days(int64_t days, struct moment *ret)
{
    days += DAYS_TO_EPOCH;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    ret->day = (int32_t)(day_of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int32_t)(month < 10 ? month + 3 : month - 9);
    ret->year = (int32_t)(year + era * 400 + (ret->month < 3));
}

static void moment_from_ms(int64_t ms, struct moment *ret)
{
    if (ms < FIRST_MS)
        ms = FIRST_MS;
    if (ms > LAST_MS)
        ms = LAST_MS;
    int64_t days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0);
    int32_t rest = (int32_t)(ms - days * MS_PER_DAY);
    date_from_days(days, ret);
    ret->hour = rest / 3600000;
    ret->minute = rest / 60000 % 60;
    ret->second = rest / 1000 % 60;
    ret->ms = rest % 1000;
    ret->weekday = (int32_t)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static int days_in_month(int32_t year, int32_t month)
{
    static const signed char days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* 0 and the time, or KANAL_E_INVALID: no such date or hour. A leap second is the second after. */
static kanal_status ms_from_moment(const struct moment *m, int64_t *ret_ms)
{
    if (m->year < 1 || m->year > 9999 || m->month < 1 || m->month > 12 || m->day < 1 ||
        m->day > days_in_month(m->year, m->month) || m->hour > 23 || m->minute > 59 || m->second > 60)
        return KANAL_E_INVALID;
    int64_t seconds = m->hour * 3600 + m->minute * 60 + m->second;
    *ret_ms = days_from_date(m->year, m->month, m->day) * MS_PER_DAY + seconds * 1000 + m->ms;
    return KANAL_OK;
}

/* ---- Writing ---- */

static void put_digits(char *out, int32_t number, int count)
{
    while (count-- > 0) {
        out[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void put_clock(char *out, const struct moment *m)
{
    put_digits(out, m->hour, 2);
    out[2] = ':';
    put_digits(out + 3, m->minute, 2);
    out[5] = ':';
    put_digits(out + 6, m->second, 2);
}

void kanal_time_rfc3339(struct kanal_buffer *out, int64_t ms)
{
    struct moment m;
    char text[24];
    moment_from_ms(ms, &m);
    put_digits(text, m.year, 4);
    text[4] = '-';
    put_digits(text + 5, m.month, 2);
    text[7] = '-';
    put_digits(text + 8, m.day, 2);
    text[10] = 'T';
    put_clock(text + 11, &m);
    text[19] = '.';
    put_digits(text + 20, m.ms, 3);
    text[23] = 'Z';
    kanal_buffer_append(out, text, sizeof text);
}

static const char weekday_names[7][10] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

void kanal_time_http(struct kanal_buffer *out, int64_t ms)
{
    struct moment m;
    char text[29];
    moment_from_ms(ms, &m);
    memcpy(text, weekday_names[m.weekday], 3);
    memcpy(text + 3, ", ", 2);
    put_digits(text + 5, m.day, 2);
    text[7] = ' ';
    memcpy(text + 8, month_names[m.month - 1], 3);
    text[11] = ' ';
    put_digits(text + 12, m.year, 4);
    text[16] = ' ';
    put_clock(text + 17, &m);
    memcpy(text + 25, " GMT", 4);
    kanal_buffer_append(out, text, sizeof text);
}

/* ---- Reading: each step takes its piece off the front of *text and says whether it was there ---- */

static int take(kanal_str *text, const char *literal)
{
    if (!kanal_str_starts(*text, literal))
        return 0;
    *text = kanal_str_from(*text, strlen(literal));
    return 1;
}

static int take_digits(kanal_str *text, size_t count, int32_t *ret_number)
{
    int32_t number = 0;
    if (text->len < count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return 0;
        number = number * 10 + (text->ptr[i] - '0');
    }
    *text = kanal_str_from(*text, count);
    *ret_number = number;
    return 1;
}

static int take_clock(kanal_str *text, struct moment *ret)
{
    return take_digits(text, 2, &ret->hour) && take(text, ":") && take_digits(text, 2, &ret->minute) &&
           take(text, ":") && take_digits(text, 2, &ret->second);
}

static int take_month(kanal_str *text, struct moment *ret)
{
    for (int32_t i = 0; i < 12; i++) {
        if (take(text, month_names[i])) {
            ret->month = i + 1;
            return 1;
        }
    }
    return 0;
}

/* "." and one to nine digits, or nothing. */
static int take_fraction(kanal_str *text, int32_t *ret_ms)
{
    int32_t scale = 100;
    size_t digits = 0;
    *ret_ms = 0;
    if (!take(text, "."))
        return 1;
    for (int32_t digit; digits < 10 && take_digits(text, 1, &digit); digits++) {
        *ret_ms += digit * scale;
        scale /= 10;
    }
    return digits >= 1 && digits <= 9;
}

/* "Z", or "+hh:mm". */
static int take_offset(kanal_str *text, int64_t *ret_ms)
{
    int32_t hours, minutes;
    *ret_ms = 0;
    if (take(text, "Z") || take(text, "z"))
        return 1;
    int negative = take(text, "-");
    if (!negative && !take(text, "+"))
        return 0;
    if (!take_digits(text, 2, &hours) || !take(text, ":") || !take_digits(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return 0;
    *ret_ms = (int64_t)(hours * 60 + minutes) * (negative ? -60000 : 60000);
    return 1;
}

kanal_status kanal_time_parse_rfc3339(kanal_str text, int64_t *ret_ms)
{
    struct moment m = { 0 };
    int64_t ms, offset_ms;
    if (!take_digits(&text, 4, &m.year) || !take(&text, "-") || !take_digits(&text, 2, &m.month) ||
        !take(&text, "-") || !take_digits(&text, 2, &m.day))
        return KANAL_E_INVALID;
    if (!take(&text, "T") && !take(&text, "t") && !take(&text, " "))
        return KANAL_E_INVALID;
    if (!take_clock(&text, &m) || !take_fraction(&text, &m.ms) || !take_offset(&text, &offset_ms) ||
        text.len != 0)
        return KANAL_E_INVALID;
    if (ms_from_moment(&m, &ms) != KANAL_OK)
        return KANAL_E_INVALID;
    *ret_ms = ms - offset_ms;
    return KANAL_OK;
}

/* The weekday, which says nothing new: a full name if `full`, else three letters. */
static int take_weekday(kanal_str *text, int full)
{
    for (size_t i = 0; i < 7; i++) {
        char name[sizeof weekday_names[0]] = { 0 };
        memcpy(name, weekday_names[i], full ? strlen(weekday_names[i]) : 3);
        if (take(text, name))
            return 1;
    }
    return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static int parse_imf_date(kanal_str text, struct moment *ret)
{
    return take_weekday(&text, 0) && take(&text, ", ") && take_digits(&text, 2, &ret->day) &&
           take(&text, " ") && take_month(&text, ret) && take(&text, " ") &&
           take_digits(&text, 4, &ret->year) && take(&text, " ") && take_clock(&text, ret) &&
           take(&text, " GMT") && text.len == 0;
}

/* " +0300" or " GMT" at the end. */
static int take_zone(kanal_str *text, int64_t *ret_ms)
{
    int32_t hours, minutes;
    *ret_ms = 0;
    if (take(text, " GMT"))
        return text->len == 0;
    int negative = take(text, " -");
    if ((!negative && !take(text, " +")) || !take_digits(text, 2, &hours) ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return 0;
    *ret_ms = (int64_t)(hours * 60 + minutes) * (negative ? -60000 : 60000);
    return text->len == 0;
}

kanal_status kanal_time_parse_mail(kanal_str text, int64_t *ret_ms)
{
    struct moment m = { 0 };
    int64_t ms, offset_ms;
    if (take_weekday(&text, 0) && !take(&text, ", "))
        return KANAL_E_INVALID;
    if ((!take_digits(&text, 2, &m.day) && !take_digits(&text, 1, &m.day)) || !take(&text, " ") ||
        !take_month(&text, &m) || !take(&text, " ") || !take_digits(&text, 4, &m.year) || !take(&text, " ") ||
        !take_clock(&text, &m) || !take_zone(&text, &offset_ms) || ms_from_moment(&m, &ms) != KANAL_OK)
        return KANAL_E_INVALID;
    *ret_ms = ms - offset_ms;
    return KANAL_OK;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": a year that seems more than 50 years ahead is a past one (RFC 9110, 5.6.7). */
static int parse_rfc850_date(kanal_str text, int64_t now_ms, struct moment *ret)
{
    if (!take_weekday(&text, 1) || !take(&text, ", ") || !take_digits(&text, 2, &ret->day) ||
        !take(&text, "-") || !take_month(&text, ret) || !take(&text, "-") ||
        !take_digits(&text, 2, &ret->year) || !take(&text, " ") || !take_clock(&text, ret) ||
        !take(&text, " GMT") || text.len != 0)
        return 0;
    struct moment now;
    moment_from_ms(now_ms, &now);
    ret->year += now.year - now.year % 100;
    if (ret->year > now.year + 50)
        ret->year -= 100;
    return 1;
}

/* "Sun Nov  6 08:49:37 1994" */
static int parse_asctime_date(kanal_str text, struct moment *ret)
{
    if (!take_weekday(&text, 0) || !take(&text, " ") || !take_month(&text, ret) || !take(&text, " "))
        return 0;
    int day_there = take(&text, " ") ? take_digits(&text, 1, &ret->day) : take_digits(&text, 2, &ret->day);
    return day_there && take(&text, " ") && take_clock(&text, ret) && take(&text, " ") &&
           take_digits(&text, 4, &ret->year) && text.len == 0;
}

static kanal_status parse_http_date(kanal_str text, int64_t now_ms, int64_t *ret_ms)
{
    struct moment imf = { 0 }, rfc850 = { 0 }, old = { 0 };
    if (parse_imf_date(text, &imf))
        return ms_from_moment(&imf, ret_ms);
    if (parse_rfc850_date(text, now_ms, &rfc850))
        return ms_from_moment(&rfc850, ret_ms);
    if (parse_asctime_date(text, &old))
        return ms_from_moment(&old, ret_ms);
    return KANAL_E_INVALID;
}

kanal_status kanal_time_retry_after(kanal_str text, int64_t now_ms, uint32_t *ret_ms)
{
    int64_t at_ms, wait_ms = 0;
    if (text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9') {
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] < '0' || text.ptr[i] > '9')
                return KANAL_E_INVALID;
            if (wait_ms <= UINT32_MAX)
                wait_ms = wait_ms * 10 + (text.ptr[i] - '0') * 1000;
        }
    } else {
        if (parse_http_date(text, now_ms, &at_ms) != KANAL_OK)
            return KANAL_E_INVALID;
        if (now_ms < FIRST_MS || now_ms > LAST_MS)
            return KANAL_E_INVALID;
        wait_ms = at_ms - now_ms;
    }
    *ret_ms = wait_ms < 0 ? 0 : wait_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)wait_ms;
    return KANAL_OK;
}

kanal_status kanal_time_parse_duration(kanal_str text, int64_t *ret_ms)
{
    static const struct unit {
        char letter;
        int in_time; /* stands after the T */
        int64_t ms;
    } units[] = { { 'W', 0, 7 * MS_PER_DAY },
                  { 'D', 0, MS_PER_DAY },
                  { 'H', 1, 3600000 },
                  { 'M', 1, 60000 },
                  { 'S', 1, 1000 } };
    const size_t unit_count = sizeof units / sizeof units[0];
    int64_t total = 0;
    int in_time = 0, expects_more = 1;
    size_t next = 0; /* units stand in this order, each at most once */
    if (!take(&text, "P"))
        return KANAL_E_INVALID;
    while (text.len > 0) {
        if (!in_time && take(&text, "T")) {
            in_time = expects_more = 1;
            continue;
        }
        int64_t number = 0;
        int32_t digit;
        size_t digits = 0;
        for (; take_digits(&text, 1, &digit); digits++) {
            if (digits >= 15)
                return KANAL_E_INVALID;
            number = number * 10 + digit;
        }
        while (next < unit_count &&
               (units[next].in_time != in_time || text.len == 0 || text.ptr[0] != units[next].letter))
            next++;
        if (digits == 0 || next == unit_count || number > (INT64_MAX - total) / units[next].ms)
            return KANAL_E_INVALID;
        total += number * units[next].ms;
        text = kanal_str_from(text, 1);
        next++;
        expects_more = 0;
    }
    if (expects_more)
        return KANAL_E_INVALID;
    *ret_ms = total;
    return KANAL_OK;
}
