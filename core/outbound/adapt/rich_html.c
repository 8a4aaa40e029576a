/* The contract's html, read. What is none of its elements or entities is text. */
#include "kanal/sdk/gsm7.h"
#include "outbound/adapt/rich.h"

#define TAG_MAX 8192u /* an address of 4096 characters, escaped */
#define ENTITY_MAX 10u

static const struct element {
    const char *name;
    enum rich_kind kind;
} elements[] = { { "b", RICH_BOLD },       { "strong", RICH_BOLD }, { "i", RICH_ITALIC },
                 { "em", RICH_ITALIC },    { "u", RICH_UNDERLINE }, { "ins", RICH_UNDERLINE },
                 { "s", RICH_STRIKE },     { "del", RICH_STRIKE },  { "strike", RICH_STRIKE },
                 { "code", RICH_CODE },    { "pre", RICH_PRE },     { "blockquote", RICH_QUOTE },
                 { "span", RICH_SPOILER }, { "a", RICH_LINK } };

struct reader {
    struct rich *rich;
    struct {
        const struct element *element;
        uint32_t span; /* UINT32_MAX: it shows nothing */
    } open[RICH_DEPTH];
    uint32_t depth;
};

/* ---- Entities ---- */

/* "#8212" or "#x2014": the code point, or 0. */
static uint32_t numeric(kanal_str name)
{
    uint32_t code = 0, base = name.len > 1 && (name.ptr[1] | 32) == 'x' ? 16 : 10;
    size_t first = base == 16 ? 2 : 1;
    if (name.len <= first)
        return 0;
    for (size_t i = first; i < name.len; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, name.ptr[i] | 32);
        if (!digit || *digit == 0 || (uint32_t)(digit - digits) >= base || code > 0x10FFFF)
            return 0;
        code = code * base + (uint32_t)(digit - digits);
    }
    return code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : code;
}

/* text begins with '&'. Bytes read; the character is written. */
static size_t read_entity(kanal_str text, struct kanal_buffer *out)
{
    static const struct {
        const char *name;
        uint32_t code;
    } names[] = { { "amp", '&' },    { "lt", '<' },     { "gt", '>' },        { "quot", '"' },
                  { "apos", '\'' },  { "nbsp", 0xA0 },  { "mdash", 0x2014 },  { "ndash", 0x2013 },
                  { "laquo", 0xAB }, { "raquo", 0xBB }, { "hellip", 0x2026 }, { "copy", 0xA9 } };
    const char *end = memchr(text.ptr, ';', text.len < ENTITY_MAX ? text.len : ENTITY_MAX);
    kanal_str name = end ? kanal_str_of(text.ptr + 1, (size_t)(end - text.ptr) - 1) : (kanal_str){ 0 };
    uint32_t code = name.len > 1 && name.ptr[0] == '#' ? numeric(name) : 0;
    for (size_t i = 0; code == 0 && i < sizeof names / sizeof *names; i++)
        if (kanal_str_is(name, names[i].name))
            code = names[i].code;
    if (code == 0) {
        kanal_buffer_byte(out, '&');
        return 1;
    }
    kanal_utf8_append(out, code);
    return name.len + 2;
}

static void put_decoded(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] == '&') {
            i += read_entity(kanal_str_from(text, i), out);
        } else {
            kanal_buffer_byte(out, text.ptr[i]);
            i++;
        }
    }
}

/* ---- Tags ---- */

static kanal_str skip_spaces(kanal_str text)
{
    while (text.len > 0 && rich_is_space(text.ptr[0]))
        text = kanal_str_from(text, 1);
    return text;
}

static kanal_str letters(kanal_str text)
{
    size_t n = 0;
    while (n < text.len && (text.ptr[n] | 32) >= 'a' && (text.ptr[n] | 32) <= 'z')
        n++;
    return kanal_str_of(text.ptr, n);
}

