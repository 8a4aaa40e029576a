/* Requests of Twilio's: every fixture against its golden file, as a form and as JSON; and by hand what matters most. */
#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "test/capture.h"

#define FORM "application/x-www-form-urlencoded"

static void check(const char *name, void *user)
{
    (void)user;
    for (int as_json = 0; as_json < 2; as_json++) {
        struct fake_host *host = tell(name, as_json);
        fixture_check(host, FIXTURES, name);
        channel_free(host);
    }
}

Test(webhook, every_fixture_tells_what_its_golden_file_says)
{
    cr_expect_geq(fixture_each(FIXTURES, check, NULL), 58);
}

static void expect_types(const char *name, const char *first, const char *second)
{
    struct fake_host *host = tell(name, 0);
    cr_assert_eq(fake_event_count(host), (size_t)(first != NULL) + (second != NULL), "%s: %zu events", name,
                 fake_event_count(host));
    if (first)
        EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, first);
    if (second)
        EXPECT_TEXT(fake_event_at(host, 1)->event.type.ptr, second);
    channel_free(host);
}

Test(webhook, a_text_says_who_and_what)
{
    struct fake_host *host = tell("text", 0);
    cr_assert_eq(fake_event_count(host), 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    EXPECT_TEXT(event->address.ptr, ADDRESS);
    EXPECT_TEXT(event->chat.ptr, CUSTOMER);
    EXPECT_TEXT(event->external_id.ptr, "SM00000000000000000000000000000011");
    EXPECT_TEXT(event->dedupe.ptr, "SM00000000000000000000000000000011");
    cr_expect(event->raw.len > 100, "the raw payload is there for those who keep it");
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the answer waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"),
                "Здравствуйте! Is the samovar & the tray (5 l) still there? +1 =100%");
    channel_free(host);
}

Test(webhook, opting_out_and_in_is_consent)
{
    expect_types("stop", "message.received", "consent.withdrawn");
    expect_types("start", "message.received", "consent.given");
    expect_types("stop-word", "message.received", "consent.withdrawn");
    expect_types("start-word", "message.received", "consent.given");
    expect_types("help", "message.received", NULL);
    expect_types("stop-said", "message.received", NULL);
    expect_types("status-failed-opted-out", "message.failed", "consent.withdrawn");
    struct fake_host *host = tell("stop", 0);
    EXPECT_TEXT(event_value(host, 1, "consent/0/channel"), "fake");
    EXPECT_TEXT(event_value(host, 1, "consent/0/given"), "false");
    EXPECT_TEXT(event_value(host, 1, "reason"), "stop_word");
    channel_free(host);
}

Test(webhook, statuses_name_the_command_by_the_url)
{
    struct fake_host *host = tell("status-delivered", 0);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.delivered");
    EXPECT_TEXT(fake_event_at(host, 0)->event.command_id.ptr, "crm-7781");
    EXPECT_TEXT(fake_event_at(host, 0)->event.external_id.ptr, SID);
    EXPECT_TEXT(event_value(host, 0, "message/part"), "1");
    EXPECT_TEXT(event_value(host, 0, "message/parts"), "2");
    channel_free(host);
    expect_types("status-queued", NULL, NULL);
    expect_types("status-sent", NULL, NULL);
    expect_types("status-sent-elsewhere", "message.sent", NULL);
    expect_types("status-unknown", NULL, NULL);
}

