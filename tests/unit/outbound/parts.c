#include <criterion/criterion.h>

#include "outbound/internal.h"

static yyjson_doc *document;

static yyjson_val *parse(const char *text)
{
    yyjson_doc_free(document);
    document = kanal_json_parse(kanal_str_c(text));
    cr_assert_not_null(document);
    return yyjson_doc_get_root(document);
}

static void end(void)
{
    yyjson_doc_free(document);
}

TestSuite(parts, .fini = end);

#define TEXT "{\"type\":\"text\",\"text\":\"a\"}"
#define IMAGE "{\"type\":\"image\",\"url\":\"https://x/y\"}"
#define BUTTONS "{\"type\":\"choice\",\"style\":\"buttons\",\"options\":[]}"
#define ALL (~KANAL_CAP_MIXED)

Test(parts, a_choice_belongs_to_the_text_before_it)
{
    struct adapt_range parts[ADAPT_RANGES_MAX];
    cr_assert_eq(adapt_ranges(parse("[" TEXT "," BUTTONS "," TEXT "]"), 0, parts), 2);
    cr_assert_eq(parts[0].end, 2);
    cr_assert_eq(parts[1].first, 2);
    cr_assert_eq(parts[1].end, 3);
}

Test(parts, one_choice_a_message)
{
    struct adapt_range parts[ADAPT_RANGES_MAX];
    cr_assert_eq(adapt_ranges(parse("[" TEXT "," BUTTONS "," BUTTONS "]"), 0, parts), 2);
}

Test(parts, a_choice_stays_with_media_only_where_the_channel_can)
{
    struct adapt_range parts[ADAPT_RANGES_MAX];
    cr_assert_eq(adapt_ranges(parse("[" IMAGE "," BUTTONS "]"), 0, parts), 2);
    cr_assert_eq(adapt_ranges(parse("[" IMAGE "," BUTTONS "]"), KANAL_CAP_CHOICE_ON_MEDIA, parts), 1);
}

static void expect(kanal_caps caps, const char *verb, const char *text, const char *error, const char *words)
{
    struct adapt_target target = { .caps = caps };
    struct kanal_buffer out = { 0 };
    struct parts parts;
    parts_make(&parts, parse(text), kanal_str_c(verb), &target);
    cr_expect_str_eq(parts.error ? parts.error : "", error, "%s", text);
    if (parts.error)
        parts_explain(&parts, &out);
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, words);
    kanal_buffer_release(&out);
    parts_release(&parts);
}

Test(parts, what_a_channel_cannot_show_is_named)
{
    expect(KANAL_CAP_TEXT, "message.send", "{\"content\":[" TEXT "," IMAGE "]}", "", "");
    expect(KANAL_CAP_IMAGE, "message.send", "{\"content\":[" TEXT "]}", "unsupported_content",
           "the channel cannot show a part of type text, nor a replacement of it: content/0 (text): the "
           "channel can "
           "show neither this nor a replacement of it");
    expect(KANAL_CAP_TEXT, "message.send", "{\"adapt\":\"strict\",\"content\":[" TEXT "," IMAGE "]}",
           "unsupported_content",
           "content/1 (image): the channel cannot show it: its address is sent instead");
    expect(KANAL_CAP_TEXT, "message.send", "{\"adapt\":\"strict\",\"content\":[" TEXT "]}", "", "");
    expect(ALL, "message.edit", "{\"content\":[" TEXT "," TEXT "]}", "unsupported_content",
           "on this channel it would be several messages, and an edit has one");
    expect(KANAL_CAP_TEXT, "message.edit", "{\"content\":[" TEXT "," BUTTONS "]}", "", "");
}

static void expect_data(kanal_caps caps, uint32_t part, const char *text, const char *data)
{
    struct adapt_target target = { .caps = caps };
    struct kanal_buffer out = { 0 };
    struct parts parts;
    yyjson_val *command = parse(text);
    parts_make(&parts, command, KANAL_LIT("message.send"), &target);
    cr_assert_null(parts.error);
    parts_write(&parts, part, command, &out);
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, data);
    kanal_buffer_release(&out);
    parts_release(&parts);
}

Test(parts, the_delivery_has_the_parts_and_none_of_the_cores_business)
{
    const char *command =
        "{\"id\":\"1\",\"to\":{\"address\":\"x:1\"},\"silent\":true,\"content\":[" TEXT "," IMAGE
        "],\"provider\":{\"a\":1},\"variants\":[{\"channel\":\"other\",\"content\":[" TEXT "]}]}";
    expect_data(ALL, 2, command, "{\"content\":[" IMAGE "],\"silent\":true,\"provider\":{\"a\":1}}");
    expect_data(KANAL_CAP_TEXT, 2, command,
                "{\"content\":[{\"type\":\"text\",\"text\":\"https://x/"
                "y\"}],\"silent\":true,\"provider\":{\"a\":1}}");
    expect_data(ALL, 1, "{\"emoji\":\"x\"}", "{\"emoji\":\"x\"}");
}

Test(parts, a_channel_that_mixes_gets_all_of_it_in_one)
{
    expect_data(~(kanal_caps)0, 1, "{\"content\":[" TEXT "," IMAGE "," TEXT "]}",
                "{\"content\":[" TEXT "," IMAGE "," TEXT "]}");
    /* also what has to be adapted */
    expect_data(KANAL_CAP_TEXT | KANAL_CAP_MIXED, 1, "{\"content\":[" TEXT "," IMAGE "]}",
                "{\"content\":[" TEXT ",{\"type\":\"text\",\"text\":\"https://x/y\"}]}");
    struct adapt_target target = { .caps = ~(kanal_caps)0 };
    struct parts parts;
    parts_make(&parts, parse("{\"content\":[" TEXT "," IMAGE "," TEXT "]}"), KANAL_LIT("message.send"),
               &target);
    cr_assert_eq(parts.count, 1);
    parts_release(&parts);
}

Test(parts, what_fits_allocates_nothing)
{
    struct adapt_target target = { .caps = ALL };
    struct parts parts;
    parts_make(&parts, parse("{\"content\":[" TEXT "]}"), KANAL_LIT("message.send"), &target);
    cr_assert_not(parts.is_adapted);
    cr_assert_null(parts.adapted.parts);
    cr_assert_null(parts.adapted.json.data);
    cr_assert_eq(parts.count, 1);
}

Test(parts, shards_never_change)
{
    /* They stand in stored subjects; FNV-1a, 32 bits, modulo 8. */
    cr_assert_eq(lane_shard(KANAL_LIT("shop-telegram")), 7);
    cr_assert_eq(lane_shard(KANAL_LIT("a")), 4);
}
