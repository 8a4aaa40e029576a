/* That a fact tells nothing of a person, of whatever event. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "contract.h"
#include "corpus.h"
#include "json/schema.h"
#include "project/facts.h"

static struct corpus corpus;
static struct json_schema *contract;

static void open_all(void)
{
    struct kanal_buffer error = { 0 };
    corpus_init(&corpus);
    cr_assert_eq(
        json_schema_new(&contract, kanal_str_of((const char *)contract_schema, contract_schema_len), &error),
        0);
    kanal_buffer_release(&error);
}

static void close_all(void)
{
    json_schema_free(contract);
    corpus_release(&corpus);
}

TestSuite(facts, .init = open_all, .fini = close_all, .timeout = 120);

/* What may be told, by its place; "*" is any index. Everything else of an event is a secret. */
static int may_be_told(const char *place)
{
    static const char *const told[] = { "/specversion",
                                        "/id",
                                        "/type",
                                        "/source",
                                        "/subject",
                                        "/time",
                                        "/recordedtime",
                                        "/datacontenttype",
                                        "/dataschema",
                                        "/traceparent",
                                        "/data/channel/id",
                                        "/data/channel/plugin",
                                        "/data/customer/id",
                                        "/data/customer/node",
                                        "/data/chat/kind",
                                        "/data/conversation/id",
                                        "/data/conversation/state",
                                        "/data/message/id",
                                        "/data/message/content/*/type",
                                        "/data/message/class",
                                        "/data/message/purpose",
                                        "/data/error/code",
                                        "/data/error/scope",
                                        "/data/error/provider_code",
                                        "/data/message/price/amount",
                                        "/data/message/price/currency",
                                        "/data/message/price/category",
                                        "/data/call/id",
                                        "/data/call/direction",
                                        "/data/call/reason",
                                        "/data/form/id",
                                        "/data/activity/name",
                                        "/data/activity/kind",
                                        "/data/activity/properties/revenue",
                                        "/data/activity/properties/total",
                                        "/data/activity/properties/price",
                                        "/data/activity/properties/currency",
                                        "/data/referral/kind",
                                        "/data/referral/source",
                                        "/data/referral/ad/id",
                                        "/data/attribution/utm_source",
                                        "/data/attribution/utm_medium",
                                        "/data/attribution/utm_campaign",
                                        "/data/attribution/utm_term",
                                        "/data/attribution/utm_content",
                                        "/data/attribution/utm_id",
                                        "/data/consent/*/purpose",
                                        "/data/reason",
                                        NULL };
    for (const char *const *one = told; *one; one++)
        if (strcmp(place, *one) == 0)
            return 1;
    return 0;
}

static struct kanal_buffer fact_of(const struct corpus_event *event)
{
    yyjson_doc *document;
    struct kanal_buffer subject = { 0 }, json = { 0 };
    struct projected projected = corpus_read(event, 1, &document);
    cr_assert_eq(fact_write(&projected, KANAL_LIT("kanal"), &subject, &json), 0);
    cr_assert(kanal_str_starts(kanal_buffer_view(&subject), "kanal.facts."));
    kanal_buffer_release(&subject);
    yyjson_doc_free(document);
    return json;
}

/* ---- Every string that may not be told becomes a mark; no mark is in the fact ---- */

struct marking {
    yyjson_mut_doc *doc;
    size_t marks;
    int keys;
};

static yyjson_mut_val *marked(struct marking *m, yyjson_mut_val *value, const char *place)
{
    char below[512], mark[32];
    size_t index, count;
    yyjson_mut_val *key, *member, *copy;
    if (yyjson_mut_is_obj(value)) {
        copy = yyjson_mut_obj(m->doc);
        yyjson_mut_obj_foreach(value, index, count, key, member)
        {
            snprintf(below, sizeof below, "%s/%.*s", place, (int)yyjson_mut_get_len(key),
                     unsafe_yyjson_get_str(key));
            yyjson_mut_obj_add(copy, yyjson_mut_strcpy(m->doc, yyjson_mut_get_str(key)),
                               marked(m, member, below));
        }
        return copy;
    }
    if (yyjson_mut_is_arr(value)) {
        copy = yyjson_mut_arr(m->doc);
        snprintf(below, sizeof below, "%s/*", place);
        yyjson_mut_arr_foreach(value, index, count, member)
            yyjson_mut_arr_append(copy, marked(m, member, below));
        return copy;
    }
    if (!yyjson_mut_is_str(value) || may_be_told(place))
        return yyjson_mut_val_mut_copy(m->doc, value);
    snprintf(mark, sizeof mark, "MARK%zu", m->marks++);
    return yyjson_mut_strcpy(m->doc, mark);
}

