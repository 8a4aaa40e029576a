/* What counts as a difference between a stored event and the same made again. */
#include <criterion/criterion.h>
#include <string.h>
#include "cli/replay_diff.h"
#include "kanal/sdk/str.h"

struct seen {
    struct kanal_buffer text;
};

static void note(void *user, kanal_str pointer, yyjson_val *stored, yyjson_val *made)
{
    struct seen *seen = user;
    kanal_buffer_str(&seen->text, pointer);
    kanal_buffer_byte(&seen->text, !stored ? '+' : !made ? '-' : '!');
    kanal_buffer_byte(&seen->text, ' ');
}

static void check(const char *stored, const char *made, int has_time, const char *wanted)
{
    struct seen seen = { { 0 } };
    yyjson_doc *a = kanal_json_parse(kanal_str_c(stored)), *b = kanal_json_parse(kanal_str_c(made));
    cr_assert(a && b);
    size_t count = replay_diff(yyjson_doc_get_root(a), yyjson_doc_get_root(b), has_time, note, &seen);
    cr_expect(kanal_str_is(kanal_buffer_view(&seen.text), wanted), "%s %s: %.*s", stored, made,
              (int)seen.text.len, seen.text.data ? seen.text.data : "");
    cr_expect_eq(count == 0, wanted[0] == '\0');
    kanal_buffer_release(&seen.text);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}

Test(replay_diff, members_elements_and_types)
{
    check("{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", 1, "");
    check("{\"a\":1,\"b\":[1,2,3],\"c\":{\"d\":\"x\"}}", "{\"b\":[1,5],\"c\":{\"d\":\"y\"},\"e\":null}", 1,
          "/a- /b/1! /b/2- /c/d! /e+ ");
    check("{\"a\":{}}", "{\"a\":[]}", 1, "/a! ");
    check("{\"a\":1}", "{\"a\":\"1\"}", 1, "/a! ");
    check("{\"x/y\":1,\"~\":2}", "{\"x/y\":2,\"~\":1}", 1, "/x~1y! /~0! ");
}

Test(replay_diff, what_differs_by_itself)
{
    check("{\"id\":\"e_1\",\"recordedtime\":\"a\",\"traceparent\":\"b\",\"data\":{\"customer\":{\"id\":\"c_"
          "1\",\"node\":\"a_1\"},"
          "\"message\":{\"id\":\"e_1\"}}}",
          "{\"id\":\"e_2\",\"corrects\":\"e_1\",\"recordedtime\":\"c\",\"data\":{\"customer\":{\"id\":\"c_"
          "2\",\"node\":\"a_1\"},"
          "\"message\":{\"id\":\"e_2\"}}}",
          1, "");
    check("{\"data\":{\"id\":\"1\"}}", "{\"data\":{\"id\":\"2\"}}", 1, "/data/id! ");
    check("{\"time\":\"a\"}", "{\"time\":\"b\"}", 0, "");
    check("{\"time\":\"a\"}", "{\"time\":\"b\"}", 1, "/time! ");
}

Test(replay_diff, media_urls_by_their_channel)
{
    check("{\"url\":\"https://a.example/m/shop/abc\"}", "{\"url\":\"http://localhost:8080/m/shop/xyz\"}", 1,
          "");
    check("{\"url\":\"https://a.example/m/shop/abc\"}", "{\"url\":\"https://a.example/m/other/abc\"}", 1,
          "/url! ");
    check("{\"url\":\"/m/shop/abc\"}", "{\"url\":\"/m/shop/xyz\"}", 1, "/url! ");
    check("{\"text\":\"\"}", "{\"text\":\"https://x/m/\"}", 1, "/text! ");
}
