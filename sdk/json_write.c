#include "kanal/sdk/json.h"
#include <math.h>
#include "kanal/sdk/time.h"
#include "utf8.h"

#define MAX_DEPTH 63

/* What a misuse leaves behind must not look like JSON: the result becomes absent. */
static void fail(struct kanal_json *json)
{
    json->out->failed = 1;
}

/* ---- Strings ---- */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* True if one of the eight bytes is not printable ASCII, or is '"' or '\\'. */
static inline int has_special(uint64_t word)
{
    const uint64_t ones = EACH_BYTE(1), tops = EACH_BYTE(0x80);
    uint64_t quote = word ^ EACH_BYTE('"');
    uint64_t backslash = word ^ EACH_BYTE('\\');
    uint64_t found = (quote - ones) & ~quote;
    found |= (backslash - ones) & ~backslash;
    found |= (word - EACH_BYTE(0x20)) & ~word;
    found |= word;
    return (found & tops) != 0;
}

/* How many bytes from p on need no look: printable ASCII without '"' and '\\'. */
static inline size_t plain_length(const unsigned char *p, size_t len)
{
    size_t i = 0;
    while (len - i >= 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (has_special(word))
            break;
        i += 8;
    }
    while (i < len && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

/* The escape of a byte below 0x80, at most six bytes. */
static size_t escape(char out[6], unsigned char byte)
{
    static const char hex[17] = "0123456789abcdef";
    static const char short_forms[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    out[0] = '\\';
    char letter = byte < 0x20 ? short_forms[byte] : (char)byte;
    if (letter != 0) {
        out[1] = letter;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    return 6;
}

/* From the first byte on that cannot be copied as it is. The runs between are copied whole. */
static void write_escaped(struct kanal_buffer *out, const unsigned char *p, size_t len, size_t i)
{
    size_t copied = 0;
    while (i < len) {
        while (len - i >= 2 && p[i] >= 0xC2 && p[i] < 0xE0 && (p[i + 1] & 0xC0) == 0x80)
            i += 2; /* Cyrillic, Greek, Latin with accents: most of what is not ASCII */
        if (i == len)
            break;
        int length = utf8_sequence(p + i, len - i);
        if (length > 1) {
            i += (size_t)length;
            continue;
        }
        size_t plain = length == 1 ? plain_length(p + i, len - i) : 0;
        if (plain > 0) {
            i += plain;
            continue;
        }
        kanal_buffer_append(out, p + copied, i - copied);
        if (length < 0) {
            kanal_buffer_append(out, "\xEF\xBF\xBD", 3);
            i += (size_t)-length;
        } else {
            char text[6];
            kanal_buffer_append(out, text, escape(text, p[i]));
            i++;
        }
        copied = i;
    }
    kanal_buffer_append(out, p + copied, len - copied);
}

static void write_string(struct kanal_buffer *out, kanal_str text)
{
    /* The quotes and the colon or comma that usually follows, in one reservation. */
    if (text.len > SIZE_MAX - 4 || kanal_buffer_reserve(out, text.len + 4) != 0) {
        out->failed = 1;
        return;
    }
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t plain = plain_length(p, text.len);
    out->data[out->len++] = '"';
    if (plain == text.len) {
        if (plain > 0)
            memcpy(out->data + out->len, p, plain);
        out->len += plain;
    } else {
        write_escaped(out, p, text.len, plain);
    }
    kanal_buffer_byte(out, '"');
}

/* ---- Structure ---- */

void kanal_json_init(struct kanal_json *json, struct kanal_buffer *out)
{
    memset(json, 0, sizeof *json);
    json->out = out;
}

/* Before each value that is not a member's, and before each key. */
static inline void separate(struct kanal_json *json)
{
    if (json->has_member >> json->depth & 1) {
        if (json->depth == 0)
            fail(json); /* a second text */
        kanal_buffer_byte(json->out, ',');
    } else {
        json->has_member |= UINT64_C(1) << json->depth;
    }
}

static inline void before_value(struct kanal_json *json)
{
    if (json->after_key)
        json->after_key = 0;
    else
        separate(json);
}

static void open_container(struct kanal_json *json, char bracket)
{
    before_value(json);
    if (json->depth >= MAX_DEPTH) {
        fail(json);
        return;
    }
    kanal_buffer_byte(json->out, bracket);
    json->depth++;
    json->has_member &= ~(UINT64_C(1) << json->depth);
}

static void close_container(struct kanal_json *json, char bracket)
{
    if (json->depth == 0 || json->after_key) {
        fail(json);
        return;
    }
    json->depth--;
    kanal_buffer_byte(json->out, bracket);
}

void kanal_json_object(struct kanal_json *json)
{
    open_container(json, '{');
}

void kanal_json_object_end(struct kanal_json *json)
{
    close_container(json, '}');
}

void kanal_json_array(struct kanal_json *json)
{
    open_container(json, '[');
}

void kanal_json_array_end(struct kanal_json *json)
{
    close_container(json, ']');
}

/* True if a key may stand here. */
static int before_key(struct kanal_json *json)
{
    if (json->depth == 0 || json->after_key) {
        fail(json);
        return 0;
    }
    separate(json);
    json->after_key = 1;
    return 1;
}

void kanal_json_key(struct kanal_json *json, const char *key)
{
    struct kanal_buffer *out = json->out;
    size_t len = strlen(key);
    if (!before_key(json) || kanal_buffer_reserve(out, len + 3) != 0)
        return;
    out->data[out->len++] = '"';
    memcpy(out->data + out->len, key, len);
    out->len += len;
    out->data[out->len++] = '"';
    out->data[out->len++] = ':';
}

void kanal_json_key_str(struct kanal_json *json, kanal_str key)
{
    if (!before_key(json))
        return;
    write_string(json->out, key);
    kanal_buffer_byte(json->out, ':');
}

/* ---- Values ---- */

void kanal_json_str(struct kanal_json *json, kanal_str text)
{
    if (text.ptr == NULL) {
        kanal_json_null(json);
        return;
    }
    before_value(json);
    write_string(json->out, text);
}

void kanal_json_int(struct kanal_json *json, int64_t number)
{
    before_value(json);
    kanal_buffer_int(json->out, number);
}

void kanal_json_uint(struct kanal_json *json, uint64_t number)
{
    before_value(json);
    kanal_buffer_uint(json->out, number);
}

void kanal_json_double(struct kanal_json *json, double number)
{
    if (!isfinite(number)) {
        kanal_json_null(json);
        return;
    }
    yyjson_val value;
    memset(&value, 0, sizeof value);
    value.tag = YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL;
    value.uni.f64 = number;
    kanal_json_value(json, &value);
}

void kanal_json_bool(struct kanal_json *json, int truth)
{
    before_value(json);
    kanal_buffer_text(json->out, truth ? "true" : "false");
}

void kanal_json_null(struct kanal_json *json)
{
    before_value(json);
    kanal_buffer_append(json->out, "null", 4);
}

void kanal_json_value(struct kanal_json *json, yyjson_val *value)
{
    if (value == NULL) {
        kanal_json_null(json);
        return;
    }
    switch (yyjson_get_tag(value)) { /* what needs no writer of its own */
    case YYJSON_TYPE_NULL | YYJSON_SUBTYPE_NONE:
        kanal_json_null(json);
        return;
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE:
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE:
        kanal_json_bool(json, yyjson_get_bool(value));
        return;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_UINT:
        kanal_json_uint(json, yyjson_get_uint(value));
        return;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_SINT:
        kanal_json_int(json, yyjson_get_sint(value));
        return;
    default:
        break;
    }
    if (yyjson_is_str(value)) {
        kanal_json_str(json, kanal_json_text(value));
        return;
    }
    before_value(json);
    /* What is small, as nearly all is, is written on the stack first. */
    char memory[4096];
    yyjson_alc pool;
    size_t len = 0;
    char *text = NULL, *heap = NULL;
    if (yyjson_alc_pool_init(&pool, memory, sizeof memory))
        text = yyjson_val_write_opts(value, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &pool, &len, NULL);
    if (text == NULL)
        text = heap = yyjson_val_write(value, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &len);
    if (text == NULL)
        fail(json);
    kanal_buffer_append(json->out, text, len);
    free(heap);
}

void kanal_json_raw(struct kanal_json *json, kanal_str text)
{
    if (text.len == 0) {
        kanal_json_null(json);
        return;
    }
    before_value(json);
    kanal_buffer_str(json->out, text);
}

/* ---- Members ---- */

void kanal_json_member_str(struct kanal_json *json, const char *key, kanal_str text)
{
    if (text.ptr == NULL)
        return;
    kanal_json_key(json, key);
    kanal_json_str(json, text);
}

void kanal_json_member_nonempty(struct kanal_json *w, const char *key, kanal_str value)
{
    if (value.len > 0)
        kanal_json_member_str(w, key, value);
}

void kanal_json_member_text(struct kanal_json *json, const char *key, const char *text)
{
    kanal_json_member_str(json, key, kanal_str_c(text));
}

void kanal_json_member_int(struct kanal_json *json, const char *key, int64_t number)
{
    kanal_json_key(json, key);
    kanal_json_int(json, number);
}

void kanal_json_member_double(struct kanal_json *json, const char *key, double number)
{
    kanal_json_key(json, key);
    kanal_json_double(json, number);
}

void kanal_json_member_bool(struct kanal_json *json, const char *key, int truth)
{
    kanal_json_key(json, key);
    kanal_json_bool(json, truth);
}

void kanal_json_member_time(struct kanal_json *json, const char *key, int64_t ms)
{
    kanal_json_key(json, key);
    before_value(json);
    kanal_buffer_byte(json->out, '"');
    kanal_time_rfc3339(json->out, ms);
    kanal_buffer_byte(json->out, '"');
}
