/* outbound/adapt/rich.h - a text apart from its markup, and written in any of the contract's dialects. Pure.
 *
 * html: the elements b, i, u, s, code, pre, a (href), blockquote, br and span class="spoiler" (and strong, em, ins, del, strike), the rest is
 * text. markdown: CommonMark's emphasis, strong, code, code blocks, links and ~~strike~~. Spans are nested in each other, in the order in which they
 * begin; what a dialect has no word for is left out of it. Sources: the contract's `markup`; CommonMark 0.31, 2.4, 4.5, 6.1 to 6.6. */
#ifndef KANAL_ADAPT_RICH_H
#define KANAL_ADAPT_RICH_H
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

#define RICH_DEPTH 16u /* of spans inside each other; deeper ones are text only */

enum markup { MARKUP_PLAIN, MARKUP_HTML, MARKUP_MARKDOWN };

enum rich_kind {
    RICH_BOLD,
    RICH_ITALIC,
    RICH_UNDERLINE,
    RICH_STRIKE,
    RICH_SPOILER,
    RICH_LINK,
    RICH_CODE,
    RICH_PRE,
    RICH_QUOTE
};

struct rich_span {
    uint32_t first, end; /* bytes of the text */
    enum rich_kind kind;
    uint32_t href, href_len; /* of a link, in hrefs */
    uint32_t backticks;      /* the longest run inside */
};

struct rich {
    struct kanal_buffer text, hrefs; /* text: without markup */
    struct rich_span *spans;
    uint32_t count, room;
    int failed; /* no memory */
};

void rich_release(struct rich *);
/* 1: a step could not be made for want of memory; what is there is not whole. */
int rich_failed(const struct rich *);

/* Each appends. */
void rich_read(struct rich *, kanal_str text, enum markup);
void rich_text(struct rich *, kanal_str plain);
/* The same as text without spans: a link's address behind its words, quotes marked by "> ". */
void rich_flatten(const struct rich *, struct rich *out);
enum markup markup_of(kanal_str name); /* "html"; anything else: plain */

/* ---- For the readers ---- */

/* A span that begins here; its number, or UINT32_MAX. */
uint32_t rich_open(struct rich *, enum rich_kind, kanal_str href);
void rich_close(struct rich *, uint32_t span);
void rich_read_html(struct rich *, kanal_str text);
void rich_read_markdown(struct rich *, kanal_str text);

/* ---- Writing, a cluster at a time ---- */

struct rich_writer {
    const struct rich *rich;
    enum markup to;
    size_t pos;    /* of the text: what comes next */
    uint32_t next; /* span that was not begun yet */
    uint32_t open[RICH_DEPTH];
    uint32_t depth, written_depth; /* open ones, and how many of them were written */
    struct kanal_buffer *out;      /* NULL: only counted */
    size_t chars, bytes;           /* written */
    int after_block, line_begun;
};

void rich_writer_init(struct rich_writer *, const struct rich *, enum markup to);
/* The next `length` bytes, which are whole clusters or a part of one; spans that end or begin before them are closed and opened. */
void rich_write(struct rich_writer *, size_t length);
/* A piece ends, and another may begin: open spans are closed, and opened again by the next rich_write(). */
void rich_end_piece(struct rich_writer *);
/* Passes over text without writing it. */
void rich_skip(struct rich_writer *, size_t length);

static inline int rich_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#endif
