#include "outbound/words.h"

#include "kanal/sdk/str.h"
#include "outbound/adapt/grapheme.h"

kanal_str words_trim(kanal_str text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]))
        text = kanal_str_from(text, 1);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* Capital letters of Latin-1 and Latin Extended-A, Greek, Cyrillic and Armenian. */
static uint32_t fold(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 32;
    if (c >= 0x400 && c <= 0x40F)
        return c + 80;
    if (c >= 0x531 && c <= 0x556)
        return c + 48;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
        (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x4C1 && c <= 0x4CE))
        return c + (c & 1);
    return c;
}

int words_equal(kanal_str a, kanal_str b)
{
    while (a.len > 0 && b.len > 0) {
        uint32_t x = 0, y = 0;
        a = kanal_str_from(a, grapheme_code_point(a, &x));
        b = kanal_str_from(b, grapheme_code_point(b, &y));
        if (fold(x) != fold(y))
            return 0;
    }
    return a.len == 0 && b.len == 0;
}
