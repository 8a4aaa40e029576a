/* What the other side sends, and what happens when two replicas write at once. */
#include <stdio.h>
#include "../channel.h"
#include "support.h"

Test(delivery, a_message_reaches_the_open_pages_and_the_history)
{
    struct fake_host *host = chat_new(NULL);
    struct visit one = visit_new(host, NULL), tab = visit_new(host, one.token),
                 stranger = visit_new(host, NULL);
    const char *data = "{\"agent\":{\"kind\":\"person\",\"name\":\"Anna\"},\"content\":[{\"type\":\"text\","
                       "\"text\":\"Hello\",\"provider\":{\"x\":1}},"
                       "{\"type\":\"image\",\"url\":\"https://x.example/a.png\",\"mime\":\"image/"
                       "png\",\"size\":5,\"caption\":\"cup\"}]}";
    const struct fake_answer *answer = operator_does(host, &one, "message.send", "k1", NULL, data);

    cr_assert_eq(answer->result.outcome, KANAL_SENT);
    cr_assert(kanal_str_is(answer->result.external_id, "a.k1"));
    for (int i = 0; i < 2; i++) {
        yyjson_doc *frame = page_hear(host, i ? tab.page : one.page, "message");
        cr_assert_str_eq(doc_text(frame, "/item/id"), "a.k1");
        cr_assert_str_eq(doc_text(frame, "/item/from"), "operator");
        cr_assert_str_eq(doc_text(frame, "/item/author"), "Anna");
        cr_assert_str_eq(doc_text(frame, "/item/content/0/text"), "Hello");
        cr_assert_str_eq(doc_text(frame, "/item/content/1/url"), "https://x.example/a.png");
        cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/0/provider"));
        yyjson_doc_free(frame);
    }
    page_hear(host, stranger.page, NULL);
    chat_free(host);
}

Test(delivery, who_is_away_finds_it_at_the_next_visit)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = { .address = "visitor:abcdefghijklmnopqrstuvwxyz" }; /* knows the site's form only */
    char token[128];
    kanal_op page;

    operator_says(host, &visit, "k1", "We tried to call you");
    make_token(SECRET, "abcdefghijklmnopqrstuvwxyz", token);
    page = page_open(host);
    page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", token);
    yyjson_doc *welcome = page_hear(host, page, "welcome");
    cr_assert_str_eq(doc_text(welcome, "/history/0/content/0/text"), "We tried to call you");
    yyjson_doc_free(welcome);
    chat_free(host);
}

Test(delivery, a_second_attempt_stores_nothing_twice)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);

    operator_says(host, &visit, "k1", "once");
    operator_says(host, &visit, "k1", "once");
    page_say(host, visit.page, "{\"type\":\"sync\"}");
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    yyjson_doc_free(page_hear(host, visit.page, "message")); /* the page knows it by its id */
    yyjson_doc *welcome = page_hear(host, visit.page, "welcome");
    cr_assert_eq(yyjson_arr_size(yyjson_doc_ptr_get(welcome, "/history")), 1);
    yyjson_doc_free(welcome);
    chat_free(host);
}

Test(delivery, without_a_broker_it_is_to_be_tried_again)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    const struct fake_answer *answer;

    fake_fail_state(host, KANAL_E_MAYBE);
    answer = operator_does(host, &visit, "message.send", "k1", NULL,
                           "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}");
    cr_assert_eq(answer->result.outcome, KANAL_RETRY);
    cr_assert_gt(answer->result.retry_after_ms, 0);
    page_hear(host, visit.page, NULL); /* shown only once it is stored */
    fake_fail_state(host, KANAL_OK);
    operator_says(host, &visit, "k1", "x");
    chat_free(host);
}

static void expect_failure(struct fake_host *host, const struct visit *visit, const char *verb,
                           const char *target, const char *data, const char *code)
{
    const struct fake_answer *answer = operator_does(host, visit, verb, "k9", target, data);

    cr_expect_eq(answer->result.outcome, KANAL_FAILED, "%s", verb);
    cr_expect(kanal_str_is(answer->result.code, code), "%s: %.*s", verb, (int)answer->result.code.len,
              answer->result.code.ptr);
}

Test(delivery, what_cannot_be_is_refused_with_a_code)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), wrong = visit;
    static char big[60 * 1024];

    expect_failure(host, &visit, "message.react", "a.k1", "{\"reactions\":[]}", "unsupported_verb");
    expect_failure(host, &visit, "message.edit", "a.k1", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
                   "message_not_found");
    expect_failure(host, &visit, "message.delete", "a.k1", "{}", "message_not_found");
    expect_failure(host, &visit, "message.delete", NULL, "{}", "message_not_found");
    expect_failure(host, &visit, "message.read", "a.k1", "{}", "message_not_found");
    expect_failure(host, &visit, "message.send", NULL, "{\"content\":[]}", "invalid_content");
    expect_failure(host, &visit, "message.send", NULL, "not json", "invalid_content");
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "{\"content\":[{\"type\":\"text\",\"text\":\"", 35);
    memcpy(big + sizeof big - 6, "\"}]}", 5);
    expect_failure(host, &visit, "message.send", NULL, big, "payload_too_large");
    const char *addresses[] = { "visitor:short", "telegram:5", "visitor:ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                "visitor:abcdefghijklmnopqrstuvwxyz0" };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        snprintf(wrong.address, sizeof wrong.address, "%s", addresses[i]);
        expect_failure(host, &wrong, "message.send", NULL,
                       "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", "recipient_unknown");
    }
    chat_free(host);
}

