#include "expect.h"
#include <math.h>
#include "kanal/sdk/json.h"

/* ---- Writing ---- */

static void write_one(struct kanal_buffer *out, kanal_str text)
{
    struct kanal_json json;
    kanal_buffer_clear(out);
    kanal_json_init(&json, out);
    kanal_json_str(&json, text);
}

Test(json, structure_and_commas)
{
    struct kanal_buffer b = { 0 };
    struct kanal_json j;
    kanal_json_init(&j, &b);
    kanal_json_object(&j);
    kanal_json_member_text(&j, "a", "x");
    kanal_json_member_text(&j, "skipped", NULL);
    kanal_json_member_int(&j, "b", -5);
    kanal_json_key(&j, "c");
    kanal_json_array(&j);
    kanal_json_null(&j);
    kanal_json_bool(&j, 1);
    kanal_json_array(&j);
    kanal_json_array_end(&j);
    kanal_json_object(&j);
    kanal_json_object_end(&j);
    kanal_json_uint(&j, UINT64_MAX);
    kanal_json_array_end(&j);
    kanal_json_member_bool(&j, "d", 0);
    kanal_json_member_double(&j, "e", 55.75);
    kanal_json_member_double(&j, "f", (double)NAN);
    kanal_json_member_time(&j, "g", 1795294385412);
    kanal_json_key_str(&j, KANAL_LIT("we\"ird"));
    kanal_json_raw(&j, KANAL_LIT("{\"z\":1}"));
    kanal_json_object_end(&j);
    EXPECT_STR(kanal_buffer_view(&b),
               "{\"a\":\"x\",\"b\":-5,\"c\":[null,true,[],{},18446744073709551615],\"d\":false,\"e\":55.75,"
               "\"f\":null,\"g\":\"2026-11-21T20:53:05.412Z\",\"we\\\"ird\":{\"z\":1}}");
    kanal_buffer_release(&b);
}

Test(json, escapes)
{
    struct kanal_buffer b = { 0 };
    write_one(&b, kanal_str_of("\"\\/\b\f\n\r\t\x01\x1f\x7f\0", 12));
    EXPECT_STR(kanal_buffer_view(&b), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\"");
    write_one(&b, KANAL_LIT("Анна 日本 😀 end"));
    EXPECT_STR(kanal_buffer_view(&b), "\"Анна 日本 😀 end\"");
    write_one(&b, kanal_str_c(NULL));
    EXPECT_STR(kanal_buffer_view(&b), "null");
    write_one(&b, KANAL_LIT(""));
    EXPECT_STR(kanal_buffer_view(&b), "\"\"");
    kanal_buffer_release(&b);
}

