#include "markup.h"

#define DEPTH_MAX 24

enum tag { TAG_B, TAG_I, TAG_U, TAG_S, TAG_CODE, TAG_PRE, TAG_QUOTE, TAG_SPOILER, TAG_A, TAG_COUNT };

static const struct {
    const char *open, *close;
} tags[TAG_COUNT] = {
    { "<b>", "</b>" },
    { "<i>", "</i>" },
    { "<u>", "</u>" },
    { "<s>", "</s>" },
    { "<code>", "</code>" },
    { "<pre>", "</pre>" },
    { "<blockquote>", "</blockquote>" },
    { "<tg-spoiler>", "</tg-spoiler>" },
    { "<a href=\"", "</a>" },
};

enum effect { EFFECT_TAG, EFFECT_BREAK, EFFECT_BLOCK, EFFECT_ITEM, EFFECT_HEADING, EFFECT_DROP };

static const struct element {
    const char *name;
    enum effect effect;
    enum tag tag;
} elements[] = {
    { "b", EFFECT_TAG, TAG_B },          { "strong", EFFECT_TAG, TAG_B },
    { "i", EFFECT_TAG, TAG_I },          { "em", EFFECT_TAG, TAG_I },
    { "u", EFFECT_TAG, TAG_U },          { "ins", EFFECT_TAG, TAG_U },
    { "s", EFFECT_TAG, TAG_S },          { "strike", EFFECT_TAG, TAG_S },
    { "del", EFFECT_TAG, TAG_S },        { "code", EFFECT_TAG, TAG_CODE },
    { "pre", EFFECT_TAG, TAG_PRE },      { "blockquote", EFFECT_TAG, TAG_QUOTE },
    { "span", EFFECT_TAG, TAG_SPOILER }, { "tg-spoiler", EFFECT_TAG, TAG_SPOILER },
    { "a", EFFECT_TAG, TAG_A },          { "br", EFFECT_BREAK, TAG_COUNT },
    { "p", EFFECT_BLOCK, TAG_COUNT },    { "div", EFFECT_BLOCK, TAG_COUNT },
    { "ul", EFFECT_BLOCK, TAG_COUNT },   { "ol", EFFECT_BLOCK, TAG_COUNT },
    { "li", EFFECT_ITEM, TAG_COUNT },    { "h1", EFFECT_HEADING, TAG_B },
    { "h2", EFFECT_HEADING, TAG_B },     { "h3", EFFECT_HEADING, TAG_B },
    { "h4", EFFECT_HEADING, TAG_B },     { "h5", EFFECT_HEADING, TAG_B },
    { "h6", EFFECT_HEADING, TAG_B },     { "script", EFFECT_DROP, TAG_COUNT },
    { "style", EFFECT_DROP, TAG_COUNT },
};

struct open_tag {
    enum tag tag;
    kanal_str href; /* of TAG_A: as written in the source, references not decoded */
};

struct html {
    struct kanal_buffer *out;
    size_t start; /* of our output in out */
    struct open_tag open[DEPTH_MAX];
    size_t open_count;
};

void tg_escape(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            kanal_buffer_text(out, "&lt;");
        else if (c == '>')
            kanal_buffer_text(out, "&gt;");
        else if (c == '&')
            kanal_buffer_text(out, "&amp;");
        else if (c == '"')
            kanal_buffer_text(out, "&quot;");
        else
            kanal_buffer_byte(out, c);
    }
}

int tg_link_is_safe(kanal_str url)
{
    static const char *const schemes[] = { "http://", "https://", "tg://", "mailto:", "tel:" };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);
        if (url.len > n && kanal_str_equal_nocase(kanal_str_of(url.ptr, n), kanal_str_c(schemes[i])))
            return 1;
    }
    return 0;
}

static void append_utf8(struct kanal_buffer *out, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(lead[n] | c);
    tg_escape(out, kanal_str_of(bytes, n));
}

/* The number behind "&#"; 0: none, or not a character that may stand in a text. */
static uint32_t reference_number(kanal_str digits)
{
    uint32_t base = 10, value = 0;
    size_t i = 0;
    if (digits.len > 1 && (digits.ptr[0] | 0x20) == 'x') {
        base = 16;
        i = 1;
    }
    if (digits.len == i || digits.len > 8)
        return 0;
    for (; i < digits.len; i++) {
        char c = digits.ptr[i], letter = (char)(c | 0x20);
        uint32_t digit = c >= '0' && c <= '9'             ? (uint32_t)(c - '0')
                         : letter >= 'a' && letter <= 'f' ? (uint32_t)(letter - 'a' + 10)
                                                          : 99;
        if (digit >= base)
            return 0;
        value = value * base + digit;
    }
    int is_character = (value >= 0x20 && value < 0xd800) || (value > 0xdfff && value <= 0x10ffff) ||
                       value == '\n' || value == '\t';
    return is_character ? value : 0;
}

