/* The parts that know neither host nor client. */
#include <stdio.h>
#include <stdlib.h>
#include "../bucket.h"
#include "../content.h"
#include "../frame.h"
#include "../history.h"
#include "../session.h"
#include "../settings.h"
#include "../table.h"
#include <criterion/criterion.h>

Test(documents, a_bucket_gives_its_burst_and_then_its_rate)
{
    struct bucket bucket = { 0 };
    uint32_t wait_ms = 0;
    int64_t now_ms = 1795294385000;
    int given = 0;

    while (given < 100 && bucket_take(&bucket, now_ms, 60, 5, &wait_ms))
        given++;
    cr_assert_eq(given, 5);
    cr_assert_eq(wait_ms, 1000);
    cr_assert_not(bucket_take(&bucket, now_ms + 999, 60, 5, &wait_ms));
    cr_assert(bucket_take(&bucket, now_ms + 1000, 60, 5, &wait_ms));
    for (given = 0, now_ms += 3600000; given < 100 && bucket_take(&bucket, now_ms, 60, 5, &wait_ms);)
        given++;
    cr_assert_eq(given, 5); /* a long pause saves up no more than the burst */
    cr_assert(bucket_take(&bucket, now_ms - 86400000, 60, 5,
                          &wait_ms)); /* the clock went back: nobody is locked out */
}

Test(documents, a_table_finds_what_it_holds)
{
    struct table table = { 0 };
    struct table_node *nodes = calloc(1000, sizeof *nodes), *state = NULL;
    size_t cursor = 0, seen = 0;

    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(table_add(&table, &nodes[i], table_hash(&i, sizeof i)), 0);
    for (size_t i = 0; i < 1000; i += 2)
        table_remove(&table, &nodes[i]);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(table_find(&table, table_hash(&i, sizeof i)) != NULL, i % 2 == 1);
    while (table_walk(&table, &cursor, &state))
        seen++;
    cr_assert_eq(seen, 500);
    table_release(&table);
    free(nodes);
}

Test(documents, a_history_survives_writing_and_loading)
{
    struct history h, again;
    struct kanal_buffer first = { 0 }, second = { 0 };
    struct history_item *item;

    history_init(&h);
    item = history_append(&h);
    item->id = strdup("a.k1");
    item->content = strdup("[{\"type\":\"text\",\"text\":\"\\\"x\\\" \xd1\x8f\"}]");
    item->command = strdup("cmd");
    item->author = strdup("Anna \"A\"");
    item->reply_to = strdup("message-1");
    item->by_operator = 1;
    item->at_ms = 5;
    item->edited_ms = 6;
    item = history_append(&h);
    item->id = strdup("message-2");
    item->content = strdup("[]");
    item->reference = strdup("blob:1");
    item->deleted = 1;
    h.read = 1;
    h.delivered = 2;
    h.operator_read = 2;
    h.sessions = 3;
    h.active_ms = 9;
    history_write(&h, &first);
    cr_assert_eq(history_load(&again, kanal_buffer_view(&first)), KANAL_OK);
    history_write(&again, &second);
    cr_assert(kanal_str_equal(kanal_buffer_view(&first), kanal_buffer_view(&second)));
    cr_assert_eq(again.next, 3);
    cr_assert_str_eq(history_find(&again, KANAL_LIT("a.k1"))->author, "Anna \"A\"");
    history_release(&h);
    history_release(&again);
    kanal_buffer_release(&first);
    kanal_buffer_release(&second);
}

Test(documents, what_is_no_history_is_refused)
{
    static const char *const texts[] = { "",
                                         "{}",
                                         "[]",
                                         "{\"v\":2,\"items\":[]}",
                                         "{\"v\":1,\"items\":[5]}",
                                         "{\"v\":1,\"items\":[{\"n\":0,\"id\":\"x\",\"content\":[]}]}",
                                         "{\"v\":1,\"items\":[{\"n\":1,\"id\":\"x\",\"content\":{}}]}",
                                         "{\"v\":1,\"items\":[{\"n\":1,\"content\":[]}]}" };
    struct history h;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_neq(history_load(&h, kanal_str_c(texts[i])), KANAL_OK, "%s", texts[i]);
        cr_expect_eq(h.count, 0);
        history_release(&h);
    }
}

