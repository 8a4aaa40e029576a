#include <criterion/criterion.h>

#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"
#include "outbound/route_plan.h"

/* A person of three channels: wrote on tg a day ago and on wa an hour ago; sms reaches their telephone number. Noon in UTC. */
#define NOW INT64_C(1795521600000)
#define HOUR INT64_C(3600000)

static const struct route_place usual[] = {
    { .channel = { "tg", 2 },
      .plugin = { "telegram", 8 },
      .address = { "telegram:1", 10 },
      .last_in_ms = NOW - 24 * HOUR,
      .is_up = 1 },
    { .channel = { "wa", 2 },
      .plugin = { "whatsapp", 8 },
      .address = { "tel:+1", 6 },
      .last_in_ms = NOW - HOUR,
      .is_up = 1 },
    { .channel = { "sms", 3 },
      .plugin = { "sms", 3 },
      .address = { "tel:+1", 6 },
      .reach = ROUTE_BY_KIND,
      .is_up = 1 },
};

/* What one case changes, in the words of a table. */
struct scene {
    const char *command;   /* members of it */
    const char *down;      /* channel that is not up */
    const char *misfit;    /* channel that cannot show the content */
    const char *preferred; /* the customer's own choice */
    const char *consents;  /* "-marketing@sms:5 +*:3": no or yes, purpose or *, channel, hours ago */
    const char *quiet;     /* "22:00-08:00+180": minutes east of Greenwich */
    const char *tried;     /* channels, by commas */
    uint32_t from;
    const char *required; /* JSON */
};

struct stage {
    struct route_place places[3];
    struct route_consent consents[8];
    struct route_tried tried[3];
    struct route_known known;
    struct route_wish wish;
    struct route_past past;
    struct route_plan plan;
    yyjson_doc *command, *required;
    struct zone *zone;
};

static int is(kanal_str text, const char *word)
{
    return word && kanal_str_is(text, word);
}

static void set_consents(struct stage *s, const char *words)
{
    while (words && *words) {
        struct route_consent *c = &s->consents[s->known.consent_count++];
        size_t end = strcspn(words, " ");
        size_t purpose = strcspn(words + 1, "@: "), hours = 0;
        c->is_given = words[0] == '+';
        if (words[1] != '*')
            c->purpose = kanal_str_of(words + 1, purpose);
        const char *at = memchr(words, '@', end), *colon = memchr(words, ':', end);
        if (at)
            c->channel = kanal_str_of(at + 1, (size_t)(colon - at) - 1);
        hours = strtoul(colon + 1, NULL, 10);
        c->time_ms = NOW - (int64_t)hours * HOUR;
        words += end + (words[end] == ' ');
    }
}

static void set_quiet(struct stage *s, const char *words)
{
    int from_hour, from_minute, to_hour, to_minute, offset;
    if (!words)
        return;
    cr_assert_eq(sscanf(words, "%d:%d-%d:%d%d", &from_hour, &from_minute, &to_hour, &to_minute, &offset), 5);
    s->known.quiet = (struct route_quiet){ 1, from_hour * 60 + from_minute, to_hour * 60 + to_minute };
    s->zone = zone_fixed(offset * 60);
    s->known.zone = s->zone;
}

static void set_tried(struct stage *s, const char *words)
{
    for (size_t i = 0; words && i < 3; i++)
        if (strstr(words, s->places[i].channel.ptr))
            s->tried[s->past.tried_count++] =
                (struct route_tried){ s->places[i].channel, s->places[i].address };
}

