#include "markup.h"

#define DEPTH_MAX 8
#define IN_LINK 64 /* added to the depth inside of a link: there is no link in a link */
#define DEPTH(depth) ((depth) & (IN_LINK - 1))
/* How far the other end of a code span or a link is looked for: keeps hostile text (“[[[[…”) linear. */
#define CODE_REACH 2048
#define LINK_REACH 2048

enum delimiter {
    DELIMITER_STRONG,
    DELIMITER_STRONG_LOW,
    DELIMITER_EM,
    DELIMITER_EM_LOW,
    DELIMITER_STRIKE,
    DELIMITER_SPOILER,
    DELIMITER_COUNT
};

static const struct {
    const char *mark, *open, *close;
} delimiters[DELIMITER_COUNT] = {
    { "**", "<b>", "</b>" }, { "__", "<b>", "</b>" }, { "*", "<i>", "</i>" },
    { "_", "<i>", "</i>" },  { "~~", "<s>", "</s>" }, { "||", "<tg-spoiler>", "</tg-spoiler>" },
};

static void write_inline(struct kanal_buffer *out, kanal_str text, int depth);

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int is_punctuation(char c)
{
    return c != 0 && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
}

static int is_word(char c)
{
    return (unsigned char)c >= 0x80 || !(is_space(c) || is_punctuation(c));
}

static size_t run_at(kanal_str text, size_t at, char c)
{
    size_t n = 0;
    while (at + n < text.len && text.ptr[at + n] == c)
        n++;
    return n;
}

/* The offset of the next run of exactly n backticks; 0: none near. */
static size_t code_end(kanal_str text, size_t at, size_t n)
{
    size_t reach = text.len - at < CODE_REACH ? text.len : at + CODE_REACH;
    while (at < reach) {
        size_t run = run_at(text, at, '`');
        if (run == n)
            return at;
        at += run > 0 ? run : 1;
    }
    return 0;
}

/* The bytes of the code span at `at`, 0: none. */
static size_t code_span(kanal_str text, size_t at, kanal_str *ret_code)
{
    size_t n = run_at(text, at, '`'), end = n > 0 ? code_end(text, at + n, n) : 0;
    if (end == 0)
        return 0;
    *ret_code = kanal_str_of(text.ptr + at + n, end - at - n);
    return end + n - at;
}

static int matches(kanal_str text, size_t at, const char *mark)
{
    size_t n = strlen(mark);
    return text.len - at >= n && memcmp(text.ptr + at, mark, n) == 0;
}

static int may_open(kanal_str text, size_t at, enum delimiter d)
{
    const char *mark = delimiters[d].mark;
    size_t after = at + strlen(mark);
    if (!matches(text, at, mark) || after >= text.len || is_space(text.ptr[after]))
        return 0;
    return mark[0] != '_' || at == 0 || !is_word(text.ptr[at - 1]);
}

static int may_close(kanal_str text, size_t at, enum delimiter d)
{
    const char *mark = delimiters[d].mark;
    size_t n = strlen(mark), run = run_at(text, at, mark[0]);
    if (!matches(text, at, mark) || is_space(text.ptr[at - 1]) || (n == 1 && run == 2))
        return 0;
    return mark[0] != '_' || at + n == text.len || !is_word(text.ptr[at + n]);
}

/* The offset of what closes a span that was opened before `at`; 0: nothing does. */
static size_t find_close(kanal_str text, size_t at, enum delimiter d)
{
    kanal_str code;
    for (size_t i = at; i < text.len; i++) {
        size_t skip = text.ptr[i] == '`' ? code_span(text, i, &code) : 0;
        if (skip > 0)
            i += skip - 1;
        else if (text.ptr[i] == '\\')
            i++;
        else if (i > at && may_close(text, i, d)) {
            /* Of "***" the inner mark closes first. */
            size_t run = run_at(text, i, delimiters[d].mark[0]), n = strlen(delimiters[d].mark);
            return run > n ? i + run - n : i;
        } else if (text.ptr[i] == delimiters[d].mark[0]) {
            i += run_at(text, i, delimiters[d].mark[0]) - 1;
        }
    }
    return 0;
}

