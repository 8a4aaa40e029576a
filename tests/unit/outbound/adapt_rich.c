/* Markup, from one dialect to the others. */
#include <criterion/criterion.h>

#include "outbound/adapt/rich.h"
#include "outbound/adapt/split.h"

static int keep(void *user, kanal_str piece)
{
    kanal_buffer_str(user, piece);
    return 0;
}

static void expect(enum markup from, enum markup to, const char *text, const char *expected)
{
    struct split_limits limits = { 0 };
    struct kanal_buffer out = { 0 };
    struct rich rich = { 0 }, flat = { 0 };
    rich_read(&rich, kanal_str_c(text), from);
    rich_flatten(&rich, &flat);
    cr_assert_not(rich_failed(&rich));
    cr_assert_eq(split_rich(to == MARKUP_PLAIN ? &flat : &rich, to, &limits, keep, &out), 0);
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, expected, "from %s:\n got %s\nnot %s", text, out.data, expected);
    kanal_buffer_release(&out);
    rich_release(&rich);
    rich_release(&flat);
}

static const char *const html_cases[][3] = {
    /* html, markdown, plain */
    { "<b>a</b> <i>b</i>", "**a** *b*", "a b" },
    { "<strong>a</strong><del>b</del>", "**a**~~b~~", "ab" },
    { "a<br>b<br/>c", "a\nb\nc", "a\nb\nc" },
    { "1 &lt; 2 &amp;&amp; 3 &gt; 2 &quot;q&quot;", "1 \\< 2 && 3 > 2 \"q\"", "1 < 2 && 3 > 2 \"q\"" },
    { "<a href=\"https://x.y/?a=1&amp;b=2\">here</a>!", "[here](https://x.y/?a=1&b=2)!",
      "here (https://x.y/?a=1&b=2)!" },
    { "<a href='https://x.y'>https://x.y</a>", "[https://x.y](https://x.y)", "https://x.y" },
    { "<code>a*b</code>", "`a*b`", "a*b" },
    { "<code>a`b</code>", "`` a`b ``", "a`b" },
    { "<pre>x = 1\ny = 2</pre>after", "```\nx = 1\ny = 2\n```\nafter", "x = 1\ny = 2after" },
    { "<u>a</u> <span class=\"spoiler\">b</span>", "a b", "a b" },
    { "<blockquote>a\nb</blockquote>\nc", "a\nb\nc", "> a\n> b\nc" },
    { "2*3*4 [x] a_b_c", "2\\*3\\*4 \\[x\\] a\\_b\\_c", "2*3*4 [x] a_b_c" },
    { "<b><i>x</b>y</i>", "***x***y", "xy" },
    { "a < b <unknown> &nope; &#8212; &#x41;", "a \\< b \\<unknown> &nope; — A",
      "a < b <unknown> &nope; — A" },
    { "&#0; &#xD800; &#x110000;", "&#0; &#xD800; &#x110000;", "&#0; &#xD800; &#x110000;" },
    { "<b>never closed", "**never closed**", "never closed" },
};

Test(rich, html)
{
    for (size_t i = 0; i < sizeof html_cases / sizeof *html_cases; i++) {
        expect(MARKUP_HTML, MARKUP_MARKDOWN, html_cases[i][0], html_cases[i][1]);
        expect(MARKUP_HTML, MARKUP_PLAIN, html_cases[i][0], html_cases[i][2]);
    }
    expect(MARKUP_HTML, MARKUP_MARKDOWN, "x <b>a </b>b", "x **a** b");
}

static const char *const markdown_cases[][3] = {
    /* markdown, html, plain */
    { "**a** *b* _c_ __d__", "<b>a</b> <i>b</i> <i>c</i> <b>d</b>", "a b c d" },
    { "***both***", "<b><i>both</i></b>", "both" },
    { "**bold *and italic* inside**", "<b>bold <i>and italic</i> inside</b>", "bold and italic inside" },
    { "~~gone~~ ~one~", "<s>gone</s> ~one~", "gone ~one~" },
    { "`a*b*` ``c`d``", "<code>a*b*</code> <code>c`d</code>", "a*b* c`d" },
    { "```js\nx < 1\n```\nafter", "<pre>x &lt; 1\n</pre>\nafter", "x < 1\n\nafter" },
    { "[here](https://x.y) [t](<https://a b> \"title\")",
      "<a href=\"https://x.y\">here</a> <a href=\"https://a b\">t</a>",
      "here (https://x.y) t (https://a b)" },
    { "[**b**](https://x.y/(1))", "<a href=\"https://x.y/(1)\"><b>b</b></a>", "b (https://x.y/(1))" },
    { "<https://x.y>", "<a href=\"https://x.y\">https://x.y</a>", "https://x.y" },
    { "\\*not\\* 2 * 3 * 4 snake_case_name", "*not* 2 * 3 * 4 snake_case_name",
      "*not* 2 * 3 * 4 snake_case_name" },
    { "*a **b* c**", "<i>a **b</i> c**", "a **b c**" },
    { "[no link] [](x", "[no link] [](x", "[no link] [](x" },
    { "a < b & c", "a &lt; b &amp; c", "a < b & c" },
    { "*foo**bar*", "<i>foo**bar</i>", "foo**bar" },
    { "`open **b**", "`open <b>b</b>", "`open b" },
    { "**a", "**a", "**a" },
};

Test(rich, markdown)
{
    for (size_t i = 0; i < sizeof markdown_cases / sizeof *markdown_cases; i++) {
        expect(MARKUP_MARKDOWN, MARKUP_HTML, markdown_cases[i][0], markdown_cases[i][1]);
        expect(MARKUP_MARKDOWN, MARKUP_PLAIN, markdown_cases[i][0], markdown_cases[i][2]);
    }
}

Test(rich, deep_nesting_is_text_only)
{
    struct kanal_buffer text = { 0 }, out = { 0 };
    struct split_limits limits = { 0 };
    struct rich rich = { 0 };
    for (int i = 0; i < 1000; i++)
        kanal_buffer_text(&text, "<b><i>");
    kanal_buffer_text(&text, "x");
    rich_read(&rich, kanal_buffer_view(&text), MARKUP_HTML);
    cr_assert_eq(split_rich(&rich, MARKUP_HTML, &limits, keep, &out), 0);
    cr_assert_lt(out.len, 200);
    kanal_buffer_release(&text);
    kanal_buffer_release(&out);
    rich_release(&rich);
}