Test(facts, nothing_that_may_not_be_told_is_told)
{
    size_t marks = 0;
    for (size_t i = 0; i < corpus.count; i++) {
        struct corpus_event event = corpus.events[i];
        yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&event.json));
        struct marking m = { .doc = yyjson_mut_doc_new(NULL) };
        yyjson_mut_doc *open = yyjson_doc_mut_copy(document, NULL);
        yyjson_mut_doc_set_root(m.doc, marked(&m, yyjson_mut_doc_get_root(open), ""));
        size_t len;
        char *text = yyjson_mut_write(m.doc, 0, &len);
        event.json = (struct kanal_buffer){ .data = text, .len = len };
        struct kanal_buffer fact = fact_of(&event);
        kanal_buffer_byte(&fact, '\0');
        cr_expect_null(strstr(fact.data, "MARK"), "%s: %s\n%s", event.name, fact.data, text);
        marks += m.marks;
        kanal_buffer_release(&fact);
        free(text);
        yyjson_mut_doc_free(open);
        yyjson_mut_doc_free(m.doc);
        yyjson_doc_free(document);
    }
    cr_assert_gt(marks, 2000, "only %zu strings were looked for", marks);
}

/* ---- The strings themselves, as they are ---- */

struct search {
    const char *fact, *name, *event;
    size_t looked;
};

static int is_in(yyjson_val *value, kanal_str text)
{
    size_t index, count;
    yyjson_val *key, *member;
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach (value, index, count, key, member)
            if (is_in(member, text))
                return 1;
    } else if (yyjson_is_arr(value)) {
        yyjson_arr_foreach (value, index, count, member)
            if (is_in(member, text))
                return 1;
    } else if (yyjson_is_str(value)) {
        return yyjson_get_len(value) >= text.len &&
               memmem(yyjson_get_str(value), yyjson_get_len(value), text.ptr, text.len);
    }
    return 0;
}

/* 1: something that may be told says the same: "message.received" in a text is not what leaked. */
static int is_told_elsewhere(yyjson_val *value, const char *place, kanal_str text)
{
    char below[512];
    size_t index, count;
    yyjson_val *key, *member;
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach (value, index, count, key, member) {
            snprintf(below, sizeof below, "%s/%s", place, yyjson_get_str(key));
            if (is_told_elsewhere(member, below, text))
                return 1;
        }
    } else if (yyjson_is_arr(value)) {
        snprintf(below, sizeof below, "%s/*", place);
        yyjson_arr_foreach (value, index, count, member)
            if (is_told_elsewhere(member, below, text))
                return 1;
    }
    return yyjson_is_str(value) && may_be_told(place) && is_in(value, text);
}

static void search(struct search *s, yyjson_val *root, yyjson_val *fact, yyjson_val *value, const char *place)
{
    char below[512];
    size_t index, count;
    yyjson_val *key, *member;
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach (value, index, count, key, member) {
            snprintf(below, sizeof below, "%s/%s", place, yyjson_get_str(key));
            search(s, root, fact, member, below);
        }
    } else if (yyjson_is_arr(value)) {
        snprintf(below, sizeof below, "%s/*", place);
        yyjson_arr_foreach (value, index, count, member)
            search(s, root, fact, member, below);
    } else if (yyjson_is_str(value) && yyjson_get_len(value) >= 3 && !may_be_told(place)) {
        kanal_str text = kanal_str_of(yyjson_get_str(value), yyjson_get_len(value));
        s->looked++;
        if (is_in(fact, text) && !is_told_elsewhere(root, "", text))
            cr_expect_fail("%s: %s says '%s', and so does the fact %s", s->name, place, text.ptr, s->fact);
    }
}

