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

Test(parts, a_choice_belongs_to_the_text_before_it)
{
    struct part_range parts[PARTS_MAX];
    cr_assert_eq(parts_split(parse("[" TEXT "," BUTTONS "," TEXT "]"), 0, parts), 2);
    cr_assert_eq(parts[0].end, 2);
    cr_assert_eq(parts[1].first, 2);
    cr_assert_eq(parts[1].end, 3);
}

Test(parts, a_call_says_all_of_it_in_one_go)
{
    struct part_range parts[PARTS_MAX];
    cr_assert_eq(parts_whole(parse("[" TEXT "," TEXT "," TEXT "]"), parts), 1);
    cr_assert_eq(parts[0].first, 0);
    cr_assert_eq(parts[0].end, 3);
    cr_assert_eq(parts_whole(parse("[]"), parts), 0);
}

Test(parts, one_choice_a_message)
{
    struct part_range parts[PARTS_MAX];
    cr_assert_eq(parts_split(parse("[" TEXT "," BUTTONS "," BUTTONS "]"), 0, parts), 2);
}

Test(parts, a_choice_stays_with_media_only_where_the_channel_can)
{
    struct part_range parts[PARTS_MAX];
    cr_assert_eq(parts_split(parse("[" IMAGE "," BUTTONS "]"), 0, parts), 2);
    cr_assert_eq(parts_split(parse("[" IMAGE "," BUTTONS "]"), KANAL_CAP_CHOICE_ON_MEDIA, parts), 1);
}

Test(parts, what_a_channel_cannot_show_is_named)
{
    cr_assert(kanal_str_is(parts_unsupported(parse("[" TEXT "," IMAGE "]"), KANAL_CAP_TEXT), "image"));
    cr_assert_eq(parts_unsupported(parse("[" TEXT "," IMAGE "]"), KANAL_CAP_TEXT | KANAL_CAP_IMAGE).len, 0);
    cr_assert(kanal_str_is(parts_unsupported(parse("[" BUTTONS "]"), KANAL_CAP_LIST), "choice"));
    cr_assert(
        kanal_str_is(parts_unsupported(parse("[{\"type\":\"hologram\"}]"), ~(kanal_caps)0), "hologram"));
}

Test(parts, the_delivery_has_the_parts_and_none_of_the_cores_business)
{
    struct kanal_buffer out = { 0 };
    struct part_range range = { 1, 2 };
    yyjson_val *command =
        parse("{\"id\":\"1\",\"to\":{\"address\":\"x:1\"},\"silent\":true,\"expires\":\"2026-01-01T00:00:"
              "00Z\",\"content\":[" TEXT "," IMAGE "],\"provider\":{\"a\":1}}");
    parts_write(command, &range, &out);
    kanal_buffer_byte(&out, 0);
    cr_assert_str_eq(out.data,
                     "{\"content\":[" IMAGE
                     "],\"silent\":true,\"expires\":\"2026-01-01T00:00:00Z\",\"provider\":{\"a\":1}}");
    kanal_buffer_release(&out);
}

Test(parts, shards_never_change)
{
    /* They stand in stored subjects; FNV-1a, 32 bits, modulo 8. */
    cr_assert_eq(lane_shard(KANAL_LIT("shop-telegram")), 7);
    cr_assert_eq(lane_shard(KANAL_LIT("a")), 4);
}
