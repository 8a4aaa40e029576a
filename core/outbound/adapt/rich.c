/* Texts with spans: their memory, and writing them. */
#include "outbound/adapt/rich.h"

#include "outbound/adapt/grapheme.h"

void rich_release(struct rich *rich)
{
    kanal_buffer_release(&rich->text);
    kanal_buffer_release(&rich->hrefs);
    free(rich->spans);
    *rich = (struct rich){ 0 };
}

int rich_failed(const struct rich *rich)
{
    return rich->failed || rich->text.failed || rich->hrefs.failed;
}

enum markup markup_of(kanal_str name)
{
    return kanal_str_is(name, "html")       ? MARKUP_HTML
           : kanal_str_is(name, "markdown") ? MARKUP_MARKDOWN
                                            : MARKUP_PLAIN;
}

uint32_t rich_open(struct rich *rich, enum rich_kind kind, kanal_str href)
{
    if (rich->count == rich->room) {
        uint32_t room = rich->room > 0 ? 2 * rich->room : 16;
        struct rich_span *spans = realloc(rich->spans, room * sizeof *spans);
        if (!spans) {
            rich->failed = 1;
            return UINT32_MAX;
        }
        rich->spans = spans;
        rich->room = room;
    }
    uint32_t here = (uint32_t)rich->text.len;
    rich->spans[rich->count] = (struct rich_span){ .first = here,
                                                   .end = here,
                                                   .kind = kind,
                                                   .href = (uint32_t)rich->hrefs.len,
                                                   .href_len = (uint32_t)href.len };
    kanal_buffer_str(&rich->hrefs, href);
    return rich->count++;
}

