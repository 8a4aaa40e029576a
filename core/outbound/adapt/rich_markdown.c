/* The contract's markdown, read: first what marks what is found, then the text is written without it. */
#include "outbound/adapt/rich.h"

#define OPEN_MAX 32u /* marks that wait for their end; older ones are text */
#define RUN_MAX 63u

enum mark_kind { MARK_TEXT, MARK_OPEN, MARK_CLOSE, MARK_SKIP, MARK_CODE, MARK_PRE, MARK_AUTOLINK };

struct mark {
    uint32_t at, length; /* in the source; of code and autolinks with what is inside */
    enum mark_kind kind;
    enum rich_kind span;
    uint32_t target, target_len; /* of a link, in the source */
};

struct reader {
    kanal_str source;
    struct mark *marks;
    uint32_t count, room;
    struct {
        uint32_t mark;
        char c;
        uint32_t size;
    } open[OPEN_MAX];
    uint32_t depth;
    uint64_t no_end; /* bit n: no run of n backticks comes any more */
    int failed;
};

static struct mark *add(struct reader *r, struct mark mark)
{
    if (r->count == r->room) {
        uint32_t room = r->room > 0 ? 2 * r->room : 32;
        struct mark *marks = realloc(r->marks, room * sizeof *marks);
        if (!marks) {
            r->failed = 1;
            return NULL;
        }
        r->marks = marks;
        r->room = room;
    }
    r->marks[r->count] = mark;
    return &r->marks[r->count++];
}

static char at(const struct reader *r, size_t i)
{
    return i < r->source.len ? r->source.ptr[i] : ' ';
}

static uint32_t run_of(const struct reader *r, size_t i)
{
    uint32_t n = 1;
    while (i + n < r->source.len && r->source.ptr[i + n] == r->source.ptr[i])
        n++;
    return n;
}

