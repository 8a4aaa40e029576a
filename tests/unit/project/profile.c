/* Folding and merging. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "contract.h"
#include "corpus.h"
#include "json/schema.h"
#include "project/profile.h"

static struct corpus corpus;

static void open_all(void)
{
    corpus_init(&corpus);
}

static void close_all(void)
{
    corpus_release(&corpus);
}

TestSuite(profile, .init = open_all, .fini = close_all, .timeout = 120);

#define NODE "a_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "a_bbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- Tools ---- */

struct story {
    struct profile *profile;
    uint64_t sequences[PROJECTED_STREAMS];
};

static void begin(struct story *s)
{
    memset(s, 0, sizeof *s);
    cr_assert_eq(profile_open(&s->profile, (kanal_str){ 0 }), 0);
}

static int fold(struct story *s, const struct corpus_event *event, uint64_t sequence)
{
    yyjson_doc *document;
    struct projected projected = corpus_read(event, 0, &document);
    projected.sequence = sequence ? sequence : ++s->sequences[projected.stream];
    int is_new = profile_fold(s->profile, &projected);
    yyjson_doc_free(document);
    return is_new;
}

static void say(struct story *s, const char *type, const char *time, const char *data)
{
    struct corpus_event event;
    corpus_make(&corpus, type, "tel:+79161234567", time, data, &event);
    cr_assert_eq(fold(s, &event, 0), 1);
    kanal_buffer_release(&event.json);
}

static char *record_of(struct story *s)
{
    struct kanal_buffer out = { 0 };
    cr_assert_eq(profile_write(s->profile, &out), 0);
    kanal_buffer_byte(&out, '\0');
    profile_free(s->profile);
    s->profile = NULL;
    return out.data;
}

/* The person of these records, as JSON with a NUL; ends the stories. */
static char *person_of(struct story *stories, size_t count)
{
    static const char *const nodes[] = { NODE, OTHER };
    struct profile_member members[2];
    yyjson_doc *documents[2];
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    for (size_t i = 0; i < count; i++) {
        char *text = record_of(&stories[i]);
        documents[i] = kanal_json_parse(kanal_str_c(text));
        members[i] = (struct profile_member){ .node = kanal_str_c(nodes[i]),
                                              .record = yyjson_doc_get_root(documents[i]) };
        free(text);
    }
    kanal_json_init(&json, &out);
    profile_merge(&json, KANAL_LIT("c_aaaaaaaaaaaaaaaaaaaaaaaaaa"), members, count);
    kanal_buffer_byte(&out, '\0');
    cr_assert(!out.failed);
    for (size_t i = 0; i < count; i++)
        yyjson_doc_free(documents[i]);
    return out.data;
}

#define EXPECT_IN(text, words) cr_expect_not_null(strstr(text, words), "'%s' is not in %s", words, text)
#define EXPECT_NOT_IN(text, words) cr_expect_null(strstr(text, words), "'%s' is in %s", words, text)

#define DAY(n) "2026-11-2" #n "T10:00:00.000Z"
#define TEXT "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}"

/* ---- Folding ---- */

Test(profile, an_event_that_is_said_again_changes_nothing)
{
    struct story once, twice;
    begin(&once);
    begin(&twice);
    for (size_t i = 0; i < corpus.count; i++) {
        cr_assert_eq(fold(&once, &corpus.events[i], i + 1), 1);
        cr_assert_eq(fold(&twice, &corpus.events[i], i + 1), 1);
        cr_assert_eq(fold(&twice, &corpus.events[i], i + 1), 0);
        cr_assert_eq(fold(&twice, &corpus.events[i], i > 3 ? i - 2 : 1), 0);
    }
    char *a = record_of(&once), *b = record_of(&twice);
    cr_assert_str_eq(a, b);
    free(a);
    free(b);
}

