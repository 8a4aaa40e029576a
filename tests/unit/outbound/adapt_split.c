/* Where texts are cut. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "outbound/adapt/grapheme.h"
#include "outbound/adapt/split.h"

static const struct {
    const char *text;
    unsigned char lengths[32]; /* 0 ends them */
} cases[] = {
#include "grapheme_cases.h"
};

Test(grapheme, clusters_are_those_of_perl)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kanal_str text = kanal_str_c(cases[i].text);
        for (size_t n = 0; text.len > 0; n++) {
            size_t length = grapheme_next(text);
            cr_assert_eq(length, cases[i].lengths[n], "case %zu, cluster %zu: %zu bytes, not %u", i, n,
                         length, cases[i].lengths[n]);
            text = kanal_str_from(text, length);
        }
    }
}

Test(grapheme, what_readers_take_for_one)
{
    static const char *const one[] = { "👨‍👩‍👧‍👦",
                                       "🏳️‍🌈",
                                       "🇷🇺",
                                       "👍🏽",
                                       "e\xCC\x81",
                                       "\r\n",
                                       "각",
                                       "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
                                       "नि",
                                       NULL };
    for (const char *const *text = one; *text; text++)
        cr_expect_eq(grapheme_next(kanal_str_c(*text)), strlen(*text), "%s", *text);
    cr_expect_eq(grapheme_next(kanal_str_c("🇷🇺🇩🇪")), 8);
    cr_expect_eq(grapheme_next(KANAL_LIT("\xFF\xFE")), 1);
    cr_expect_eq(grapheme_next((kanal_str){ 0 }), 0);
}

/* ---- Pieces ---- */

struct pieces {
    struct kanal_buffer all; /* with '|' between */
    size_t count;
};

static int take(void *user, kanal_str piece)
{
    struct pieces *pieces = user;
    if (pieces->count++ > 0)
        kanal_buffer_byte(&pieces->all, '|');
    kanal_buffer_str(&pieces->all, piece);
    return pieces->count > 5000;
}

static void expect_split(enum markup from, enum markup to, uint32_t chars, uint32_t bytes, const char *text,
                         const char *expected)
{
    struct split_limits limits = { chars, bytes };
    struct pieces pieces = { 0 };
    struct rich rich = { 0 };
    rich_read(&rich, kanal_str_c(text), from);
    cr_assert_eq(split_rich(&rich, to, &limits, take, &pieces), 0, "%s", text);
    kanal_buffer_byte(&pieces.all, 0);
    cr_expect_str_eq(pieces.all.data, expected);
    kanal_buffer_release(&pieces.all);
    rich_release(&rich);
}

static const struct {
    uint32_t chars, bytes;
    const char *text, *expected;
} plain_cases[] = {
    { 20, 0, "short", "short" },
    { 5, 0, "hello world", "hello|world" },
    { 6, 0, "hello world", "hello|world" },
    { 11, 0, "hello world", "hello world" },
    { 15, 0, "One two. Three four five", "One two.|Three four five" },
    { 20, 0, "One two three\nfour five six", "One two three|four five six" },
    { 24, 0, "A par. Next one.\n\nSecond par here.", "A par. Next one.|Second par here." },
    { 27, 0, "Right at once.\n\nA paragraph which is long. End",
      "Right at once.|A paragraph which is long.|End" },
    { 4, 0, "abcdefghij", "abcd|efgh|ij" },
    { 0, 4, "привет", "пр|ив|ет" },
    { 0, 5, "привет", "пр|ив|ет" },
    { 7, 0, "👨‍👩‍👧‍👦👨‍👩‍👧‍👦",
      "👨‍👩‍👧‍👦|👨‍👩‍👧‍👦" },
    { 3, 0, "🇷🇺🇩🇪🇫🇷", "🇷🇺|🇩🇪|🇫🇷" },
    { 3, 0,
      "ae\xCC\x81"
      "e\xCC\x81",
      "ae\xCC\x81|e\xCC\x81" },
    { 4, 0, "今日は。明日は。", "今日は。|明日は。" },
    { 3, 0, "a          b", "a|b" },
    { 3, 0, "   abc   ", "abc" },
    { 2, 0, "e\xCC\x81\xCC\x82\xCC\x83", "e\xCC\x81|\xCC\x82\xCC\x83" }, /* a cluster larger than a message */
    { 10, 0, "  ", "" },
};