/* A link at `at`, which is '['. Its bytes, 0: it is none. */
static size_t write_link(struct kanal_buffer *out, kanal_str text, size_t at, int depth)
{
    size_t reach = text.len - at < LINK_REACH ? text.len : at + LINK_REACH, close = at + 1, level = 1;
    for (; close < reach; close++) {
        char c = text.ptr[close];
        if (c == '\\')
            close++;
        else if (c == '[')
            level++;
        else if (c == ']' && --level == 0)
            break;
    }
    if (close + 1 >= reach || text.ptr[close + 1] != '(')
        return 0;
    size_t url = close + 2, end = url;
    reach = text.len - url < LINK_REACH ? text.len : url + LINK_REACH;
    while (end < reach && text.ptr[end] != ')' && !is_space(text.ptr[end]))
        end++;
    kanal_str href = kanal_str_of(text.ptr + url, end - url);
    while (end < reach && text.ptr[end] != ')' && text.ptr[end] != '\n') /* a title */
        end++;
    if (end >= reach || text.ptr[end] != ')')
        return 0;
    int is_safe = tg_link_is_safe(href);
    if (is_safe) {
        kanal_buffer_text(out, "<a href=\"");
        tg_escape(out, href);
        kanal_buffer_text(out, "\">");
    }
    write_inline(out, kanal_str_of(text.ptr + at + 1, close - at - 1), (depth + 1) | (is_safe ? IN_LINK : 0));
    if (is_safe)
        kanal_buffer_text(out, "</a>");
    return end + 1 - at;
}

static size_t write_span(struct kanal_buffer *out, kanal_str text, size_t at, int depth, uint32_t *hopeless)
{
    for (enum delimiter d = 0; d < DELIMITER_COUNT && DEPTH(depth) < DEPTH_MAX; d++) {
        if ((*hopeless & 1u << d) || !may_open(text, at, d))
            continue;
        size_t n = strlen(delimiters[d].mark), close = find_close(text, at + n, d);
        if (close == 0) {
            *hopeless |= 1u << d; /* nothing closes it up to the end: nor will it close a later one */
            continue;
        }
        kanal_buffer_text(out, delimiters[d].open);
        write_inline(out, kanal_str_of(text.ptr + at + n, close - at - n), depth + 1);
        kanal_buffer_text(out, delimiters[d].close);
        return close + n - at;
    }
    return 0;
}

/* What stands at `at`, as far as it is markup. Its bytes, 0: it is a plain character. */
static size_t write_markup(struct kanal_buffer *out, kanal_str text, size_t at, int depth, uint32_t *hopeless)
{
    kanal_str code;
    size_t n;
    char c = text.ptr[at];
    if (c == '\\' && at + 1 < text.len && is_punctuation(text.ptr[at + 1])) {
        tg_escape(out, kanal_str_of(text.ptr + at + 1, 1));
        return 2;
    }
    if (c == '`') {
        n = code_span(text, at, &code);
        if (n == 0) {
            n = run_at(text, at, '`');
            tg_escape(out, kanal_str_of(text.ptr + at, n));
            return n;
        }
        kanal_buffer_text(out, "<code>");
        tg_escape(out, code);
        kanal_buffer_text(out, "</code>");
        return n;
    }
    if (c == '[' && depth < DEPTH_MAX) /* and not in a link */
        return write_link(out, text, at, depth);
    if (c == '!' && depth < DEPTH_MAX && at + 1 < text.len && text.ptr[at + 1] == '[') {
        n = write_link(out, text, at + 1, depth);
        return n > 0 ? n + 1 : 0;
    }
    if (strchr("*_~|", c) == NULL || c == 0)
        return 0;
    n = write_span(out, text, at, depth, hopeless);
    if (n == 0) { /* the whole run is text: its second character must not open what the first could not */
        n = run_at(text, at, c);
        tg_escape(out, kanal_str_of(text.ptr + at, n));
    }
    return n;
}