Test(delivery, edit_and_delete_reach_page_and_history)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    yyjson_doc *doc;

    operator_says(host, &visit, "k1", "one");
    operator_says(host, &visit, "k2", "two");
    cr_assert_eq(operator_does(host, &visit, "message.edit", "k3", "a.k1",
                               "{\"content\":[{\"type\":\"text\",\"text\":\"ONE\"}]}")
                     ->result.outcome,
                 KANAL_SENT);
    cr_assert_eq(operator_does(host, &visit, "message.delete", "k4", "a.k2", NULL)->result.outcome,
                 KANAL_SENT);
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    doc = page_hear(host, visit.page, "edit");
    cr_assert_str_eq(doc_text(doc, "/id"), "a.k1");
    cr_assert_str_eq(doc_text(doc, "/content/0/text"), "ONE");
    yyjson_doc_free(doc);
    cr_assert_str_eq(page_hear_text(host, visit.page, "delete", "id"), "a.k2");
    page_say(host, visit.page, "{\"type\":\"sync\"}");
    doc = page_hear(host, visit.page, "welcome");
    cr_assert_str_eq(doc_text(doc, "/history/0/content/0/text"), "ONE");
    cr_assert_eq(yyjson_get_len(yyjson_doc_ptr_get(doc, "/history/1/content")), 0);
    cr_assert(yyjson_is_true(yyjson_doc_ptr_get(doc, "/history/1/deleted")));
    yyjson_doc_free(doc);
    /* a late repetition of the deleted message's send does not bring it back; nor is it edited any more */
    operator_says(host, &visit, "k2", "two");
    doc = page_hear(host, visit.page, "message");
    cr_assert(yyjson_is_true(yyjson_doc_ptr_get(doc, "/item/deleted")));
    yyjson_doc_free(doc);
    expect_failure(host, &visit, "message.edit", "a.k2", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
                   "message_not_found");
    chat_free(host);
}

Test(delivery, nobody_edits_deletes_or_reads_another_visitors_message)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), stranger = visit_new(host, NULL);
    char target[128];

    operator_says(host, &visit, "k1", "one");
    visit_says(host, &stranger, "message-1", "mine");
    expect_failure(host, &stranger, "message.delete", "a.k1", NULL, "message_not_found");
    snprintf(target, sizeof target, "%s.message-1", stranger.visitor);
    expect_failure(host, &visit, "message.read", target, NULL, "message_not_found");
    /* nor the visitor's own message by the verbs for ours */
    expect_failure(host, &stranger, "message.delete", target, NULL, "message_not_found");
    chat_free(host);
}

Test(delivery, the_visitor_learns_that_theirs_was_read)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char target[128];

    visit_says(host, &visit, "message-1", "a");
    visit_says(host, &visit, "message-2", "b");
    snprintf(target, sizeof target, "%s.message-2", visit.visitor);
    cr_assert_eq(operator_does(host, &visit, "message.read", "k1", target, NULL)->result.outcome, KANAL_SENT);
    cr_assert_str_eq(page_hear_text(host, visit.page, "read", "up_to"), "message-2");
    snprintf(target, sizeof target, "%s.message-1", visit.visitor);
    operator_does(host, &visit, "message.read", "k2", target, NULL); /* does not go back */
    cr_assert_str_eq(page_hear_text(host, visit.page, "read", "up_to"), "message-1");
    page_say(host, visit.page, "{\"type\":\"sync\"}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "welcome", "operator_read"), "message-2");
    chat_free(host);
}

Test(delivery, typing_is_shown_to_the_pages_and_kept_nowhere)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char key[64];
    yyjson_doc *frame;

    cr_assert_eq(
        operator_does(host, &visit, "typing.start", "k1", NULL, "{\"duration_ms\":99999}")->result.outcome,
        KANAL_SENT);
    frame = page_hear(host, visit.page, "typing");
    cr_assert_str_eq(doc_text(frame, "/for_ms"), "30000");
    yyjson_doc_free(frame);
    snprintf(key, sizeof key, "visitor/%s", visit.visitor);
    cr_assert_null(fake_state(host, key));
    chat_free(host);
}

Test(delivery, a_reply_names_what_it_answers)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char target[128];
    yyjson_doc *frame;

    visit_says(host, &visit, "message-1", "a");
    snprintf(target, sizeof target, "%s.message-1", visit.visitor);
    operator_does(host, &visit, "message.send", "k1", target,
                  "{\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}");
    frame = page_hear(host, visit.page, "message");
    cr_assert_str_eq(doc_text(frame, "/item/reply_to"), "message-1");
    yyjson_doc_free(frame);
    chat_free(host);
}