/* One U+FFFD for each maximal part of a broken sequence (The Unicode Standard, 3.9, table 3-8 and after). */
Test(json, invalid_utf8_is_replaced)
{
    struct kanal_buffer b = { 0 };
    write_one(&b, KANAL_LIT("a\xF1\x80\x80\xE1\x80\xC2"
                            "b\x80"
                            "c\x80\xBF"
                            "d"));
    EXPECT_STR(kanal_buffer_view(&b), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                                      "b\xEF\xBF\xBD"
                                      "c\xEF\xBF\xBD\xEF\xBF\xBD"
                                      "d\"");
    write_one(&b, KANAL_LIT("\xED\xA0\x80")); /* a surrogate: three bytes that begin nothing */
    EXPECT_STR(kanal_buffer_view(&b), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    write_one(&b, KANAL_LIT("\xF0\x9F\x98")); /* cut off */
    EXPECT_STR(kanal_buffer_view(&b), "\"\xEF\xBF\xBD\"");
    kanal_buffer_release(&b);
}

/* A special byte at every place of every short length, so that no lane of the eight-byte scan is blind. */
Test(json, every_byte_at_every_offset)
{
    struct kanal_buffer b = { 0 };
    for (int byte = 0; byte < 256; byte++) {
        for (size_t len = 1; len <= 20; len++) {
            for (size_t at = 0; at < len; at++) {
                char text[20];
                memset(text, 'x', sizeof text);
                text[at] = (char)byte;
                write_one(&b, kanal_str_of(text, len));
                yyjson_doc *doc = yyjson_read(b.data, b.len, 0);
                cr_assert_not_null(doc, "byte %d at %zu of %zu: %.*s", byte, at, len, (int)b.len, b.data);
                kanal_str back = kanal_json_text(yyjson_doc_get_root(doc));
                if (byte < 0x80)
                    expect_bytes(__FILE__, __LINE__, back, text, len);
                else
                    cr_assert_eq(back.len, len + 2); /* U+FFFD instead */
                yyjson_doc_free(doc);
            }
        }
    }
    kanal_buffer_release(&b);
}

Test(json, random_bytes_always_give_json)
{
    static const char letters[] = "ab \"\\\n\x01\xD0\x90\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xFF";
    struct kanal_buffer b = { 0 };
    uint64_t seed = 99;
    for (int round = 0; round < 20000; round++) {
        char text[64];
        size_t len = next_random(&seed) % sizeof text;
        for (size_t i = 0; i < len; i++)
            text[i] = letters[next_random(&seed) % (sizeof letters - 1)];
        write_one(&b, kanal_str_of(text, len));
        yyjson_doc *doc = yyjson_read(b.data, b.len, 0);
        cr_assert_not_null(doc);
        if (kanal_str_utf8(kanal_str_of(text, len)))
            expect_bytes(__FILE__, __LINE__, kanal_json_text(yyjson_doc_get_root(doc)), text, len);
        yyjson_doc_free(doc);
    }
    kanal_buffer_release(&b);
}

Test(json, numbers)
{
    struct kanal_buffer b = { 0 };
    struct kanal_json j;
    kanal_json_init(&j, &b);
    kanal_json_array(&j);
    kanal_json_double(&j, 0.1);
    kanal_json_double(&j, -1e300);
    kanal_json_double(&j, (double)INFINITY);
    kanal_json_double(&j, 37.6173);
    kanal_json_array_end(&j);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&b));
    cr_assert_not_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    cr_assert(yyjson_get_real(yyjson_arr_get(root, 0)) == 0.1);
    cr_assert(yyjson_get_real(yyjson_arr_get(root, 1)) == -1e300);
    cr_assert(yyjson_is_null(yyjson_arr_get(root, 2)));
    cr_assert(yyjson_get_real(yyjson_arr_get(root, 3)) == 37.6173);
    yyjson_doc_free(doc);
    kanal_buffer_release(&b);
}

Test(json, parsed_values_as_they_are)
{
    static const char text[] = "{\"a\":[1,-2,3.5,\"x\\ny\",null,true,{}],\"b\":{\"c\":\"Анна\"}}";
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(text));
    struct kanal_buffer b = { 0 };
    struct kanal_json j;
    kanal_json_init(&j, &b);
    kanal_json_array(&j);
    kanal_json_value(&j, yyjson_doc_get_root(doc));
    kanal_json_value(&j, NULL);
    kanal_json_value(&j, kanal_json_at(kanal_json_at(yyjson_doc_get_root(doc), "b"), "c"));
    kanal_json_array_end(&j);
    EXPECT_STR(kanal_buffer_view(&b),
               "[{\"a\":[1,-2,3.5,\"x\\ny\",null,true,{}],\"b\":{\"c\":\"Анна\"}},null,\"Анна\"]");
    yyjson_doc_free(doc);
    kanal_buffer_release(&b);
}

Test(json, values_that_need_no_writer)
{
    static const char text[] =
        "[null,true,false,0,18446744073709551615,-9223372036854775808,1.5,\"a\",{\"b\":null}]";
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(text));
    struct kanal_buffer out = { 0 };
    struct kanal_json j;
    yyjson_arr_iter values = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    yyjson_val *value;
    kanal_json_init(&j, &out);
    kanal_json_array(&j);
    while ((value = yyjson_arr_iter_next(&values)) != NULL)
        kanal_json_value(&j, value);
    kanal_json_array_end(&j);
    cr_assert(kanal_str_is(kanal_buffer_view(&out), text));
    kanal_buffer_release(&out);
    yyjson_doc_free(doc);
}