Test(profile, a_record_that_was_written_and_read_goes_on_as_if_it_had_not)
{
    struct story whole, pieces;
    begin(&whole);
    begin(&pieces);
    for (size_t i = 0; i < corpus.count; i++) {
        fold(&whole, &corpus.events[i], i + 1);
        fold(&pieces, &corpus.events[i], i + 1);
        char *text = record_of(&pieces);
        cr_assert_lt(strlen(text), PROFILE_BYTES_MAX);
        cr_assert_eq(profile_open(&pieces.profile, kanal_str_c(text)), 0);
        free(text);
    }
    char *a = record_of(&whole), *b = record_of(&pieces);
    cr_assert_str_eq(a, b);
    free(a);
    free(b);
}

/* The streams of events and of activity have no order between them. */
Test(profile, it_does_not_matter_how_the_two_streams_are_interleaved)
{
    struct story stories[2];
    char *persons[2];
    for (int way = 0; way < 2; way++) {
        begin(&stories[way]);
        for (int stream = 0; stream < 2; stream++)
            for (size_t i = 0; i < corpus.count; i++) {
                int is_activity = strncmp(corpus.events[i].subject, "kanal.activity.", 15) == 0;
                if (is_activity == (stream ^ way))
                    fold(&stories[way], &corpus.events[i], 0);
            }
        persons[way] = person_of(&stories[way], 1);
    }
    yyjson_doc *a = kanal_json_parse(kanal_str_c(persons[0])), *b = kanal_json_parse(kanal_str_c(persons[1]));
    /* Which channel and attribute was met first is told by their order alone, which means nothing. */
    yyjson_val *one = yyjson_doc_get_root(a), *other = yyjson_doc_get_root(b);
    static const char *const members[] = { "profile", "first_touch",       "last_touch",
                                           "touches", "acquisition",       "conversation",
                                           "cart",    "preferred_channel", "sequence" };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        cr_expect(yyjson_equals(kanal_json_at(one, members[i]), kanal_json_at(other, members[i])) ||
                      (!kanal_json_at(one, members[i]) && !kanal_json_at(other, members[i])),
                  "%s:\n%s\n%s", members[i], persons[0], persons[1]);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
    free(persons[0]);
    free(persons[1]);
}

Test(profile, names_are_what_was_told_last_even_if_it_came_first)
{
    struct story s;
    begin(&s);
    say(&s, "message.received", DAY(2),
        "{\"customer\":{\"name\":\"Second\",\"locale\":\"ru\"},\"message\":{\"content\":[]}}");
    say(&s, "message.received", DAY(1),
        "{\"customer\":{\"name\":\"First\",\"username\":\"anna\"},\"message\":{\"content\":[]}}");
    say(&s, "message.received", DAY(3), "{\"customer\":{\"name\":null},\"message\":{\"content\":[]}}");
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"profile\":{\"name\":\"Second\",\"username\":\"anna\",\"locale\":\"ru\"}");
    EXPECT_IN(person, "\"touches\":[{\"channel\":\"shop-probe\",\"type\":\"message.received\",\"count\":3,"
                      "\"last\":\"2026-11-23T10:00:00.000Z\"}]");
    EXPECT_IN(person, "\"first_touch\":{\"time\":\"2026-11-21T10:00:00.000Z\"");
    EXPECT_IN(person, "\"last_touch\":{\"time\":\"2026-11-23T10:00:00.000Z\"");
    EXPECT_IN(
        person,
        "\"last_inbound\":{\"time\":\"2026-11-23T10:00:00.000Z\",\"channel\":\"shop-probe\",\"node\":\"" NODE
        "\",\"address\":\"tel:+79161234567\"}");
    free(person);
}

