/* YAML to JSON: types of scalars, positions, and what is refused. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "config/memory.h"
#include "config/yaml.h"
#include "kanal/sdk/str.h"

static void append_error(void *user, kanal_str text)
{
    kanal_buffer_str(user, text);
    kanal_buffer_byte(user, '\n');
}

struct result {
    yyjson_mut_doc *doc;
    struct config_positions positions;
    struct kanal_buffer errors; /* NUL-ended */
    char *json;
    int whole;
};

static struct result read_yaml(kanal_str text)
{
    struct result r = { .doc = yyjson_mut_doc_new(&config_wiping_allocator) };
    struct config_errors *errors = calloc(1, sizeof *errors);

    errors->file = "f";
    errors->positions = &r.positions;
    cr_assert_eq(config_yaml_read(r.doc, text, &r.positions, errors, &r.whole), 0);
    config_errors_tell(errors, append_error, &r.errors);
    kanal_buffer_byte(&r.errors, 0);
    r.json = yyjson_mut_write(r.doc, 0, NULL);
    free(errors);
    return r;
}

static void release(struct result *r)
{
    free(r->json);
    kanal_buffer_release(&r->errors);
    config_positions_release(&r->positions);
    yyjson_mut_doc_free(r->doc);
}

static void expect_json(const char *text, const char *json)
{
    struct result r = read_yaml(kanal_str_c(text));

    cr_expect_str_eq(r.errors.data, "", "%s: %s", text, r.errors.data);
    cr_expect_eq(r.whole, 1);
    cr_expect_str_eq(r.json ? r.json : "(none)", json, "%s: %s", text, r.json);
    release(&r);
}

static void expect_error(const char *text, const char *errors)
{
    struct result r = read_yaml(kanal_str_c(text));

    cr_expect_str_eq(r.errors.data, errors, "of:\n%s\ngot:\n%sexpected:\n%s", text, r.errors.data, errors);
    release(&r);
}

Test(yaml, core_schema)
{
    expect_json("[null, Null, NULL, ~, nUll, \"null\", '~']",
                "[null,null,null,null,\"nUll\",\"null\",\"~\"]");
    expect_json("a:\nb: \"\"\n", "{\"a\":null,\"b\":\"\"}");
    expect_json("[true, True, TRUE, false, False, FALSE, tRue]",
                "[true,true,true,false,false,false,\"tRue\"]");
    expect_json("[yes, no, on, off, Yes, y, n]", "[\"yes\",\"no\",\"on\",\"off\",\"Yes\",\"y\",\"n\"]");
    expect_json("[0, -0, 7, +7, -7, 007, 18446744073709551615, -9223372036854775808]",
                "[0,0,7,7,-7,7,18446744073709551615,-9223372036854775808]");
    expect_json("[0x1F, 0xff, 0o17, 0x, 0o8, 0b1, 1_000]", "[31,255,15,\"0x\",\"0o8\",\"0b1\",\"1_000\"]");
}

Test(yaml, floats)
{
    expect_json("[1.5, -1.5, +1.5, .5, 1., 1e3, 1.e3, 1E-2, 01.5, 12e03]",
                "[1.5,-1.5,1.5,0.5,1.0,1000.0,1000.0,0.01,1.5,12000.0]");
    expect_json(
        "[., e3, 1e, 1.5.5, 1:30, 2026-11-21, 1e+, -, +, --1, 1 2]",
        "[\".\",\"e3\",\"1e\",\"1.5.5\",\"1:30\",\"2026-11-21\",\"1e+\",\"-\",\"+\",\"--1\",\"1 2\"]");
}

Test(yaml, strings)
{
    expect_json("- \"7\"\n- '7'\n- \"true\"\n- |-\n  7\n- >\n  null\n",
                "[\"7\",\"7\",\"true\",\"7\",\"null\\n\"]");
    expect_json("a: |\n  x\n  y\nb: >-\n  x\n  y\nc: \"\\u0414\\n\"\n",
                "{\"a\":\"x\\ny\\n\",\"b\":\"x y\",\"c\":\"Д\\n\"}");
    expect_json("? a\n: 1\n1: one\ntrue: yes\nnull: x\n\"\": y\n",
                "{\"a\":1,\"1\":\"one\",\"true\":\"yes\",\"null\":\"x\",\"\":\"y\"}");
}