/* What is not well-formed must not come out: the buffer fails instead. */
Test(json, misuse_fails)
{
    struct kanal_buffer b = { 0 };
    struct kanal_json j;
    kanal_json_init(&j, &b);
    for (int i = 0; i < 63; i++)
        kanal_json_array(&j);
    cr_assert_eq(b.failed, 0);
    kanal_json_array(&j);
    cr_assert_eq(b.failed, 1);

    kanal_buffer_clear(&b);
    kanal_json_init(&j, &b);
    kanal_json_object_end(&j);
    cr_assert_eq(b.failed, 1);

    kanal_buffer_clear(&b);
    kanal_json_init(&j, &b);
    kanal_json_int(&j, 1);
    kanal_json_int(&j, 2);
    cr_assert_eq(b.failed, 1);

    kanal_buffer_clear(&b);
    kanal_json_init(&j, &b);
    kanal_json_object(&j);
    kanal_json_key(&j, "a");
    kanal_json_object_end(&j);
    cr_assert_eq(b.failed, 1);

    kanal_buffer_clear(&b);
    kanal_json_init(&j, &b);
    kanal_json_key(&j, "a");
    cr_assert_eq(b.failed, 1);
    kanal_buffer_release(&b);
}

/* ---- Reading ---- */

Test(json, getters_accept_what_is_missing)
{
    yyjson_doc *doc =
        kanal_json_parse(KANAL_LIT("{\"s\":\"x\\u0000y\",\"n\":5,\"r\":1.5,\"big\":18446744073709551615,"
                                   "\"neg\":-9223372036854775808,\"t\":true,\"o\":{},\"e\":\"\"}"));
    yyjson_val *root = yyjson_doc_get_root(doc);
    char scratch[24];
    EXPECT_LIT(kanal_json_text_at(root, "s"), "x\0y");
    cr_assert_not_null(kanal_json_text_at(root, "e").ptr);
    static const char *const no_text[] = { "n", "t", "o", "missing" };
    for (size_t i = 0; i < 4; i++) {
        cr_assert_null(kanal_json_text_at(root, no_text[i]).ptr);
        cr_assert_eq(kanal_json_text_at(root, no_text[i]).len, 0);
    }
    cr_assert_null(kanal_json_text_at(NULL, "s").ptr);
    cr_assert_null(kanal_json_text_at(kanal_json_at(root, "s"), "s").ptr); /* of a string */
    cr_assert_eq(kanal_json_int_at(root, "n", 7), 5);
    cr_assert_eq(kanal_json_int_at(root, "neg", 7), INT64_MIN);
    static const char *const no_int[] = { "r", "big", "s", "o", "missing" };
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(kanal_json_int_at(root, no_int[i], 7), 7);
    cr_assert_eq(kanal_json_bool_at(root, "t"), 1);
    cr_assert_eq(kanal_json_bool_at(root, "n"), 0);
    EXPECT_STR(kanal_json_id_at(root, "n", scratch), "5");
    EXPECT_STR(kanal_json_id_at(root, "big", scratch), "18446744073709551615");
    EXPECT_STR(kanal_json_id_at(root, "neg", scratch), "-9223372036854775808");
    EXPECT_LIT(kanal_json_id_at(root, "s", scratch), "x\0y");
    cr_assert_null(kanal_json_id_at(root, "r", scratch).ptr);
    cr_assert_null(kanal_json_id_at(root, "missing", scratch).ptr);
    yyjson_doc_free(doc);
}

static yyjson_doc *parse_nested(size_t levels, const char *open, const char *close, const char *inner)
{
    struct kanal_buffer b = { 0 };
    for (size_t i = 0; i < levels; i++)
        kanal_buffer_text(&b, open);
    kanal_buffer_text(&b, inner);
    for (size_t i = 0; i < levels; i++)
        kanal_buffer_text(&b, close);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&b));
    kanal_buffer_release(&b);
    return doc;
}

