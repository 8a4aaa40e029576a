#include "expect.h"
#include "kanal/sdk/sdk.h"

struct written { /* an object under construction, and what its members are made of */
    struct kanal_buffer text;
    struct kanal_json json;
    yyjson_doc *source;
    yyjson_val *of;
};

static void begin(struct written *w, const char *source)
{
    kanal_buffer_init(&w->text);
    kanal_json_init(&w->json, &w->text);
    kanal_json_object(&w->json);
    w->source = kanal_json_parse(kanal_str_c(source));
    w->of = yyjson_doc_get_root(w->source);
    cr_assert_not_null(w->of, "%s", source);
}

static void end(struct written *w, const char *expected)
{
    kanal_json_object_end(&w->json);
    EXPECT_STR(kanal_buffer_view(&w->text), expected);
    kanal_buffer_release(&w->text);
    yyjson_doc_free(w->source);
}

Test(member, cut_keeps_whole_characters)
{
    EXPECT_STR(kanal_str_cut(KANAL_LIT("abc"), 3), "abc");
    EXPECT_STR(kanal_str_cut(KANAL_LIT("abcd"), 3), "abc");
    EXPECT_STR(kanal_str_cut(KANAL_LIT("жжж"), 2), "жж");
    EXPECT_STR(kanal_str_cut(KANAL_LIT("a😀b"), 2), "a😀");
    cr_assert_eq(kanal_str_cut(KANAL_LIT("abc"), 0).len, 0);
    cr_assert(kanal_str_ascii(KANAL_LIT("a~!")));
    cr_assert_not(kanal_str_ascii(KANAL_LIT("a b")));
    cr_assert_not(kanal_str_ascii(KANAL_LIT("ж")));
    cr_assert_not(kanal_str_ascii(KANAL_LIT("\x7f")));
}

Test(member, texts_and_numbers)
{
    struct written w;
    begin(&w, "{\"t\":\"жжж\",\"e\":\"\",\"n\":5,\"d\":1.5,\"y\":true,\"f\":false,\"s\":\"x\"}");
    kanal_member_text_of(&w.json, "a", w.of, "t", 2);
    kanal_member_text_of(&w.json, "b", w.of, "e", 2);
    kanal_member_text_of(&w.json, "c", w.of, "n", 2);
    kanal_member_count_of(&w.json, "d", w.of, "n", 0, 9, 1000);
    kanal_member_count_of(&w.json, "e", w.of, "n", 6, 9, 1);
    kanal_member_count_of(&w.json, "f", w.of, "s", 0, 9, 1);
    kanal_member_number_of(&w.json, "g", w.of, "d", -2, 2);
    kanal_member_number_of(&w.json, "h", w.of, "d", -1, 1);
    kanal_member_number_of(&w.json, "i", w.of, "s", -1, 1);
    kanal_member_true_of(&w.json, "j", w.of, "y");
    kanal_member_true_of(&w.json, "k", w.of, "f");
    kanal_member_digits(&w.json, "l", INT64_MIN);
    end(&w, "{\"a\":\"жж\",\"d\":5000,\"g\":1.5,\"j\":true,\"l\":\"-9223372036854775808\"}");
}

Test(member, media_types_urls_and_times)
{
    struct written w;
    begin(&w, "{}");
    kanal_member_mime(&w.json, KANAL_LIT("audio/ogg; codecs=opus"), NULL);
    end(&w, "{\"mime\":\"audio/ogg; codecs=opus\"}");
    begin(&w, "{}");
    kanal_member_mime(&w.json, KANAL_LIT("no type"), "image/jpeg");
    kanal_member_uri(&w.json, "a", KANAL_LIT("https://fb.me/3cr4Wqqkv?x=1"));
    kanal_member_uri(&w.json, "b", KANAL_LIT("javascript:alert(1)"));
    kanal_member_uri(&w.json, "c", KANAL_LIT("https://пример.рф/"));
    kanal_member_uri(&w.json, "d", KANAL_LIT("https://a.example/{x}"));
    kanal_member_uri(&w.json, "d", KANAL_LIT("https://a.example/%zz"));
    kanal_member_uri(&w.json, "d", KANAL_LIT("https://a.example/[x]"));
    kanal_member_seconds(&w.json, "e", 1749416383);
    kanal_member_seconds(&w.json, "f", 0);
    kanal_member_seconds(&w.json, "g", INT64_C(253402300800));
    end(&w,
        "{\"mime\":\"image/jpeg\",\"a\":\"https://fb.me/3cr4Wqqkv?x=1\",\"e\":\"2025-06-08T20:59:43.000Z\"}");
}

Test(member, copies_are_bounded)
{
    struct written w;
    begin(&w, "{\"a\":{\"x\":[1,2]},\"deep\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}");
    kanal_member_copy(&w.json, "a", kanal_json_at(w.of, "a"));
    kanal_member_copy(&w.json, "b", kanal_json_at(w.of, "deep"));
    kanal_member_copy(&w.json, "c", NULL);
    end(&w, "{\"a\":{\"x\":[1,2]}}");
}

Test(member, an_empty_provider_vanishes)
{
    struct written w;
    begin(&w, "{}");
    kanal_json_member_int(&w.json, "a", 1);
    struct kanal_provider provider = kanal_provider_begin(&w.json);
    kanal_member_text_of(&w.json, "x", w.of, "x", 9);
    kanal_provider_end(&w.json, &provider);
    kanal_json_member_int(&w.json, "b", 2);
    provider = kanal_provider_begin(&w.json);
    kanal_json_member_int(&w.json, "x", 3);
    kanal_provider_end(&w.json, &provider);
    end(&w, "{\"a\":1,\"b\":2,\"provider\":{\"x\":3}}");
}