Test(split, plain_texts)
{
    for (size_t i = 0; i < sizeof plain_cases / sizeof *plain_cases; i++)
        expect_split(MARKUP_PLAIN, MARKUP_PLAIN, plain_cases[i].chars, plain_cases[i].bytes,
                     plain_cases[i].text, plain_cases[i].expected);
}

Test(split, markup_is_closed_and_opened_again)
{
    expect_split(MARKUP_HTML, MARKUP_HTML, 15, 0, "<b>bold words go on</b> end",
                 "<b>bold</b>|<b>words go</b>|<b>on</b> end");
    expect_split(MARKUP_HTML, MARKUP_HTML, 34, 0, "<a href=\"https://x.y\">one two three four</a>",
                 "<a href=\"https://x.y\">one two</a>|<a href=\"https://x.y\">three</a>|<a "
                 "href=\"https://x.y\">four</a>");
    expect_split(MARKUP_HTML, MARKUP_HTML, 8, 0, "a &amp; b &lt; c", "a &amp;|b &lt; c");
    expect_split(MARKUP_MARKDOWN, MARKUP_MARKDOWN, 14, 0, "**bold words go on** end",
                 "**bold words**|**go on** end");
    expect_split(MARKUP_MARKDOWN, MARKUP_MARKDOWN, 16, 0, "```\nline one\nline two\n```",
                 "```\nline one\n```|```\nline two\n```");
}

Test(split, no_room_for_markup_is_told)
{
    struct split_limits limits = { 10, 0 };
    struct pieces pieces = { 0 };
    struct rich rich = { 0 };
    rich_read(&rich, KANAL_LIT("<a href=\"https://example.com\">word</a>"), MARKUP_HTML);
    cr_assert_eq(split_rich(&rich, MARKUP_HTML, &limits, take, &pieces), SPLIT_TOO_NARROW);
    kanal_buffer_release(&pieces.all);
    rich_release(&rich);
}

/* ---- Properties, over random texts ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void random_text(struct kanal_buffer *out, uint32_t *state)
{
    static const char *const bits[] = {
        "a",  "word",      " ",    " ",    "\n",       "\n\n", ". ", "ж", "👨‍👩‍👧",
        "🇷🇺", "e\xCC\x81", "\r\n", "中。", "👍🏽", "&",    "<",  "*", "_",
        "`",  "][",        "\\"
    };
    kanal_buffer_clear(out);
    for (uint32_t n = next_random(state) % 120; n > 0; n--)
        kanal_buffer_text(out, bits[next_random(state) % (sizeof bits / sizeof *bits)]);
}

static void without_space(struct kanal_buffer *out, kanal_str text)
{
    kanal_buffer_clear(out);
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.ptr[i]) || text.ptr[i] == 0)
            kanal_buffer_byte(out, text.ptr[i]);
}

struct checking {
    struct split_limits limits;
    kanal_str text;
    size_t pos; /* of the text */
    struct kanal_buffer joined;
    size_t largest; /* code points of the largest cluster */
    int is_broken;
};

/* A piece begins where a cluster begins, and ends where one ends, unless a cluster does not fit into a piece. */
static int check_piece(void *user, kanal_str piece)
{
    struct checking *c = user;
    cr_expect(split_fits(&c->limits, grapheme_count_points(piece), piece.len));
    cr_expect(kanal_str_utf8(piece));
    kanal_buffer_str(&c->joined, piece);
    size_t in_piece = 0;
    while (c->pos < c->text.len && memcmp(c->text.ptr + c->pos, piece.ptr, 1) != 0)
        c->pos += grapheme_next(kanal_str_from(c->text, c->pos)); /* white space between two pieces */
    while (in_piece < piece.len && c->pos < c->text.len) {
        size_t length = grapheme_next(kanal_str_from(c->text, c->pos));
        c->is_broken |= in_piece + length > piece.len;
        in_piece += length;
        c->pos += length;
    }
    return 0;
}

