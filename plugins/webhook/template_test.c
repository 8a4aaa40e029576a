#include <criterion/criterion.h>
#include <stdio.h>
#include "mapping.h"

/* What a template makes of a payload; NULL: absent. */
static void expect_in(int is_free, const char *template, const char *payload, const char *wanted)
{
    struct kanal_buffer out = { 0 }, why = { 0 };
    struct kanal_json json;
    size_t elements_left = TEMPLATE_ELEMENTS_MAX;
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(template)), *root = kanal_json_parse(kanal_str_c(payload));
    const struct template_scope scope = { .root = yyjson_doc_get_root(root),
                                          .default_country = KANAL_LIT("RU"),
                                          .is_free = is_free,
                                          .elements_left = &elements_left };
    cr_assert(doc != NULL && root != NULL, "%s, %s", template, payload);
    cr_assert_eq(template_check(yyjson_doc_get_root(doc), KANAL_LIT("t"), &why), KANAL_OK, "%s: %.*s",
                 template, (int)why.len, why.data);
    kanal_json_init(&json, &out);
    int written = template_write(&json, yyjson_doc_get_root(doc), &scope);
    cr_assert_eq(written, wanted != NULL, "%s: %d", template, written);
    cr_assert(kanal_str_is(kanal_buffer_view(&out), wanted ? wanted : ""), "%s is %.*s, not %s", template,
              (int)out.len, out.data, wanted);
    yyjson_doc_free(doc);
    yyjson_doc_free(root);
    kanal_buffer_release(&out);
    kanal_buffer_release(&why);
}

static void expect(const char *template, const char *payload, const char *wanted)
{
    expect_in(1, template, payload, wanted);
}

/* In an event what is not free form is text, unless the rule says otherwise: so a payload cannot break the contract by another type. */
Test(template, texts_outside_of_free_form_members)
{
    const char *payload = "{\"e\":\"\",\"n\":7,\"l\":[1],\"s\":\"x\",\"z\":null}";
    expect_in(0, "{\"a\":{\"$\":\"/n\"},\"b\":{\"$\":\"/l\"},\"c\":{\"$\":\"/s\"},\"d\":{\"$\":\"/z\"}}",
              payload, "{\"a\":\"7\",\"c\":\"x\"}");
    expect_in(0, "{\"a\":{\"$\":\"/l\",\"as\":\"any\"},\"b\":{\"$\":\"/l\",\"default\":0}}", payload,
              "{\"a\":[1],\"b\":0}");
    expect_in(0, "[{\"$\":\"/e\"},{\"$\":\"/e\",\"as\":\"text\"}]", payload, "[\"\"]");
    expect_in(0, "{\"x\":{\"properties\":{\"a\":{\"$\":\"/l\"}}},\"provider\":{\"a\":{\"$\":\"/n\"}}}",
              payload, "{\"x\":{\"properties\":{\"a\":[1]}},\"provider\":{\"a\":7}}");
}

Test(template, what_stands_for_itself)
{
    expect("{\"a\":[1,\"x\",null,true],\"b\":{},\"c\":[]}", "{}",
           "{\"a\":[1,\"x\",null,true],\"b\":{},\"c\":[]}");
}

Test(template, pointers)
{
    expect("{\"$\":\"/a/0/b~1c\"}", "{\"a\":[{\"b/c\":[1]}]}", "[1]");
    expect("{\"$\":\"\"}", "{\"a\":1}", "{\"a\":1}");
    expect("{\"$\":\"/x\"}", "{}", NULL);
    expect("{\"$\":\"/x\"}", "{\"x\":null}", "null");
    expect("{\"$\":\"/x\",\"default\":7}", "{}", "7");
    expect("{\"a\":{\"$\":\"/x\"},\"b\":[{\"$\":\"/x\"},1],\"c\":{\"d\":{\"$\":\"/x\"}}}", "{}",
           "{\"b\":[1],\"c\":{}}");
    expect("{\"$\":\"@/x\"}", "{\"x\":1}", NULL); /* there is no element here */
}

