/* filetype.c - see filetype.h. */
#include "filetype.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

/* RFC 6838, 4.2: restricted-name-chars. */
static int mime_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("!#$&-^_.+", c) != NULL);
}

kanal_status filetype_mime(kanal_str content_type, char *ret_mime)
{
    size_t len = 0, slashes = 0, run = 0;

    for (size_t i = 0; i < content_type.len; i++) {
        char c = content_type.ptr[i];

        if (c == ';' || c == ' ')
            break;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (len == FILETYPE_MIME_BYTES || (c != '/' && !mime_char(c)) ||
            (c == '/' && (slashes++ > 0 || run == 0)))
            return KANAL_E_INVALID;
        run = c == '/' ? 0 : run + 1;
        ret_mime[len++] = c;
    }
    ret_mime[len] = '\0';
    return slashes == 1 && run > 0 ? KANAL_OK : KANAL_E_INVALID;
}

/* From the formats' own specifications: PNG (W3C), JPEG (ISO 10918-1 B.1.1.3), GIF89a, WebP container, PDF (ISO 32000),
 * ZIP (APPNOTE 4.3), ISO base media (14496-12 4.3), EBML (RFC 8794). */
static const struct {
    const char *mime;
    size_t offset, len;
    const char *bytes;
} beginnings[] = {
    { "image/png", 0, 8, "\x89PNG\r\n\x1a\n" },
    { "image/jpeg", 0, 3, "\xff\xd8\xff" },
    { "image/gif", 0, 4, "GIF8" },
    { "image/webp", 8, 4, "WEBP" },
    { "application/pdf", 0, 5, "%PDF-" },
    { "application/zip", 0, 2, "PK" },
    { "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 0, 2, "PK" },
    { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 0, 2, "PK" },
    { "video/mp4", 4, 4, "ftyp" },
    { "video/webm", 0, 4, "\x1a\x45\xdf\xa3" },
};

int filetype_matches(kanal_str mime, kanal_str bytes)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        if (!kanal_str_is(mime, beginnings[i].mime))
            continue;
        return bytes.len >= beginnings[i].offset + beginnings[i].len &&
               memcmp(bytes.ptr + beginnings[i].offset, beginnings[i].bytes, beginnings[i].len) == 0;
    }
    return 1;
}

/* Length of the character at the front if it may stand in a name, 0 if it is to be dropped (*ret_skip bytes). The text is valid
 * UTF-8. Direction overrides (U+202A-202E, U+2066-2069) make "gpj.exe" look like a picture. */
static size_t name_char(kanal_str text, size_t *ret_skip)
{
    unsigned char c = (unsigned char)text.ptr[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

    *ret_skip = len;
    if (c < 0x20 || c == 0x7F || (c < 0x80 && strchr("<>\"|?*:", c)))
        return 0;
    if (c == 0xC2 && (unsigned char)text.ptr[1] < 0xA0) /* C1 controls */
        return 0;
    if (c == 0xE2 && (unsigned char)text.ptr[1] == 0x80 && (unsigned char)text.ptr[2] >= 0xAA &&
        (unsigned char)text.ptr[2] <= 0xAE)
        return 0;
    if (c == 0xE2 && (unsigned char)text.ptr[1] == 0x81 && (unsigned char)text.ptr[2] >= 0xA6 &&
        (unsigned char)text.ptr[2] <= 0xA9)
        return 0;
    return len;
}

void filetype_name(kanal_str encoded, struct kanal_buffer *out)
{
    struct kanal_buffer decoded = { 0 };
    size_t begin = 0, start = out->len, skip;
    kanal_str text;

    if (encoded.len > 4096 || kanal_url_decode(&decoded, encoded, 0) != KANAL_OK ||
        !kanal_str_utf8(kanal_buffer_view(&decoded)))
        kanal_buffer_clear(&decoded);
    text = kanal_buffer_view(&decoded);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '/' || text.ptr[i] == '\\')
            begin = i + 1;
    }
    text = kanal_str_from(text, begin);
    while (text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == ' '))
        text = kanal_str_from(text, 1);
    while (text.len > 0) {
        size_t len = name_char(text, &skip);

        if (out->len - start + len > FILETYPE_NAME_BYTES)
            break;
        kanal_buffer_append(out, text.ptr, len);
        text = kanal_str_from(text, skip);
    }
    if (out->len == start)
        kanal_buffer_text(out, "file");
    kanal_buffer_release(&decoded);
}
