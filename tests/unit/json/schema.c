/* What is valid (cases.json, which ajv is asked about too), what is said about what is not, and which schemas are refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "json/schema.h"
#include "kanal/sdk/json.h"

static struct json_schema *compile(kanal_str text)
{
    struct kanal_buffer error = { 0 };
    struct json_schema *schema = NULL;
    int status = json_schema_new(&schema, text, &error);

    cr_assert_eq(status, 0, "%.*s", (int)error.len, error.data);
    kanal_buffer_release(&error);
    return schema;
}

static yyjson_doc *read_file(const char *path)
{
    yyjson_doc *doc = yyjson_read_file(path, 0, NULL, NULL);
    cr_assert_not_null(doc, "%s", path);
    return doc;
}

/* ---- Verdicts ---- */

/* In an own document: what lies behind a value must not matter. */
static size_t verdict(const struct json_schema *schema, yyjson_val *instance)
{
    size_t len, errors;
    char *text = yyjson_val_write(instance, 0, &len);
    yyjson_doc *doc = yyjson_read(text, len, 0);

    errors = json_schema_check(schema, yyjson_doc_get_root(doc), NULL, NULL);
    yyjson_doc_free(doc);
    free(text);
    return errors;
}

static void count_error(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    (void)pointer;
    (void)member;
    cr_assert(message.len > 0);
    ++*(size_t *)user;
}

static void check_all(const struct json_schema *schema, yyjson_val *instances, int valid, const char *about)
{
    yyjson_val *instance;
    size_t i, max;

    yyjson_arr_foreach (instances, i, max, instance) {
        size_t told = 0, errors = json_schema_check(schema, instance, count_error, &told);
        cr_expect_eq(errors == 0, valid, "%s: %s[%zu]: %zu errors", about, valid ? "valid" : "invalid", i,
                     errors);
        cr_expect_eq(told, errors, "%s: told %zu of %zu", about, told, errors);
        cr_expect_eq(verdict(schema, instance) == 0, valid, "%s: quietly, [%zu]", about, i);
    }
}

Test(schema, cases)
{
    yyjson_doc *doc = read_file(TEST_DIR "/cases.json");
    yyjson_val *group;
    size_t i, max;

    cr_assert_gt(yyjson_arr_size(yyjson_doc_get_root(doc)), 60);
    yyjson_arr_foreach (yyjson_doc_get_root(doc), i, max, group) {
        const char *about = yyjson_get_str(yyjson_obj_get(group, "about"));
        size_t len;
        char *text = yyjson_val_write(yyjson_obj_get(group, "schema"), 0, &len);
        struct json_schema *schema = compile(kanal_str_of(text, len));
        free(text); /* it was copied */
        check_all(schema, yyjson_obj_get(group, "valid"), 1, about);
        check_all(schema, yyjson_obj_get(group, "invalid"), 0, about);
        json_schema_free(schema);
    }
    yyjson_doc_free(doc);
}

/* ---- Messages ---- */

static void append_error(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct kanal_buffer *out = user;

    kanal_buffer_str(out, pointer);
    if (member.ptr) {
        kanal_buffer_byte(out, '#');
        kanal_buffer_str(out, member);
    }
    kanal_buffer_text(out, ": ");
    kanal_buffer_str(out, message);
    kanal_buffer_byte(out, '\n');
}

static void expect_messages(const char *schema_text, const char *instance, const char *expected)
{
    struct json_schema *schema = compile(kanal_str_c(schema_text));
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(instance));
    struct kanal_buffer out = { 0 };

    cr_assert_not_null(doc);
    json_schema_check(schema, yyjson_doc_get_root(doc), append_error, &out);
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, expected, "%s\ngot: %sexpected: %s", instance, out.data, expected);
    kanal_buffer_release(&out);
    yyjson_doc_free(doc);
    json_schema_free(schema);
}