Test(template, forms)
{
    static const char *const cases[][3] = {
        { "text", "18446744073709551615", "\"18446744073709551615\"" },
        { "text", "true", "\"true\"" },
        { "text", "\"\"", "\"\"" },
        { "text", "[1]", NULL },
        { "number", "\"1.50\"", "1.5" },
        { "number", "\"abc\"", NULL },
        { "boolean", "1", "true" },
        { "boolean", "\"false\"", "false" },
        { "boolean", "\"no\"", NULL },
        { "money", "19.99", "\"19.99\"" },
        { "money", "\"-0.5\"", "\"-0.5\"" },
        { "money", "\"1,5\"", NULL },
        { "money", "\"1.\"", NULL },
        { "money", "\".5\"", NULL },
        { "money", "1e30", NULL },
        { "time", "1795294385", "\"2026-11-21T20:53:05.000Z\"" },
        { "time", "1795294385123", "\"2026-11-21T20:53:05.123Z\"" },
        { "time", "\"2026-11-21T23:53:05+03:00\"", "\"2026-11-21T20:53:05.000Z\"" },
        { "time", "\"soon\"", NULL },
        { "time", "-1", NULL },
        { "time", "9223372036854775807", NULL },
        { "tel", "\"8 916 123-45-67\"", "\"tel:+79161234567\"" },
        { "tel", "79161234567", "\"tel:+79161234567\"" },
        { "tel", "\"x\"", NULL },
        { "mail", "\"Anna@EXAMPLE.com\"", "\"mailto:Anna@example.com\"" },
        { "mail", "\"x\"", NULL },
        { "any", "[null]", "[null]" },
        { "url", "\"https://a.example/{x}\"", "\"https://a.example/%7Bx%7D\"" },
        { "url", "\"javascript:alert(1)\"", NULL },
        { "encoded", "\"a b/Ж\"", "\"a%20b%2F%D0%96\"" },
        { "encoded", "\"\"", NULL }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char template[64], payload[64], with_default[96];
        snprintf(template, sizeof template, "{\"$\":\"/x\",\"as\":\"%s\"}", cases[i][0]);
        snprintf(with_default, sizeof with_default, "{\"$\":\"/x\",\"as\":\"%s\",\"default\":\"d\"}",
                 cases[i][0]);
        snprintf(payload, sizeof payload, "{\"x\":%s}", cases[i][1]);
        expect(template, payload, cases[i][2]);
        expect(with_default, payload, cases[i][2] ? cases[i][2] : "\"d\"");
    }
}

Test(template, maps_joins_each_and_if)
{
    const char *map = "{\"$\":\"/s\",\"map\":{\"paid\":\"Order Paid\",\"7\":[1],\"true\":0}}";
    expect(map, "{\"s\":\"paid\"}", "\"Order Paid\"");
    expect(map, "{\"s\":7}", "[1]");
    expect(map, "{\"s\":true}", "0");
    expect(map, "{\"s\":\"x\"}", NULL);
    expect(map, "{\"s\":{}}", NULL);
    expect("{\"$join\":[\"a:\",{\"$\":\"/x\"},1,{\"$\":\"/y\",\"map\":{\"z\":\"!\"}}]}",
           "{\"x\":2,\"y\":\"z\"}", "\"a:21!\"");
    expect("{\"$join\":[\"a:\",{\"$\":\"/none\"}]}", "{}", NULL);
    expect("{\"$join\":[\"a:\",{\"$\":\"/x\"}]}", "{\"x\":[]}", NULL);
    expect("{\"$join\":[]}", "{}", "\"\"");
    expect("{\"$each\":\"/l\",\"do\":{\"n\":{\"$\":\"@/n\"},\"of\":{\"$\":\"/o\"}}}",
           "{\"l\":[{\"n\":1},{},5],\"o\":9}", "[{\"n\":1,\"of\":9},{\"of\":9},{\"of\":9}]");
    expect("{\"$each\":\"/l\",\"do\":{\"$\":\"@\"}}", "{\"l\":[1,[2]]}", "[1,[2]]");
    expect("{\"$each\":\"/l\",\"do\":{\"$each\":\"@/m\",\"do\":{\"$\":\"@\"}}}",
           "{\"l\":[{\"m\":[1,2]},{\"m\":3},{}]}", "[[1,2]]");
    expect("{\"$each\":\"/l\",\"do\":1}", "{\"l\":{}}", NULL);
    expect("[{\"$if\":{\"$\":\"/x\",\"as\":\"tel\"},\"a\":1}]", "{\"x\":\"none\"}", "[]");
    expect("[{\"$if\":{\"$\":\"/x\",\"as\":\"tel\"},\"a\":1}]", "{\"x\":\"+79161234567\"}", "[{\"a\":1}]");
    expect("[{\"$if\":\"/x\",\"a\":1},{\"$if\":\"/y\",\"b\":{\"$\":\"/y\"}}]", "{\"y\":2}", "[{\"b\":2}]");
}

/* A payload must not make much of a little. */
Test(template, amplification_is_bounded)
{
    struct kanal_buffer payload = { 0 }, out = { 0 };
    struct kanal_json json;
    size_t elements_left = TEMPLATE_ELEMENTS_MAX;
    kanal_buffer_text(&payload, "{\"l\":[0");
    for (int i = 1; i < 2000; i++)
        kanal_buffer_text(&payload, ",0");
    kanal_buffer_text(&payload, "]}");
    yyjson_doc *root = kanal_json_parse(kanal_buffer_view(&payload));
    const struct template_scope scope = { .root = yyjson_doc_get_root(root),
                                          .is_free = 1,
                                          .elements_left = &elements_left };
    static const char *const templates[] = {
        "{\"$each\":\"/l\",\"do\":{\"$each\":\"/l\",\"do\":{\"$\":\"@/none\"}}}",
        "{\"$each\":\"/l\",\"do\":{\"$each\":\"/l\",\"do\":1}}", "{\"$each\":\"/l\",\"do\":{\"$\":\"\"}}"
    };
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
        yyjson_doc *doc = kanal_json_parse(kanal_str_c(templates[i]));
        elements_left = TEMPLATE_ELEMENTS_MAX;
        kanal_buffer_clear(&out);
        kanal_json_init(&json, &out);
        template_write(&json, yyjson_doc_get_root(doc), &scope);
        cr_assert(out.failed, "%s", templates[i]);
        cr_assert_lt(out.len, 2 * TEMPLATE_BYTES_MAX);
        yyjson_doc_free(doc);
    }
    yyjson_doc_free(root);
    kanal_buffer_release(&payload);
    kanal_buffer_release(&out);
}