Test(split, pieces_are_within_limits_whole_and_everything)
{
    uint32_t state = 7;
    struct kanal_buffer text = { 0 }, a = { 0 }, b = { 0 };
    for (int round = 0; round < 4000; round++) {
        random_text(&text, &state);
        struct checking c = { .text = kanal_str_of(text.data, text.len) };
        if (round % 2)
            c.limits.chars = 5 + next_random(&state) % 40;
        else
            c.limits.bytes = 18 + next_random(&state) % 60;
        struct rich rich = { 0 };
        rich_text(&rich, c.text);
        cr_assert_eq(split_rich(&rich, MARKUP_PLAIN, &c.limits, check_piece, &c), 0);
        without_space(&a, c.text);
        without_space(&b, kanal_str_of(c.joined.data, c.joined.len));
        cr_assert(kanal_str_equal(kanal_buffer_view(&a), kanal_buffer_view(&b)), "round %d", round);
        cr_assert_not(c.is_broken, "round %d", round);
        kanal_buffer_release(&c.joined);
        rich_release(&rich);
    }
    kanal_buffer_release(&text);
    kanal_buffer_release(&a);
    kanal_buffer_release(&b);
}

/* Read again, the pieces of a text with markup show the words of the whole. */
struct rereading {
    struct split_limits limits;
    enum markup markup;
    struct kanal_buffer words;
};

static int reread_piece(void *user, kanal_str piece)
{
    struct rereading *r = user;
    struct rich rich = { 0 };
    cr_expect(split_fits(&r->limits, grapheme_count_points(piece), piece.len));
    rich_read(&rich, piece, r->markup);
    kanal_buffer_append(&r->words, rich.text.data, rich.text.len);
    rich_release(&rich);
    return 0;
}

static void random_html(struct kanal_buffer *out, uint32_t *state)
{
    static const char *const bits[] = { "<b>",
                                        "</b>",
                                        "<i>",
                                        "</i>",
                                        "<code>",
                                        "</code>",
                                        "<a href=\"https://a.b\">",
                                        "</a>",
                                        "<pre>",
                                        "</pre>",
                                        "&amp;",
                                        "&lt;",
                                        "word",
                                        " ",
                                        " ",
                                        "x",
                                        "\n",
                                        "👨‍👩‍👧",
                                        "e\xCC\x81",
                                        "<blockquote>",
                                        "</blockquote>",
                                        "<span class=\"spoiler\">",
                                        "</span>",
                                        "&#8212;",
                                        "*",
                                        "_",
                                        "`",
                                        "~~" };
    kanal_buffer_clear(out);
    for (uint32_t n = next_random(state) % 300; n > 0; n--)
        kanal_buffer_text(out, bits[next_random(state) % (sizeof bits / sizeof *bits)]);
}

Test(split, markup_is_whole_in_every_piece)
{
    uint32_t state = 3;
    struct kanal_buffer text = { 0 }, a = { 0 }, b = { 0 };
    for (int round = 0; round < 3000; round++) {
        random_html(&text, &state);
        struct rereading r = { .limits = { .chars = 700 + next_random(&state) % 100 },
                               .markup = MARKUP_HTML };
        struct rich rich = { 0 };
        rich_read(&rich, kanal_str_of(text.data, text.len), MARKUP_HTML);
        cr_assert_eq(split_rich(&rich, r.markup, &r.limits, reread_piece, &r), 0);
        without_space(&a, kanal_str_of(rich.text.data, rich.text.len));
        without_space(&b, kanal_str_of(r.words.data, r.words.len));
        cr_assert(kanal_str_equal(kanal_buffer_view(&a), kanal_buffer_view(&b)), "round %d: %.*s", round,
                  (int)text.len, text.data);
        kanal_buffer_release(&r.words);
        rich_release(&rich);
    }
    kanal_buffer_release(&text);
    kanal_buffer_release(&a);
    kanal_buffer_release(&b);
}
