#include "html.h"

#include <stdio.h>

#include "kanal/sdk/str.h"

#define NAME_MAX_BYTES 16u
#define QUOTES_MAX 16u
#define LINK_BYTES_MAX 2048u
#define TAG_BYTES_MAX 4096u /* of a tag with quotation marks; they may have no pair */

struct writer {
    struct kanal_buffer *out;
    size_t start;                 /* of the text in out */
    uint32_t quotes;              /* blockquotes that stand open */
    uint32_t newlines;            /* that are due before the next word */
    int32_t space, is_pre;        /* a space is due; text is taken as it is */
    int32_t at_line_start;        /* nothing but a quotation mark stands in this line */
    char skipped[NAME_MAX_BYTES]; /* the element whose content vanishes; empty: none */
    uint32_t skipped_depth;
    kanal_str href;   /* of the link that stands open */
    size_t href_from; /* where its words begin */
};

/* ---- Writing ---- */

static void flush_white(struct writer *w)
{
    if (w->out->len == w->start)
        w->newlines = 0;
    if (w->newlines > 0 || w->out->len == w->start) {
        for (uint32_t i = 0; i < w->newlines; i++) {
            if (i > 0 && w->quotes > 0)
                kanal_buffer_text(w->out, ">");
            kanal_buffer_byte(w->out, '\n');
        }
        for (uint32_t i = 0; i < w->quotes && i < QUOTES_MAX; i++)
            kanal_buffer_text(w->out, "> ");
    } else if (w->space && !w->at_line_start) {
        kanal_buffer_byte(w->out, ' ');
    }
    w->newlines = 0;
    w->space = 0;
    w->at_line_start = 0;
}

static void want_newlines(struct writer *w, uint32_t count)
{
    if (w->newlines < count)
        w->newlines = count;
    w->space = 0;
}

static void write_bytes(struct writer *w, const char *bytes, size_t len)
{
    flush_white(w);
    kanal_buffer_append(w->out, bytes, len);
}