/* ---- What is refused at start ---- */

static void expect_refused(const char *settings_text, const char *wanted)
{
    struct settings settings;
    struct kanal_buffer why = { 0 };
    cr_assert_eq(settings_read(&settings, kanal_str_c(settings_text), &why), KANAL_E_INVALID, "%s",
                 settings_text);
    kanal_buffer_byte(&why, 0);
    cr_assert_not_null(strstr(why.data, wanted), "%s: %s", settings_text, why.data);
    kanal_buffer_release(&why);
    settings_release(&settings);
}

Test(mapping, mistakes_are_told_with_their_place)
{
#define ACTIVITY "\"activity\":{\"name\":\"x\",\"properties\":{}}"
#define RULE(more)                                                                                           \
    "{\"events\":[{\"type\":\"typing.started\",\"address\":\"a:b\",\"data\":{}},{\"type\":\"activity."       \
    "tracked\"," more "}]}"
    expect_refused("{}", "neither a rule in `events` nor a `url`");
    expect_refused(RULE("\"data\":{}"), "events[1].data: there has to be /activity/name");
    expect_refused(RULE("\"data\":{\"activity\":{\"name\":{\"$\":\"x\"},\"properties\":{}}}"),
                   "events[1].data/activity/name: a JSON pointer");
    expect_refused(RULE("\"data\":{\"activity\":{\"name\":{\"$\":\"/x~2\"},\"properties\":{}}}"),
                   "/activity/name: a JSON pointer");
    expect_refused(
        RULE("\"data\":{\"activity\":{\"name\":{\"$\":\"/x\",\"as\":\"date\"},\"properties\":{}}}"),
        "`as` is one of");
    expect_refused(RULE("\"data\":{\"activity\":{\"name\":{\"$\":\"/x\",\"else\":1},\"properties\":{}}}"),
                   "does not belong");
    expect_refused(RULE("\"data\":{\"activity\":{\"name\":{\"$\":\"/x\",\"map\":1},\"properties\":{}}}"),
                   "`map` is an object");
    expect_refused(RULE("\"data\":{" ACTIVITY ",\"page\":{\"$get\":\"/x\"}}"),
                   "events[1].data/page: an unknown $ member");
    expect_refused(RULE("\"data\":{" ACTIVITY ",\"page\":[0,{\"$each\":\"/x\"}]}"),
                   "events[1].data/page/1/do: is missing");
    expect_refused(RULE("\"data\":{" ACTIVITY ",\"page\":{\"$join\":\"x\"}}"), "$join is an array");
    expect_refused(RULE("\"data\":{" ACTIVITY "},\"when\":{\"type\":1}"),
                   "events[1].when: a member is a JSON pointer");
    expect_refused(RULE("\"data\":{" ACTIVITY "},\"when\":{\"/type\":{\"is\":1}}"),
                   "events[1].when: a condition is");
    expect_refused(RULE("\"data\":{" ACTIVITY "},\"address\":{\"$\":7}"),
                   "events[1].address: a JSON pointer");
    expect_refused("{\"events\":[{\"type\":\"message.received\",\"data\":{\"message\":{\"content\":[]}}}]}",
                   "events[0].address: is required of message.received");
    expect_refused("{\"events\":[{\"type\":\"message.deleted\",\"data\":{}}]}",
                   "events[0].external_id: is required of message.deleted");
    expect_refused("{\"events\":[{\"type\":\"message.read\",\"data\":{}}]}",
                   "or command_id is required of message.read");
    expect_refused("{\"events\":[{\"type\":\"dance\",\"data\":{}}]}", "events[0].type: an unknown type");
    expect_refused(RULE("\"data\":{" ACTIVITY ",\"p\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}"),
                   "more than 16 levels");
    expect_refused("{\"url\":\"https://\"}", "url is no absolute");
    expect_refused("{\"url\":\"https://a.example/\",\"headers\":{\"webhook-id\":\"x\"}}", "headers: ");
    expect_refused("{\"url\":\"https://a.example/\",\"headers\":{\"host\":\"x\"}}", "headers: ");
    expect_refused("{\"url\":\"https://a.example/\",\"body\":{\"x\":{\"$\":\"y\"}}}",
                   "body/x: a JSON pointer");
    expect_refused("{\"url\":\"https://a.example/\",\"external_id\":\"/~\"}", "external_id: a JSON pointer");
    expect_refused("{\"events\":[{\"type\":\"typing.started\",\"address\":\"a:b\",\"data\":{}}],\"body\":{}}",
                   "there is no url");
}