Test(delivery, dangerous_addresses_never_reach_a_browser)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    yyjson_doc *frame;

    operator_does(
        host, &visit, "message.send", "k1", NULL,
        "{\"content\":[{\"type\":\"image\",\"url\":\"javascript:alert(1)\"},{\"type\":\"card\",\"title\":"
        "\"t\",\"url\":\"data:text/html,x\","
        "\"image\":{\"url\":\"//"
        "x\"},\"options\":[{\"text\":\"go\",\"url\":\"javascript:1\"},{\"text\":\"ok\",\"payload\":\"p\"}]},"
        "{\"type\":\"hologram\",\"secret\":1}]}");
    frame = page_hear(host, visit.page, "message");
    cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/0/url"));
    cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/1/url"));
    cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/1/image"));
    cr_assert_eq(yyjson_arr_size(yyjson_doc_ptr_get(frame, "/item/content/1/options")), 1);
    cr_assert_str_eq(doc_text(frame, "/item/content/2/type"), "unsupported");
    cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/2/secret"));
    yyjson_doc_free(frame);
    chat_free(host);
}

/* ---- Another replica ---- */

/* A host whose publish() lets another replica write the visitor's document just before the plugin does. */
static struct {
    const kanal_host *real;
    kanal_host table;
    char key[64];
    const char *document;
    int conflicts; /* still to be made */
} rival;

static void ignore(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)user;
    (void)value;
    (void)revision;
    cr_assert_eq(status, KANAL_OK);
}

static kanal_op rival_publish(const kanal_host *table, kanal_op cause, const kanal_event *const *events,
                              size_t count, kanal_done_fn *callback, void *user)
{
    (void)table;
    if (rival.conflicts > 0) {
        rival.conflicts--;
        rival.real->state_put(rival.real, kanal_str_c(rival.key), kanal_str_c(rival.document), UINT64_MAX,
                              ignore, NULL);
    }
    return rival.real->publish(rival.real, cause, events, count, callback, user);
}

static void rival_begin(struct fake_host *host, const struct visit *visit, int conflicts)
{
    struct kanal_channel *channel = fake_channel(host);

    rival.real = channel->host;
    rival.table = *channel->host;
    rival.table.publish = rival_publish;
    rival.conflicts = conflicts;
    rival.document = "{\"v\":1,\"next\":2,\"sessions\":1,\"active\":1795294385000,\"items\":[{\"n\":1,\"id\":"
                     "\"a.far\",\"from\":\"o\","
                     "\"at\":1795294385000,\"command\":\"far\",\"content\":[{\"type\":\"text\",\"text\":"
                     "\"from afar\"}]}]}";
    snprintf(rival.key, sizeof rival.key, "visitor/%s", visit->visitor);
    channel->host = &rival.table;
}

Test(delivery, a_write_of_another_replica_is_not_lost)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    yyjson_doc *welcome;

    rival_begin(host, &visit, 1);
    visit_says(host, &visit, "message-1", "mine");
    page_say(host, visit.page, "{\"type\":\"sync\"}");
    welcome = page_hear(host, visit.page, "welcome");
    cr_assert_str_eq(doc_text(welcome, "/history/0/id"), "a.far");
    cr_assert_str_eq(doc_text(welcome, "/history/1/id"), "message-1");
    yyjson_doc_free(welcome);
    fake_channel(host)->host = rival.real;
    chat_free(host);
}

Test(delivery, endless_conflicts_end_in_try_again)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);

    rival_begin(host, &visit, 1000);
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"x\"}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "unavailable");
    cr_assert_geq(rival.conflicts, 990);
    fake_channel(host)->host = rival.real;
    chat_free(host);
}

Test(delivery, a_damaged_document_starts_anew)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    struct kanal_channel *channel = fake_channel(host);
    char key[64];

    snprintf(key, sizeof key, "visitor/%s", visit.visitor);
    channel->host->state_put(channel->host, kanal_str_c(key), KANAL_LIT("{\"v\":1,\"items\":[{\"n\":1}]}"),
                             UINT64_MAX, ignore, NULL);
    fake_run(host);
    visit_says(host, &visit, "message-1", "x");
    cr_assert(fake_logged(host, "damaged"));
    chat_free(host);
}

Test(delivery, stop_answers_all_that_is_under_way)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    struct kanal_channel *channel = fake_channel(host);

    for (int i = 0; i < 3; i++) { /* straight into the visitor's queue: the host has not run yet */
        char text[] = "{\"type\":\"message\",\"id\":\"message-0\",\"text\":\"x\"}";
        text[strlen("{\"type\":\"message\",\"id\":\"message-")] = (char)('0' + i);
        connection_table()->on_message(channel, visit.page, KANAL_WS_TEXT, kanal_str_c(text));
    }
    chat_free(host); /* counts leaks, unanswered ops and connections that were not closed */
}
