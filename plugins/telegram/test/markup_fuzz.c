/* Formatted text: what is written must be well nested and made of known tags only. The first byte chooses
 * HTML or Markdown. */
#include <stdint.h>

#include "markup.h"

#define OPEN_MAX_COUNT 128

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The length of the tag at text, by whole words of a closed list; 0: it is none. */
static size_t known_tag(kanal_str text, int *ret_closes, char *ret_letter)
{
    static const char *const tags[] = { "b", "i", "u", "s", "code", "pre", "blockquote", "tg-spoiler" };
    *ret_closes = text.len > 1 && text.ptr[1] == '/';
    kanal_str name = kanal_str_from(text, 1 + (size_t)*ret_closes);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        size_t n = strlen(tags[i]);
        if (kanal_str_starts(name, tags[i]) && name.len > n && name.ptr[n] == '>') {
            *ret_letter = (char)('0' + i);
            return n + 2 + (size_t)*ret_closes;
        }
    }
    static const char *const with_value[] = { "a href=\"", "code class=\"language-" };
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(with_value[i]);
        if (!*ret_closes && kanal_str_starts(name, with_value[i])) {
            while (n < name.len && name.ptr[n] != '"' && name.ptr[n] != '<' && name.ptr[n] != '>')
                n++;
            *ret_letter = i == 0 ? 'a' : '4';
            return n + 1 < name.len && name.ptr[n] == '"' && name.ptr[n + 1] == '>' ? n + 3 : 0;
        }
    }
    *ret_letter = 'a';
    return *ret_closes && kanal_str_starts(name, "a>") ? 4 : 0;
}

static void check(kanal_str html)
{
    char open[OPEN_MAX_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < html.len;) {
        int closes;
        char letter;
        if (html.ptr[i] == '>' || html.ptr[i] == '"')
            __builtin_trap();
        if (html.ptr[i] != '<') {
            i++;
            continue;
        }
        size_t n = known_tag(kanal_str_from(html, i), &closes, &letter);
        if (n == 0 || (closes && (count == 0 || open[count - 1] != letter)) ||
            (!closes && count == OPEN_MAX_COUNT))
            __builtin_trap();
        if (closes)
            count--;
        else
            open[count++] = letter;
        i += n;
    }
    if (count > 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kanal_buffer out = { 0 };
    if (len == 0)
        return 0;
    kanal_str text = kanal_str_of((const char *)bytes + 1, len - 1);
    if (bytes[0] & 1)
        tg_html_from_html(&out, text);
    else
        tg_html_from_markdown(&out, text);
    check(kanal_buffer_view(&out));
    kanal_buffer_release(&out);
    return 0;
}