/* Writes the character reference at `text`, or the '&' alone. Returns the bytes that were read. */
static size_t write_reference(struct kanal_buffer *out, kanal_str text)
{
    static const struct {
        const char *name, *written;
    } names[] = { { "lt", "&lt;" }, { "gt", "&gt;" },       { "amp", "&amp;" }, { "quot", "&quot;" },
                  { "apos", "'" },  { "nbsp", "\xc2\xa0" }, { "laquo", "«" },   { "raquo", "»" },
                  { "mdash", "—" }, { "ndash", "–" },       { "hellip", "…" } };
    size_t end = 1;
    while (end < text.len && end < 12 && text.ptr[end] != ';')
        end++;
    if (end < text.len && text.ptr[end] == ';') {
        kanal_str name = kanal_str_of(text.ptr + 1, end - 1);
        uint32_t number = kanal_str_starts(name, "#") ? reference_number(kanal_str_from(name, 1)) : 0;
        if (number > 0) {
            append_utf8(out, number);
            return end + 1;
        }
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (kanal_str_is(name, names[i].name)) {
                kanal_buffer_text(out, names[i].written);
                return end + 1;
            }
    }
    kanal_buffer_text(out, "&amp;");
    return 1;
}

/* Text with references, escaped anew. */
static void write_text(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] == '&') {
            i += write_reference(out, kanal_str_from(text, i));
        } else {
            tg_escape(out, kanal_str_of(text.ptr + i, 1));
            i++;
        }
    }
}

static void write_open(struct html *html, const struct open_tag *open)
{
    kanal_buffer_text(html->out, tags[open->tag].open);
    if (open->tag == TAG_A) {
        write_text(html->out, open->href);
        kanal_buffer_text(html->out, "\">");
    }
}

static void push(struct html *html, enum tag tag, kanal_str href)
{
    if (html->open_count == DEPTH_MAX)
        return;
    struct open_tag *open = &html->open[html->open_count++];
    open->tag = tag;
    open->href = href;
    write_open(html, open);
}

/* Closes the innermost tag of this kind; those opened inside of it are closed and opened again. */
static void pop(struct html *html, enum tag tag)
{
    size_t at = html->open_count;
    while (at > 0 && html->open[at - 1].tag != tag)
        at--;
    if (at == 0)
        return;
    for (size_t i = html->open_count; i >= at; i--)
        kanal_buffer_text(html->out, tags[html->open[i - 1].tag].close);
    for (size_t i = at; i < html->open_count; i++) {
        html->open[i - 1] = html->open[i];
        write_open(html, &html->open[i - 1]);
    }
    html->open_count--;
}

/* A line break, unless the output is empty or ends in one. */
static void line_break(struct html *html)
{
    struct kanal_buffer *out = html->out;
    if (!out->failed && out->len > html->start && out->data[out->len - 1] != '\n')
        kanal_buffer_byte(out, '\n');
}

/* The value of an attribute, quoted or not; absent if it is not there. */
static kanal_str attribute(kanal_str attributes, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i + n < attributes.len; i++) {
        char before = i == 0 ? ' ' : attributes.ptr[i - 1];
        if ((before != ' ' && before != '\n' && before != '\t') ||
            !kanal_str_equal_nocase(kanal_str_of(attributes.ptr + i, n), kanal_str_c(name)) ||
            attributes.ptr[i + n] != '=')
            continue;
        kanal_str value = kanal_str_from(attributes, i + n + 1);
        char quote = value.len > 0 ? value.ptr[0] : 0;
        size_t end = 0;
        if (quote == '"' || quote == '\'')
            value = kanal_str_from(value, 1);
        else
            quote = ' ';
        while (end < value.len && value.ptr[end] != quote)
            end++;
        return kanal_str_of(value.ptr, end);
    }
    return kanal_str_of(NULL, 0);
}

static const struct element *element_of(kanal_str name)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (kanal_str_equal_nocase(name, kanal_str_c(elements[i].name)))
            return &elements[i];
    return NULL;
}

