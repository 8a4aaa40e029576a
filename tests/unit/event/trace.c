/* The attribute traceparent: what is taken, what is refused, what is begun. */
#include <criterion/criterion.h>
#include <string.h>
#include "event/trace.h"
#include "kanal/sdk/str.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Test(trace, what_is_right_is_taken)
{
    struct trace trace;
    cr_assert_eq(trace_read(KANAL_LIT(GOOD), &trace), 0);
    cr_assert_str_eq(trace.text, GOOD);
    cr_assert_eq(trace_read(KANAL_LIT("cc"
                                      "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"),
                            &trace),
                 0);
    cr_assert_str_eq(trace.text, GOOD, "a later version is written as 00");
}

Test(trace, what_is_wrong_is_refused)
{
    static const char *const wrong[] = { "",
                                         "00",
                                         GOOD "-",
                                         GOOD "x",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                         "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                         "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                         "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                         "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
                                         "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                         "00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01",
                                         "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct trace trace = { "as it was" };
        cr_expect_eq(trace_read(kanal_str_c(wrong[i]), &trace), KANAL_E_INVALID, "%s", wrong[i]);
        cr_expect_str_eq(trace.text, "as it was");
    }
    cr_expect_eq(trace_read((kanal_str){ 0 }, &(struct trace){ "" }), KANAL_E_INVALID);
}

Test(trace, what_is_begun_is_right)
{
    struct trace_source source;
    struct trace first, second, read;
    trace_source_init(&source);
    trace_begin(&source, &first);
    trace_begin(&source, &second);
    cr_assert_str_neq(first.text, second.text);
    cr_assert_eq(trace_read(kanal_str_c(first.text), &read), 0, "%s", first.text);
    cr_assert_str_eq(read.text, first.text);
}

Test(trace, a_command_has_one_of_its_own)
{
    struct ids *ids = NULL;
    struct trace one, again, other, read;
    cr_assert_eq(ids_new(&ids, KANAL_LIT("a salt for tests only")), 0);
    trace_of_command(ids, KANAL_LIT("crm-1"), &one);
    trace_of_command(ids, KANAL_LIT("crm-1"), &again);
    trace_of_command(ids, KANAL_LIT("crm-2"), &other);
    cr_assert_str_eq(one.text, again.text);
    cr_assert(memcmp(one.text + 3, other.text + 3, 32) != 0);
    cr_assert_eq(trace_read(kanal_str_c(one.text), &read), 0, "%s", one.text);
    ids_free(ids);
}
