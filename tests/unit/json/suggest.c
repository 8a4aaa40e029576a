#include <criterion/criterion.h>
#include "json/suggest.h"
#include "kanal/sdk/str.h"

static size_t distance(const char *a, const char *b)
{
    return json_edit_distance(kanal_str_c(a), kanal_str_c(b));
}

Test(suggest, distance)
{
    cr_expect_eq(distance("", ""), 0);
    cr_expect_eq(distance("", "abc"), 3);
    cr_expect_eq(distance("abc", ""), 3);
    cr_expect_eq(distance("abc", "abc"), 0);
    cr_expect_eq(distance("abc", "ABC"), 0);
    cr_expect_eq(distance("abc", "abd"), 1);
    cr_expect_eq(distance("abc", "acb"), 1);
    cr_expect_eq(distance("kitten", "sitting"), 3);
    cr_expect_eq(distance("listen", "lisetn"), 1);
    cr_expect_eq(distance("0123456789012345678901234567890123456789012345678901234567890123456789", "0"),
                 SIZE_MAX);
}

static const char *best(const char *word)
{
    static const char *const names[] = {
        "broker", "http", "admin", "data_dir", "identity", "channels", "log"
    };
    struct json_suggestion suggestion = { .word = kanal_str_c(word) };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_suggest(&suggestion, kanal_str_c(names[i]));
    return suggestion.best.ptr;
}

Test(suggest, near_names_only)
{
    cr_expect_str_eq(best("chanels"), "channels");
    cr_expect_str_eq(best("datadir"), "data_dir");
    cr_expect_str_eq(best("Broker"), "broker");
    cr_expect_str_eq(best("htpt"), "http");
    cr_expect_null(best("zebra"));
    cr_expect_null(best("x"));
    cr_expect_null(best(""));
}