Test(profile, what_the_company_does_is_counted_but_is_no_touch)
{
    struct story s;
    begin(&s);
    say(&s, "message.received", DAY(1), TEXT);
    say(&s, "message.sent", DAY(2), "{\"message\":{\"id\":\"crm-1\"}}");
    say(&s, "call.missed", DAY(3), "{\"call\":{\"direction\":\"outbound\",\"reason\":\"no_answer\"}}");
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"type\":\"message.sent\",\"count\":1");
    EXPECT_IN(person, "\"last_touch\":{\"time\":\"2026-11-21T10:00:00.000Z\"");
    EXPECT_IN(person, "\"last\":\"2026-11-23T10:00:00.000Z\",\"profile\":{}");
    free(person);
}

Test(profile, a_clock_that_is_ahead_is_not_believed)
{
    struct story s;
    begin(&s);
    say(&s, "message.received", "2099-01-01T00:00:00.000Z",
        "{\"customer\":{\"name\":\"Future\"},\"message\":{\"content\":[]}}");
    char *person = person_of(&s, 1);
    EXPECT_NOT_IN(person, "2099");
    EXPECT_IN(person, "Future");
    free(person);
}

Test(profile, a_number_is_proved_only_where_the_event_says_so)
{
    struct story s;
    begin(&s);
    say(&s, "message.received", DAY(1),
        "{\"customer\":{\"identifiers\":[{\"address\":\"tel:+70000000000\",\"verified\":true},"
        "{\"address\":\"tel:+79161234567\",\"verified\":false}]},\"message\":{\"content\":[]}}");
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"verified\":false");
    free(person);
    begin(&s);
    say(&s, "message.received", DAY(1),
        "{\"customer\":{\"identifiers\":[{\"address\":\"tel:+79161234567\",\"verified\":true}]},\"message\":{"
        "\"content\":[]}}");
    person = person_of(&s, 1);
    EXPECT_IN(person, "\"verified\":true");
    free(person);
}

/* ---- What a consumer says ---- */

Test(profile, a_consumers_word_stands_until_it_is_taken_back)
{
    struct story s;
    begin(&s);
    say(&s, "profile.observed", DAY(1),
        "{\"profile\":{\"name\":\"Told\",\"company\":\"Initech\",\"attributes\":{\"plan\":\"free\",\"trial\":"
        "true}}}");
    say(&s, "profile.updated", DAY(2),
        "{\"profile\":{\"name\":\"Set\",\"attributes\":{\"plan\":\"gold\"}},\"removed\":[\"attributes."
        "trial\",\"company\"],"
        "\"preferred_channel\":\"shop-telegram\",\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"08:00\"}}");
    say(&s, "profile.observed", DAY(3), "{\"profile\":{\"name\":\"Told later\"}}");
    char *record = record_of(&s);
    cr_assert_eq(profile_open(&s.profile, kanal_str_c(record)), 0);
    free(record);
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"profile\":{\"name\":\"Set\",\"attributes\":{\"plan\":\"gold\"}}");
    EXPECT_IN(
        person,
        "\"profile\":{\"name\":\"Told "
        "later\",\"company\":\"Initech\",\"attributes\":{\"plan\":\"free\",\"trial\":true}}"); /* the address' own */
    EXPECT_IN(
        person,
        "\"preferred_channel\":\"shop-telegram\",\"quiet_hours\":{\"from\":\"22:00\",\"to\":\"08:00\"}");
    free(person);
    begin(&s);
    say(&s, "profile.updated", DAY(1),
        "{\"profile\":{\"name\":\"Set\"},\"preferred_channel\":\"shop-telegram\"}");
    say(&s, "profile.updated", DAY(2), "{\"profile\":{},\"removed\":[\"name\",\"preferred_channel\"]}");
    say(&s, "profile.observed", DAY(3), "{\"profile\":{\"name\":\"Told later\"}}");
    person = person_of(&s, 1);
    EXPECT_IN(person, "\"profile\":{\"name\":\"Told later\"}");
    EXPECT_NOT_IN(person, "preferred_channel");
    free(person);
}