static void play(struct stage *s, const struct scene *scene)
{
    struct kanal_buffer text = { 0 };
    *s = (struct stage){ .past.from = scene->from ? scene->from : 1, .past.tried = s->tried };
    memcpy(s->places, usual, sizeof usual);
    for (size_t i = 0; i < 3; i++) {
        s->places[i].is_up = !is(s->places[i].channel, scene->down);
        s->places[i].trouble = KANAL_LIT("down");
        if (is(s->places[i].channel, scene->misfit))
            s->places[i].misfit = "unsupported_content";
    }
    s->known = (struct route_known){ .places = s->places,
                                     .place_count = 3,
                                     .consents = s->consents,
                                     .preferred_channel = kanal_str_c(scene->preferred),
                                     .last_channel = KANAL_LIT("wa"),
                                     .last_address = KANAL_LIT("tel:+1"),
                                     .now_ms = NOW };
    set_consents(s, scene->consents);
    set_quiet(s, scene->quiet);
    set_tried(s, scene->tried);
    s->required = kanal_json_parse(kanal_str_c(scene->required));
    s->known.required = yyjson_doc_get_root(s->required);
    kanal_buffer_text(&text, "{");
    kanal_buffer_text(&text, scene->command ? scene->command : "");
    kanal_buffer_text(&text, "}");
    s->command = kanal_json_parse(kanal_buffer_view(&text));
    cr_assert_not_null(s->command, "%s", scene->command);
    kanal_buffer_release(&text);
    route_wish_read(&s->wish, yyjson_doc_get_root(s->command));
    route_plan_make(&s->plan, &s->wish, &s->known, &s->past);
}

static void leave(struct stage *s)
{
    route_plan_release(&s->plan);
    yyjson_doc_free(s->command);
    yyjson_doc_free(s->required);
    zone_free(s->zone);
}

/* "wa1 tg2 sms3", "sms!opted_out"; the chosen one first has a star. */
static kanal_str summary(const struct stage *s, struct kanal_buffer *out)
{
    kanal_buffer_clear(out);
    for (size_t i = 0; i < s->plan.count; i++) {
        const struct route_choice *choice = &s->plan.choices[i];
        if (i > 0)
            kanal_buffer_byte(out, ' ');
        if ((int)i == s->plan.chosen)
            kanal_buffer_byte(out, '*');
        kanal_buffer_str(out, choice->channel);
        if (choice->step > 0)
            kanal_buffer_uint(out, choice->step);
        if (choice->error) {
            kanal_buffer_byte(out, '!');
            kanal_buffer_text(out, choice->error);
        }
    }
    return kanal_buffer_view(out);
}

#define MARKETING "\"purpose\":\"marketing\""
#define STEPS(steps) "\"route\":{\"steps\":[" steps "]}"

