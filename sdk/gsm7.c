#include "kanal/sdk/gsm7.h"

#include "utf8.h"

#define ESCAPE 0x1b
#define REPLACEMENT 0xfffdu

static const uint16_t basic[128] = {
    0x0040, 0x00a3, 0x0024, 0x00a5, 0x00e8, 0x00e9, 0x00f9, 0x00ec, 0x00f2, 0x00c7, 0x000a, 0x00d8, 0x00f8,
    0x000d, 0x00c5, 0x00e5, 0x0394, 0x005f, 0x03a6, 0x0393, 0x039b, 0x03a9, 0x03a0, 0x03a8, 0x03a3, 0x0398,
    0x039e, 0x001b, 0x00c6, 0x00e6, 0x00df, 0x00c9, 0x0020, 0x0021, 0x0022, 0x0023, 0x00a4, 0x0025, 0x0026,
    0x0027, 0x0028, 0x0029, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f, 0x0030, 0x0031, 0x0032, 0x0033,
    0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x003b, 0x003c, 0x003d, 0x003e, 0x003f, 0x00a1,
    0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047, 0x0048, 0x0049, 0x004a, 0x004b, 0x004c, 0x004d,
    0x004e, 0x004f, 0x0050, 0x0051, 0x0052, 0x0053, 0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005a,
    0x00c4, 0x00d6, 0x00d1, 0x00dc, 0x00a7, 0x00bf, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067,
    0x0068, 0x0069, 0x006a, 0x006b, 0x006c, 0x006d, 0x006e, 0x006f, 0x0070, 0x0071, 0x0072, 0x0073, 0x0074,
    0x0075, 0x0076, 0x0077, 0x0078, 0x0079, 0x007a, 0x00e4, 0x00f6, 0x00f1, 0x00fc, 0x00e0,
};

static const struct extension {
    unsigned char septet;
    uint16_t code_point;
} extensions[] = { { 0x0a, 0x000c }, { 0x14, '^' }, { 0x28, '{' }, { 0x29, '}' }, { 0x2f, '\\' },
                   { 0x3c, '[' },    { 0x3d, '~' }, { 0x3e, ']' }, { 0x40, '|' }, { 0x65, 0x20ac } };

/* ---- UTF-8 ---- */

uint32_t kanal_utf8_first(kanal_str text, size_t *ret_len)
{
    static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const unsigned char *p = (const unsigned char *)text.ptr;
    int length = utf8_sequence(p, text.len);
    *ret_len = (size_t)(length > 0 ? length : -length);
    if (length < 0)
        return REPLACEMENT;
    uint32_t code_point = p[0] & masks[length];
    for (int i = 1; i < length; i++)
        code_point = code_point << 6 | (p[i] & 0x3fu);
    return code_point;
}