Test(profile, consent_is_by_purpose_and_channel_and_the_later_stands)
{
    struct story s;
    begin(&s);
    say(&s, "form.submitted", DAY(2),
        "{\"form\":{\"id\":\"f\",\"fields\":[]},\"consent\":[{\"purpose\":\"marketing\",\"given\":true,"
        "\"text\":\"I agree\"},{\"purpose\":\"service\",\"given\":true}]}");
    say(&s, "consent.withdrawn", DAY(3),
        "{\"consent\":[{\"purpose\":\"marketing\",\"given\":false},{\"given\":false,\"channel\":\"shop-sms\"}"
        "],\"reason\":\"stop_word\"}");
    say(&s, "consent.given", DAY(1),
        "{\"consent\":[{\"given\":true,\"channel\":\"shop-sms\"}],\"reason\":\"message\"}");
    char *person = person_of(&s, 1);
    EXPECT_IN(
        person,
        "\"consent\":[{\"purpose\":\"marketing\",\"given\":false,\"time\":\"2026-11-23T10:00:00.000Z\"},"
        "{\"purpose\":\"service\",\"given\":true,\"time\":\"2026-11-22T10:00:00.000Z\"},"
        "{\"given\":false,\"channel\":\"shop-sms\",\"time\":\"2026-11-23T10:00:00.000Z\"}]");
    free(person);
}

/* ---- The cart ---- */

static void track(struct story *s, const char *time, const char *name, const char *properties)
{
    char data[2048];
    snprintf(data, sizeof data, "{\"activity\":{\"name\":\"%s\",\"properties\":%s}}", name, properties);
    say(s, "activity.tracked", time, data);
}

Test(profile, the_cart_is_what_was_put_in_and_not_taken_out)
{
    struct story s;
    begin(&s);
    track(&s, DAY(1), "Product Added",
          "{\"cart_id\":\"k1\",\"product_id\":\"sku9\",\"name\":\"Mug\",\"price\":\"1990.00\",\"currency\":"
          "\"RUB\",\"quantity\":1}");
    track(&s, DAY(2), "product added",
          "{\"cart_id\":\"k1\",\"product_id\":\"sku9\",\"quantity\":2,\"price\":2100}");
    track(&s, DAY(2), "Product Added", "{\"cart_id\":\"k1\",\"product_id\":\"sku7\"}");
    track(&s, DAY(3), "Product Removed", "{\"cart_id\":\"k1\",\"product_id\":\"sku7\"}");
    track(&s, DAY(3), "Product Removed", "{\"cart_id\":\"k1\",\"product_id\":\"sku9\",\"quantity\":1}");
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"cart\":{\"id\":\"k1\",\"items\":[{\"id\":\"sku9\",\"name\":\"Mug\",\"price\":"
                      "\"2100\",\"currency\":\"RUB\",\"quantity\":2}],\"currency\":\"RUB\",\"updated\":"
                      "\"2026-11-23T10:00:00.000Z\"}");
    free(person);
    begin(&s);
    track(&s, DAY(1), "Cart Viewed",
          "{\"cart_id\":\"k1\",\"total\":\"30.50\",\"currency\":\"EUR\",\"products\":[{\"sku\":\"a\","
          "\"quantity\":1.5},{\"name\":\"B\"},{},7]}");
    char *viewed = person_of(&s, 1);
    EXPECT_IN(
        viewed,
        "\"items\":[{\"id\":\"a\",\"quantity\":1.5},{\"name\":\"B\",\"quantity\":1}],\"total\":\"30.50\"");
    free(viewed);
}