/* The value of an attribute; *rest: what comes after it. */
static kanal_str read_value(kanal_str *rest)
{
    size_t n = 0;
    if (rest->len > 0 && (rest->ptr[0] == '"' || rest->ptr[0] == '\'')) {
        const char *end = memchr(rest->ptr + 1, rest->ptr[0], rest->len - 1);
        n = end ? (size_t)(end - rest->ptr) - 1 : rest->len - 1;
        kanal_str value = kanal_str_of(rest->ptr + 1, n);
        *rest = kanal_str_from(*rest, n + 2);
        return value;
    }
    while (n < rest->len && !rich_is_space(rest->ptr[n]))
        n++;
    kanal_str value = kanal_str_of(rest->ptr, n);
    *rest = kanal_str_from(*rest, n);
    return value;
}

static kanal_str attribute(kanal_str attributes, const char *wanted)
{
    for (kanal_str rest = skip_spaces(attributes); rest.len > 0; rest = skip_spaces(rest)) {
        kanal_str name = letters(rest), value = { 0 };
        rest = kanal_str_from(rest, name.len > 0 ? name.len : 1);
        if (name.len > 0 && rest.len > 0 && rest.ptr[0] == '=') {
            rest = kanal_str_from(rest, 1);
            value = read_value(&rest);
        }
        if (kanal_str_equal_nocase(name, kanal_str_c(wanted)))
            return value;
    }
    return (kanal_str){ 0 };
}

static const struct element *find_element(kanal_str name)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (kanal_str_equal_nocase(name, kanal_str_c(elements[i].name)))
            return &elements[i];
    return NULL;
}

static void open_element(struct reader *r, const struct element *element, kanal_str attributes)
{
    struct kanal_buffer href = { 0 };
    uint32_t span = UINT32_MAX;
    if (r->depth == RICH_DEPTH)
        return;
    if (element->kind == RICH_LINK)
        put_decoded(&href, attribute(attributes, "href"));
    /* Of spans only spoilers mean something. */
    if (element->kind != RICH_SPOILER || kanal_str_is(attribute(attributes, "class"), "spoiler"))
        span = rich_open(r->rich, element->kind, kanal_buffer_view(&href));
    r->rich->failed |= href.failed;
    r->open[r->depth].element = element;
    r->open[r->depth++].span = span;
    kanal_buffer_release(&href);
}

static void close_element(struct reader *r, const struct element *element)
{
    uint32_t depth = r->depth;
    while (depth > 0 && r->open[depth - 1].element != element)
        depth--;
    for (; depth > 0 && r->depth >= depth; r->depth--)
        rich_close(r->rich, r->open[r->depth - 1].span);
}

/* text begins with '<'. Bytes read; 0: it is no tag of ours. */
static size_t read_tag(struct reader *r, kanal_str text)
{
    const char *end = memchr(text.ptr, '>', text.len < TAG_MAX ? text.len : TAG_MAX);
    if (!end)
        return 0;
    kanal_str tag = kanal_str_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
    int closes = tag.len > 0 && tag.ptr[0] == '/';
    tag = kanal_str_from(tag, (size_t)closes);
    kanal_str name = letters(tag), attributes = kanal_str_from(tag, name.len);
    if (attributes.len > 0 && !rich_is_space(attributes.ptr[0]) && attributes.ptr[0] != '/')
        return 0;
    const struct element *element = find_element(name);
    if (kanal_str_equal_nocase(name, KANAL_LIT("br")))
        rich_text(r->rich, KANAL_LIT("\n"));
    else if (element && closes)
        close_element(r, element);
    else if (element)
        open_element(r, element, attributes);
    else
        return 0;
    return (size_t)(end - text.ptr) + 1;
}

void rich_read_html(struct rich *rich, kanal_str text)
{
    struct reader r = { .rich = rich };
    for (size_t i = 0; i < text.len;) {
        size_t read = text.ptr[i] == '<'   ? read_tag(&r, kanal_str_from(text, i))
                      : text.ptr[i] == '&' ? read_entity(kanal_str_from(text, i), &rich->text)
                                           : 0;
        if (read == 0)
            kanal_buffer_byte(&rich->text, text.ptr[i]);
        i += read > 0 ? read : 1;
    }
    while (r.depth > 0)
        rich_close(rich, r.open[--r.depth].span);
}