static const struct {
    struct scene scene;
    const char *plan;
} orders[] = {
    /* Where they wrote last, then where they wrote, then where they can be written to. */
    { { 0 }, "*wa1 tg2 sms3" },
    { { .preferred = "sms" }, "*sms1 wa2 tg3" },
    { { .preferred = "gone" }, "*wa1 tg2 sms3" },
    { { .command = "\"route\":{\"prefer\":[\"sms\",\"tg\"]}" }, "*sms1 tg2 wa3" },
    { { .command = "\"route\":{\"prefer\":[\"tg\",\"last\"]}" }, "*tg1 wa2 sms3" },
    { { .command = "\"route\":{\"prefer\":[\"preferred\",\"sms\"]}", .preferred = "tg" }, "*tg1 sms2 wa3" },
    { { .command = "\"route\":{\"prefer\":[\"nobody\"]}" }, "*wa1 tg2 sms3" },
    { { .command = "\"route\":{\"exclude\":[\"wa\"]}" }, "*tg1 sms2" },
    { { .command = "\"route\":{\"exclude\":[\"wa\",\"tg\",\"sms\"]}" }, "" },
    /* Health and content. */
    { { .down = "wa" }, "*tg1 sms2 wa3" },
    { { .down = "sms", .preferred = "sms" }, "*wa1 tg2 sms3" },
    { { .misfit = "wa" }, "*tg1 sms2 wa!unsupported_content" },
    { { .down = "wa", .misfit = "tg" }, "*sms1 wa2 tg!unsupported_content" },
    /* What was tried does not come again, and is counted on. */
    { { .tried = "wa", .from = 2 }, "*tg2 sms3" },
    { { .tried = "wa,tg,sms", .from = 4 }, "" },
    /* Steps: as they are written. */
    { { .command = STEPS("{\"channel\":\"sms\"},{\"channel\":\"tg\"}") }, "*sms1 tg2" },
    { { .command = STEPS("{\"channel\":\"last\"},{\"channel\":\"sms\"}") }, "*wa1 sms2" },
    { { .command = STEPS("{\"channel\":\"preferred\"},{\"channel\":\"sms\"}") },
      "preferred1!recipient_unknown *sms2" },
    { { .command = STEPS("{\"channel\":\"wa\"},{\"channel\":\"sms\"}"), .down = "wa" }, "wa1 *sms2" },
    { { .command = STEPS("{\"channel\":\"wa\"}"), .down = "wa" }, "*wa1" },
    { { .command = STEPS("{\"channel\":\"wa\"},{\"channel\":\"sms\"}"), .tried = "wa", .from = 2 }, "*sms2" },
    { { .command = STEPS("{\"channel\":\"wa\"},{\"channel\":\"last\"},{\"channel\":\"sms\"}"),
        .tried = "wa",
        .from = 2 },
      "last2!recipient_unknown *sms3" },
    { { .command = STEPS("{\"channel\":\"gone\"}") }, "gone1!recipient_unknown" },
    { { .command =
            "\"route\":{\"prefer\":[\"last\"],\"steps\":[{\"channel\":\"tg\"},{\"channel\":\"sms\"}]}" },
      "*wa1 tg2 sms3" },
    { { .command =
            "\"route\":{\"exclude\":[\"wa\"],\"steps\":[{\"channel\":\"wa\"},{\"channel\":\"sms\"}]}" },
      "wa1!recipient_unknown *sms2" },
    /* Consent: of the purpose and of all, of the channel and of all; the last word counts. */
    { { .command = MARKETING, .consents = "-marketing@wa:5" }, "*tg1 sms2 wa!opted_out" },
    { { .command = MARKETING, .consents = "-*@wa:5" }, "*tg1 sms2 wa!opted_out" },
    { { .command = MARKETING, .consents = "-marketing:5" }, "wa!opted_out tg!opted_out sms!opted_out" },
    { { .command = MARKETING, .consents = "-other:5 -other@wa:1" }, "*wa1 tg2 sms3" },
    { { .command = MARKETING, .consents = "-*@wa:5 +*@wa:2" }, "*wa1 tg2 sms3" },
    { { .command = MARKETING, .consents = "+marketing@wa:5 -*:2" },
      "wa!opted_out tg!opted_out sms!opted_out" },
    { { .command = MARKETING, .consents = "-*@sms:5 +marketing:2" }, "*wa1 tg2 sms3" },
    { { .command = MARKETING, .consents = "+*@wa:5 -*@wa:5" }, "*tg1 sms2 wa!opted_out" },
    { { .command = MARKETING, .required = "[\"marketing\"]" },
      "wa!consent_missing tg!consent_missing sms!consent_missing" },
    { { .command = MARKETING, .required = "[\"marketing\"]", .consents = "+marketing@tg:9" },
      "*tg1 wa!consent_missing sms!consent_missing" },
    { { .command = MARKETING, .required = "[\"other\"]" }, "*wa1 tg2 sms3" },
    { { .command = "\"purpose\":\"transactional\"", .consents = "-*:0", .required = "[\"transactional\"]" },
      "*wa1 tg2 sms3" },
    /* What needs no consent: only a no to everything, and not where they wrote since. */
    { { .consents = "-marketing:0" }, "*wa1 tg2 sms3" },
    { { .consents = "-*:5" }, "*wa1 tg!opted_out sms!opted_out" },
    { { .command = "\"purpose\":\"service\"", .consents = "-*@wa:1" }, "*tg1 sms2 wa!opted_out" },
};