Test(profile, an_order_empties_its_own_cart_also_from_another_address)
{
    static const char put[] = "{\"cart_id\":\"k1\",\"product_id\":\"sku9\"}";
    struct story s[2];
    begin(&s[0]);
    track(&s[0], DAY(1), "Product Added", put);
    track(&s[0], DAY(2), "Order Completed", "{\"cart_id\":\"k2\"}");
    char *person = person_of(s, 1);
    EXPECT_IN(person, "\"cart\":{\"id\":\"k1\"");
    free(person);
    begin(&s[0]);
    begin(&s[1]);
    track(&s[0], DAY(1), "Product Added", put);
    track(&s[1], DAY(2), "Order Completed", "{\"order_id\":\"o1\"}");
    person = person_of(s, 2);
    EXPECT_NOT_IN(person, "\"cart\"");
    free(person);
    begin(&s[0]);
    begin(&s[1]);
    track(&s[0], DAY(3), "Product Added", put);
    track(&s[1], DAY(2), "Order Completed", "{\"order_id\":\"o1\"}");
    person = person_of(s, 2);
    EXPECT_IN(person, "\"cart\":{\"id\":\"k1\"");
    free(person);
}

/* ---- Merging ---- */

Test(profile, a_person_is_what_all_nodes_say)
{
    struct story s[2];
    begin(&s[0]);
    begin(&s[1]);
    say(&s[0], "activity.tracked", DAY(1),
        "{\"activity\":{\"name\":\"Page "
        "Viewed\",\"properties\":{}},\"attribution\":{\"utm_source\":\"instagram\"}}");
    say(&s[0], "form.submitted", DAY(2),
        "{\"form\":{\"id\":\"f\",\"fields\":[]},\"consent\":[{\"purpose\":\"marketing\",\"given\":true}]}");
    say(&s[1], "conversation.started", DAY(3),
        "{\"customer\":{\"name\":\"Anna\"},\"referral\":{\"kind\":\"link\",\"payload\":\"p\"}}");
    say(&s[1], "message.received", DAY(3), TEXT);
    say(&s[1], "consent.withdrawn", DAY(3),
        "{\"consent\":[{\"purpose\":\"marketing\",\"given\":false}],\"reason\":\"stop_word\"}");
    char *person = person_of(s, 2);
    EXPECT_IN(person, "\"acquisition\":{\"time\":\"2026-11-21T10:00:00.000Z\",\"channel\":\"shop-probe\"");
    EXPECT_IN(person, "\"attribution\":{\"utm_source\":\"instagram\"}");
    EXPECT_NOT_IN(person, "\"payload\"");
    EXPECT_IN(person, "\"first_touch\":{\"time\":\"2026-11-21T10:00:00.000Z\"");
    EXPECT_IN(
        person,
        "\"last_inbound\":{\"time\":\"2026-11-23T10:00:00.000Z\",\"channel\":\"shop-probe\",\"node\":\"" OTHER
        "\"");
    EXPECT_IN(
        person,
        "\"consent\":[{\"purpose\":\"marketing\",\"given\":false,\"time\":\"2026-11-23T10:00:00.000Z\"}]");
    EXPECT_IN(person, "\"profile\":{\"name\":\"Anna\"}");
    free(person);
}

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    cr_expect_fail("%.*s %.*s: %.*s in %s", (int)pointer.len, pointer.ptr, (int)member.len,
                   member.ptr ? member.ptr : "", (int)message.len, message.ptr, (const char *)user);
}

Test(profile, every_profile_keeps_the_contract)
{
    struct json_schema *contract;
    struct kanal_buffer error = { 0 };
    cr_assert_eq(
        json_schema_new(&contract, kanal_str_of((const char *)contract_schema, contract_schema_len), &error),
        0);
    for (size_t i = 0; i <= corpus.count; i++) {
        struct story s;
        begin(&s);
        for (size_t k = i < corpus.count ? i : 0; k < (i < corpus.count ? i + 1 : corpus.count); k++)
            fold(&s, &corpus.events[k], k + 1);
        char *person = person_of(&s, 1);
        yyjson_doc *document = kanal_json_parse(kanal_str_c(person));
        json_schema_check_at(contract, "#/$defs/customer_profile", yyjson_doc_get_root(document),
                             on_violation, person);
        yyjson_doc_free(document);
        free(person);
    }
    json_schema_free(contract);
    kanal_buffer_release(&error);
}