Test(json, depth_is_bounded)
{
    yyjson_doc *doc = parse_nested(64, "[1,", "]", "0");
    cr_assert_not_null(doc);
    yyjson_doc_free(doc);
    doc = parse_nested(64, "{\"a\":", "}", "0");
    cr_assert_not_null(doc);
    yyjson_doc_free(doc);
    cr_assert_null(parse_nested(65, "[", "]", ""));
    cr_assert_null(parse_nested(65, "{\"a\":", "}", "0"));
    cr_assert_null(parse_nested(100000, "[", "]", ""));
    doc = parse_nested(1, "[", "]", "[],[[]],{},[[[]]],1,[]"); /* wide is not deep */
    cr_assert_not_null(doc);
    yyjson_doc_free(doc);
}

Test(json, hostile_text_is_refused)
{
    static const char *const wrong[] = { "",
                                         " ",
                                         "{",
                                         "[1,]",
                                         "{\"a\":1,}",
                                         "{a:1}",
                                         "'x'",
                                         "nul",
                                         "01",
                                         "+1",
                                         "1 2",
                                         "\"\x01\"",
                                         "\"\xFF\"",
                                         "\"\\ud800\"",
                                         "// x\n1",
                                         "NaN",
                                         "\xEF\xBB\xBF{}",
                                         "\"\\x\"" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_null(kanal_json_parse(kanal_str_c(wrong[i])), "accepted '%s'", wrong[i]);
    cr_assert_null(kanal_json_parse(kanal_str_of(NULL, 0)));
    cr_assert_null(kanal_json_parse(kanal_str_of("1\0", 2)));
}

/* In memory of the caller's, or where that is too small on the heap: the same document. */
Test(json, parsed_in_given_memory)
{
    static char text[20000], memory[KANAL_JSON_MEMORY];
    for (size_t size = 0; size <= sizeof memory; size += size < 512 ? 1 : 1000) {
        yyjson_doc *doc = kanal_json_parse_in(KANAL_LIT("{\"a\":[1,\"x\\ny\"]}"), memory, size);
        cr_assert_not_null(doc, "%zu", size);
        yyjson_val *a = kanal_json_at(yyjson_doc_get_root(doc), "a");
        cr_assert(kanal_str_is(kanal_json_text(yyjson_arr_get(a, 1)), "x\ny"), "%zu", size);
        yyjson_doc_free(doc);
    }
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    cr_assert_null(kanal_json_parse_in(kanal_str_of(text, 130), memory, sizeof memory), "65 levels");
    cr_assert_null(kanal_json_parse_in(KANAL_LIT("{"), memory, sizeof memory));
    cr_assert_null(kanal_json_parse_in(kanal_str_of(NULL, 0), memory, sizeof memory));
    /* Values that need more than the memory: one for each two bytes. */
    size_t len = 0;
    for (text[len++] = '['; len < 4000;)
        len += (size_t)snprintf(text + len, sizeof text - len, "1,");
    len += (size_t)snprintf(text + len, sizeof text - len, "1]");
    yyjson_doc *doc = kanal_json_parse_in(kanal_str_of(text, len), memory, sizeof memory);
    cr_assert_eq(yyjson_arr_size(yyjson_doc_get_root(doc)), (len - 1) / 2);
    yyjson_doc_free(doc);
}

Test(json, large_values_are_written_whole)
{
    struct kanal_buffer text = { 0 }, out = { 0 };
    struct kanal_json json;
    for (int i = 0; i < 3000; i++)
        kanal_buffer_text(&text, i == 0 ? "[1" : ",1");
    kanal_buffer_text(&text, "]");
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&text));
    kanal_json_init(&json, &out);
    kanal_json_value(&json, yyjson_doc_get_root(doc));
    cr_assert(kanal_str_equal(kanal_buffer_view(&out), kanal_buffer_view(&text)));
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    kanal_buffer_release(&out);
}
