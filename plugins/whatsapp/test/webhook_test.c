/* Webhooks to events: every fixture against its golden file, and by hand what matters most. */
#include <stdio.h>

#include "../../meta/test/support.h"

const struct meta_test meta_test = {
    .settings = "{\"phone_number_id\":\"106540352242922\"}",
    .api = "https://graph.facebook.com/v24.0/",
    .self = "106540352242922?fields=display_phone_number,verified_name",
    .address = "tel:+79161234567",
    .chat = "79161234567",
};
const char *const sent_answer = "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"+"
                                "79161234567\",\"wa_id\":\"79161234567\"}],"
                                "\"messages\":[{\"id\":\"wamid.SENT\",\"message_status\":\"accepted\"}]}";
const char *const sent_id = "wamid.SENT";

Test(webhook, every_fixture_tells_what_its_golden_file_says)
{
    check_fixtures(58);
}

Test(webhook, a_text_says_who_where_when_and_what)
{
    struct fake_host *host = tell("text");
    cr_assert_eq(fake_event_count(host), 1);
    expect_event(host, 0, "message.received", "tel:+79161234567", "79161234567",
                 "wamid.HBgLNzkxNjEyMzQ1NjcVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ01A=");
    const kanal_event *event = &fake_event_at(host, 0)->event;
    cr_expect_eq(event->time_ms, INT64_C(1795300001000));
    cr_expect(event->raw.len > 100, "the raw payload is there for those who keep it");
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the 200 waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"),
                "Здравствуйте! Самовар ещё в наличии? 🫖");
    EXPECT_TEXT(event_value(host, 0, "customer/name"), "Анна Каренина");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "private");
    EXPECT_TEXT(event_value(host, 0, "chat/provider/window_until"), "2026-11-22T22:26:41.000Z");
    EXPECT_TEXT(event_value(host, 0, "author"), "");
    channel_free(host);
}

Test(webhook, telephone_and_bsuid_are_one_person)
{
    struct fake_host *host = tell("text-bsuid");
    expect_event(host, 0, "message.received", "tel:+79161234567", "79161234567",
                 fake_event_at(host, 0)->event.external_id.ptr);
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/address"), "whatsapp:RU.13491208655302741918");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/verified"), "true");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/1/address"),
                "whatsapp:RU.ENT.11815799212886844830");
    EXPECT_TEXT(event_value(host, 0, "customer/username"), "anna.k");
    channel_free(host);
    host = tell("text-bsuid-only");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "whatsapp:RU.13491208655302741918");
    EXPECT_TEXT(fake_event_at(host, 0)->event.chat.ptr, "RU.13491208655302741918");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers"), "");
    channel_free(host);
    host = tell("contacts-own");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/address"), "tel:+79161234567");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/source"), "contact");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/own"), "true");
    channel_free(host);
}

Test(webhook, a_new_number_is_a_verified_identifier_of_the_old_one)
{
    struct fake_host *host = tell("system-changed-number");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "profile.observed");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "tel:+79161234567");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/address"), "tel:+79260000000");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/verified"), "true");
    channel_free(host);
    host = tell("system-changed-user-id");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "whatsapp:RU.13491208655302741918");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/address"), "whatsapp:RU.99991208655302741918");
    channel_free(host);
}

Test(webhook, an_ad_starts_a_conversation)
{
    struct fake_host *host = tell("text-ad");
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "conversation.started");
    EXPECT_TEXT(event_value(host, 0, "referral/ad/id"), "120226305854810726");
    EXPECT_TEXT(event_value(host, 1, "referral/kind"), "ad");
    EXPECT_TEXT(event_value(host, 1, "referral/url"), "https://fb.me/3cr4Wqqkv");
    cr_expect_str_neq(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 1)->event.dedupe.ptr);
    channel_free(host);
}

