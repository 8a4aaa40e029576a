#include "outbound/adapt/split.h"

#include "outbound/adapt/grapheme.h"

int split_fits(const struct split_limits *limits, size_t chars, size_t bytes)
{
    return (limits->chars == 0 || chars <= limits->chars) && (limits->bytes == 0 || bytes <= limits->bytes);
}

int split_text_fits(const struct split_limits *limits, kanal_str text)
{
    if (limits->bytes > 0 && text.len > limits->bytes)
        return 0;
    return limits->chars == 0 || text.len <= limits->chars || grapheme_count_points(text) <= limits->chars;
}

/* The last places where a piece may end, by how well; 0: none. */
struct places {
    size_t paragraph, line, sentence, word, cluster;
};

/* Bytes of the cluster of white space that stands there, or 0. A space with a mark on it is none. */
static size_t blank_at(kanal_str text, size_t here)
{
    if (here >= text.len || !rich_is_space(text.ptr[here]))
        return 0;
    size_t length = grapheme_next(kanal_str_from(text, here));
    return length == 1 || (length == 2 && text.ptr[here + 1] == '\n') ? length : 0;
}

static size_t count_blank(kanal_str text, size_t from)
{
    size_t here = from, length;
    while ((length = blank_at(text, here)) > 0)
        here += length;
    return here - from;
}

static int ends_sentence(kanal_str before)
{
    static const char *const ends[] = { ".", "!", "?", "\xE2\x80\xA6", ".\"", "!\"", "?\"", ".)", NULL };
    for (const char *const *end = ends; *end; end++) {
        size_t n = strlen(*end);
        if (before.len >= n && memcmp(before.ptr + before.len - n, *end, n) == 0)
            return 1;
    }
    return 0;
}

/* Chinese and Japanese: a sentence ends without a space. */
static int ends_wide_sentence(kanal_str before)
{
    static const char *const ends[] = { "\xE3\x80\x82", "\xEF\xBC\x81", "\xEF\xBC\x9F", NULL };
    for (const char *const *end = ends; *end; end++)
        if (before.len >= 3 && memcmp(before.ptr + before.len - 3, *end, 3) == 0)
            return 1;
    return 0;
}

/* A piece may end at this place: what kind of place is it? */
static void note(struct places *places, kanal_str text, size_t from, size_t here)
{
    kanal_str before = kanal_str_of(text.ptr + from, here - from);
    places->cluster = here;
    if (ends_wide_sentence(before))
        places->sentence = places->word = here;
    if (blank_at(text, here) == 0)
        return;
    size_t newlines = 0;
    for (size_t i = here; i < text.len && rich_is_space(text.ptr[i]) && newlines < 2; i++)
        newlines += text.ptr[i] == '\n';
    places->word = here;
    if (newlines >= 2)
        places->paragraph = here;
    if (newlines >= 1)
        places->line = here;
    if (ends_sentence(before))
        places->sentence = here;
}

static size_t choose(const struct places *places, size_t from)
{
    size_t half = from + (places->cluster - from) / 2;
    size_t later = places->line > places->sentence ? places->line : places->sentence;
    return places->paragraph > half ? places->paragraph
           : later > half           ? later
           : places->word > 0       ? places->word
                                    : places->cluster;
}

/* What closing the open spans takes; it stays the same from character to character. */
struct closing {
    int is_known, line_begun;
    uint32_t next, depth;
    size_t chars, bytes;
};

/* Would it be within, if it ended here? */
static int is_within(const struct rich_writer *w, const struct split_limits *limits, struct closing *closing)
{
    if (!split_fits(limits, w->chars, w->bytes))
        return 0;
    if (!closing->is_known || closing->next != w->next || closing->depth != w->written_depth ||
        closing->line_begun != w->line_begun) {
        struct rich_writer closed = *w;
        rich_end_piece(&closed);
        *closing = (struct closing){ .is_known = 1,
                                     .line_begun = w->line_begun,
                                     .next = w->next,
                                     .depth = w->written_depth,
                                     .chars = closed.chars - w->chars,
                                     .bytes = closed.bytes - w->bytes };
    }
    return split_fits(limits, w->chars + closing->chars, w->bytes + closing->bytes);
}

/* A cluster of more code points than a message may have: as many as fit. */
static size_t cut_cluster(const struct rich_writer *start, const struct split_limits *limits, size_t length)
{
    kanal_str text = kanal_buffer_view(&start->rich->text);
    struct rich_writer w = *start;
    struct closing closing = { 0 };
    size_t fits = 0;
    while (fits < length) {
        size_t more = grapheme_code_point(kanal_str_from(text, start->pos + fits), NULL);
        rich_write(&w, more);
        if (!is_within(&w, limits, &closing))
            break;
        fits += more;
    }
    return start->pos + fits;
}

/* Where the piece that begins at the writer's place ends; the same place: nothing fits. */
static size_t find_end(const struct rich_writer *start, const struct split_limits *limits)
{
    kanal_str text = kanal_buffer_view(&start->rich->text);
    struct rich_writer w = *start;
    struct places places = { 0 };
    struct closing closing = { 0 };
    size_t last = start->pos; /* behind the last thing that is no space */
    while (w.pos < text.len) {
        size_t length = grapheme_next(kanal_str_from(text, w.pos));
        size_t blank = blank_at(text, w.pos);
        rich_write(&w, length);
        if (blank)
            continue;
        if (!is_within(&w, limits, &closing))
            break;
        last = w.pos;
        note(&places, text, start->pos, w.pos);
    }
    if (last == start->pos)
        return cut_cluster(start, limits, grapheme_next(kanal_str_from(text, start->pos)));
    /* Is white space alone left? */
    return last + count_blank(text, last) == text.len ? last : choose(&places, start->pos);
}

int split_rich(const struct rich *rich, enum markup to, const struct split_limits *limits,
               split_piece_fn *piece, void *user)
{
    kanal_str text = kanal_buffer_view(&rich->text);
    struct kanal_buffer out = { 0 };
    struct rich_writer w;
    int result = 0;
    rich_writer_init(&w, rich, to);
    rich_skip(&w, count_blank(text, 0));
    while (result == 0 && w.pos < text.len) {
        w.out = NULL;
        w.chars = w.bytes = 0;
        size_t end = find_end(&w, limits);
        if (end == w.pos) {
            result = SPLIT_TOO_NARROW;
            break;
        }
        w.out = &out;
        while (w.pos < end) {
            size_t length = grapheme_next(kanal_str_from(text, w.pos));
            rich_write(&w, length < end - w.pos ? length : end - w.pos);
        }
        rich_end_piece(&w);
        result = piece(user, kanal_buffer_view(&out)) != 0 ? SPLIT_STOPPED : 0;
        kanal_buffer_clear(&out);
        rich_skip(&w, count_blank(text, w.pos));
    }
    kanal_buffer_release(&out);
    return result;
}
