/* Long polling. */
#include <stdio.h>

#include "test/capture.h"

#define UPDATE(id)                                                                                           \
    "{\"update_id\":" #id ",\"message\":{\"message_id\":" #id                                                \
    ",\"date\":1795300000,\"chat\":{\"id\":5,\"type\":\"private\"},"                                         \
    "\"from\":{\"id\":5,\"is_bot\":false,\"first_name\":\"A\"},\"text\":\"t" #id "\"}}"
#define RESULT(updates) "{\"ok\":true,\"result\":[" updates "]}"

/* A polling channel whose getMe is answered; getUpdates waits. */
static struct fake_host *polling(void)
{
    return channel_new("{\"mode\":\"polling\"}");
}

static void expect_offset(struct fake_host *host, const char *offset)
{
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "getUpdates");
    EXPECT_TEXT(call_text(&call, "offset"), offset);
    EXPECT_TEXT(call_text(&call, "limit"), "100");
    EXPECT_TEXT(call_text(&call, "timeout"), "50");
    cr_expect_eq(fake_request_at(host, 0)->request.timeout_ms, 60000, "longer than Telegram holds it back");
    call_free(&call);
}

Test(poll, what_is_stored_is_acknowledged)
{
    struct fake_host *host = polling();
    expect_offset(host, "");
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7) "," UPDATE(8) "," UPDATE(11)));
    cr_assert_eq(fake_event_count(host), 3);
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "t7");
    EXPECT_TEXT(event_value(host, 2, "message/content/0/text"), "t11");
    cr_expect(fake_event_at(host, 0)->event.raw.len > 0);
    expect_offset(host, "12");
    fake_request_answer(host, 0, 200, OK_UPDATES_NONE);
    expect_offset(host, "12");
    channel_free(host);
}

Test(poll, only_while_the_lease_is_held)
{
    struct fake_host *host = polling();
    expect_offset(host, "");
    fake_lease_hold(host, 0);
    cr_expect_eq(fake_request_count(host), 0, "the poll under way is cancelled");
    fake_advance(host, 600000);
    cr_expect_eq(fake_request_count(host), 0);
    cr_expect_eq(fake_health(host), KANAL_OK, "to stand by is no illness");
    fake_lease_hold(host, 1);
    expect_offset(host, "");
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7)));
    expect_offset(host, "8");
    channel_free(host);
}

Test(poll, a_lease_that_is_lost_while_storing)
{
    struct fake_host *host = polling();
    fake_fail_publish(host, KANAL_E_NETWORK);
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7)));
    fake_lease_hold(host, 0);
    fake_fail_publish(host, KANAL_OK);
    fake_advance(host, 60000);
    cr_expect_eq(fake_request_count(host), 0, "the wait is over, but it is not ours to ask");
    fake_lease_hold(host, 1);
    cr_expect_eq(fake_request_count(host), 1);
    fake_lease_hold(host, 1);
    cr_expect_eq(fake_request_count(host), 1, "never two polls");
    channel_free(host);
}

Test(poll, what_is_not_stored_is_told_again)
{
    struct fake_host *host = polling();
    fake_fail_publish(host, KANAL_E_NETWORK);
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7) "," UPDATE(8)));
    cr_expect_eq(fake_request_count(host), 0, "it waits");
    fake_fail_publish(host, KANAL_OK);
    fake_advance(host, 1000);
    expect_offset(host, "");
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7) "," UPDATE(8)));
    cr_expect_eq(fake_event_count(host), 2);
    expect_offset(host, "9");
    channel_free(host);
}

Test(poll, what_the_host_will_never_take_does_not_block)
{
    struct fake_host *host = polling();
    fake_fail_publish(host, KANAL_E_TOO_LARGE);
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7)));
    cr_expect(fake_logged(host, "it is told as unsupported"));
    cr_expect(fake_logged(host, "an update is left out"));
    cr_expect_eq(fake_metric(host, "updates_refused"), 1);
    expect_offset(host, "8");
    channel_free(host);
}