Test(facts, no_string_of_the_event_is_found_in_the_fact)
{
    struct search s = { 0 };
    for (size_t i = 0; i < corpus.count; i++) {
        struct kanal_buffer text = fact_of(&corpus.events[i]);
        kanal_buffer_byte(&text, '\0');
        yyjson_doc *event = kanal_json_parse(kanal_buffer_view(&corpus.events[i].json));
        yyjson_doc *fact = kanal_json_parse(kanal_str_c(text.data));
        s.fact = text.data;
        s.name = corpus.events[i].name;
        search(&s, yyjson_doc_get_root(event), yyjson_doc_get_root(fact), yyjson_doc_get_root(event), "");
        yyjson_doc_free(fact);
        yyjson_doc_free(event);
        kanal_buffer_release(&text);
    }
    cr_assert_gt(s.looked, 1000);
}

/* ---- The contract ---- */

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    const struct search *s = user;
    cr_expect_fail("%s: %.*s %.*s: %.*s in %s", s->name, (int)pointer.len, pointer.ptr, (int)member.len,
                   member.ptr ? member.ptr : "", (int)message.len, message.ptr, s->fact);
}

Test(facts, every_fact_keeps_the_contract)
{
    for (size_t i = 0; i < corpus.count; i++) {
        struct kanal_buffer text = fact_of(&corpus.events[i]);
        kanal_buffer_byte(&text, '\0');
        yyjson_doc *fact = kanal_json_parse(kanal_str_c(text.data));
        struct search s = { .fact = text.data, .name = corpus.events[i].name };
        cr_expect_eq(
            json_schema_check_at(contract, "#/$defs/fact", yyjson_doc_get_root(fact), on_violation, &s), 0);
        yyjson_doc_free(fact);
        kanal_buffer_release(&text);
    }
}

static const struct corpus_event *find(const char *name)
{
    for (size_t i = 0; i < corpus.count; i++)
        if (strcmp(corpus.events[i].name, name) == 0)
            return &corpus.events[i];
    cr_assert_fail("there is no %s", name);
    return NULL;
}

static void expect_in(const struct corpus_event *event, const char *words)
{
    struct kanal_buffer fact = fact_of(event);
    kanal_buffer_byte(&fact, '\0');
    cr_expect_not_null(strstr(fact.data, words), "'%s' in %s", words, fact.data);
    kanal_buffer_release(&fact);
}

Test(facts, what_may_be_told_is_told)
{
    expect_in(find("proto/message.received.json"), "\"customer\":{\"id\":\"c_");
    expect_in(find("proto/message.received.json"), "\"kinds\":[");
    expect_in(find("proto/activity.tracked.json"),
              "\"activity\":{\"name\":\"Product "
              "Added\",\"kind\":\"track\",\"value\":\"1990.00\",\"currency\":\"RUB\"}");
    expect_in(find("proto/activity.tracked.json"), "\"utm_campaign\":\"november\"");
    expect_in(find("proto/form.submitted.json"), "\"form\":{\"id\":");
    expect_in(find("proto/call.missed.json"), "\"direction\":\"inbound\"");
    expect_in(find("proto/message.failed.json"), "\"error\":{\"code\":");
    expect_in(find("proto/consent.withdrawn.json"), "\"consent\":[{\"given\":false}]");
    expect_in(find("proto/consent.withdrawn.json"), "\"reason\":\"blocked\"");
}

/* What has the form of an address, a name or a number is not told even where a name of the shop's stands. */
Test(facts, a_persons_data_in_a_place_for_names_is_not_told)
{
    struct corpus_event event;
    corpus_make(&corpus, "activity.tracked", "visitor:v1", "2026-11-21T20:53:05.000Z",
                "{\"activity\":{\"name\":\"Signed up "
                "anna@example.com\",\"properties\":{\"price\":\"+79161234567\",\"currency\":\"Анна\"}},"
                "\"attribution\":{\"utm_source\":\"anna@example.com\",\"utm_term\":\"79161234567\",\"utm_"
                "medium\":\"cpc\"},"
                "\"referral\":{\"kind\":\"anna@example.com\",\"source\":\"Анна "
                "Иванова\",\"ad\":{\"id\":\"Анна\"}},\"reason\":\"Анна\"}",
                &event);
    struct kanal_buffer fact = fact_of(&event);
    kanal_buffer_byte(&fact, '\0');
    static const char *const persons[] = { "anna", "7916", "\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0" };
    for (size_t i = 0; i < sizeof persons / sizeof *persons; i++)
        cr_expect_null(strstr(fact.data, persons[i]), "%s", fact.data);
    cr_expect_not_null(strstr(fact.data, "cpc"), "%s", fact.data);
    kanal_buffer_release(&fact);
    kanal_buffer_release(&event.json);
}
