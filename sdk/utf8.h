/* utf8.h - one UTF-8 sequence at a time, for the helpers' own files.
 *
 * Source: The Unicode Standard, table 3-7 "Well-Formed UTF-8 Byte Sequences". */
#ifndef KANAL_SDK_UTF8_INTERNAL_H
#define KANAL_SDK_UTF8_INTERNAL_H
#include <stddef.h>

/* The length of the well-formed sequence at p, or minus the number of bytes that are to be replaced by one U+FFFD (the
 * longest prefix that could have become a sequence, at least one byte). left is at least 1. */
static inline int utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return -1;
    unsigned char low = 0x80, high = 0xBF;
    if (lead == 0xE0)
        low = 0xA0; /* no overlong forms */
    else if (lead == 0xED)
        high = 0x9F; /* no surrogates */
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F; /* nothing above U+10FFFF */
    int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (left < 2 || p[1] < low || p[1] > high)
        return -1;
    for (int i = 2; i < length; i++) {
        if ((size_t)i >= left || (p[i] & 0xC0) != 0x80)
            return -i;
    }
    return length;
}

#endif
