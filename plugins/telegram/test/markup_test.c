/* Formatted text. */
#include <criterion/criterion.h>
#include <time.h>

#include "markup.h"

typedef void convert_fn(struct kanal_buffer *, kanal_str);

static void expect(convert_fn *convert, const char *from, const char *to)
{
    struct kanal_buffer out = { 0 };
    convert(&out, kanal_str_c(from));
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, to, "\"%s\" becomes \"%s\", not \"%s\"", from, out.data, to);
    kanal_buffer_release(&out);
}

Test(markup, html)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "a & b < c > d \"e\"", "a &amp; b &lt; c &gt; d &quot;e&quot;" },
        { "<b>a</b><strong>b</strong><em>c</em><ins>d</ins><del>e</del>",
          "<b>a</b><b>b</b><i>c</i><u>d</u><s>e</s>" },
        { "<B>a</B>", "<b>a</b>" },
        { "<b>a", "<b>a</b>" },
        { "a</b>", "a" },
        { "<b><i>a</b>b</i>", "<b><i>a</i></b><i>b</i>" },
        { "&lt;b&gt;&amp;&quot;&apos;&#39;&#x1F600;&nbsp;&mdash;", "&lt;b&gt;&amp;&quot;''😀\xc2\xa0—" },
        { "&#0;&#xD800;&#1114112;&bogus;&", "&amp;#0;&amp;#xD800;&amp;#1114112;&amp;bogus;&amp;" },
        { "<a href=\"https://x.example/?a=1&amp;b=%22\">x</a>",
          "<a href=\"https://x.example/?a=1&amp;b=%22\">x</a>" },
        { "<a href='https://x.example/\"onclick=y'>x</a>",
          "<a href=\"https://x.example/&quot;onclick=y\">x</a>" },
        { "<a href=\"javascript:alert(1)\">x</a>", "x" },
        { "<a href=\"https://a.example\">x<a href=\"https://b.example\">y</a></a>",
          "<a href=\"https://a.example\">xy</a>" },
        { "<a>x</a>", "x" },
        { "<span class=\"spoiler\">x</span><span style=\"color:red\">y</span>",
          "<tg-spoiler>x</tg-spoiler>y" },
        { "<p>a</p><p>b</p>", "a\nb\n" },
        { "a<br>b<br/>c", "a\nb\nc" },
        { "<ul><li>a</li><li>b</li></ul>", "• a\n• b\n" },
        { "<h1>T</h1>x", "<b>T</b>\nx" },
        { "a<script>alert('<b>')</script>b<style>x", "ab" },
        { "a<!-- <b> -->b", "ab" },
        { "1<2 <", "1&lt;2 &lt;" },
        { "<b title=\"a>b\">x</b>", "<b>x</b>" },
        { "<b<i>x</i>", "&lt;b<i>x</i>" },
        { "<pre><code class=\"language-c\">a<b</code></pre>", "<pre><code>a&lt;b</code></pre>" },
        { "<table><tr><td>x</td></tr></table>", "x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(tg_html_from_html, rows[i][0], rows[i][1]);
}

Test(markup, markdown)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "a & b < c", "a &amp; b &lt; c" },
        { "**a** __b__ *c* _d_ ~~e~~ ||f||",
          "<b>a</b> <b>b</b> <i>c</i> <i>d</i> <s>e</s> <tg-spoiler>f</tg-spoiler>" },
        { "***a***", "<b><i>a</i></b>" },
        { "**a *b* c**", "<b>a <i>b</i> c</b>" },
        { "*a **b** c*", "<i>a <b>b</b> c</i>" },
        { "snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4" },
        { "**open and *open", "**open and *open" },
        { "\\*a\\* \\\\ \\a", "*a* \\ \\a" },
        { "`a*b*<c>` ``x`y``", "<code>a*b*&lt;c&gt;</code> <code>x`y</code>" },
        { "*a `*` b*", "<i>a <code>*</code> b</i>" },
        { "[a *b*](https://x.example/?q=\"1\"&r=2)",
          "<a href=\"https://x.example/?q=&quot;1&quot;&amp;r=2\">a <i>b</i></a>" },
        { "[a](https://x.example \"title\") [b]", "<a href=\"https://x.example\">a</a> [b]" },
        { "[a](javascript:alert)", "a" },
        { "![alt](https://x.example/i.png)", "<a href=\"https://x.example/i.png\">alt</a>" },
        { "[a [b](https://y.example)](https://x.example)",
          "<a href=\"https://x.example\">a [b](https://y.example)</a>" },
        { "```c\nint a<b;\n*x*\n```\nafter",
          "<pre><code class=\"language-c\">int a&lt;b;\n*x*</code></pre>\nafter" },
        { "```\nopen", "<pre>open</pre>" },
        { "> a *b*\n> c\nd", "<blockquote>a <i>b</i>\nc</blockquote>\nd" },
        { "# Title\ntext", "<b>Title</b>\ntext" },
        { "- a\n- **b**\n* c", "• a\n• <b>b</b>\n• c" },
        { "a\n\nb", "a\n\nb" },
        { "*a\nb*", "<i>a\nb</i>" },
        { "#notitle", "#notitle" },
        { "Цена **5 ₽**, 😀_да_", "Цена <b>5 ₽</b>, 😀_да_" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(tg_html_from_markdown, rows[i][0], rows[i][1]);
}

/* 256 KiB of what a careless scanner needs the square of: that would be minutes. A linear one needs some
 * milliseconds, with sanitizers some tenths of a second. */
Test(markup, hostile_text_takes_linear_time)
{
    static const char *const units[] = {
        "[",    "*",     "**a",   "_",   "`",    "a`",        "``a`",     "<",     "<a ",
        "<b",   "<!--",  "&",     "&#",  "~~a",  "||a",       "[a](",     "\\",    "> ",
        "- ",   "# ",    "*a_b",  "*a ", "**a ", "~~a ",      "||a ",     "_a ",   "<b><i>",
        "</b>", "[[a](", "```\n", "![",  "*a`",  "<a href='", "<script>", "[a](b "
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct kanal_buffer text = { 0 }, out = { 0 };
        while (text.len < 256 * 1024)
            kanal_buffer_text(&text, units[i]);
        clock_t start = clock();
        tg_html_from_markdown(&out, kanal_buffer_view(&text));
        kanal_buffer_clear(&out);
        tg_html_from_html(&out, kanal_buffer_view(&text));
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        cr_expect_lt(seconds, 10.0, "%s takes %g s", units[i], seconds);
        kanal_buffer_release(&text);
        kanal_buffer_release(&out);
    }
}