Test(yaml, structure)
{
    expect_json("", "null");
    expect_json("# only a comment\n", "null");
    expect_json("---\n", "null");
    expect_json("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
    expect_json("{\"a\": [1, {\"b\": null}], \"c\": {}}", "{\"a\":[1,{\"b\":null}],\"c\":{}}");
    expect_json("a:\n- x\n- - y\n  - z: 1\n    w: 2\n", "{\"a\":[\"x\",[\"y\",{\"z\":1,\"w\":2}]]}");
    expect_json("\xEF\xBB\xBF"
                "a: 1\r\nb: 2\r\n",
                "{\"a\":1,\"b\":2}");
}

Test(yaml, refused)
{
    expect_error("a: &x 1\nb: *x\n", "f:1:4: anchors (&name) are not supported: write the value out\n"
                                     "f:2:4: aliases (*name) are not supported: write the value out\n");
    expect_error("a: !!str 1\nb: !x [1]\nc: ! d\n",
                 "f:1:4: tags (!name) are not supported: quote a value to make it a string\n"
                 "f:2:4: tags (!name) are not supported: quote a value to make it a string\n"
                 "f:3:4: tags (!name) are not supported: quote a value to make it a string\n");
    expect_error("%TAG !e! tag:example.com,2026:\n---\na: 1\n", "f:1:1: tags (%TAG) are not supported\n");
    expect_error("a: 1\n---\nb: 2\n", "f:2:1: only one document is allowed; this is the second\n");
    expect_error("a: 1\nb: 2\n\"a\": 3\na: 4\n", "f:3:1: the key \"a\" is there already, on line 1\n"
                                                 "f:4:1: the key \"a\" is there already, on line 1\n");
    expect_error("x: {a: 1}\ny: {a: 1, b: {a: 1}, a: {c: 1}}\n",
                 "f:2:22: the key \"a\" is there already, on line 2\n");
    expect_error("b:\n  <<: {a: 1}\n", "f:2:3: merge keys (<<) are not supported: write the members out\n");
    expect_error("? [a]\n: 1\n", "f:1:3: expected a plain key, found a list or map\n");
    expect_error("a: \"x\\0y\"\n", "f:1:4: the character NUL (\\0) is not allowed\n");
    expect_error(
        "[.inf, -.INF, .nan, 1e999, 18446744073709551616, -9223372036854775809, 0xfffffffffffffffff]\n",
        "f:1:2: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:8: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:15: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:21: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:28: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:50: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n"
        "f:1:72: this number is not finite or needs more than 64 bits; quote it if it is meant as text\n");
}

Test(yaml, broken)
{
    expect_error("a: [1\nb: 2\n", "f:2:2: no YAML: did not find expected ',' or ']', while parsing a flow "
                                  "sequence that starts on line 1\n");
    expect_error(
        "a: 1\n\tb: 2\n",
        "f:2:1: no YAML: found a tab character that violates indentation, while scanning a plain scalar "
        "that starts on line 1; indent with spaces, not with tabs\n");
    expect_error("a: 1\n  b: 2\n", "f:2:4: no YAML: mapping values are not allowed in this context\n");
    expect_error("a: \"x\n", "f:2:1: no YAML: found unexpected end of stream, while scanning a quoted scalar "
                             "that starts on line 1\n");
    expect_error("\xD0\xB4: \xFF\n", "f:1:4: the text is not clean UTF-8: invalid leading UTF-8 octet\n");
    expect_error("a: 1\nb: \x01\n",
                 "f:2:4: the text is not clean UTF-8: control characters are not allowed\n");
}

Test(yaml, depth)
{
    struct kanal_buffer text = { 0 };
    struct result r;

    for (int i = 0; i < 32; i++)
        kanal_buffer_byte(&text, '[');
    for (int i = 0; i < 32; i++)
        kanal_buffer_byte(&text, ']');
    r = read_yaml(kanal_buffer_view(&text));
    cr_expect_str_eq(r.errors.data, "");
    release(&r);
    kanal_buffer_clear(&text);
    for (int i = 0; i < 100000; i++)
        kanal_buffer_byte(&text, '[');
    r = read_yaml(kanal_buffer_view(&text));
    cr_expect_str_eq(r.errors.data, "f:1:33: nested too deeply: at most 32 levels\n");
    cr_expect_eq(r.whole, 0);
    release(&r);
    kanal_buffer_release(&text);
}

Test(yaml, many_keys)
{
    struct kanal_buffer text = { 0 };
    struct result r;

    for (int i = 0; i < 200000; i++) {
        kanal_buffer_byte(&text, 'k');
        kanal_buffer_int(&text, i);
        kanal_buffer_text(&text, ": 1\n");
    }
    kanal_buffer_text(&text, "k77777: 2\n");
    r = read_yaml(kanal_buffer_view(&text));
    cr_expect_str_eq(r.errors.data, "f:200001:1: the key \"k77777\" is there already, on line 77778\n");
    release(&r);
    kanal_buffer_release(&text);
}

Test(yaml, many_errors)
{
    struct kanal_buffer text = { 0 };
    struct result r;
    const char *last;

    for (int i = 0; i < 500; i++)
        kanal_buffer_text(&text, "a: 1\n");
    r = read_yaml(kanal_buffer_view(&text));
    last = strstr(r.errors.data, "f: and ");
    cr_assert_not_null(last);
    cr_expect_str_eq(last, "f: and 299 more\n");
    release(&r);
    kanal_buffer_release(&text);
}

static void expect_place(const struct result *r, const char *pointer, uint32_t line, uint32_t column,
                         const char *path)
{
    yyjson_mut_val *value = yyjson_mut_ptr_get(yyjson_mut_doc_get_root(r->doc), pointer);
    const struct config_position *position = config_position_find(&r->positions, value);
    struct kanal_buffer text = { 0 };

    cr_assert_not_null(position, "%s", pointer);
    cr_expect_eq(position->line, line, "%s: line %u", pointer, position->line);
    cr_expect_eq(position->column, column, "%s: column %u", pointer, position->column);
    config_path_append(&text, &r->positions, value);
    kanal_buffer_byte(&text, 0);
    cr_expect_str_eq(text.data, path);
    kanal_buffer_release(&text);
}

Test(yaml, positions)
{
    struct result r =
        read_yaml(KANAL_LIT("a: 1\nchannels:\n  - id: x\n    rate: {per second: 2}\n  - [\xD0\xB4, [5]]\n"));

    expect_place(&r, "", 1, 1, "");
    expect_place(&r, "/a", 1, 4, "a");
    expect_place(&r, "/channels", 3, 3, "channels");
    expect_place(&r, "/channels/0", 3, 5, "channels[0]");
    expect_place(&r, "/channels/0/id", 3, 9, "channels[0].id");
    expect_place(&r, "/channels/0/rate/per second", 4, 24, "channels[0].rate[\"per second\"]");
    expect_place(&r, "/channels/1/0", 5, 6, "channels[1][0]");
    expect_place(&r, "/channels/1/1/0", 5, 10, "channels[1][1][0]");
    release(&r);
}

Test(yaml, pointers_as_paths)
{
    struct kanal_buffer text = { 0 };

    config_path_append_pointer(&text, 0, KANAL_LIT("/a/0/b~1c/d~0e/x_y/-/12345678901"));
    kanal_buffer_byte(&text, 0);
    cr_expect_str_eq(text.data, "a[0][\"b/c\"][\"d~e\"].x_y.-.12345678901");
    kanal_buffer_release(&text);
    config_path_append_pointer(&text, 0, KANAL_LIT(""));
    cr_expect_eq(text.len, 0);
    kanal_buffer_release(&text);
}