Test(route_plan, which_channel_in_which_order)
{
    struct kanal_buffer out = { 0 };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct stage s;
        play(&s, &orders[i].scene);
        kanal_str got = summary(&s, &out);
        cr_expect(kanal_str_is(got, orders[i].plan), "case %zu: \"%.*s\", not \"%s\"", i, (int)got.len,
                  got.ptr ? got.ptr : "", orders[i].plan);
        if (s.plan.chosen < 0)
            cr_expect_not_null(s.plan.error, "case %zu", i);
        leave(&s);
    }
    kanal_buffer_release(&out);
}

/* until: hours from now at which it goes; 0: at once; -1: not at all. */
static const struct {
    struct scene scene;
    double until;
} quiets[] = {
    { { .command = MARKETING, .quiet = "22:00-08:00+0" }, 0 },
    { { .command = MARKETING, .quiet = "11:00-13:30+0" }, 1.5 },
    { { .command = MARKETING, .quiet = "12:00-13:00+0" }, 1 },
    { { .command = MARKETING, .quiet = "11:00-12:00+0" }, 0 },
    { { .command = MARKETING, .quiet = "22:00-08:00-720" }, 8 }, /* midnight */
    { { .command = MARKETING, .quiet = "22:00-08:00+660" }, 9 }, /* 23:00 */
    { { .command = MARKETING, .quiet = "22:00-08:00+599" }, 0 }, /* 21:59 */
    { { .command = MARKETING, .quiet = "22:00-08:00-240" }, 0 }, /* 08:00 */
    { { .command = MARKETING, .quiet = "00:00-00:00+0" }, 0 },
    { { .command = "\"class\":\"bulk\"", .quiet = "11:00-13:00+0" }, 1 },
    { { .command = "\"class\":\"live\"", .quiet = "11:00-13:00+0" }, 0 },
    { { .command = "\"purpose\":\"service\"", .quiet = "11:00-13:00+0" }, 0 },
    { { .command = "\"class\":\"bulk\",\"purpose\":\"transactional\"", .quiet = "11:00-13:00+0" }, 0 },
    { { .command = MARKETING ",\"expires\":\"2026-11-24T12:30:00Z\"", .quiet = "11:00-13:00+0" }, -1 },
    { { .command = MARKETING ",\"expires\":\"2026-11-24T13:30:00Z\"", .quiet = "11:00-13:00+0" }, 1 },
};

Test(route_plan, quiet_hours_by_the_customers_clock)
{
    for (size_t i = 0; i < sizeof quiets / sizeof *quiets; i++) {
        struct stage s;
        play(&s, &quiets[i].scene);
        if (quiets[i].until < 0) {
            cr_expect_eq(s.plan.chosen, -1, "case %zu", i);
            cr_expect_str_eq(s.plan.error, "quiet_hours", "case %zu", i);
        } else {
            int64_t at = quiets[i].until > 0 ? NOW + (int64_t)(quiets[i].until * (double)HOUR) : 0;
            cr_expect_eq(s.plan.not_before_ms, at, "case %zu: %lld, not %lld", i,
                         (long long)s.plan.not_before_ms, (long long)at);
            cr_expect_geq(s.plan.chosen, 0, "case %zu", i);
        }
        leave(&s);
    }
}

/* Quiet hours end by the clock that is in force then: the night in which Berlin's goes back has an hour more. */
Test(route_plan, quiet_hours_over_a_change_of_the_clocks)
{
    struct zones *zones = zones_new("/usr/share/zoneinfo");
    const struct zone *berlin = zones_find(zones, KANAL_LIT("Europe/Berlin"));
    struct route_quiet quiet = { 1, 22 * 60, 8 * 60 };
    int64_t now = 0, end = 0, until = 0;
    if (!berlin)
        cr_skip_test("tzdata is not installed");
    kanal_time_parse_rfc3339(KANAL_LIT("2026-10-24T21:00:00Z"), &now); /* 23:00 in summer time */
    kanal_time_parse_rfc3339(KANAL_LIT("2026-10-25T07:00:00Z"), &end); /* 08:00 in winter time */
    cr_assert(route_quiet_now(&quiet, berlin, now, &until));
    cr_assert_eq(until, end);
    cr_assert_not(route_quiet_now(&quiet, berlin, end, &until));
    zones_free(zones);
}