static int is_punctuation(char c)
{
    return c > ' ' && c < 0x7F && !((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9');
}

/* ---- Emphasis ---- */

static void push_open(struct reader *r, size_t i, uint32_t size, char c, enum rich_kind span)
{
    struct mark mark = { .at = (uint32_t)i, .length = size, .kind = MARK_TEXT, .span = span };
    if (!add(r, mark))
        return;
    if (r->depth == OPEN_MAX) { /* the oldest stays text */
        memmove(r->open, r->open + 1, (OPEN_MAX - 1) * sizeof *r->open);
        r->depth--;
    }
    r->open[r->depth].mark = r->count - 1;
    r->open[r->depth].c = c;
    r->open[r->depth++].size = size;
}

/* The innermost one that this may end; OPEN_MAX: none. */
static uint32_t find_open(const struct reader *r, char c, uint32_t most, uint32_t exactly)
{
    for (uint32_t i = r->depth; i-- > 0;)
        if (r->open[i].c == c && r->open[i].size <= most && (exactly == 0 || r->open[i].size == exactly))
            return i;
    return OPEN_MAX;
}

static enum rich_kind kind_of(char c, uint32_t size)
{
    return c == '~' ? RICH_STRIKE : size == 2 ? RICH_BOLD : RICH_ITALIC;
}

static uint32_t close_run(struct reader *r, size_t i, uint32_t n, char c, int only_whole)
{
    uint32_t left = n;
    while (left > 0) {
        uint32_t found = find_open(r, c, left, only_whole ? n : 0);
        if (found == OPEN_MAX)
            break;
        uint32_t size = r->open[found].size;
        r->marks[r->open[found].mark].kind = MARK_OPEN;
        r->depth = found; /* what is open inside of it stays text */
        add(r, (struct mark){ .at = (uint32_t)(i + n - left), .length = size, .kind = MARK_CLOSE });
        left -= size;
    }
    return left;
}

/* Left- and right-flanking runs: CommonMark 6.2. */
static void read_run(struct reader *r, size_t i, uint32_t n)
{
    char c = r->source.ptr[i], before = i > 0 ? r->source.ptr[i - 1] : ' ', after = at(r, i + n);
    int left =
        !rich_is_space(after) && (!is_punctuation(after) || rich_is_space(before) || is_punctuation(before));
    int right =
        !rich_is_space(before) && (!is_punctuation(before) || rich_is_space(after) || is_punctuation(after));
    int opens = left && (c != '_' || !right || is_punctuation(before));
    int closes = right && (c != '_' || !left || is_punctuation(after));
    if ((c == '~' && n != 2) || n > 3)
        return;
    uint32_t rest = closes ? close_run(r, i, n, c, opens) : n;
    size_t from = i + n - rest;
    if (!opens)
        return;
    if (rest >= 2)
        push_open(r, from, 2, c, kind_of(c, 2));
    if (rest % 2 == 1)
        push_open(r, from + rest - 1, 1, c, kind_of(c, 1));
}

/* ---- Code ---- */

/* The run of exactly n backticks that ends it, or 0. */
static size_t find_backticks(struct reader *r, size_t from, uint32_t n)
{
    if (n > RUN_MAX || (r->no_end >> n & 1))
        return 0;
    for (size_t i = from; i < r->source.len; i++) {
        if (r->source.ptr[i] != '`')
            continue;
        uint32_t run = run_of(r, i);
        if (run == n)
            return i;
        i += run - 1;
    }
    r->no_end |= UINT64_C(1) << n;
    return 0;
}

static size_t line_end(const struct reader *r, size_t i)
{
    const char *end = i < r->source.len ? memchr(r->source.ptr + i, '\n', r->source.len - i) : NULL;
    return end ? (size_t)(end - r->source.ptr) : r->source.len;
}

/* A fenced block, from the start of its line: bytes of it, or 0. An open end is the text's. */
static size_t read_block(struct reader *r, size_t i, uint32_t n)
{
    size_t first = line_end(r, i) + 1, line = first;
    if (memchr(r->source.ptr + i + n, '`', first - 1 - i - n))
        return 0; /* in a line of its own it is a span */
    for (; line < r->source.len; line = line_end(r, line) + 1)
        if (r->source.ptr[line] == '`' && run_of(r, line) >= n)
            break;
    size_t end = line < r->source.len ? line_end(r, line) : r->source.len;
    first = first < r->source.len ? first : r->source.len;
    line = line < r->source.len ? line : r->source.len;
    add(r, (struct mark){ .at = (uint32_t)i,
                          .length = (uint32_t)(end - i),
                          .kind = MARK_PRE,
                          .target = (uint32_t)first,
                          .target_len = (uint32_t)(line - first) });
    return end - i;
}

static size_t read_backticks(struct reader *r, size_t i)
{
    uint32_t n = run_of(r, i);
    if (n >= 3 && (i == 0 || r->source.ptr[i - 1] == '\n')) {
        size_t length = read_block(r, i, n);
        if (length > 0)
            return length;
    }
    size_t end = find_backticks(r, i + n, n);
    if (end == 0)
        return n;
    uint32_t first = (uint32_t)(i + n), last = (uint32_t)end;
    if (last - first > 2 && r->source.ptr[first] == ' ' && r->source.ptr[last - 1] == ' ')
        first++, last--;
    add(r, (struct mark){ .at = (uint32_t)i,
                          .length = (uint32_t)(end + n - i),
                          .kind = MARK_CODE,
                          .target = first,
                          .target_len = last - first });
    return end + n - i;
}

/* ---- Links ---- */

/* "(target)" or "(<target> "title")" at i. Bytes, or 0; *ret: the target. */
static size_t read_target(const struct reader *r, size_t i, struct mark *ret)
{
    size_t from = i + 1, end, depth = 0;
    int pointed = at(r, from) == '<';
    from += (size_t)pointed;
    for (end = from; end < r->source.len; end++) {
        char c = r->source.ptr[end];
        if (pointed ? c == '>' || c == '\n' : rich_is_space(c) || (c == ')' && depth == 0))
            break;
        depth += c == '(';
        depth -= c == ')' && depth > 0;
        if (end - from > 4096)
            return 0;
    }
    ret->target = (uint32_t)from;
    ret->target_len = (uint32_t)(end - from);
    end += pointed && at(r, end) == '>';
    while (end < r->source.len && rich_is_space(r->source.ptr[end]))
        end++;
    if (at(r, end) == '"') { /* the title is shown nowhere */
        const char *quote = memchr(r->source.ptr + end + 1, '"', r->source.len - end - 1);
        end = quote ? (size_t)(quote - r->source.ptr) + 1 : r->source.len;
    }
    return at(r, end) == ')' && end < r->source.len ? end + 1 - i : 0;
}

static size_t read_link_end(struct reader *r, size_t i)
{
    uint32_t found = find_open(r, '[', 1, 0);
    struct mark target = { 0 };
    size_t length = found != OPEN_MAX && at(r, i + 1) == '(' ? read_target(r, i + 1, &target) : 0;
    if (found != OPEN_MAX && length == 0) { /* brackets that are no link */
        memmove(r->open + found, r->open + found + 1, (r->depth - found - 1) * sizeof *r->open);
        r->depth--;
    }
    if (length == 0)
        return 1;
    struct mark *opener = &r->marks[r->open[found].mark];
    opener->kind = MARK_OPEN;
    opener->target = target.target;
    opener->target_len = target.target_len;
    r->depth = found;
    add(r, (struct mark){ .at = (uint32_t)i, .length = (uint32_t)length + 1, .kind = MARK_CLOSE });
    return length + 1;
}

/* "<https://…>". Bytes; 1: it is none. */
static size_t read_autolink(struct reader *r, size_t i)
{
    size_t end = i + 1, colon = 0;
    for (; end < r->source.len && r->source.ptr[end] != '>'; end++) {
        if (rich_is_space(r->source.ptr[end]) || r->source.ptr[end] == '<' || end - i > 4096)
            return 1;
        if (r->source.ptr[end] == ':' && colon == 0)
            colon = end;
    }
    if (end >= r->source.len || colon < i + 3)
        return 1;
    for (size_t k = i + 1; k < colon; k++)
        if (is_punctuation(r->source.ptr[k]) && !strchr("+-.", r->source.ptr[k]))
            return 1;
    add(r, (struct mark){ .at = (uint32_t)i,
                          .length = (uint32_t)(end + 1 - i),
                          .kind = MARK_AUTOLINK,
                          .target = (uint32_t)i + 1,
                          .target_len = (uint32_t)(end - i) - 1 });
    return end + 1 - i;
}

/* ---- The whole ---- */

static size_t read_mark(struct reader *r, size_t i)
{
    char c = r->source.ptr[i];
    uint32_t n = 1;
    switch (c) {
    case '\\':
        if (!is_punctuation(at(r, i + 1)))
            return 1;
        add(r, (struct mark){ .at = (uint32_t)i, .length = 1, .kind = MARK_SKIP });
        return 2;
    case '`':
        return read_backticks(r, i);
    case '*':
    case '_':
    case '~':
        n = run_of(r, i);
        read_run(r, i, n);
        return n;
    case '[':
        push_open(r, i, 1, '[', RICH_LINK);
        return 1;
    case ']':
        return read_link_end(r, i);
    case '<':
        return read_autolink(r, i);
    default:
        return 1;
    }
}

static void write_mark(struct rich *rich, const struct reader *r, const struct mark *mark, uint32_t *open,
                       uint32_t *depth)
{
    kanal_str target = kanal_str_of(r->source.ptr + mark->target, mark->target_len);
    uint32_t span;
    switch (mark->kind) {
    case MARK_OPEN:
        span = rich_open(rich, mark->span, target);
        if (*depth < OPEN_MAX)
            open[(*depth)++] = span;
        break;
    case MARK_CLOSE:
        if (*depth > 0)
            rich_close(rich, open[--*depth]);
        break;
    case MARK_CODE:
    case MARK_PRE:
    case MARK_AUTOLINK:
        span = rich_open(rich,
                         mark->kind == MARK_CODE  ? RICH_CODE
                         : mark->kind == MARK_PRE ? RICH_PRE
                                                  : RICH_LINK,
                         mark->kind == MARK_AUTOLINK ? target : (kanal_str){ 0 });
        rich_text(rich, target);
        rich_close(rich, span);
        break;
    default:
        break;
    }
}

void rich_read_markdown(struct rich *rich, kanal_str text)
{
    struct reader r = { .source = text };
    uint32_t open[OPEN_MAX], depth = 0;
    size_t pos = 0;
    for (size_t i = 0; i < text.len && !r.failed;)
        i += read_mark(&r, i);
    for (uint32_t i = 0; i < r.count; i++) {
        const struct mark *mark = &r.marks[i];
        rich_text(rich, kanal_str_of(text.ptr + pos, mark->at - pos));
        pos = mark->at;
        if (mark->kind == MARK_TEXT)
            continue;
        pos += mark->length;
        write_mark(rich, &r, mark, open, &depth);
    }
    rich_text(rich, kanal_str_from(text, pos));
    rich->failed |= r.failed;
    free(r.marks);
}