static uint32_t longest_run(kanal_str text)
{
    uint32_t longest = 0, run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.ptr[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

void rich_close(struct rich *rich, uint32_t number)
{
    if (number >= rich->count || rich_failed(rich))
        return;
    struct rich_span *span = &rich->spans[number];
    const char *text = rich->text.data;
    span->end = (uint32_t)rich->text.len;
    if (span->end == span->first)
        return;
    if (span->kind >= RICH_CODE) {
        span->backticks = longest_run(kanal_str_of(text + span->first, span->end - span->first));
        return;
    }
    /* Emphasis that begins or ends with a space is none in markdown. */
    while (span->end > span->first && rich_is_space(text[span->end - 1]))
        span->end--;
}

void rich_text(struct rich *rich, kanal_str plain)
{
    kanal_buffer_str(&rich->text, plain);
}

void rich_read(struct rich *rich, kanal_str text, enum markup markup)
{
    if (markup == MARKUP_HTML)
        rich_read_html(rich, text);
    else if (markup == MARKUP_MARKDOWN)
        rich_read_markdown(rich, text);
    else
        rich_text(rich, text);
}

/* ---- Without spans ---- */

static kanal_str href_of(const struct rich *rich, const struct rich_span *span)
{
    return kanal_str_of(rich->hrefs.data ? rich->hrefs.data + span->href : NULL, span->href_len);
}

static void flatten_link(const struct rich *rich, const struct rich_span *span, struct rich *out)
{
    kanal_str words = kanal_str_from(kanal_str_of(rich->text.data, span->end), span->first);
    kanal_str href = href_of(rich, span);
    if (href.len == 0 || kanal_str_equal(words, href))
        return;
    rich_text(out, words.len > 0 ? KANAL_LIT(" (") : KANAL_LIT("("));
    rich_text(out, href);
    rich_text(out, KANAL_LIT(")"));
}

/* Does a quote go on behind this place? */
static int quote_goes_on(const struct rich *rich, const uint32_t *open, uint32_t depth, size_t pos)
{
    for (uint32_t i = 0; i < depth; i++)
        if (rich->spans[open[i]].kind == RICH_QUOTE && rich->spans[open[i]].end > pos)
            return 1;
    return 0;
}

void rich_flatten(const struct rich *rich, struct rich *out)
{
    uint32_t open[RICH_DEPTH] = { 0 }, depth = 0, next = 0, quotes = 0;
    for (size_t pos = 0; pos <= rich->text.len; pos++) {
        for (; depth > 0 && rich->spans[open[depth - 1]].end <= pos; depth--) {
            const struct rich_span *span = &rich->spans[open[depth - 1]];
            if (span->kind == RICH_LINK)
                flatten_link(rich, span, out);
            quotes -= span->kind == RICH_QUOTE;
        }
        for (; next < rich->count && rich->spans[next].first <= pos; next++) {
            const struct rich_span *span = &rich->spans[next];
            if (span->end <= pos || depth == RICH_DEPTH)
                continue;
            open[depth++] = next;
            if (span->kind == RICH_QUOTE && quotes++ == 0)
                rich_text(out, KANAL_LIT("> "));
        }
        if (pos == rich->text.len)
            break;
        kanal_buffer_byte(&out->text, rich->text.data[pos]);
        if (rich->text.data[pos] == '\n' && quote_goes_on(rich, open, depth, pos + 1))
            rich_text(out, KANAL_LIT("> "));
    }
    out->failed |= rich->failed;
}

/* ---- Writing ---- */

void rich_writer_init(struct rich_writer *w, const struct rich *rich, enum markup to)
{
    *w = (struct rich_writer){ .rich = rich, .to = to };
}

static void put(struct rich_writer *w, kanal_str text)
{
    if (w->out)
        kanal_buffer_str(w->out, text);
    w->chars += grapheme_count_points(text);
    w->bytes += text.len;
    if (text.len > 0)
        w->line_begun = text.ptr[text.len - 1] != '\n';
}

static const struct dialect {
    const char *open, *close;
} html[] = { [RICH_BOLD] = { "<b>", "</b>" },
             [RICH_ITALIC] = { "<i>", "</i>" },
             [RICH_UNDERLINE] = { "<u>", "</u>" },
             [RICH_STRIKE] = { "<s>", "</s>" },
             [RICH_CODE] = { "<code>", "</code>" },
             [RICH_PRE] = { "<pre>", "</pre>" },
             [RICH_LINK] = { "<a href=\"", "</a>" },
             [RICH_QUOTE] = { "<blockquote>", "</blockquote>" },
             [RICH_SPOILER] = { "<span class=\"spoiler\">", "</span>" } },
  markdown[] = { [RICH_BOLD] = { "**", "**" },   [RICH_ITALIC] = { "*", "*" }, [RICH_UNDERLINE] = { "", "" },
                 [RICH_STRIKE] = { "~~", "~~" }, [RICH_CODE] = { "", "" },     [RICH_PRE] = { "", "" },
                 [RICH_LINK] = { "[", "" },      [RICH_QUOTE] = { "", "" },    [RICH_SPOILER] = { "", "" } };

/* Inside of code nothing is marked up in markdown. */
static int is_in_code(const struct rich_writer *w, uint32_t depth)
{
    for (uint32_t i = 0; w->to == MARKUP_MARKDOWN && i < depth; i++)
        if (w->rich->spans[w->open[i]].kind == RICH_CODE || w->rich->spans[w->open[i]].kind == RICH_PRE)
            return 1;
    return 0;
}

static void put_escaped(struct rich_writer *w, kanal_str text, int is_raw)
{
    for (size_t i = 0, from = 0; i <= text.len; i++) {
        char c = i < text.len ? text.ptr[i] : 0;
        const char *instead = NULL;
        char escaped[3] = { '\\', c, 0 };
        if (w->to == MARKUP_HTML)
            instead = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
        else if (w->to == MARKUP_MARKDOWN && !is_raw && c != 0 && strchr("\\`*_~[]<", c))
            instead = escaped;
        if (!instead && i < text.len)
            continue;
        if (i > from)
            put(w, kanal_str_of(text.ptr + from, i - from));
        if (instead)
            put(w, kanal_str_c(instead));
        from = i + 1;
    }
}

/* A link's target in markdown: what could end it is percent-encoded. */
static void put_target(struct rich_writer *w, kanal_str href)
{
    put(w, KANAL_LIT("]("));
    for (size_t i = 0; i < href.len; i++) {
        unsigned char c = (unsigned char)href.ptr[i];
        char encoded[4];
        if (c > ' ' && !strchr("()<>\\", c)) {
            put(w, kanal_str_of(href.ptr + i, 1));
            continue;
        }
        encoded[0] = '%';
        encoded[1] = "0123456789ABCDEF"[c >> 4];
        encoded[2] = "0123456789ABCDEF"[c & 15];
        put(w, kanal_str_of(encoded, 3));
    }
    put(w, KANAL_LIT(")"));
}

/* Longer than any run of backticks inside. */
static void put_fence(struct rich_writer *w, const struct rich_span *span, uint32_t least)
{
    for (uint32_t i = 0; i < (span->backticks + 1 > least ? span->backticks + 1 : least); i++)
        put(w, KANAL_LIT("`"));
}

static void put_open(struct rich_writer *w, uint32_t depth)
{
    const struct rich_span *span = &w->rich->spans[w->open[depth]];
    if (w->to == MARKUP_PLAIN || is_in_code(w, depth))
        return;
    if (w->to == MARKUP_HTML) {
        put(w, kanal_str_c(html[span->kind].open));
        if (span->kind == RICH_LINK) {
            put_escaped(w, href_of(w->rich, span), 0);
            put(w, KANAL_LIT("\">"));
        }
        return;
    }
    if (span->kind == RICH_PRE) {
        if (w->line_begun)
            put(w, KANAL_LIT("\n"));
        put_fence(w, span, 3);
        put(w, KANAL_LIT("\n"));
    } else if (span->kind == RICH_CODE) {
        put_fence(w, span, 1);
        if (span->backticks > 0)
            put(w, KANAL_LIT(" "));
    } else {
        put(w, kanal_str_c(markdown[span->kind].open));
    }
}

static void put_close(struct rich_writer *w, uint32_t depth)
{
    const struct rich_span *span = &w->rich->spans[w->open[depth]];
    if (w->to == MARKUP_PLAIN || is_in_code(w, depth))
        return;
    if (w->to == MARKUP_HTML) {
        put(w, kanal_str_c(html[span->kind].close));
    } else if (span->kind == RICH_LINK) {
        put_target(w, href_of(w->rich, span));
    } else if (span->kind == RICH_PRE) {
        if (w->line_begun)
            put(w, KANAL_LIT("\n"));
        put_fence(w, span, 3);
        w->after_block = 1;
    } else if (span->kind == RICH_CODE) {
        if (span->backticks > 0)
            put(w, KANAL_LIT(" "));
        put_fence(w, span, 1);
    } else {
        put(w, kanal_str_c(markdown[span->kind].close));
    }
}

/* The spans that hold at pos; those that have ended are closed. */
static void arrive(struct rich_writer *w)
{
    const struct rich_span *spans = w->rich->spans;
    while (w->depth > 0 && spans[w->open[w->depth - 1]].end <= w->pos) {
        w->depth--;
        if (w->depth < w->written_depth) {
            put_close(w, w->depth);
            w->written_depth = w->depth;
        }
    }
    for (; w->next < w->rich->count && spans[w->next].first <= w->pos; w->next++)
        if (spans[w->next].end > w->pos && w->depth < RICH_DEPTH)
            w->open[w->depth++] = w->next;
}

void rich_write(struct rich_writer *w, size_t length)
{
    kanal_str text = kanal_str_of(w->rich->text.data + w->pos, length);
    arrive(w);
    if (w->after_block && length > 0 && text.ptr[0] != '\n')
        put(w, KANAL_LIT("\n"));
    w->after_block = 0;
    for (; w->written_depth < w->depth; w->written_depth++)
        put_open(w, w->written_depth);
    if (w->to == MARKUP_PLAIN)
        put(w, text);
    else
        put_escaped(w, text, is_in_code(w, w->depth));
    w->pos += length;
}

void rich_end_piece(struct rich_writer *w)
{
    while (w->written_depth > 0)
        put_close(w, --w->written_depth);
    w->after_block = w->line_begun = 0;
}

void rich_skip(struct rich_writer *w, size_t length)
{
    for (size_t end = w->pos + length; w->pos < end;) {
        w->pos++;
        arrive(w);
    }
}