Test(route_plan, what_follows_and_when)
{
    struct stage s;
    play(&s,
         &(struct scene){
             .command = STEPS(
                 "{\"channel\":\"wa\"},{\"channel\":\"sms\",\"after\":\"PT10M\",\"unless\":\"delivered\"},"
                 "{\"channel\":\"tg\",\"after\":\"PT1H\"}") });
    const struct route_choice *next = route_plan_next(&s.plan);
    cr_assert_not_null(next);
    cr_assert(kanal_str_is(next->channel, "sms"));
    cr_assert_eq(next->after_ms, 600000);
    cr_assert_eq(next->unless, ROUTE_UNLESS_DELIVERED);
    cr_assert_eq(s.plan.choices[2].unless, ROUTE_UNLESS_SENT, "what is not said is the least");
    leave(&s);
    /* What cannot be taken is passed over, and what comes then counts. */
    play(&s,
         &(struct scene){ .command = STEPS("{\"channel\":\"wa\"},{\"channel\":\"sms\",\"after\":\"PT10M\"},"
                                           "{\"channel\":\"tg\",\"after\":\"PT1H\"}"),
                          .misfit = "sms" });
    next = route_plan_next(&s.plan);
    cr_assert(kanal_str_is(next->channel, "tg"));
    cr_assert_eq(next->after_ms, 3600000);
    leave(&s);
    play(&s, &(struct scene){ .tried = "tg,sms", .from = 3 });
    cr_assert_null(route_plan_next(&s.plan));
    leave(&s);
}

Test(route_plan, says_why)
{
    struct stage s;
    play(&s,
         &(struct scene){
             .command = MARKETING, .consents = "-*@tg:5 +marketing:9", .down = "sms", .preferred = "wa" });
    const struct route_choice *wa = &s.plan.choices[0], *sms = &s.plan.choices[1], *tg = &s.plan.choices[2];
    cr_assert_str_eq(route_plan_why(&s.plan, wa, 0), "the customer's own choice");
    cr_assert_str_eq(route_plan_why(&s.plan, wa, 1),
                     "the customer wrote here last: 2026-11-24T11:00:00.000Z");
    cr_assert_str_eq(route_plan_why(&s.plan, wa, 2), "consent was given 2026-11-24T03:00:00.000Z");
    cr_assert_str_eq(route_plan_why(&s.plan, sms, sms->why_count - 1), "the channel is not up: down");
    cr_assert_str_eq(route_plan_why(&s.plan, tg, tg->why_count - 1),
                     "the customer opted out on 2026-11-24T07:00:00.000Z");
    cr_assert_str_eq(tg->scope, "recipient");
    leave(&s);
}

Test(route_plan, nobody_to_write_to)
{
    struct route_wish wish = { 0 };
    struct route_known known = { .now_ms = NOW };
    struct route_past past = { .from = 1 };
    struct route_plan plan;
    route_plan_make(&plan, &wish, &known, &past);
    cr_assert_eq(plan.chosen, -1);
    cr_assert_str_eq(plan.error, "customer_unknown");
    route_plan_release(&plan);
}

Test(route_plan, more_places_than_are_looked_at)
{
    static struct route_place places[200];
    struct route_wish wish = { 0 };
    struct route_known known = { .places = places, .place_count = 200, .now_ms = NOW };
    struct route_past past = { .from = 1 };
    struct route_plan plan;
    for (size_t i = 0; i < 200; i++)
        places[i] =
            (struct route_place){ .channel = KANAL_LIT("x"), .address = KANAL_LIT("x:1"), .is_up = 1 };
    route_plan_make(&plan, &wish, &known, &past);
    cr_assert_eq(plan.count, ROUTE_CHOICES_MAX);
    cr_assert_eq(plan.chosen, 0);
    route_plan_release(&plan);
}