static int is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* The name and attributes of the tag at `text`, which starts with '<'. Its length, or 0: that is no tag. */
static size_t read_tag(kanal_str text, kanal_str *ret_name, kanal_str *ret_attributes, int *ret_closes)
{
    size_t at = 1;
    *ret_closes = at < text.len && text.ptr[at] == '/';
    at += (size_t)*ret_closes;
    size_t name = at;
    while (at < text.len && is_name_char(text.ptr[at]))
        at++;
    *ret_name = kanal_str_of(text.ptr + name, at - name);
    size_t rest = at;
    char quote = 0; /* a '>' in a quoted value does not end the tag */
    for (; at < text.len && ret_name->len > 0; at++) {
        char c = text.ptr[at];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>' || c == '<')
            break;
    }
    if (ret_name->len == 0 || at == text.len || text.ptr[at] != '>')
        return 0;
    *ret_attributes = kanal_str_of(text.ptr + rest, at - rest);
    return at + 1;
}

/* The bytes up to and including the end tag of an element whose text is dropped. */
static size_t skip_element(kanal_str text, kanal_str name)
{
    for (size_t i = 0; i + name.len + 2 < text.len; i++)
        if (text.ptr[i] == '<' && text.ptr[i + 1] == '/' &&
            kanal_str_equal_nocase(kanal_str_of(text.ptr + i + 2, name.len), name)) {
            while (i < text.len && text.ptr[i] != '>')
                i++;
            return i < text.len ? i + 1 : text.len;
        }
    return text.len;
}

static int is_open(const struct html *html, enum tag tag)
{
    for (size_t i = 0; i < html->open_count; i++)
        if (html->open[i].tag == tag)
            return 1;
    return 0;
}

static int is_spoiler_class(kanal_str name)
{
    return kanal_str_is(name, "spoiler") || kanal_str_is(name, "tg-spoiler");
}

static void apply_tag(struct html *html, enum tag tag, kanal_str name, kanal_str attributes, int closes)
{
    kanal_str href = attribute(attributes, "href");
    if (closes)
        pop(html, tag);
    else if (tag == TAG_A) {
        if (tg_link_is_safe(href) && !is_open(html, TAG_A))
            push(html, tag, href);
    } else if (!kanal_str_equal_nocase(name, KANAL_LIT("span")) ||
               is_spoiler_class(attribute(attributes, "class")))
        push(html, tag, href);
}

/* Applies the tag at `text`. The bytes that were read, 0: it is no tag. */
static size_t apply(struct html *html, kanal_str text)
{
    kanal_str name, attributes;
    int closes;
    if (kanal_str_starts(text, "<!--")) {
        for (size_t i = 4; i + 2 < text.len; i++)
            if (memcmp(text.ptr + i, "-->", 3) == 0)
                return i + 3;
        return text.len;
    }
    size_t len = read_tag(text, &name, &attributes, &closes);
    const struct element *element = len > 0 ? element_of(name) : NULL;
    if (!element)
        return len;
    switch (element->effect) {
    case EFFECT_TAG:
        apply_tag(html, element->tag, name, attributes, closes);
        break;
    case EFFECT_BREAK:
        kanal_buffer_byte(html->out, '\n');
        break;
    case EFFECT_BLOCK:
        line_break(html);
        break;
    case EFFECT_ITEM:
        line_break(html);
        if (!closes)
            kanal_buffer_text(html->out, "• ");
        break;
    case EFFECT_HEADING:
        if (closes)
            pop(html, TAG_B);
        line_break(html);
        if (!closes)
            push(html, TAG_B, kanal_str_of(NULL, 0));
        break;
    case EFFECT_DROP:
        return closes ? len : len + skip_element(kanal_str_from(text, len), name);
    }
    return len;
}

void tg_html_from_html(struct kanal_buffer *out, kanal_str source)
{
    struct html html = { .out = out, .start = out->len };
    for (size_t i = 0; i < source.len;) {
        size_t next = i;
        while (next < source.len && source.ptr[next] != '<')
            next++;
        write_text(out, kanal_str_of(source.ptr + i, next - i));
        if (next == source.len)
            break;
        size_t len = apply(&html, kanal_str_from(source, next));
        if (len == 0)
            kanal_buffer_text(out, "&lt;");
        i = next + (len > 0 ? len : 1);
    }
    while (html.open_count > 0)
        pop(&html, html.open[html.open_count - 1].tag);
}
