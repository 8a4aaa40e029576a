#include <criterion/criterion.h>
#include <stdio.h>
#include "http/client_head.h"
#include "kanal/sdk/str.h"

static struct http_head head;

static void setup(void)
{
    http_head_init(&head);
}

static void teardown(void)
{
    http_head_release(&head);
}

TestSuite(head, .init = setup, .fini = teardown);

static void feed(const char *const *lines)
{
    for (; *lines; lines++)
        cr_assert_eq(http_head_line(&head, kanal_str_c(*lines)), 0);
}

static const char *value(const char *name)
{
    static char text[512];
    kanal_field fields[HTTP_HEAD_FIELDS];
    kanal_str found = kanal_field_get(fields, http_head_fields(&head, fields), name);

    if (!found.ptr)
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)found.len, found.ptr);
    return text;
}

Test(head, names_are_lower_case_and_values_are_trimmed)
{
    const char *lines[] = { "HTTP/1.1 201 Created\r\n", "Content-TYPE: \t text/Plain \r\n", "X-Empty:\r\n",
                            "X-Late : v\r\n", NULL };

    feed(lines);
    cr_assert_not(head.complete);
    feed((const char *[]){ "\r\n", NULL });
    cr_assert(head.complete);
    cr_assert_eq(head.code, 201);
    cr_assert_eq(head.count, 3);
    cr_assert_str_eq(value("content-type"), "text/Plain");
    cr_assert_str_eq(value("x-empty"), "");
    cr_assert_str_eq(value("x-late"), "v");
}

Test(head, folded_lines_continue_the_last_field)
{
    const char *lines[] = { "HTTP/1.1 200\r\n", "A: one\r\n", "  two\r\n", "\tthree\r\n", "   \r\n", NULL };

    feed(lines);
    cr_assert_str_eq(value("a"), "one two three");
}

Test(head, interim_answers_are_dropped_and_trailers_ignored)
{
    const char *lines[] = { "HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n", "\r\n", NULL };
    const char *more[] = { "HTTP/1.1 200 OK\r\n", "A: b\r\n",       "\r\n",
                           "HTTP/1.1 500 No\r\n", "Trailer: t\r\n", NULL };

    feed(lines);
    cr_assert_not(head.complete);
    feed(more);
    cr_assert_eq(head.code, 200);
    cr_assert_eq(head.count, 1);
    cr_assert_null(value("link"));
    cr_assert_null(value("trailer"));
}

Test(head, lines_that_are_no_fields_are_left_out)
{
    const char *lines[] = { "HTTP/1.1 200 OK\r\n",
                            "no colon\r\n",
                            ": no name\r\n",
                            "folded to nothing\r\n",
                            " :x\r\n",
                            "B: c\r\n",
                            NULL };

    feed(lines);
    cr_assert_eq(head.count, 1);
    cr_assert_str_eq(value("b"), "c");
}

Test(head, sixty_four_fields_are_kept)
{
    char line[32];

    feed((const char *[]){ "HTTP/1.1 200 OK\r\n", NULL });
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "X-%d: %d\r\n", i, i);
        cr_assert_eq(http_head_line(&head, kanal_str_c(line)), 0);
    }
    /* What continues a field that was not kept must not end up in one that was. */
    feed((const char *[]){ " folded\r\n", "\r\n", NULL });
    cr_assert_eq(head.count, HTTP_HEAD_FIELDS);
    cr_assert_str_eq(value("x-63"), "63");
    cr_assert_null(value("x-64"));
}

Test(head, all_lines_of_a_call_share_the_limit)
{
    static char line[1024];
    size_t seen = 0;
    int status = 0;

    memset(line, 'a', sizeof line);
    line[1] = ':';
    while (status == 0 && seen < 1u << 20) {
        status = http_head_line(&head, KANAL_LIT("HTTP/1.1 100 Continue\r\n"));
        if (status == 0)
            status = http_head_line(&head, kanal_str_of(line, sizeof line));
        seen += status == 0 ? sizeof line : 0;
    }
    cr_assert_eq(status, KANAL_E_TOO_LARGE);
    cr_assert_leq(seen, HTTP_HEAD_BYTES);
    cr_assert_geq(seen, HTTP_HEAD_BYTES - 4096);
}

Test(head, a_cleared_head_is_as_new)
{
    feed((const char *[]){ "HTTP/1.1 200 OK\r\n", "A: b\r\n", "\r\n", NULL });
    http_head_clear(&head);
    cr_assert_eq(head.count, 0);
    cr_assert_not(head.complete);
    feed((const char *[]){ "HTTP/1.1 404 No\r\n", "\r\n", NULL });
    cr_assert_eq(head.code, 404);
    cr_assert_eq(head.count, 0);
}
