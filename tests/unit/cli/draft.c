/* Commands from words and from JSON: what `kanal send` makes is valid by the contract, or refused. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

#include "cli/draft.h"
#include "kanal/sdk/str.h"

static void expect_words(const struct draft_words *words, const char *json)
{
    struct draft draft;
    struct kanal_buffer error = { 0 };

    cr_assert_eq(draft_make(&draft, words, &error), 0, "%.*s", (int)error.len, error.data);
    cr_expect_eq(draft_check(&draft, &error), 0, "%.*s", (int)error.len, error.data);
    kanal_buffer_byte(&draft.json, '\0');
    cr_expect_str_eq(draft.json.data, json);
    draft_release(&draft);
    kanal_buffer_release(&error);
}

Test(draft, of_words)
{
    expect_words(&(struct draft_words){ .id = "1", .address = "tel:+79161234567", .text = "hi" },
                 "{\"id\":\"1\",\"to\":{\"address\":\"tel:+79161234567\"},\"content\":[{\"type\":\"text\","
                 "\"text\":\"hi\"}]}");
    expect_words(
        &(struct draft_words){ .id = "1", .address = "v_u4yrmra6vts6r3f42tomrudpd4", .text = "\"\n" },
        "{\"id\":\"1\",\"to\":{\"conversation\":\"v_u4yrmra6vts6r3f42tomrudpd4\"},\"content\":[{\"type\":"
        "\"text\",\"text\":\"\\\"\\n\"}]}");
    expect_words(&(struct draft_words){ .id = "1",
                                        .chat = "5",
                                        .media = { { "image", "https://a/1" }, { "file", "https://a/2" } },
                                        .media_count = 2,
                                        .text = "two" },
                 "{\"id\":\"1\",\"to\":{\"chat\":\"5\"},\"content\":[{\"type\":\"image\",\"url\":\"https://a/"
                 "1\"},{\"type\":\"file\",\"url\":\"https://a/2\"},"
                 "{\"type\":\"text\",\"text\":\"two\"}]}");
    expect_words(
        &(struct draft_words){
            .id = "1", .chat = "5", .media = { { "video", "https://a/1" } }, .media_count = 1 },
        "{\"id\":\"1\",\"to\":{\"chat\":\"5\"},\"content\":[{\"type\":\"video\",\"url\":\"https://a/1\"}]}");
    expect_words(
        &(struct draft_words){
            .id = "1", .chat = "5", .text = "t", .buttons = { "a=b=c", "d" }, .button_count = 2 },
        "{\"id\":\"1\",\"to\":{\"chat\":\"5\"},\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":"
        "\"choice\",\"style\":\"buttons\",\"options\":"
        "[{\"text\":\"a\",\"payload\":\"b=c\"},{\"text\":\"d\",\"payload\":\"d\"}]}]}");
}

Test(draft, ids_differ)
{
    struct draft a, b;
    struct kanal_buffer error = { 0 };
    struct draft_words words = { .address = "a:1", .text = "x" };

    cr_assert_eq(draft_make(&a, &words, &error), 0);
    cr_assert_eq(draft_make(&b, &words, &error), 0);
    cr_expect_str_neq(a.id, b.id);
    draft_release(&a);
    draft_release(&b);
}

static void read_file(const char *path, char text[65536])
{
    FILE *f = fopen(path, "re");

    cr_assert_not_null(f, "%s", path);
    text[fread(text, 1, 65535, f)] = '\0';
    fclose(f);
}

/* Every example of a command in the contract is read and right. */
Test(draft, of_the_contracts_examples)
{
    DIR *dir = opendir(EXAMPLES_DIR "/commands");
    struct dirent *entry;
    static char text[65536];
    int count = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir))) {
        struct draft draft;
        struct kanal_buffer error = { 0 };
        char path[600], verb[64];

        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof path, EXAMPLES_DIR "/commands/%s", entry->d_name);
        snprintf(verb, sizeof verb, "%.*s", (int)(strlen(entry->d_name) - 5), entry->d_name);
        read_file(path, text);
        cr_expect_eq(draft_read(&draft, kanal_str_c(text), &(struct draft_words){ .verb = verb }, &error), 0,
                     "%s", path);
        cr_expect_eq(draft_check(&draft, &error), 0, "%s: %.*s", path, (int)error.len,
                     error.data ? error.data : "");
        cr_expect_str_eq(draft.verb, verb);
        draft_release(&draft);
        kanal_buffer_release(&error);
        count++;
    }
    closedir(dir);
    cr_expect_geq(count, 10);
}

static void expect_json(const char *json, const struct draft_words *words, const char *expected)
{
    struct draft draft;
    struct kanal_buffer error = { 0 };

    cr_assert_eq(draft_read(&draft, kanal_str_c(json), words, &error), 0, "%.*s", (int)error.len, error.data);
    kanal_buffer_byte(&draft.json, '\0');
    cr_expect_str_eq(draft.json.data, expected);
    draft_release(&draft);
    kanal_buffer_release(&error);
}

Test(draft, of_json)
{
    struct draft_words none = { 0 }, named = { .id = "mine" };

    expect_json("{\"b\":1.50,\"id\":\"x\",\"\\u0000\":\"\\u001b\"}", &none,
                "{\"id\":\"x\",\"b\":1.5,\"\\u0000\":\"\\u001b\"}");
    expect_json(" { \"id\" : \"x\" } ", &named, "{\"id\":\"mine\"}");
    expect_json("{\"id\":7}", &named, "{\"id\":\"mine\"}");
}

Test(draft, is_refused)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        { "", "one JSON object" },
        { "[]", "one JSON object" },
        { "{\"type\":\"x\"}", "two words" },
        { "{\"type\":\"a.b.c\"}", "two words" },
        { "{\"type\":\".b\"}", "two words" },
        { "{\"id\":\"\"}", "1 to 128" },
    };
    struct draft_words none = { 0 };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct draft draft;
        struct kanal_buffer error = { 0 };

        cr_expect_neq(draft_read(&draft, kanal_str_c(cases[i].json), &none, &error), 0, "%s", cases[i].json);
        kanal_buffer_byte(&error, '\0');
        cr_expect_not_null(strstr(error.data, cases[i].says), "%s: %s", cases[i].json, error.data);
        draft_release(&draft);
        kanal_buffer_release(&error);
    }
}