static int is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void write_character(struct writer *w, uint32_t c)
{
    char utf8[4];
    size_t n = 0;
    if (c == 0xa0 || c == 0x200b || c == 0x200c || c == 0xfeff || c == 0xad ||
        c == 0x34f) { /* spaces, of width 0 too */
        w->space |= c == 0xa0;
        return;
    }
    if (c < 0x20 || c == 0x7f || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    if (c < 0x80) {
        utf8[n++] = (char)c;
    } else if (c < 0x800) {
        utf8[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        utf8[n++] = (char)(0xe0 | c >> 12);
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        utf8[n++] = (char)(0xf0 | c >> 18);
        utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80)
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    write_bytes(w, utf8, n);
}

/* ---- Characters by name ---- */

static const struct {
    const char *name;
    uint32_t character;
} entities[] = {
    { "amp", '&' },       { "lt", '<' },       { "gt", '>' },       { "quot", '"' },     { "apos", '\'' },
    { "nbsp", 0xa0 },     { "zwnj", 0x200c },  { "shy", 0xad },     { "copy", 0xa9 },    { "reg", 0xae },
    { "trade", 0x2122 },  { "laquo", 0xab },   { "raquo", 0xbb },   { "ndash", 0x2013 }, { "mdash", 0x2014 },
    { "hellip", 0x2026 }, { "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "ldquo", 0x201c }, { "rdquo", 0x201d },
    { "bdquo", 0x201e },  { "sbquo", 0x201a }, { "bull", 0x2022 },  { "middot", 0xb7 },  { "euro", 0x20ac },
    { "pound", 0xa3 },    { "yen", 0xa5 },     { "cent", 0xa2 },    { "sect", 0xa7 },    { "deg", 0xb0 },
    { "plusmn", 0xb1 },   { "times", 0xd7 },   { "divide", 0xf7 },  { "frac12", 0xbd },  { "rarr", 0x2192 },
    { "larr", 0x2190 },   { "auml", 0xe4 },    { "ouml", 0xf6 },    { "uuml", 0xfc },    { "Auml", 0xc4 },
    { "Ouml", 0xd6 },     { "Uuml", 0xdc },    { "szlig", 0xdf },   { "eacute", 0xe9 },  { "egrave", 0xe8 },
    { "agrave", 0xe0 },   { "ccedil", 0xe7 },  { "ntilde", 0xf1 },  { "iquest", 0xbf },  { "iexcl", 0xa1 },
    { "ensp", ' ' },      { "emsp", ' ' },     { "thinsp", ' ' },   { "check", 0x2713 }, { "hearts", 0x2665 },
};

static uint32_t number_of(kanal_str name)
{
    uint32_t base = name.len > 1 && (name.ptr[1] == 'x' || name.ptr[1] == 'X') ? 16 : 10, number = 0;
    size_t i = base == 16 ? 2 : 1;
    if (i == name.len)
        return 0;
    for (; i < name.len; i++) {
        char c = name.ptr[i];
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
                         : base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                             ? (uint32_t)((c | 0x20) - 'a' + 10)
                             : 99;
        if (digit == 99)
            return 0;
        number = number < 0x200000 ? number * base + digit : number;
    }
    /* What programs that think in windows-1252 write. */
    return number == 0x96   ? 0x2013
           : number == 0x97 ? 0x2014
           : number == 0x93 ? 0x201c
           : number == 0x94 ? 0x201d
                            : number;
}

/* text begins with '&': how many bytes are one character, and which; 1 and '&' if it is nothing else. */
static size_t read_entity(kanal_str text, uint32_t *ret_character)
{
    size_t n = 1;
    *ret_character = '&';
    while (n < text.len && n < 12 && text.ptr[n] != ';' && !is_white(text.ptr[n]) && text.ptr[n] != '<' &&
           text.ptr[n] != '&')
        n++;
    if (n == text.len || text.ptr[n] != ';' || n == 1)
        return 1;
    kanal_str name = kanal_str_of(text.ptr + 1, n - 1);
    if (name.ptr[0] == '#') {
        uint32_t number = number_of(name);
        *ret_character = number ? number : 0xfffd;
        return n + 1;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (kanal_str_is(name, entities[i].name)) {
            *ret_character = entities[i].character;
            return n + 1;
        }
    return 1;
}

/* An attribute's value with its characters by name, as text in a line. */
static void write_value(struct writer *w, kanal_str value)
{
    for (size_t i = 0; i < value.len;) {
        uint32_t character = 0;
        if (value.ptr[i] == '&') {
            i += read_entity(kanal_str_from(value, i), &character);
            write_character(w, character);
        } else if (is_white(value.ptr[i])) {
            w->space = 1;
            i++;
        } else {
            write_bytes(w, value.ptr + i, 1);
            i++;
        }
    }
}

/* ---- Tags ---- */

struct tag {
    char name[NAME_MAX_BYTES];
    int is_end, is_empty;
    kanal_str attributes; /* views into the document */
};

static int is_any(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return 1;
    return 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* rest begins with '<': how many bytes the tag is; 0: it is none. */
static size_t read_tag(kanal_str rest, struct tag *tag)
{
    size_t i = 1, n = 0;
    memset(tag, 0, sizeof *tag);
    if (i < rest.len && rest.ptr[i] == '/') {
        tag->is_end = 1;
        i++;
    }
    if (i < rest.len && (lower(rest.ptr[i]) < 'a' || lower(rest.ptr[i]) > 'z'))
        return 0;
    while (i < rest.len && ((lower(rest.ptr[i]) >= 'a' && lower(rest.ptr[i]) <= 'z') ||
                            (rest.ptr[i] >= '0' && rest.ptr[i] <= '9') || rest.ptr[i] == ':')) {
        if (n < NAME_MAX_BYTES - 1)
            tag->name[n++] = lower(rest.ptr[i]);
        i++;
    }
    if (n == 0)
        return 0;
    size_t from = i;
    char quote = 0;
    size_t end = rest.len - from < TAG_BYTES_MAX ? rest.len : from + TAG_BYTES_MAX;
    for (; i < end && (quote || rest.ptr[i] != '>'); i++) {
        if (quote && rest.ptr[i] == quote)
            quote = 0;
        else if (!quote && (rest.ptr[i] == '"' || rest.ptr[i] == '\'') && i > from && rest.ptr[i - 1] == '=')
            quote = rest.ptr[i];
    }
    if (i == end) { /* a quotation mark without its pair: up to the first '>' then */
        const char *close = memchr(rest.ptr + from, '>', rest.len - from);
        i = close ? (size_t)(close - rest.ptr) : rest.len;
    }
    tag->attributes = kanal_str_of(rest.ptr + from, i - from);
    tag->is_empty = i > from && rest.ptr[i - 1] == '/';
    return i < rest.len ? i + 1 : i;
}

static kanal_str attribute(const struct tag *tag, const char *name)
{
    kanal_str rest = tag->attributes;
    size_t n = strlen(name);
    for (size_t i = 0; i + n < rest.len; i++) {
        if ((i > 0 && !is_white(rest.ptr[i - 1]) && rest.ptr[i - 1] != '"' && rest.ptr[i - 1] != '\'') ||
            !kanal_str_equal_nocase(kanal_str_of(rest.ptr + i, n), kanal_str_of(name, n)) ||
            rest.ptr[i + n] != '=')
            continue;
        kanal_str value = kanal_str_from(rest, i + n + 1);
        size_t end = 0;
        if (value.len > 0 && (value.ptr[0] == '"' || value.ptr[0] == '\'')) {
            const char *close = memchr(value.ptr + 1, value.ptr[0], value.len - 1);
            return close ? kanal_str_of(value.ptr + 1, (size_t)(close - value.ptr) - 1)
                         : kanal_str_of(NULL, 0);
        }
        while (end < value.len && !is_white(value.ptr[end]))
            end++;
        return kanal_str_of(value.ptr, end);
    }
    return kanal_str_of(NULL, 0);
}

/* Style without its spaces says that nobody sees it: preview texts that senders hide. */
static int is_hidden(const struct tag *tag)
{
    kanal_str style = attribute(tag, "style");
    char tight[256];
    size_t n = 0;
    for (size_t i = 0; i < style.len && n < sizeof tight - 1; i++)
        if (!is_white(style.ptr[i]))
            tight[n++] = lower(style.ptr[i]);
    tight[n] = 0;
    return strstr(tight, "display:none") != NULL || strstr(tight, "mso-hide:all") != NULL;
}

static void begin_link(struct writer *w, const struct tag *tag)
{
    kanal_str href = attribute(tag, "href");
    int is_shown = kanal_str_starts(href, "http://") || kanal_str_starts(href, "https://") ||
                   kanal_str_starts(href, "tel:");
    w->href = is_shown && href.len <= LINK_BYTES_MAX ? href : kanal_str_of(NULL, 0);
    w->href_from = w->out->len;
}

static void end_link(struct writer *w)
{
    kanal_str href = w->href;
    w->href = kanal_str_of(NULL, 0);
    if (href.len == 0 || w->out->failed)
        return;
    kanal_str words = kanal_str_from(kanal_buffer_view(w->out), w->href_from);
    kanal_str bare = kanal_str_from(href, kanal_str_starts(href, "https://")  ? 8
                                          : kanal_str_starts(href, "http://") ? 7
                                                                              : 4);
    if (bare.len > 0 && bare.ptr[bare.len - 1] == '/')
        bare.len--;
    if (words.len == 0 || (bare.len > 0 && memmem(words.ptr, words.len, bare.ptr, bare.len) != NULL))
        return; /* a picture without words, or the words are the address */
    w->space = 1;
    write_bytes(w, "(", 1);
    write_value(w, href);
    write_bytes(w, ")", 1);
}

static void begin_block(struct writer *w, const struct tag *tag)
{
    static const char *const paragraphs[] = { "p",  "h1", "h2", "h3",    "h4",  "h5",
                                              "h6", "ul", "ol", "table", "pre", NULL };
    static const char *const lines[] = { "div",    "tr", "li", "section", "article", "header", "footer",
                                         "center", "dt", "dd", "address", "form",    "option", NULL };
    if (strcmp(tag->name, "br") == 0)
        want_newlines(w, w->newlines < 2 ? w->newlines + 1 : 2);
    else if (strcmp(tag->name, "blockquote") == 0)
        want_newlines(w, 1);
    else if (is_any(tag->name, paragraphs))
        want_newlines(w, 2);
    else if (is_any(tag->name, lines) || strcmp(tag->name, "hr") == 0)
        want_newlines(w, 1);
    else if (strcmp(tag->name, "td") == 0 || strcmp(tag->name, "th") == 0)
        w->space = 1;
    if (tag->is_end)
        return;
    if (strcmp(tag->name, "li") == 0)
        write_bytes(w, "- ", 2);
    else if (strcmp(tag->name, "hr") == 0)
        write_bytes(w, "---", 3);
    if (strcmp(tag->name, "li") == 0)
        w->at_line_start = 1;
    if (strcmp(tag->name, "hr") == 0)
        want_newlines(w, 1);
}

static void take_tag(struct writer *w, const struct tag *tag)
{
    static const char *const vanishing[] = { "script",   "style",  "head",   "title", "template",
                                             "noscript", "iframe", "object", "svg",   "textarea",
                                             "select",   "math",   "xml",    "o:p",   NULL };
    static const char *const without_end[] = { "br",  "img",  "hr",   "input", "meta",   "link",
                                               "col", "area", "base", "wbr",   "source", NULL };
    if (!tag->is_end && !tag->is_empty && !is_any(tag->name, without_end) &&
        (is_any(tag->name, vanishing) || is_hidden(tag))) {
        memcpy(w->skipped, tag->name, sizeof w->skipped);
        w->skipped_depth = 1;
        return;
    }
    if (strcmp(tag->name, "blockquote") == 0) {
        begin_block(w, tag);
        w->quotes = tag->is_end              ? (w->quotes > 0 ? w->quotes - 1 : 0)
                    : w->quotes < QUOTES_MAX ? w->quotes + 1
                                             : w->quotes;
        return;
    }
    if (strcmp(tag->name, "a") == 0) {
        end_link(w);
        if (!tag->is_end)
            begin_link(w, tag);
        return;
    }
    if (strcmp(tag->name, "img") == 0 && !is_hidden(tag)) {
        kanal_str alt = attribute(tag, "alt");
        write_value(w, kanal_str_of(alt.ptr, alt.len <= 256 ? alt.len : 0));
    }
    if (strcmp(tag->name, "pre") == 0)
        w->is_pre = !tag->is_end;
    begin_block(w, tag);
}

/* ---- The document ---- */

/* "<!…", "<?…": how many bytes. */
static size_t skip_markup(kanal_str rest)
{
    int is_comment = kanal_str_starts(rest, "<!--");
    const char *end =
        is_comment ? memmem(rest.ptr + 4, rest.len - 4, "-->", 3) : memchr(rest.ptr, '>', rest.len);
    return end ? (size_t)(end - rest.ptr) + (is_comment ? 3 : 1) : rest.len;
}

/* Inside of what vanishes: only its end counts. */
static size_t skip_content(struct writer *w, kanal_str rest)
{
    struct tag tag;
    if (rest.ptr[0] == '<') {
        int is_raw = strcmp(w->skipped, "script") == 0 || strcmp(w->skipped, "style") == 0;
        if (!is_raw && kanal_str_starts(rest, "<!"))
            return skip_markup(rest);
        if (is_raw && !kanal_str_starts(rest, "</"))
            return 1;
        size_t n = read_tag(rest, &tag);
        if (n > 0 && strcmp(tag.name, w->skipped) == 0 && !tag.is_empty)
            w->skipped_depth = tag.is_end ? w->skipped_depth - 1
                               : is_raw   ? w->skipped_depth
                                          : w->skipped_depth + 1;
        if (n > 0 && (!is_raw || tag.is_end))
            return n;
        return 1;
    }
    const char *next = memchr(rest.ptr, '<', rest.len);
    return next ? (size_t)(next - rest.ptr) : rest.len;
}

static size_t take_text(struct writer *w, kanal_str rest)
{
    uint32_t character = 0;
    char c = rest.ptr[0];
    if (c == '&') {
        size_t n = read_entity(rest, &character);
        write_character(w, character);
        return n;
    }
    if (w->is_pre && c == '\n') {
        w->newlines = w->newlines < 3 ? w->newlines + 1 : 3;
        return 1;
    }
    if (is_white(c) && !(w->is_pre && c != '\r')) {
        w->space |= w->newlines == 0;
        return 1;
    }
    size_t n = 1;
    while (n < rest.len && rest.ptr[n] != '<' && rest.ptr[n] != '&' && !is_white(rest.ptr[n]) &&
           (unsigned char)rest.ptr[n] != 0xc2 && (unsigned char)rest.ptr[n] != 0xe2)
        n++;
    if (c == '\xc2' && rest.len > 1 &&
        rest.ptr[1] == '\xa0') { /* the spaces of write_character(), as they are */
        w->space = 1;
        return 2;
    }
    if (c == '\xe2' && rest.len > 2 && rest.ptr[1] == '\x80' &&
        (rest.ptr[2] == '\x8b' || rest.ptr[2] == '\x8c'))
        return 3;
    write_bytes(w, rest.ptr, n);
    return n;
}

void html_to_text(struct kanal_buffer *out, kanal_str html)
{
    struct writer w = { .out = out, .start = out->len, .at_line_start = 1 };
    struct tag tag;
    while (html.len > 0 && !out->failed) {
        size_t n = 0;
        if (w.skipped_depth > 0) {
            n = skip_content(&w, html);
        } else if (html.ptr[0] == '<' && html.len > 1 && (html.ptr[1] == '!' || html.ptr[1] == '?')) {
            n = skip_markup(html);
        } else if (html.ptr[0] == '<' && (n = read_tag(html, &tag)) > 0) {
            take_tag(&w, &tag);
        } else {
            n = take_text(&w, html);
        }
        html = kanal_str_from(html, n);
    }
    end_link(&w);
}
