#include <criterion/criterion.h>

#include "cli/filter.h"
#include "kanal/sdk/str.h"

Test(filter, covers)
{
    static const struct {
        const char *filter, *subject;
        int covers;
    } cases[] = {
        { "a.b", "a.b", 1 },     { "a.b", "a.c", 0 },   { "a.b", "a", 0 },     { "a", "a.b", 0 },
        { "a.*", "a.b", 1 },     { "a.*", "a", 0 },     { "a.*", "a.b.c", 0 }, { "*.b", "a.b", 1 },
        { "a.>", "a.b", 1 },     { "a.>", "a.b.c", 1 }, { "a.>", "a", 0 },     { ">", "a", 1 },
        { "a.*.c", "a.b.c", 1 }, { "a.*", "a.*", 1 },   { "a.b", "a.*", 0 },   { "a.*", "a.>", 0 },
        { "a.>", "a.>", 1 },     { "a.>", "a.*.c", 1 }, { "a.*.c", "a.>", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(filter_covers(kanal_str_c(cases[i].filter), kanal_str_c(cases[i].subject)),
                     cases[i].covers, "%s %s", cases[i].filter, cases[i].subject);
}

Test(filter, overlaps)
{
    static const struct {
        const char *a, *b;
        int overlaps;
    } cases[] = {
        { "a.b", "a.b", 1 },     { "a.b", "a.c", 0 },   { "a.*", "a.b", 1 }, { "a.*.c", "a.b.*", 1 },
        { "a.*.c", "a.b.d", 0 }, { "a.>", "a.b", 1 },   { "a.>", "a", 0 },   { "a.*", "a.b.c", 0 },
        { ">", "x.y", 1 },       { "a.b", "a.b.c", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(filter_overlaps(kanal_str_c(cases[i].a), kanal_str_c(cases[i].b)), cases[i].overlaps,
                     "%s %s", cases[i].a, cases[i].b);
        cr_expect_eq(filter_overlaps(kanal_str_c(cases[i].b), kanal_str_c(cases[i].a)), cases[i].overlaps,
                     "%s %s", cases[i].b, cases[i].a);
    }
}

#define NODE "a_deswgqzqbqbo2uj4pbkjd2g2wy"

Test(filter, is_checked)
{
    static const struct {
        const char *filter, *says; /* NULL: right */
        enum filter_branch branch;
    } cases[] = {
        { "kanal.events.>", NULL, FILTER_EVENTS },
        { "kanal.events.*.*.message.received.*", NULL, FILTER_EVENTS },
        { "kanal.events.*.shop-telegram.>", NULL, FILTER_EVENTS },
        { "kanal.events.telegram.shop.message.received." NODE, NULL, FILTER_EVENTS },
        { "kanal.events._._.customer.forgotten._", NULL, FILTER_EVENTS },
        { "kanal.events.*.*.*.received.*", NULL, FILTER_EVENTS },
        { "kanal.activity.*.site.activity.tracked.b0f", NULL, FILTER_ACTIVITY },
        { "kanal.facts.*.*.message.failed.*", NULL, FILTER_FACTS },
        { "kanal.live.*.shop.typing.started.*", NULL, FILTER_LIVE },
        { "", "empty", 0 },
        { "kanal", "events, activity, facts or live", 0 },
        { "kanal.>", "events, activity, facts or live", 0 },
        { "kanal.*.a.b.c.d.e", "events, activity, facts or live", 0 },
        { "kanal.commands.>", "events, activity, facts or live", 0 },
        { "shop.events.>", "begin with 'kanal'", 0 },
        { "kanal.events", "can match nothing", 0 },
        { "kanal.events.*", "can match nothing", 0 },
        { "kanal.events.a.b.message.received", "can match nothing", 0 },
        { "kanal.events.a.b.message.received.*.x", "can match nothing", 0 },
        { "kanal.events.a.b.message.received.*.>", "can match nothing", 0 },
        { "kanal.events..b.>", "a token is empty", 0 },
        { "kanal.events.a.", "a token is empty", 0 },
        { ".kanal", "a token is empty", 0 },
        { "kanal.events.>.x", "only at the end", 0 },
        { "kanal.events.a*.>", "one whole token", 0 },
        { "kanal.events.a b.>", "no spaces", 0 },
        { "kanal.events.\xd0\x90.>", "beyond ASCII", 0 },
        { "kanal.events.Telegram.>", "cannot be a plugin", 0 },
        { "kanal.events.*.any.>", "cannot be a channel's id", 0 },
        { "kanal.events.*.*.message.recieved.*", "no event of the type message.recieved under events", 0 },
        { "kanal.events.*.*.activity.tracked.*", "no event of the type", 0 },
        { "kanal.activity.*.*.message.received.*", "no event of the type", 0 },
        { "kanal.events.*.*.message.received.b00", "cannot be a node", 0 },
        { "kanal.activity.*.*.activity.tracked." NODE, "cannot be a bucket", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kanal_buffer error = { 0 };
        enum filter_branch branch = FILTER_LIVE;
        int r = filter_check(KANAL_LIT("kanal"), kanal_str_c(cases[i].filter), &branch, &error);

        kanal_buffer_byte(&error, '\0');
        cr_expect_eq(r == 0, cases[i].says == NULL, "%s: %s", cases[i].filter, error.data);
        if (cases[i].says)
            cr_expect_not_null(strstr(error.data, cases[i].says), "%s: %s", cases[i].filter, error.data);
        else
            cr_expect_eq(branch, cases[i].branch, "%s", cases[i].filter);
        kanal_buffer_release(&error);
    }
}

Test(filter, is_slow)
{
    cr_expect(filter_is_slow(KANAL_LIT("kanal.events.*.*.*.*." NODE)));
    cr_expect(filter_is_slow(KANAL_LIT("kanal.activity.*.site.activity.tracked.b00")));
    cr_expect_not(filter_is_slow(KANAL_LIT("kanal.events.telegram.shop.message.received." NODE)));
    cr_expect_not(filter_is_slow(KANAL_LIT("kanal.events.*.*.message.received.*")));
    cr_expect_not(filter_is_slow(KANAL_LIT("kanal.events.*.shop.>")));
}