Test(webhook, failures_keep_twilios_code)
{
    static const char *const rows[][4] = {
        { "status-undelivered", "recipient_unknown", "recipient", "30003" },
        { "status-failed", "provider_rejected", "message", "30007" },
        { "status-failed-opted-out", "opted_out", "recipient", "21610" },
        { "status-failed-unknown", "provider_error", "message", "39999" },
        { "status-canceled", "cancelled", "message", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = tell(rows[i][0], 0);
        EXPECT_TEXT(event_value(host, 0, "error/code"), rows[i][1]);
        EXPECT_TEXT(event_value(host, 0, "error/scope"), rows[i][2]);
        EXPECT_TEXT(event_value(host, 0, "error/provider_code"), rows[i][3]);
        channel_free(host);
    }
}

Test(webhook, what_was_not_told_is_counted)
{
    struct fake_host *host = tell("status-unknown", 0);
    cr_expect_eq(fake_metric(host, "events_ignored"), 1);
    channel_free(host);
    host = tell("events-several", 0);
    cr_expect_eq(fake_event_count(host), 3);
    cr_expect_eq(fake_metric(host, "events_ignored"), 1);
    channel_free(host);
}

Test(webhook, what_cannot_be_stored_is_asked_for_again)
{
    struct fixture fixture = fixture_open("text");
    struct kanal_buffer body = { 0 };
    struct fake_host *host = channel_new(NULL);
    encode_form(&body, fixture.params);
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_expect_eq(post_form(host, "/", kanal_buffer_view(&body))->response.code, 503);
    fake_fail_publish(host, KANAL_OK);
    const struct fake_answer *answer = post_form(host, "/", kanal_buffer_view(&body));
    cr_expect_eq(answer->response.code, 200);
    EXPECT_TEXT(answer->response.body.ptr, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    kanal_buffer_release(&body);
    fixture_close(&fixture);
    channel_free(host);
}

Test(webhook, a_request_that_comes_twice_has_the_same_key)
{
    struct fixture fixture = fixture_open("status-failed-opted-out");
    struct kanal_buffer body = { 0 };
    struct fake_host *host = channel_new(NULL);
    encode_form(&body, fixture.params);
    for (int i = 0; i < 2; i++)
        cr_expect_eq(post_form(host, fixture.path, kanal_buffer_view(&body))->response.code, 204);
    cr_assert_eq(fake_event_count(host), 4);
    for (size_t i = 0; i < 2; i++)
        EXPECT_TEXT(fake_event_at(host, i)->event.dedupe.ptr, fake_event_at(host, i + 2)->event.dedupe.ptr);
    kanal_buffer_release(&body);
    fixture_close(&fixture);
    channel_free(host);
}

/* ---- The signature ---- */

static kanal_str text_form(struct kanal_buffer *body)
{
    struct fixture fixture = fixture_open("text");
    encode_form(body, fixture.params);
    fixture_close(&fixture);
    return kanal_buffer_view(body);
}

Test(signature, only_the_right_one_opens)
{
    struct kanal_buffer buffer = { 0 };
    kanal_str form = text_form(&buffer);
    char right[64], wrong[64];
    struct fake_host *host = channel_new(NULL);
    sign(right, BASE "/", form);
    memcpy(wrong, right, sizeof wrong);
    wrong[3] = wrong[3] == 'A' ? 'B' : 'A';
    cr_expect_eq(post_with(host, "/", FORM, form, NULL)->response.code, 401);
    cr_expect_eq(post_with(host, "/", FORM, form, "")->response.code, 401);
    cr_expect_eq(post_with(host, "/", FORM, form, wrong)->response.code, 401);
    wrong[20] = 0;
    cr_expect_eq(post_with(host, "/", FORM, form, wrong)->response.code, 401, "cut");
    cr_expect_eq(post_with(host, "/", FORM, form, "not base64 at all!!")->response.code, 401);
    cr_expect_eq(post_with(host, "/", FORM, kanal_str_of(form.ptr, form.len - 1), right)->response.code, 401,
                 "another body");
    cr_expect_eq(post_with(host, "/?x=1", FORM, form, right)->response.code, 401, "another query");
    cr_expect_eq(post_with(host, "/status", FORM, form, right)->response.code, 401, "of another place");
    cr_expect_eq(post_with(host, "/", "application/json", form, right)->response.code, 401,
                 "a body that the signature does not hold");
    cr_expect_eq(post_with(host, "/", "text/plain", form, right)->response.code, 401);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(post_with(host, "/", FORM, form, right)->response.code, 200);
    cr_expect_eq(post_with(host, "/", FORM "; charset=utf-8", form, right)->response.code, 200);
    cr_expect_eq(fake_event_count(host), 2);
    kanal_buffer_release(&buffer);
    channel_free(host);
}

Test(signature, of_json_it_holds_the_digest)
{
    struct fixture fixture = fixture_open("events-delivered");
    char *json = yyjson_val_write(fixture.body, 0, NULL), url[256], signature[64];
    struct fake_host *host = channel_new(NULL);
    static const char digest[] =
        "/events?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    snprintf(url, sizeof url, BASE "%s", digest); /* of no bytes */
    sign(signature, url, kanal_str_of(NULL, 0));
    cr_expect_eq(post_with(host, digest, "application/json", kanal_str_c(json), signature)->response.code,
                 401);
    cr_expect_eq(post_with(host, "/events?bodySHA256=zz", "application/json", kanal_str_c(json), signature)
                     ->response.code,
                 401);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(post_json(host, "/events", kanal_str_c(json))->response.code, 204);
    cr_expect_eq(fake_event_count(host), 1);
    free(json);
    fixture_close(&fixture);
    channel_free(host);
}

/* Twilio's products differ in whether they sign the URL with its port. */
Test(signature, the_schemes_port_may_stand_in_the_url)
{
    struct kanal_buffer buffer = { 0 };
    kanal_str form = text_form(&buffer);
    char signature[64];
    struct fake_host *host = channel_new(NULL);
    sign(signature, "https://hub.example.com:443/c/fake/", form);
    cr_expect_eq(post_with(host, "/", FORM, form, signature)->response.code, 200);
    sign(signature, "https://hub.example.com:444/c/fake/", form);
    cr_expect_eq(post_with(host, "/", FORM, form, signature)->response.code, 401);
    sign(signature, BASE "/" AGAIN, form);
    cr_expect_eq(post_with(host, "/", FORM, form, signature)->response.code, 200,
                 "with what asks for repetitions");
    sign(signature, "https://hub.example.com:443/c/fake/" AGAIN, form);
    cr_expect_eq(post_with(host, "/", FORM, form, signature)->response.code, 200);
    sign(signature, "https://other.example.com/c/fake/", form);
    cr_expect_eq(post_with(host, "/", FORM, form, signature)->response.code, 401);
    kanal_buffer_release(&buffer);
    channel_free(host);
}

Test(signature, without_the_secret_nothing_opens)
{
    static const char *const none[][2] = { { "api_key_secret", "x" } };
    struct kanal_buffer buffer = { 0 };
    kanal_str form = text_form(&buffer);
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"X\"}", none, 1);
    cr_expect_eq(post_form(host, "/", form)->response.code, 503);
    cr_expect_eq(fake_event_count(host), 0);
    kanal_buffer_release(&buffer);
    channel_free(host);
}
