#include <criterion/criterion.h>
#include <stdio.h>

#include "project/opt_out.h"

static const char *const stop[] = { "STOP", "СТОП", "ОТПИСАТЬСЯ", NULL };
static const char *const start[] = { "START", "СТАРТ", NULL };

static int read_data(const char *data, const char *const *stops)
{
    struct opt_out_words words = { stops, start };
    yyjson_doc *doc = kanal_json_parse(kanal_str_of(data, strlen(data)));
    cr_assert_not_null(doc, "%s", data);
    int said = opt_out_read(yyjson_doc_get_root(doc), &words);
    yyjson_doc_free(doc);
    return said;
}

Test(opt_out, the_whole_message_is_the_word)
{
    static const struct {
        const char *text;
        int said;
    } cases[] = {
        { "STOP", -1 },       { "stop", -1 },        { "  Stop. ", -1 }, { "стоп!", -1 },
        { "Отписаться", -1 }, { "START", 1 },        { "старт", 1 },     { "stop it", 0 },
        { "please STOP", 0 }, { "non-stop", 0 },     { "STOPP", 0 },     { "", 0 },
        { "stop?", 0 },       { "STOP\\nSTART", 0 }, { "!", 0 },         { "ST OP", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char data[256];
        snprintf(data, sizeof data, "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}}",
                 cases[i].text);
        cr_expect_eq(read_data(data, stop), cases[i].said, "\"%s\"", cases[i].text);
    }
}

Test(opt_out, what_is_no_word_of_a_person_alone)
{
    static const char *const others[] = {
        "{}",
        "{\"message\":{\"content\":[]}}",
        "{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"STOP\"}}}",
        "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"STOP\"},{\"type\":\"image\"}]}}",
        "{\"message\":{\"content\":[{\"type\":\"answer\",\"text\":\"STOP\"}]}}",
        "{\"message\":{\"content\":[{\"type\":\"image\",\"caption\":\"STOP\",\"text\":\"STOP\"}]}}",
        ("{\"chat\":{\"id\":\"7\",\"kind\":\"group\"},\"message\":{\"content\":[{\"type\":\"text\",\"text\":"
         "\"STOP\"}]}}"),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_eq(read_data(others[i], stop), 0, "%s", others[i]);
    cr_expect_eq(
        read_data(
            "{\"chat\":{\"id\":\"7\",\"kind\":\"private\"},\"message\":{\"content\":[{\"type\":\"text\","
            "\"text\":\"STOP\"}]}}",
            stop),
        -1);
    cr_expect_eq(
        read_data(
            "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"<b>STOP</b>\",\"plain\":\"STOP\"}]}}",
            stop),
        -1, "what is shown counts, not its markup");
}

Test(opt_out, a_channel_without_words_has_none)
{
    static const char *const none[] = { NULL };
    static const char message[] = "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"STOP\"}]}}";
    cr_assert_eq(read_data(message, none), 0);
    cr_assert_eq(read_data(message, NULL), 0);
}