Test(schema, says_what_was_expected_and_found)
{
    static const struct {
        const char *schema, *instance, *expected;
    } table[] = {
        { "{\"type\":\"string\",\"maxLength\":64}", "5",
          ": expected a string of at most 64 characters, found the number 5\n" },
        { "{\"type\":\"number\",\"exclusiveMinimum\":0}", "\"fast\"",
          ": expected a number above 0, found \"fast\"\n" },
        { "{\"type\":\"integer\",\"minimum\":1,\"maximum\":5}", "6",
          ": expected a whole number from 1 to 5, found the number 6\n" },
        { "{\"exclusiveMinimum\":0,\"maximum\":9}", "0",
          ": expected a number above 0 and at most 9, found the number 0\n" },
        { "{\"minimum\":0,\"exclusiveMaximum\":1}", "1",
          ": expected a number of at least 0 and below 1, found the number 1\n" },
        { "{\"maximum\":9}", "10", ": expected a number of at most 9, found the number 10\n" },
        { "{\"type\":\"integer\",\"multipleOf\":5}", "6",
          ": expected a whole number, a multiple of 5, found the number 6\n" },
        { "{\"type\":\"string\",\"minLength\":1}", "\"\"",
          ": expected a string that is not empty, found \"\"\n" },
        { "{\"minLength\":16,\"maxLength\":16}", "\"x\"",
          ": expected a string of exactly 16 characters, found \"x\"\n" },
        { "{\"type\":\"string\",\"pattern\":\"^a+$\"}", "\"b\"",
          ": expected a string that matches ^a+$, found \"b\"\n" },
        { "{\"type\":\"string\",\"format\":\"email\"}", "\"b\"",
          ": expected an e-mail address, found \"b\"\n" },
        { "{\"enum\":[\"shared\",\"own\",1]}", "null", ": expected \"shared\", \"own\" or 1, found null\n" },
        { "{\"const\":true}", "[]", ": expected true, found an empty array\n" },
        { "{\"type\":[\"string\",\"array\",\"null\"],\"maxItems\":1}", "[1,2]",
          ": expected a string, an array of at most 1 item or null, found an array of 2 items\n" },
        { "{\"minProperties\":2}", "{\"a\":1}",
          ": expected an object of at least 2 members, found an object of 1 member\n" },
        { "{\"x-expected\":\"a duration such as 90s\",\"type\":\"string\",\"pattern\":\"^[0-9]+s$\"}",
          "\"fast\"", ": expected a duration such as 90s, found \"fast\"\n" },
        { "{\"uniqueItems\":true}", "[1,\"a\",\"a\"]",
          "/2: expected items that differ, found \"a\" twice\n" },
        { "{\"properties\":{\"channels\":{}},\"additionalProperties\":false}", "{\"chanels\":[]}",
          "#chanels: unknown key; did you mean \"channels\"?\n" },
        { "{\"properties\":{\"channels\":{}},\"additionalProperties\":false}", "{\"zebra\":[]}",
          "#zebra: unknown key\n" },
        { "{\"properties\":{\"a\":{\"required\":[\"x\",\"y\"]}}}", "{\"a\":{\"y\":1}}",
          "/a#x: required, but missing\n" },
        { "{\"dependentRequired\":{\"cert\":[\"key\"]}}", "{\"cert\":1}",
          "#key: required together with \"cert\", but missing\n" },
        { "{\"items\":{\"properties\":{\"a/b\":{\"type\":\"null\"}}}}", "[{},{\"a/b\":1}]",
          "/1/a~1b: expected null, found the number 1\n" },
        { "{\"properties\":{\"x\":false}}", "{\"x\":1}", "/x: is not allowed here\n" },
        { "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}",
          "/ab: expected a string of at most 1 character, found \"ab\"\n" },
        { "{\"not\":{\"properties\":{\"type\":{\"enum\":[\"answer\"]}},\"required\":[\"type\"]}}",
          "{\"type\":\"answer\"}", "/type: \"answer\" is not allowed here\n" },
        { "{\"type\":\"null\"}", "\"a\\u001b[31m\\n\\\"\\u0085\"",
          ": expected null, found \"a\\u001b[31m\\n\\\"\\u0085\"\n" },
        { "{\"type\":\"null\"}", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
          ": expected null, found \"0123456789012345678901234567890123456789012345678901234567890123…\" (70 "
          "characters)\n" },
        { "{\"type\":\"string\",\"writeOnly\":true}", "12345", ": expected a string, found a number\n" },
        { "{\"writeOnly\":true,\"properties\":{\"a\":{\"minLength\":9}}}", "{\"a\":\"geheim\"}",
          "/a: expected a string of at least 9 characters, found a string of 6 characters\n" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_messages(table[i].schema, table[i].instance, table[i].expected);
}

Test(schema, tells_everything_at_once)
{
    expect_messages("{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"items\":{\"type\":\"null\"}}},"
                    "\"required\":[\"c\"],"
                    "\"additionalProperties\":false}",
                    "{\"a\":1,\"b\":[null,1,2],\"d\":0}",
                    "/a: expected a string, found the number 1\n/b/1: expected null, found the number 1\n"
                    "/b/2: expected null, found the number 2\n#d: unknown key\n#c: required, but missing\n");
}

Test(schema, stops_at_64)
{
    struct json_schema *schema = compile(KANAL_LIT("{\"items\":{\"type\":\"null\"}}"));
    struct kanal_buffer text = { 0 };
    size_t told = 0;
    yyjson_doc *doc;

    for (int i = 0; i < 1000; i++)
        kanal_buffer_text(&text, i == 0 ? "[0" : ",0");
    kanal_buffer_byte(&text, ']');
    doc = kanal_json_parse(kanal_buffer_view(&text));
    cr_expect_eq(json_schema_check(schema, yyjson_doc_get_root(doc), count_error, &told), 64);
    cr_expect_eq(told, 64);
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    json_schema_free(schema);
}

Test(schema, speaks_of_the_branch_that_fits_best)
{
    static const char parts[] = "{\"oneOf\":[{\"properties\":{\"type\":{\"const\":\"text\"},\"text\":{"
                                "\"type\":\"string\"}},\"required\":[\"type\",\"text\"]},"
                                "{\"properties\":{\"type\":{\"const\":\"image\"},\"url\":{\"format\":\"uri\"}"
                                "},\"required\":[\"type\",\"url\"]}]}";

    expect_messages(parts, "{\"type\":\"image\",\"url\":5,\"text\":5}", "");
    expect_messages(parts, "{\"type\":\"image\",\"url\":\"x\"}", "/url: expected a URI, found \"x\"\n");
    expect_messages(parts, "{\"type\":\"image\",\"text\":\"x\"}", "#url: required, but missing\n");
    expect_messages(parts, "{\"type\":\"texx\"}",
                    "/type: expected \"text\" or \"image\", found \"texx\"; did you mean \"text\"?\n");
    expect_messages(parts, "{\"url\":\"a:b\"}", "#type: required, but missing\n");
    expect_messages("{\"anyOf\":[{\"type\":\"string\",\"maxLength\":2},{\"type\":\"array\",\"items\":{"
                    "\"type\":\"string\"}}]}",
                    "[\"a\",1]", "/1: expected a string, found the number 1\n");
    expect_messages("{\"anyOf\":[{\"type\":\"string\",\"maxLength\":2},{\"type\":\"array\"}]}", "7",
                    ": expected a string of at most 2 characters or an array, found the number 7\n");
    expect_messages("{\"anyOf\":[{\"type\":\"string\",\"maxLength\":2},{\"type\":\"integer\"}]}", "\"abc\"",
                    ": expected a string of at most 2 characters or a whole number, found \"abc\"\n");
    expect_messages("{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{}",
                    ": exactly one is required: \"a\" or \"b\"\n");
    expect_messages("{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{\"a\":1,\"b\":1}",
                    ": only one may be there: \"a\" or \"b\"\n");
    expect_messages("{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "3",
                    ": fits more than one of the allowed forms, expected exactly one\n");
}

/* ---- Which schemas are refused ---- */

Test(schema, refuses)
{
    static const struct {
        const char *schema, *error;
    } table[] = {
        { "{\"properties\":{\"x\":{\"foo\":1}}}", "at #/properties/x: unknown keyword \"foo\"" },
        { "{\"type\":\"text\"}", "at #/type: unknown type" },
        { "{\"type\":[]}", "at #/type: expected at least one type" },
        { "{\"enum\":[]}", "at #/enum: expected an array with at least one value" },
        { "{\"minLength\":-1}", "at #/minLength: expected a whole number, 0 or more" },
        { "{\"maximum\":\"1\"}", "at #/maximum: expected a number" },
        { "{\"multipleOf\":0}", "at #/multipleOf: expected a number above 0" },
        { "{\"pattern\":\"(\"}", "at #/pattern: '(' is not closed \"(\"" },
        { "{\"pattern\":\"(?=a)\"}",
          "at #/pattern: look-around and named groups are not supported \"(?=a)\"" },
        { "{\"format\":\"color\"}", "at #/format: unknown format \"color\"" },
        { "{\"items\":[{}]}", "at #/items: a schema is an object, true or false" },
        { "{\"allOf\":[]}", "at #/allOf: expected an array with at least one schema" },
        { "{\"allOf\":[true,{\"anyOf\":[{},5]}]}",
          "at #/allOf/1/anyOf/1: a schema is an object, true or false" },
        { "{\"required\":[1]}", "at #/required: expected an array of strings" },
        { "{\"$ref\":\"#/$defs/x\"}", "at #/$ref: there is no \"#/$defs/x\"" },
        { "{\"$ref\":\"other.json\"}",
          "at #/$ref: only references into the same schema are supported, found \"other.json\"" },
        { "{\"$ref\":\"#\"}",
          "at #: $ref, allOf, anyOf, oneOf or not go round in a circle, or are chained too long" },
        { "{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"not\":{\"$ref\":\"#\"}}}}",
          "at #: $ref, allOf, anyOf, oneOf or not go round in a circle, or are chained too long" },
        { "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"items\":{\"minimum\":{}}}}}",
          "at #/$defs/a/items/minimum: expected a number" },
        { "{\"type\":\"string\",\"type\":\"null\"}", "at #: twice the keyword \"type\"" },
        { "{\"items\":{\"$id\":\"urn:x\"}}", "at #/items: unknown keyword \"$id\"" },
        { "{\"x-expected\":1}", "at #/x-expected: expected a string" },
        { "[]", "at #: a schema is an object, true or false" },
        { "{", "at #: the schema is no JSON, or is nested too deeply" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct json_schema *schema = NULL;
        struct kanal_buffer error = { 0 };
        cr_expect_eq(json_schema_new(&schema, kanal_str_c(table[i].schema), &error), KANAL_E_INVALID);
        cr_expect_null(schema);
        kanal_buffer_byte(&error, 0);
        cr_expect_str_eq(error.data, table[i].error, "%s\ngot: %s", table[i].schema, error.data);
        kanal_buffer_release(&error);
    }
}

Test(schema, annotations_assert_nothing)
{
    struct json_schema *schema = compile(KANAL_LIT(
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"urn:x\",\"title\":\"t\","
        "\"description\":\"d\",\"examples\":[1],\"default\":5,\"deprecated\":true,\"readOnly\":true,"
        "\"writeOnly\":true,\"$comment\":\"c\",\"x-any\":{}}"));
    yyjson_doc *doc = kanal_json_parse(KANAL_LIT("null"));

    cr_expect_eq(json_schema_check(schema, yyjson_doc_get_root(doc), NULL, NULL), 0);
    yyjson_doc_free(doc);
    json_schema_free(schema);
}

/* ---- Bounds ---- */

Test(schema, deep_branching_ends)
{
    /* Each level asks two branches that ask two branches …: 2^60 without a bound. */
    struct json_schema *schema = compile(
        KANAL_LIT("{\"anyOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"b\"]},"
                  "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"c\"]},{\"type\":\"null\"}]}"));
    struct kanal_buffer text = { 0 }, out = { 0 };
    yyjson_doc *doc;

    for (int i = 0; i < 60; i++)
        kanal_buffer_text(&text, "{\"a\":");
    kanal_buffer_text(&text, "1");
    for (int i = 0; i < 60; i++)
        kanal_buffer_byte(&text, '}');
    doc = kanal_json_parse(kanal_buffer_view(&text));
    cr_assert_not_null(doc);
    cr_expect_gt(json_schema_check(schema, yyjson_doc_get_root(doc), append_error, &out), 0);
    kanal_buffer_byte(&out, 0);
    cr_expect_not_null(strstr(out.data, "too complex to check"), "%s", out.data);
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    kanal_buffer_release(&out);
    json_schema_free(schema);
}

Test(schema, large_unique_arrays_end)
{
    struct json_schema *schema = compile(KANAL_LIT("{\"uniqueItems\":true}"));
    struct kanal_buffer text = { 0 };
    yyjson_doc *doc;

    for (int i = 0; i < 100000; i++) {
        kanal_buffer_byte(&text, i == 0 ? '[' : ',');
        kanal_buffer_int(&text, i);
    }
    kanal_buffer_byte(&text, ']');
    doc = kanal_json_parse(kanal_buffer_view(&text));
    cr_expect_gt(json_schema_check(schema, yyjson_doc_get_root(doc), NULL, NULL),
                 0); /* not proved, so not valid */
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    json_schema_free(schema);
}

Test(schema, a_long_string_is_not_too_complex)
{
    struct json_schema *schema =
        compile(KANAL_LIT("{\"items\":{\"pattern\":\"^a*$\",\"maxLength\":9000000}}"));
    struct kanal_buffer text = { 0 };
    yyjson_doc *doc;

    kanal_buffer_text(&text, "[\"");
    for (int i = 0; i < 8 << 20; i++)
        kanal_buffer_byte(&text, 'a');
    kanal_buffer_text(&text, "\"]");
    doc = kanal_json_parse(kanal_buffer_view(&text));
    cr_expect_eq(json_schema_check(schema, yyjson_doc_get_root(doc), NULL, NULL), 0);
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    json_schema_free(schema);
}

/* ---- Other starts, defaults, marks ---- */

Test(schema, check_at)
{
    struct json_schema *schema = compile(KANAL_LIT(
        "{\"type\":\"null\",\"$defs\":{\"command\":{\"type\":\"string\"},\"x.y\":{\"type\":\"integer\"}}}"));
    yyjson_doc *doc = kanal_json_parse(KANAL_LIT("\"a\""));
    yyjson_val *root = yyjson_doc_get_root(doc);

    cr_expect_eq(json_schema_check_at(schema, "#/$defs/command", root, NULL, NULL), 0);
    cr_expect_eq(json_schema_check_at(schema, "#/$defs/x.y", root, NULL, NULL), 1);
    cr_expect_eq(json_schema_check_at(schema, "#", root, NULL, NULL), 1);
    cr_expect_eq(json_schema_check_at(schema, "#/$defs/none", root, NULL, NULL), SIZE_MAX);
    cr_expect_eq(json_schema_check_at(schema, "command", root, NULL, NULL), SIZE_MAX);
    cr_expect_eq(json_schema_check(schema, NULL, NULL, NULL), 1);
    yyjson_doc_free(doc);
    json_schema_free(schema);
}

static char *with_defaults(const char *schema_text, const char *instance, int expected_status)
{
    struct json_schema *schema = compile(kanal_str_c(schema_text));
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(instance));
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    char *text;

    cr_expect_eq(json_schema_defaults(schema, copy, yyjson_mut_doc_get_root(copy)), expected_status);
    text = yyjson_mut_write(copy, 0, NULL);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    json_schema_free(schema);
    return text;
}

static void expect_defaults(const char *schema, const char *instance, const char *expected)
{
    char *text = with_defaults(schema, instance, 0);
    cr_expect_str_eq(text, expected, "got: %s", text);
    free(text);
}

Test(schema, defaults)
{
    static const char schema[] =
        "{\"properties\":{\"mode\":{\"default\":\"webhook\"},\"limits\":{\"default\":{},\"properties\":{"
        "\"n\":{\"default\":5}}},"
        "\"forms\":{\"items\":{\"$ref\":\"#/$defs/"
        "form\"}},\"other\":{\"properties\":{\"m\":{\"default\":1}}}},"
        "\"$defs\":{\"form\":{\"allOf\":[{\"properties\":{\"open\":{\"default\":true}}}]}}}";

    expect_defaults(schema, "{\"mode\":\"poll\",\"limits\":{\"n\":1}}",
                    "{\"mode\":\"poll\",\"limits\":{\"n\":1}}");
    expect_defaults(schema, "{\"mode\":null,\"limits\":{}}", "{\"mode\":null,\"limits\":{\"n\":5}}");
    expect_defaults(
        schema, "{\"mode\":0,\"limits\":0,\"forms\":[{},{\"open\":false}],\"other\":{}}",
        "{\"mode\":0,\"limits\":0,\"forms\":[{\"open\":true},{\"open\":false}],\"other\":{\"m\":1}}");
    expect_defaults(schema, "{\"mode\":0}", "{\"mode\":0,\"limits\":{\"n\":5}}");
    expect_defaults(schema, "[]", "[]");
    expect_defaults(
        "{\"properties\":{\"c\":{\"$ref\":\"#/$defs/class\"}},\"$defs\":{\"class\":{\"default\":\"live\"}}}",
        "{}", "{\"c\":\"live\"}");
}

Test(schema, defaults_that_never_end)
{
    free(with_defaults(
        "{\"properties\":{\"a\":{\"default\":{},\"$ref\":\"#\"},\"b\":{\"default\":{},\"$ref\":\"#\"}}}",
        "{}", KANAL_E_INTERNAL));
}

static void upper(void *user, yyjson_mut_val *value)
{
    ++*(int *)user;
    if (yyjson_mut_is_str(value))
        yyjson_mut_set_str(value, "X");
}

Test(schema, marked)
{
    struct json_schema *schema =
        compile(KANAL_LIT("{\"properties\":{\"salt\":{\"x-mark\":true},\"open\":{\"x-mark\":false},"
                          "\"list\":{\"items\":{\"additionalProperties\":{\"x-mark\":true}}}}}"));
    yyjson_doc *doc = kanal_json_parse(KANAL_LIT(
        "{\"salt\":\"a\",\"open\":\"b\",\"list\":[{\"t\":\"c\",\"u\":5}],\"other\":{\"salt\":\"d\"}}"));
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    int count = 0;
    char *text;

    cr_expect_eq(json_schema_marked(schema, "x-mark", yyjson_mut_doc_get_root(copy), upper, &count), 0);
    text = yyjson_mut_write(copy, 0, NULL);
    cr_expect_str_eq(
        text, "{\"salt\":\"X\",\"open\":\"b\",\"list\":[{\"t\":\"X\",\"u\":5}],\"other\":{\"salt\":\"d\"}}",
        "got: %s", text);
    cr_expect_eq(count, 3);
    free(text);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    json_schema_free(schema);
}