void kanal_utf8_append(struct kanal_buffer *out, uint32_t c)
{
    char bytes[4];
    size_t len;
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = REPLACEMENT;
    if (c < 0x80) {
        bytes[0] = (char)c;
        len = 1;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        len = 2;
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        len = 3;
    } else {
        bytes[0] = (char)(0xf0 | c >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        bytes[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
    kanal_buffer_append(out, bytes, len);
}

/* ---- GSM 7 bit ---- */

/* The septet, with ESCAPE << 8 of an extension; -1: not in the alphabet. */
static int septets_of(uint32_t code_point)
{
    if (code_point < 128 && code_point != ESCAPE && basic[code_point] == code_point)
        return (int)code_point; /* most of ASCII stands where it is */
    for (int i = 0; i < 128; i++) {
        if (basic[i] == code_point && i != ESCAPE)
            return i;
    }
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (extensions[i].code_point == code_point)
            return ESCAPE << 8 | extensions[i].septet;
    }
    return -1;
}

kanal_status kanal_gsm7_encode(struct kanal_buffer *out, kanal_str text)
{
    size_t before = out->len, len;
    for (size_t i = 0; i < text.len; i += len) {
        int septets = septets_of(kanal_utf8_first(kanal_str_from(text, i), &len));
        if (septets < 0) {
            out->len = before;
            return KANAL_E_INVALID;
        }
        if (septets >= ESCAPE << 8)
            kanal_buffer_byte(out, ESCAPE);
        kanal_buffer_byte(out, (char)(septets & 0x7f));
    }
    return KANAL_OK;
}

static uint32_t extension_of(unsigned char septet)
{
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (extensions[i].septet == septet)
            return extensions[i].code_point;
    }
    return septet == ESCAPE ? ' ' : basic[septet];
}

void kanal_gsm7_decode(struct kanal_buffer *out, kanal_str septets)
{
    for (size_t i = 0; i < septets.len; i++) {
        unsigned char septet = (unsigned char)septets.ptr[i];
        uint32_t c;
        if (septet > 127)
            c = REPLACEMENT;
        else if (septet != ESCAPE)
            c = basic[septet];
        else if (i + 1 < septets.len && (unsigned char)septets.ptr[i + 1] <= 127)
            c = extension_of((unsigned char)septets.ptr[++i]);
        else
            c = ' ';
        kanal_utf8_append(out, c);
    }
}

/* ---- UCS-2 ---- */

static void append_unit(struct kanal_buffer *out, uint32_t unit)
{
    const char bytes[2] = { (char)(unit >> 8), (char)(unit & 0xff) };
    kanal_buffer_append(out, bytes, 2);
}

void kanal_ucs2_encode(struct kanal_buffer *out, kanal_str text)
{
    size_t len;
    for (size_t i = 0; i < text.len; i += len) {
        uint32_t c = kanal_utf8_first(kanal_str_from(text, i), &len);
        if (c >= 0x10000) {
            append_unit(out, 0xd800 + ((c - 0x10000) >> 10));
            append_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            append_unit(out, c);
        }
    }
}

static uint32_t unit_at(kanal_str bytes, size_t i)
{
    if (i + 1 >= bytes.len)
        return REPLACEMENT;
    return (uint32_t)(unsigned char)bytes.ptr[i] << 8 | (unsigned char)bytes.ptr[i + 1];
}

void kanal_ucs2_decode(struct kanal_buffer *out, kanal_str bytes)
{
    for (size_t i = 0; i < bytes.len; i += 2) {
        uint32_t unit = unit_at(bytes, i), low = unit_at(bytes, i + 2);
        if (unit >= 0xd800 && unit <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        kanal_utf8_append(out, unit); /* a lone surrogate becomes U+FFFD there */
    }
}

/* ---- Segments ---- */

size_t kanal_sms_room(enum kanal_sms_alphabet alphabet, uint32_t udh_bytes)
{
    size_t octets = udh_bytes < KANAL_SMS_OCTETS ? KANAL_SMS_OCTETS - udh_bytes : 0;
    return alphabet == KANAL_SMS_GSM7 ? octets * 8 / 7 : octets / 2 * 2;
}

size_t kanal_sms_cut(enum kanal_sms_alphabet alphabet, kanal_str encoded, size_t room)
{
    size_t n = encoded.len < room ? encoded.len : room;
    if (n == encoded.len)
        return n;
    if (alphabet == KANAL_SMS_GSM7 && n > 1 && encoded.ptr[n - 1] == ESCAPE)
        n--;
    if (alphabet == KANAL_SMS_UCS2) {
        n = n / 2 * 2;
        if (n > 2 && ((unsigned char)encoded.ptr[n - 2] & 0xfc) == 0xd8)
            n -= 2;
    }
    return n > 0 ? n : 1; /* whatever the room: it goes on */
}

kanal_status kanal_sms_measure(kanal_str text, uint32_t udh_bytes, struct kanal_sms_size *ret_size)
{
    struct kanal_buffer encoded = { 0 };
    struct kanal_sms_size size = { .alphabet = KANAL_SMS_GSM7 };
    if (kanal_gsm7_encode(&encoded, text) != KANAL_OK) {
        size.alphabet = KANAL_SMS_UCS2;
        kanal_ucs2_encode(&encoded, text);
    }
    kanal_str rest = kanal_buffer_view(&encoded);
    size.units = (uint32_t)(rest.len / (size.alphabet == KANAL_SMS_UCS2 ? 2 : 1));
    size_t room = kanal_sms_room(size.alphabet, rest.len > kanal_sms_room(size.alphabet, 0) ? udh_bytes : 0);
    for (; rest.len > 0; size.segments++)
        rest = kanal_str_from(rest, kanal_sms_cut(size.alphabet, rest, room));
    int failed = encoded.failed;
    kanal_buffer_release(&encoded);
    if (failed)
        return KANAL_E_INTERNAL;
    *ret_size = size;
    return KANAL_OK;
}