static void write_inline(struct kanal_buffer *out, kanal_str text, int depth)
{
    uint32_t hopeless = 0;
    for (size_t i = 0; i < text.len;) {
        size_t n = write_markup(out, text, i, depth, &hopeless);
        if (n == 0) {
            tg_escape(out, kanal_str_of(text.ptr + i, 1));
            n = 1;
        }
        i += n;
    }
}

/* ---- Lines ---- */

static kanal_str take_line(kanal_str *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n')
        n++;
    kanal_str line = kanal_str_of(rest->ptr, n);
    *rest = n < rest->len ? kanal_str_from(*rest, n + 1) : kanal_str_of(rest->ptr + n, 0);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static kanal_str trim_left(kanal_str line)
{
    while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        line = kanal_str_from(line, 1);
    return line;
}

static void write_fence(struct kanal_buffer *out, kanal_str info, kanal_str *rest)
{
    size_t word = 0;
    int is_first = 1;
    info = trim_left(info);
    while (word < info.len && !is_space(info.ptr[word]))
        word++;
    kanal_buffer_text(out, "<pre>");
    if (word > 0) {
        kanal_buffer_text(out, "<code class=\"language-");
        tg_escape(out, kanal_str_of(info.ptr, word));
        kanal_buffer_text(out, "\">");
    }
    while (rest->len > 0) {
        kanal_str line = take_line(rest);
        if (kanal_str_starts(trim_left(line), "```"))
            break;
        if (!is_first)
            kanal_buffer_byte(out, '\n');
        tg_escape(out, line);
        is_first = 0;
    }
    kanal_buffer_text(out, word > 0 ? "</code></pre>" : "</pre>");
}

static int is_quote(kanal_str line)
{
    return kanal_str_starts(trim_left(line), ">");
}

static kanal_str quoted(kanal_str line)
{
    line = kanal_str_from(trim_left(line), 1);
    return kanal_str_starts(line, " ") ? kanal_str_from(line, 1) : line;
}

static void write_quote(struct kanal_buffer *out, kanal_str line, kanal_str *rest)
{
    kanal_buffer_text(out, "<blockquote>");
    write_inline(out, quoted(line), 1);
    while (rest->len > 0 && is_quote(*rest)) {
        kanal_buffer_byte(out, '\n');
        write_inline(out, quoted(take_line(rest)), 1);
    }
    kanal_buffer_text(out, "</blockquote>");
}

static void write_plain_lines(struct kanal_buffer *out, kanal_str lines, kanal_str *rest)
{
    /* Emphasis may go over the end of a line, so the lines of a paragraph are written together. */
    while (rest->len > 0) {
        kanal_str look = *rest, line = take_line(&look), start = trim_left(line);
        if (start.len == 0 || strchr("#>-+*`", start.ptr[0]))
            break;
        lines.len = (size_t)(line.ptr + line.len - lines.ptr);
        *rest = look;
    }
    write_inline(out, lines, 0);
}

static void write_block(struct kanal_buffer *out, kanal_str line, kanal_str *rest)
{
    kanal_str start = trim_left(line);
    size_t level = run_at(start, 0, '#');
    if (kanal_str_starts(start, "```")) {
        write_fence(out, kanal_str_from(start, 3), rest);
    } else if (level >= 1 && level <= 6 && level < start.len && start.ptr[level] == ' ') {
        kanal_buffer_text(out, "<b>");
        write_inline(out, trim_left(kanal_str_from(start, level)), 1);
        kanal_buffer_text(out, "</b>");
    } else if (is_quote(line)) {
        write_quote(out, line, rest);
    } else if (start.len > 1 && strchr("-+*", start.ptr[0]) && start.ptr[1] == ' ') {
        kanal_buffer_append(out, line.ptr, line.len - start.len);
        kanal_buffer_text(out, "• ");
        write_inline(out, kanal_str_from(start, 2), 0);
    } else {
        write_plain_lines(out, line, rest);
    }
}

void tg_html_from_markdown(struct kanal_buffer *out, kanal_str markdown)
{
    kanal_str rest = markdown;
    int is_first = 1;
    while (rest.len > 0) {
        if (!is_first)
            kanal_buffer_byte(out, '\n');
        kanal_str line = take_line(&rest);
        write_block(out, line, &rest);
        is_first = 0;
    }
}