Test(webhook, a_status_names_its_command)
{
    struct fake_host *host = tell("status-delivered");
    expect_event(host, 0, "message.delivered", "tel:+79161234567", "79161234567",
                 "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI0RTJEOTc2ODVERUY5RDlGNkYA");
    EXPECT_TEXT(fake_event_at(host, 0)->event.command_id.ptr, "crm-7781");
    EXPECT_TEXT(fake_event_at(host, 0)->event.dedupe.ptr,
                "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI0RTJEOTc2ODVERUY5RDlGNkYA:delivered");
    EXPECT_TEXT(event_value(host, 0, "message/part"), "1");
    EXPECT_TEXT(event_value(host, 0, "message/parts"), "2");
    EXPECT_TEXT(event_value(host, 0, "message/price/category"), "utility");
    EXPECT_TEXT(event_value(host, 0, "message/price/billable"), "true");
    channel_free(host);
    host = tell("status-failed");
    EXPECT_TEXT(event_value(host, 0, "error/code"), "recipient_blocked");
    EXPECT_TEXT(event_value(host, 0, "error/scope"), "recipient");
    EXPECT_TEXT(event_value(host, 0, "error/provider_code"), "131026");
    channel_free(host);
    host = tell("status-failed-window");
    EXPECT_TEXT(event_value(host, 0, "error/code"), "window_closed");
    channel_free(host);
    /* The answer to the request said so already; of a message that somebody else sent nobody did. */
    host = tell("status-sent-ours");
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
    host = tell("status-sent");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.sent");
    cr_expect_eq(fake_event_at(host, 0)->event.command_id.len, 0);
    channel_free(host);
}

/* ---- Authenticity ---- */

Test(signature, only_what_meta_signed_is_read)
{
    size_t len;
    char *text = read_fixture("text", &len), signature[80], wrong[80];
    struct fake_host *host = channel_new(NULL);
    kanal_str body = kanal_str_of(text, len);
    sign_body(signature, body);
    cr_expect_eq(post_signed(host, body, NULL), 401);
    cr_expect_eq(post_signed(host, body, ""), 401);
    cr_expect_eq(post_signed(host, body, signature + 7), 401, "without its prefix");
    snprintf(wrong, sizeof wrong, "%s", signature);
    wrong[20] = wrong[20] == '0' ? '1' : '0';
    cr_expect_eq(post_signed(host, body, wrong), 401);
    cr_expect_eq(post_signed(host, kanal_str_of(text, len - 1), signature), 401, "of another body");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(post_signed(host, body, signature), 200);
    cr_expect_eq(post_signed(host, body, signature), 200, "again: the store knows it by its key");
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 1)->event.dedupe.ptr);
    free(text);
    channel_free(host);
}

static int shake(struct fake_host *host, const char *query, const char *expected)
{
    kanal_op op = fake_http(host, "GET", query, NULL, 0, kanal_str_of(NULL, 0));
    const struct fake_answer *answer = fake_answer(host, op);
    if (expected)
        cr_expect(kanal_str_is(answer->response.body, expected), "%.*s", (int)answer->response.body.len,
                  answer->response.body.ptr);
    return answer->response.code;
}

Test(signature, the_handshake_repeats_the_challenge)
{
    struct fake_host *host = channel_new(NULL);
    cr_expect_eq(shake(host, "/?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=chosen-by-us",
                       "1158201444"),
                 200);
    cr_expect_eq(shake(host, "/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=guessed", NULL), 401);
    cr_expect_eq(shake(host, "/?hub.mode=subscribe&hub.challenge=1", NULL), 401);
    cr_expect_eq(shake(host, "/?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=chosen-by-us", NULL),
                 400);
    cr_expect_eq(shake(host, "/?hub.mode=subscribe&hub.verify_token=chosen-by-us", NULL), 400);
    cr_expect_eq(
        shake(host, "/?hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=chosen-by-us", NULL),
        400);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}

Test(webhook, what_cannot_be_stored_is_not_acknowledged)
{
    size_t len;
    char *text = read_fixture("several", &len);
    struct fake_host *host = channel_new(NULL);
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_expect_eq(post_hook(host, text, len), 503);
    fake_fail_publish(host, KANAL_OK);
    cr_expect_eq(post_hook(host, text, len), 200);
    cr_expect_eq(fake_event_count(host), 4, "%zu", fake_event_count(host));
    free(text);
    channel_free(host);
}
