#include "outbound/adapt/grapheme.h"

enum class {
    OTHER,
    CONTROL,
    EXTEND,
    JOINER, /* U+200D */
    REGION, /* half a flag */
    PREPEND,
    SPACING,
    HANGUL_L,
    HANGUL_V,
    HANGUL_T,
    SYLLABLE,
    SYLLABLE_T, /* with a final consonant */
    PICTURE     /* that may be joined to others */
};

static const struct range {
    uint32_t first, last;
    enum class class;
} ranges[] = {
#include "outbound/adapt/grapheme_table.h"
};

#define LATIN_END 0x300u /* below that, only controls and two pictures are anything special */

static enum class class_of(uint32_t code) {
    if (code < LATIN_END) return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD ? CONTROL
    : code == 0xA9 || code == 0xAE                                                            ? PICTURE
                                                                                              : OTHER;
    size_t low = 0, high = sizeof ranges / sizeof *ranges; while (low < high){
        size_t middle = (low + high) / 2; if (code > ranges[middle].last) low = middle + 1;
        else if (code < ranges[middle].first) high = middle;
        else return ranges[middle].class == SYLLABLE && (code - 0xAC00) % 28 != 0 ? SYLLABLE_T
                                                                                  : ranges[middle].class; }
return OTHER;
}

size_t grapheme_code_point(kanal_str text, uint32_t *ret_code)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    uint32_t ignored = 0, *code = ret_code ? ret_code : &ignored;
    if (text.len == 0)
        return 0;
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xC2 ? 0
                    : p[0] < 0xE0 ? 2
                    : p[0] < 0xF0 ? 3
                    : p[0] < 0xF5 ? 4
                                  : 0;
    *code = length == 0 ? 0xFFFD : length == 1 ? p[0] : p[0] & (0xFFu >> (length + 1));
    if (length > text.len)
        length = 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            *code = 0xFFFD;
            return 1;
        }
        *code = *code << 6 | (p[i] & 0x3F);
    }
    if (length == 0)
        *code = 0xFFFD;
    return length > 0 ? length : 1;
}

size_t grapheme_count_points(kanal_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

/* What has been seen of the cluster. */
struct seen {
    uint32_t code;
    enum class class;
    uint32_t regions;
    int picture; /* 1: a picture and marks; 2: and then a joiner */
};

static void see(struct seen *seen, uint32_t code, enum class class)
{
    seen->picture = class == PICTURE                       ? 1
                    : seen->picture > 0 && class == JOINER ? 2
                    : seen->picture > 0 && class == EXTEND ? 1
                                                           : 0;
    seen->regions = class == REGION ? seen->regions + 1 : 0;
    seen->code = code;
    seen->class = class;
}

/* The rules GB3 to GB13, in their order. */
static int goes_on(const struct seen *seen, uint32_t code, enum class class)
{
    enum class before = seen->class;
    if (seen->code == '\r' && code == '\n')
        return 1;
    if (before == CONTROL || class == CONTROL)
        return 0;
    if (before == HANGUL_L && (class == HANGUL_L || class == HANGUL_V || class >= SYLLABLE) &&
        class != PICTURE)
        return 1;
    if ((before == SYLLABLE || before == HANGUL_V) && (class == HANGUL_V || class == HANGUL_T))
        return 1;
    if ((before == SYLLABLE_T || before == HANGUL_T) && class == HANGUL_T)
        return 1;
    if (class == EXTEND || class == JOINER || class == SPACING || before == PREPEND)
        return 1;
    if (seen->picture == 2 && class == PICTURE)
        return 1;
    return before == REGION && class == REGION && seen->regions % 2 == 1;
}

size_t grapheme_next(kanal_str text)
{
    uint32_t code = 0;
    size_t length = grapheme_code_point(text, &code);
    struct seen seen = { 0 };
    if (length == 0)
        return 0;
    see(&seen, code, class_of(code));
    while (length < text.len) {
        size_t more = grapheme_code_point(kanal_str_from(text, length), &code);
        enum class class = class_of(code);
        if (!goes_on(&seen, code, class))
            break;
        see(&seen, code, class);
        length += more;
    }
    return length;
}