/* ---- Where the events lie ---- */

static void append_subject(void *user, const struct profile_place *place)
{
    struct kanal_buffer *out = user;
    profile_subject(KANAL_LIT("kanal"), place, KANAL_LIT(NODE), out);
    kanal_buffer_byte(out, ' ');
}

Test(profile, a_record_knows_the_subjects_of_its_events)
{
    struct story s;
    struct kanal_buffer out = { 0 };
    begin(&s);
    say(&s, "message.received", DAY(1), TEXT);
    say(&s, "message.received", DAY(2), TEXT);
    say(&s, "message.sent", DAY(2), "{\"message\":{\"id\":\"crm-1\"}}");
    say(&s, "activity.tracked", DAY(2), "{\"activity\":{\"name\":\"x\",\"properties\":{}}}");
    char *record = record_of(&s);
    yyjson_doc *document = kanal_json_parse(kanal_str_c(record));
    profile_places(yyjson_doc_get_root(document), append_subject, &out);
    kanal_buffer_byte(&out, '\0');
    cr_assert_str_eq(out.data, "kanal.events.probe.shop-probe.message.received." NODE
                               " kanal.events.probe.shop-probe.message.sent." NODE
                               " kanal.activity.probe.shop-probe.activity.tracked.b8b ");
    cr_assert(kanal_str_is(profile_address(yyjson_doc_get_root(document)), "tel:+79161234567"));
    kanal_buffer_release(&out);
    yyjson_doc_free(document);
    free(record);
}

/* ---- Bounds ---- */

Test(profile, a_record_stays_bounded_whatever_is_told)
{
    static char data[6000], value[3000];
    struct story s;
    begin(&s);
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 1000; i++) {
        snprintf(data, sizeof data,
                 "{\"profile\":{\"attributes\":{\"a%d\":\"%s\"}},\"referral\":{\"payload\":\"%s\"}}", i,
                 value, "x");
        say(&s, "profile.observed", DAY(1), data);
    }
    char *record = record_of(&s);
    cr_assert_lt(strlen(record), PROFILE_BYTES_MAX);
    cr_assert_eq(profile_open(&s.profile, kanal_str_c(record)), 0);
    free(record);
    say(&s, "message.received", DAY(3), TEXT); /* it is counted all the same */
    char *person = person_of(&s, 1);
    EXPECT_IN(person, "\"last_inbound\"");
    free(person);
}

Test(profile, what_is_no_record_is_refused)
{
    static const char *const wrong[] = { "x", "[]", "{}", "{\"v\":2}", "\"v\"" };
    struct profile *profile;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(profile_open(&profile, kanal_str_c(wrong[i])), KANAL_E_INVALID, "%s", wrong[i]);
}

Test(profile, what_is_no_event_is_refused)
{
    static const char *const subjects[] = { "kanal.events.a.b.message.received",
                                            "kanal.events.a.b.message.received.n.x",
                                            "kanal.events..b.message.received.n" };
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"data\":{}}",
        "{\"id\":\"e_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"type\":\"message.received\",\"time\":\"x\","
        "\"recordedtime\":\"x\",\"data\":{}}",
        "{\"id\":\"e_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"type\":\"no.type\",\"time\":\"2026-11-21T20:53:05.000Z\","
        "\"recordedtime\":\"2026-11-21T20:53:05.000Z\",\"data\":{}}"
    };
    struct projected event;
    yyjson_doc *document;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_eq(projected_read(&event, PROJECTED_EVENTS,
                                    KANAL_LIT("kanal.events.a.b.message.received.n"), kanal_str_c(texts[i]),
                                    &document),
                     KANAL_E_INVALID, "%s", texts[i]);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        cr_expect_eq(projected_read(&event, PROJECTED_EVENTS, kanal_str_c(subjects[i]),
                                    kanal_buffer_view(&corpus.events[0].json), &document),
                     KANAL_E_INVALID);
}
