/* What answers in words mean. */
#include <criterion/criterion.h>

#include "outbound/offers.h"

#define OPTIONS                                                                                              \
    "[{\"n\":1,\"text\":\"Да\",\"payload\":\"Y\"},{\"n\":2,\"text\":\"No thanks\",\"payload\":\"N\"},"     \
    "{\"n\":3,\"text\":\"Cert…\",\"full\":\"Certainly\",\"payload\":\"C\"},{\"n\":4,\"text\":\"Same\","    \
    "\"payload\":\"S\"},{\"n\":5,\"text\":\"same\",\"payload\":\"T\"},{\"text\":\"Unnumbered\",\"payload\":" \
    "\"U\"}]"

static const char *const answers[][2] = {
    { "1", "Y" },          { "2.", "N" },          { " 2) ", "N" },      { "да", "Y" },
    { "ДА", "Y" },         { "NO THANKS\n", "N" }, { "certainly", "C" }, { "cert…", "C" },
    { "unnumbered", "U" }, { "4", "S" },           { "same", "" },       { "6", "" },
    { "0", "" },           { "1 please", "" },     { "", "" },           { "-1", "" },
    { "11", "" },          { "01", "Y" },          { "+1", "" },         { "99999999999", "" },
};

Test(offers, by_number_or_words)
{
    yyjson_doc *document = kanal_json_parse(KANAL_LIT(OPTIONS));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        yyjson_val *option = offer_match(yyjson_doc_get_root(document), kanal_str_c(answers[i][0]));
        cr_expect(kanal_str_is(kanal_json_text_at(option, "payload"), answers[i][1]), "'%s'", answers[i][0]);
    }
    cr_expect_null(offer_match(NULL, KANAL_LIT("1")));
    yyjson_doc_free(document);
}

/* ---- Through an envelope ---- */

static struct host host;
static uv_loop_t loop;
static struct offers *offers;

static void begin(void)
{
    memset(&host, 0, sizeof host);
    uv_loop_init(&loop);
    host.loop = &loop;
    cr_assert_eq(metrics_new(&host.metrics), 0);
    cr_assert_eq(ids_new(&host.envelope.ids, KANAL_LIT("a salt for tests only")), 0);
    host.envelope.prefix = KANAL_LIT("kanal");
    offers = offers_new(&host, "kanal");
    cr_assert_not_null(offers);
}

static void end(void)
{
    offers_free(offers);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    ids_free(host.envelope.ids);
    metrics_free(host.metrics);
}

TestSuite(answers, .init = begin, .fini = end);

static void take(const char *kind, kanal_str of, const char *value)
{
    struct id id;
    char key[128], text[1024];
    cr_assert_eq(kind[0] == 'o' ? ids_node(host.envelope.ids, of, &id)
                                : ids_event(host.envelope.ids, KANAL_LIT("sms"), KANAL_LIT("chat"), of, &id),
                 0);
    snprintf(key, sizeof key, "sms.%s.%s", kind,
             kind[0] == 't'   ? of.ptr
             : kind[0] == 'o' ? id.text
                              : id.text + 2);
    snprintf(text, sizeof text, "{\"at\":%lld,%s}", (long long)host_now_ms(), value);
    offers_take(offers, kanal_str_c(key), kanal_str_c(text));
}

/* The message as published, with its content from there on; to be freed. */
static char *publish_to(const char *channel, const char *address, const char *chat, const char *content)
{
    struct envelope envelope = { 0 };
    struct kanal_buffer data = { 0 };
    struct envelope_source source = { .channel = kanal_str_c(channel), .plugin = KANAL_LIT("sms") };
    kanal_buffer_text(&data, "{\"message\":{\"content\":");
    kanal_buffer_text(&data, content);
    kanal_buffer_text(&data, "}}");
    kanal_event event = { .struct_size = sizeof event,
                          .type = KANAL_LIT("message.received"),
                          .dedupe = KANAL_LIT("1"),
                          .address = kanal_str_c(address),
                          .chat = kanal_str_c(chat),
                          .data = kanal_buffer_view(&data) };
    cr_assert_eq(envelope_write(&envelope, &host.envelope, &source, &event, 1), 0);
    kanal_buffer_byte(&envelope.json, 0);
    const char *found = strstr(envelope.json.data, "\"content\"");
    char *copy = kanal_str_dup(kanal_str_c(found ? found : ""));
    envelope_release(&envelope);
    kanal_buffer_release(&data);
    return copy;
}

static void expect(const char *channel, const char *address, const char *chat, const char *content,
                   const char *published)
{
    char *text = publish_to(channel, address, chat, content);
    cr_expect_eq(strncmp(text, published, strlen(published)), 0, "%s:\n got %s\nnot %s", content, text,
                 published);
    free(text);
}