Test(documents, trimming_keeps_the_newest_even_if_it_is_too_large)
{
    struct history h;

    history_init(&h);
    for (int i = 0; i < 3; i++) {
        struct history_item *item = history_append(&h);
        item->id = strdup("message-1");
        item->content = calloc(1, 5001);
        memset(item->content, 'x', 5000);
    }
    history_trim(&h, 100, 11000);
    cr_assert_eq(h.count, 2);
    history_trim(&h, 100, 10);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(h.items[0].number, 3);
    history_release(&h);
}

static int shown_is(const char *content, const char *expected)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(content));
    struct kanal_buffer out = { 0 };
    int right;

    content_show(&out, yyjson_doc_get_root(doc));
    right = kanal_str_is(kanal_buffer_view(&out), expected);
    cr_expect(right, "%.*s", (int)out.len, out.data);
    kanal_buffer_release(&out);
    yyjson_doc_free(doc);
    return right;
}

Test(documents, every_part_is_shown_by_its_known_members)
{
    shown_is("[{\"type\":\"location\",\"lat\":55.5,\"lon\":-1,\"name\":\"Shop\",\"live\":true}]",
             "[{\"type\":\"location\",\"lat\":55.5,\"lon\":-1,\"name\":\"Shop\"}]");
    shown_is("[{\"type\":\"contact\",\"name\":\"A\",\"phones\":[\"+7\",5],\"vcard\":\"x\"}]",
             "[{\"type\":\"contact\",\"name\":\"A\",\"phones\":[\"+7\"],\"emails\":[]}]");
    shown_is("[{\"type\":\"choice\",\"style\":\"list\",\"options\":[{\"text\":\"a\",\"payload\":\"p\","
             "\"section\":\"s\"},{\"payload\":\"x\"},"
             "{\"text\":\"call\",\"phone\":\"+7\",\"payload\":\"y\"}]}]",
             "[{\"type\":\"choice\",\"style\":\"list\",\"options\":[{\"text\":\"a\",\"section\":\"s\","
             "\"payload\":\"p\"},{\"text\":\"call\",\"phone\":\"+7\"}]}]");
    shown_is("[{\"type\":\"choice\",\"style\":\"quick_replies\",\"remove\":true,\"options\":[]}]", "[]");
    shown_is("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"t\",\"price\":\"9.90\",\"currency\":\"RUB\","
             "\"image\":{\"url\":\"https://x/y\"}}]}]",
             "[{\"type\":\"carousel\",\"cards\":[{\"title\":\"t\",\"image\":{\"url\":\"https://x/"
             "y\"},\"price\":\"9.90\",\"currency\":\"RUB\",\"options\":[]}]}]");
    shown_is("[5,{},{\"type\":\"template\"}]",
             "[{\"type\":\"unsupported\"},{\"type\":\"unsupported\"},{\"type\":\"unsupported\"}]");
    shown_is("{}", "[]");
}

Test(documents, options_are_found_in_choices_and_cards)
{
    const char *shown =
        "[{\"type\":\"choice\",\"style\":\"quick_replies\",\"options\":[{\"text\":\"a\",\"payload\":\"1\"}]},"
        "{\"type\":\"carousel\",\"cards\":[{\"title\":\"t\",\"options\":[{\"text\":\"b\",\"payload\":\"2\"}]}"
        "]}]";
    struct content_option option;

    cr_assert_eq(content_option_find(shown, KANAL_LIT("1"), &option), KANAL_OK);
    cr_assert_str_eq(option.kind, "quick_reply");
    free(option.text);
    cr_assert_eq(content_option_find(shown, KANAL_LIT("2"), &option), KANAL_OK);
    cr_assert_str_eq(option.text, "b");
    free(option.text);
    cr_assert_eq(content_option_find(shown, KANAL_LIT("3"), &option), KANAL_E_NOT_FOUND);
    cr_assert_eq(content_option_find(shown, KANAL_LIT(""), &option), KANAL_E_NOT_FOUND);
    cr_assert_eq(content_option_find("damaged", KANAL_LIT("1"), &option), KANAL_E_NOT_FOUND);
}