Test(poll, errors_back_off)
{
    struct fake_host *host = polling();
    uint32_t waited = 0;
    for (int i = 0; i < 12; i++) {
        fake_request_fail(host, 0, KANAL_E_NETWORK);
        cr_assert_eq(fake_request_count(host), 0, "no request at once");
        for (waited = 0; fake_request_count(host) == 0; waited += 250)
            fake_advance(host, 250);
    }
    cr_expect_eq(fake_health(host), KANAL_E_NETWORK);
    cr_expect(waited >= 30000 && waited <= 60250, "after 12 failures it waits %u ms", waited);
    fake_request_answer(host, 0, 200, OK_UPDATES_NONE);
    cr_expect_eq(fake_health(host), KANAL_OK);
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    fake_advance(host, 500); /* from the start again */
    cr_expect_eq(fake_request_count(host), 1);
    for (int i = 0; i < 8; i++) { /* what comes again is as good a sign as an empty answer */
        fake_request_fail(host, 0, KANAL_E_NETWORK);
        fake_advance(host, 60000);
    }
    fake_request_answer(host, 0, 200, RESULT(UPDATE(7)));
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    fake_advance(host, 500);
    cr_expect_eq(fake_request_count(host), 1);
    channel_free(host);
}

Test(poll, telegram_says_how_long_to_wait)
{
    struct fake_host *host = polling();
    fake_request_answer(host, 0, 429,
                        "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many "
                        "Requests\",\"parameters\":{\"retry_after\":17}}");
    fake_advance(host, 16999);
    cr_expect_eq(fake_request_count(host), 0);
    fake_advance(host, 1);
    cr_expect_eq(fake_request_count(host), 1);
    channel_free(host);
}

Test(poll, a_webhook_that_is_set_is_deleted)
{
    struct fake_host *host = polling();
    fake_request_answer(host, 0, 409,
                        "{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: can't use getUpdates "
                        "method while webhook is active; use deleteWebhook to delete the webhook first\"}");
    call_answer(host, "deleteWebhook", 200, OK_TRUE);
    expect_offset(host, "");
    channel_free(host);
}

Test(poll, beside_another_poll_it_stands_by)
{
    struct fake_host *host = polling();
    fake_request_answer(host, 0, 409,
                        "{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: terminated by other "
                        "getUpdates request; make sure that only one bot instance is running\"}");
    fake_advance(host, 29000);
    cr_expect_eq(fake_request_count(host), 0);
    fake_advance(host, 31000);
    cr_expect_eq(fake_request_count(host), 1);
    channel_free(host);
}

Test(poll, a_refused_token_is_asked_slowly)
{
    struct fake_host *host = polling();
    fake_request_answer(host, 0, 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}");
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    fake_advance(host, 140000);
    cr_expect_eq(fake_request_count(host), 0);
    fake_advance(host, 160000);
    cr_expect_eq(fake_request_count(host), 1);
    channel_free(host);
}

Test(poll, an_answer_of_rubbish_does_not_spin)
{
    static const char *const answers[] = { "{\"ok\":true,\"result\":[{},5,null,{\"update_id\":\"x\"}]}",
                                           "{\"ok\":true,\"result\":{}}", "{\"ok\":true}", "[]",
                                           "{\"ok\":true,\"result\":[{\"update_id\":-1}]}" };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fake_host *host = polling();
        fake_request_answer(host, 0, 200, answers[i]);
        cr_expect_eq(fake_request_count(host), 0, "%s is asked for again at once", answers[i]);
        fake_advance(host, 60000);
        cr_expect_eq(fake_request_count(host), 1);
        channel_free(host);
    }
}

Test(poll, a_pressed_button_is_answered_once_stored)
{
    struct fake_host *host = polling();
    fake_request_answer(host, 0, 200,
                        RESULT("{\"update_id\":3,\"callback_query\":{\"id\":\"q1\",\"from\":{\"id\":5,\"is_"
                               "bot\":false,\"first_name\":\"A\"},\"chat_instance\":\"1\",\"data\":\"Y\"}}"));
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_request_count(host), 2);
    struct call call = call_at(host, 0);
    EXPECT_TEXT(call.method, "answerCallbackQuery");
    call_free(&call);
    channel_free(host);
}

Test(poll, stop_ends_it)
{
    struct fake_host *host = polling();
    channel_free(host); /* the poll is cancelled: nothing is owed */
    host = polling();
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    channel_free(host); /* so is the wait */
}

Test(poll, the_webhook_is_closed)
{
    struct fake_host *host = polling();
    cr_expect_eq(post_update(host, UPDATE(1), strlen(UPDATE(1))), 404);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}