#define SAID(text) "[{\"type\":\"text\",\"text\":\"" text "\"}]"
#define OFFER "\"id\":\"crm-1\",\"stays\":true,\"options\":" OPTIONS
#define ANSWER                                                                                               \
    "\"content\":[{\"type\":\"answer\",\"kind\":\"menu\",\"payload\":\"N\",\"text\":\"No "                   \
    "thanks\",\"provider\":{"                                                                                \
    "\"typed\":\"2\"}}],\"reply_to\":{\"id\":\"crm-1\"}"

Test(answers, the_message_says_what_was_chosen)
{
    expect("sms", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
    take("o", KANAL_LIT("tel:+79161234567"), OFFER);
    expect("sms", "tel:+79161234567", NULL, SAID("2"), ANSWER);
    expect("sms", "tel:+79161234567", NULL, SAID("what?"), "\"content\":" SAID("what?"));
    expect("sms", "tel:+79160000000", NULL, SAID("2"), "\"content\":" SAID("2"));
    expect("other", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
}

Test(answers, in_a_chat)
{
    take("c", KANAL_LIT("chat 7"), OFFER);
    expect("sms", "tel:+79161234567", "chat 7", SAID("2"), ANSWER);
    expect("sms", "tel:+79161234567", "chat 8", SAID("2"), "\"content\":" SAID("2"));
}

Test(answers, one_answer_closes_it_and_may_come_twice)
{
    struct id id;
    char by[256];
    ids_event(host.envelope.ids, KANAL_LIT("sms"), KANAL_LIT("message.received"), KANAL_LIT("1"), &id);
    take("o", KANAL_LIT("tel:+79161234567"), "\"id\":\"crm-1\",\"by\":\"e_other\",\"options\":" OPTIONS);
    expect("sms", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
    snprintf(
        by, sizeof by,
        "\"id\":\"crm-1\",\"by\":\"%s\",\"options\":[{\"n\":2,\"text\":\"No thanks\",\"payload\":\"N\"}]",
        id.text);
    take("o", KANAL_LIT("tel:+79161234567"), by);
    expect("sms", "tel:+79161234567", NULL, SAID("2"), ANSWER);
}

Test(answers, an_old_offer_and_one_that_is_gone_mean_nothing)
{
    struct id id;
    char key[128];
    ids_node(host.envelope.ids, KANAL_LIT("tel:+79161234567"), &id);
    snprintf(key, sizeof key, "sms.o.%s", id.text);
    offers_take(offers, kanal_str_c(key),
                KANAL_LIT("{\"at\":1000,\"id\":\"crm-1\",\"stays\":true,\"options\":" OPTIONS "}"));
    expect("sms", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
    take("o", KANAL_LIT("tel:+79161234567"), OFFER);
    cr_expect_eq(offers_count(offers), 1);
    offers_take(offers, kanal_str_c(key), (kanal_str){ 0 });
    cr_expect_eq(offers_count(offers), 0);
    expect("sms", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
    offers_take(offers, kanal_str_c(key), KANAL_LIT("no JSON"));
    expect("sms", "tel:+79161234567", NULL, SAID("2"), "\"content\":" SAID("2"));
}

Test(answers, a_quoted_message_stays_quoted)
{
    take("o", KANAL_LIT("tel:+79161234567"), OFFER);
    expect("sms", "tel:+79161234567", NULL, SAID("2") ",\"reply_to\":{\"external_id\":\"x\"}",
           "\"content\":[{\"type\":\"answer\",\"kind\":\"menu\",\"payload\":\"N\",\"text\":\"No "
           "thanks\",\"provider\":{"
           "\"typed\":\"2\"}}],\"reply_to\":{\"external_id\":\"x\"}");
}

Test(answers, a_token_is_its_payload_again)
{
    take("t", KANAL_LIT("k_abcdefghijklmnop"), "\"payload\":\"the long one\"");
    expect("sms", "tel:+79161234567", NULL,
           "[{\"type\":\"answer\",\"kind\":\"button\",\"payload\":\"k_abcdefghijklmnop\",\"text\":\"x\"}]",
           "\"content\":[{\"type\":\"answer\",\"kind\":\"button\",\"payload\":\"the long "
           "one\",\"text\":\"x\"}]");
    expect("sms", "tel:+79161234567", NULL,
           "[{\"type\":\"answer\",\"kind\":\"button\",\"payload\":\"k_other\"}]",
           "\"content\":[{\"type\":\"answer\",\"kind\":\"button\",\"payload\":\"k_other\"}]");
}

Test(answers, memory_is_bounded_and_the_oldest_go)
{
    char key[64];
    for (uint32_t i = 0; i < OFFERS_MAX + 10; i++) {
        snprintf(key, sizeof key, "sms.o.%u", i);
        offers_take(offers, kanal_str_c(key), KANAL_LIT("{}"));
    }
    cr_expect_eq(offers_count(offers), OFFERS_MAX);
    offers_take(offers, KANAL_LIT("sms.o.5"), (kanal_str){ 0 }); /* gone already */
    cr_expect_eq(offers_count(offers), OFFERS_MAX);
    offers_take(offers, KANAL_LIT("sms.o.15"), (kanal_str){ 0 });
    cr_expect_eq(offers_count(offers), OFFERS_MAX - 1);
}