Test(documents, only_web_addresses_are_addresses)
{
    static const char *const right[] = { "https://x.example/", "http://127.0.0.1:8080/m/a?b=%20",
                                         "https://x" };
    static const char *const wrong[] = { "",
                                         "javascript:alert(1)",
                                         "//x",
                                         "https://",
                                         "ftp://x/",
                                         "https://x/ y",
                                         "https://x/\"",
                                         "HTTPS:x",
                                         "https://x/\xd1\x8f",
                                         "data:text/html,x",
                                         "ws://x/" };

    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        cr_expect(content_url_ok(kanal_str_c(right[i])), "%s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(content_url_ok(kanal_str_c(wrong[i])), "%s", wrong[i]);
}

Test(documents, ticket_texts_round_trip)
{
    struct session_ticket ticket = { .reference = strdup("blob:1"),
                                     .mime = strdup("image/png"),
                                     .name = strdup("\"я\".png"),
                                     .size = 12,
                                     .at_ms = 34,
                                     .visitor = "abcdefghijklmnopqrstuvwxyz" },
                          read;
    struct kanal_buffer text = { 0 };
    struct session_claim claim;
    char mac[SESSION_MAC_BYTES] = "0123456789abcdef0123456789abcde";

    session_ticket_begin(&text, &ticket);
    session_complete(&text, kanal_str_of(mac, sizeof mac));
    cr_assert_eq(session_ticket_parse(kanal_buffer_view(&text), &claim, &read), KANAL_OK);
    cr_assert_str_eq(read.name, ticket.name);
    cr_assert_eq(read.size, 12);
    cr_assert_eq(memcmp(claim.mac, mac, sizeof mac), 0);
    cr_assert_eq(session_parse(kanal_buffer_view(&text), &claim), KANAL_E_INVALID);
    session_ticket_release(&read);
    session_ticket_release(&ticket);
    kanal_buffer_release(&text);
}

Test(documents, the_settings_schema_is_json_and_its_defaults_are_those_of_the_code)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(settings_schema));
    kanal_config config = { .struct_size = sizeof config, .settings = KANAL_LIT("{}") };
    struct settings settings;
    yyjson_val *properties = yyjson_doc_ptr_get(doc, "/properties");

    cr_assert_not_null(properties);
    cr_assert_eq(settings_init(&settings, &config), KANAL_OK);
    cr_assert_eq(settings.history_messages,
                 kanal_json_int_at(kanal_json_at(properties, "history_messages"), "default", -1));
    cr_assert_eq(settings.upload_bytes,
                 kanal_json_int_at(kanal_json_at(properties, "upload_bytes"), "default", -1));
    cr_assert_eq(settings.session_minutes,
                 kanal_json_int_at(kanal_json_at(properties, "session_minutes"), "default", -1));
    cr_assert_eq(settings.max_connections,
                 kanal_json_int_at(kanal_json_at(properties, "max_connections"), "default", -1));
    cr_assert_eq(settings.messages_per_minute,
                 kanal_json_int_at(kanal_json_at(properties, "messages_per_minute"), "default", -1));
    cr_assert_eq(settings.message_burst,
                 kanal_json_int_at(kanal_json_at(properties, "message_burst"), "default", -1));
    cr_assert_eq(settings.connections_per_visitor,
                 kanal_json_int_at(kanal_json_at(properties, "connections_per_visitor"), "default", -1));
    cr_assert_eq(settings.new_visitors_per_minute,
                 kanal_json_int_at(kanal_json_at(properties, "new_visitors_per_minute"), "default", -1));
    settings_release(&settings);
    yyjson_doc_free(doc);
}

Test(documents, characters_are_counted_not_bytes)
{
    cr_assert_eq(frame_chars(KANAL_LIT("a\xd1\x8f\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}
