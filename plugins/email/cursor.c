#include "cursor.h"

#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/gsm7.h"
#include "kanal/sdk/time.h"

#define KEY_DIGITS 16

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* ---- The record ---- */

static void read_keys(struct cursor *c, kanal_str text)
{
    for (size_t at = 0; at + KEY_DIGITS <= text.len && c->key_count < CURSOR_KEYS_MAX; at += KEY_DIGITS) {
        uint64_t key = 0;
        for (size_t i = 0; i < KEY_DIGITS; i++) {
            char d = text.ptr[at + i];
            key = key << 4 | (uint64_t)(d >= '0' && d <= '9'   ? d - '0'
                                        : d >= 'a' && d <= 'f' ? d - 'a' + 10
                                                               : 0);
        }
        c->keys[c->key_count++] = key;
    }
    c->key_at = c->key_count % CURSOR_KEYS_MAX;
}

kanal_status cursor_read(struct cursor *c, kanal_str json)
{
    yyjson_doc *doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(doc);
    int64_t validity = kanal_json_int_at(root, "validity", 0), uid = kanal_json_int_at(root, "uid", -1);
    memset(c, 0, sizeof *c);
    if (validity > 0 && uid >= 0) {
        c->validity = (uint64_t)validity;
        c->uid = (uint64_t)uid;
        c->last_ms = kanal_json_int_at(root, "last_ms", 0);
        c->since_ms = kanal_json_int_at(root, "since_ms", 0);
        read_keys(c, kanal_json_text_at(root, "keys"));
    }
    yyjson_doc_free(doc);
    return c->validity ? KANAL_OK : KANAL_E_INVALID;
}

/* The oldest first. */
void cursor_write(const struct cursor *c, struct kanal_buffer *out)
{
    struct kanal_buffer keys = { 0 };
    struct kanal_json json;
    for (uint32_t i = 0; i < c->key_count; i++) {
        uint32_t at = c->key_count < CURSOR_KEYS_MAX ? i : (c->key_at + i) % CURSOR_KEYS_MAX;
        char text[KEY_DIGITS + 1];
        snprintf(text, sizeof text, "%016llx", (unsigned long long)c->keys[at]);
        kanal_buffer_append(&keys, text, KEY_DIGITS);
    }
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "validity", (int64_t)c->validity);
    kanal_json_member_int(&json, "uid", (int64_t)c->uid);
    kanal_json_member_int(&json, "last_ms", c->last_ms);
    if (c->since_ms > 0)
        kanal_json_member_int(&json, "since_ms", c->since_ms);
    if (keys.len > 0)
        kanal_json_member_str(&json, "keys", kanal_buffer_view(&keys));
    kanal_json_object_end(&json);
    kanal_buffer_release(&keys);
}

void cursor_add_key(struct cursor *c, uint64_t key)
{
    c->keys[c->key_at] = key;
    c->key_at = (c->key_at + 1) % CURSOR_KEYS_MAX;
    if (c->key_count < CURSOR_KEYS_MAX)
        c->key_count++;
}

int cursor_has_key(const struct cursor *c, uint64_t key)
{
    for (uint32_t i = 0; i < c->key_count; i++)
        if (c->keys[i] == key)
            return 1;
    return 0;
}

/* ---- Names ---- */

static void end_shift(struct kanal_buffer *out, struct kanal_buffer *wide)
{
    size_t from = out->len;
    if (wide->len == 0)
        return;
    kanal_buffer_byte(out, '&');
    kanal_base64_encode(out, kanal_buffer_view(wide), KANAL_BASE64_UNPADDED);
    for (size_t i = from; i < out->len; i++)
        if (out->data[i] == '/')
            out->data[i] = ',';
    kanal_buffer_byte(out, '-');
    kanal_buffer_clear(wide);
}

void cursor_encode_name(struct kanal_buffer *out, kanal_str name)
{
    struct kanal_buffer wide = { 0 };
    while (name.len > 0) {
        char c = name.ptr[0];
        size_t n = 1;
        if (c >= 0x20 && c < 0x7f) {
            end_shift(out, &wide);
            kanal_buffer_byte(out, c);
            if (c == '&')
                kanal_buffer_byte(out, '-');
        } else {
            kanal_utf8_first(name, &n);
            kanal_ucs2_encode(&wide, kanal_str_of(name.ptr, n));
        }
        name = kanal_str_from(name, n);
    }
    end_shift(out, &wide);
    kanal_buffer_release(&wide);
}

void cursor_write_set(struct kanal_buffer *out, const uint64_t *uids, uint32_t count)
{
    for (uint32_t i = 0; i < count;) {
        uint32_t last = i;
        while (last + 1 < count && uids[last + 1] == uids[last] + 1)
            last++;
        if (i > 0)
            kanal_buffer_byte(out, ',');
        kanal_buffer_uint(out, uids[i]);
        if (last > i) {
            kanal_buffer_byte(out, ':');
            kanal_buffer_uint(out, uids[last]);
        }
        i = last + 1;
    }
}

/* ---- Dates ---- */

void cursor_write_date(struct kanal_buffer *out, int64_t ms)
{
    struct kanal_buffer text = { 0 };
    kanal_time_http(&text, ms); /* "Sat, 21 Nov 2026 …" */
    if (text.len > 16) {
        kanal_buffer_append(out, text.data + 5, 2);
        kanal_buffer_byte(out, '-');
        kanal_buffer_append(out, text.data + 8, 3);
        kanal_buffer_byte(out, '-');
        kanal_buffer_append(out, text.data + 12, 4);
    }
    kanal_buffer_release(&text);
}

int64_t cursor_parse_date(kanal_str text)
{
    char digits[40];
    int64_t ms = 0;
    const char *month = NULL;
    if (text.len != 26 || text.ptr[2] != '-' || text.ptr[6] != '-' || text.ptr[11] != ' ')
        return 0;
    for (const char *at = months; *at && !month; at += 3)
        if (strncasecmp(at, text.ptr + 3, 3) == 0)
            month = at;
    if (!month)
        return 0;
    snprintf(digits, sizeof digits, "%.4s-%02d-%c%cT%.8s%.3s:%.2s", text.ptr + 7,
             (int)(month - months) / 3 + 1, text.ptr[0] == ' ' ? '0' : text.ptr[0], text.ptr[1],
             text.ptr + 12, text.ptr + 21, text.ptr + 24);
    return kanal_time_parse_rfc3339(kanal_str_c(digits), &ms) == KANAL_OK && ms > 0 ? ms : 0;
}
