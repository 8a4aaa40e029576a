#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kanal/sdk/json.h"

/* The character at p (at least one byte is left) and its length; 0: not valid UTF-8. */
static size_t decode(const unsigned char *p, size_t left, uint32_t *ret_code)
{
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : (p[0] & 0xf0) == 0xe0       ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
    uint32_t code = len == 1 ? p[0] : p[0] & (0x7fu >> len);

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if ((len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10ffff)) ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    *ret_code = code;
    return len;
}

static int is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void append_escaped(struct kanal_buffer *out, uint32_t code)
{
    char text[8];

    snprintf(text, sizeof text, "\\u%04x", code); /* none of them lies beyond the first plane */
    kanal_buffer_text(out, text);
}

void terminal_text(struct kanal_buffer *out, kanal_str text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;

    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t code = 0xfffd;

        len = decode(bytes + i, text.len - i, &code);
        if (len == 0) {
            len = 1;
            kanal_buffer_text(out, "\xef\xbf\xbd");
        } else if (code == '\r' && i + 1 < text.len && bytes[i + 1] == '\n') {
            continue;
        } else if (code == '\n' || code == '\r') {
            kanal_buffer_text(out, " \xe2\x86\xb5 ");
        } else if (code == '\t') {
            kanal_buffer_byte(out, ' ');
        } else if (is_harmful(code)) {
            append_escaped(out, code);
        } else {
            kanal_buffer_append(out, bytes + i, len);
        }
    }
}

int terminal_json(struct kanal_buffer *out, kanal_str json)
{
    yyjson_doc *document = kanal_json_parse(json);
    const unsigned char *bytes = (const unsigned char *)json.ptr;
    int in_string = 0, escaped = 0;

    if (!document)
        return KANAL_E_INVALID;
    yyjson_doc_free(document);
    /* It is JSON, so a control character outside a string is white space, and inside one \u means the same. */
    for (size_t i = 0, len; i < json.len; i += len) {
        uint32_t code = 0xfffd;

        len = decode(bytes + i, json.len - i, &code);
        if (len > 0 && !is_harmful(code))
            kanal_buffer_append(out, bytes + i, len);
        else if (in_string)
            append_escaped(out, code);
        len += len == 0;
        if (code == '"' && !escaped)
            in_string = !in_string;
        escaped = code == '\\' && !escaped;
    }
    return 0;
}

int terminal_has_colours(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && !(no_color && no_color[0] != '\0') && !(term && strcmp(term, "dumb") == 0);
}
