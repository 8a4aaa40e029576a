/* Settings, registering, stopping, media. */
#include "test/capture.h"

Test(life, settings_are_checked)
{
    static const char *const wrong[] = {
        "{\"account_sid\":\"" ACCOUNT "\"}",
        "{\"from\":\"+14155550100\"}",
        "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"x\",\"api_url\":\"ftp://x\"}",
        "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"x\",\"calls\":{\"answer\":\"dial\"}}",
        "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"x\",\"calls\":{\"answer\":\"say\"}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_null(channel_new_with(wrong[i]), "%s", wrong[i]);
}

Test(life, an_api_key_makes_requests_and_the_token_verifies)
{
    struct fake_host *host = channel_new(
        ",\"api_key_sid\":\"SK00000000000000000000000000000001\",\"api_url\":\"http://127.0.0.1:8081/\"");
    send_content(host, SEND("[" TEXT("x") "]"));
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    EXPECT_TEXT(request->url.ptr, "http://127.0.0.1:8081/2010-04-01/Accounts/" ACCOUNT "/Messages.json");
    EXPECT_TEXT(request->secrets[0].name.ptr, "SK00000000000000000000000000000001");
    EXPECT_TEXT(request->secrets[0].secret.ptr, "api_key_secret");
    cr_expect_eq(
        post_form(host, "/",
                  KANAL_LIT("MessageSid=SM00000000000000000000000000000011&From=%2B14155551212&Body=x"))
            ->response.code,
        200);
    channel_free(host);
}

Test(life, stop_with_everything_under_way)
{
    struct fake_host *host = channel_new(",\"number_sid\":\"" NUMBER_SID "\"");
    static const kanal_field header = { { "x-twilio-signature", 18 },
                                        { "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", 28 } };
    send_content(host, SEND("[" TEXT("x") "]"));
    fake_provision(host, BASE, 1);
    fake_http_pending(host, "POST",
                      "/?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                      &header, 1, kanal_str_of(NULL, 0));
    cr_expect_eq(fake_request_count(host), 2);
    channel_free(host);
}

Test(life, without_a_public_url_nothing_is_asked_to_be_told)
{
    static const char *const secrets[][2] = { { "auth_token", TOKEN } };
    const struct fake_options options = { .settings =
                                              "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"" OURS "\"}",
                                          .secrets = secrets,
                                          .secret_count = 1,
                                          .flags = FAKE_NO_PUBLIC_URL };
    struct fake_host *host = fake_new_with(kanal_plugin_v1(), &options);
    cr_expect(fake_logged(host, "http.public_url"));
    send_content(host, SEND("[" TEXT("x") "]"));
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "StatusCallback"), "");
    EXPECT_TEXT(call_text(&call, "Body"), "x");
    call_free(&call);
    channel_free(host);
}

static kanal_status finished(struct fake_host *host, kanal_op op)
{
    cr_assert(fake_answer(host, op)->answered);
    return fake_answer(host, op)->status;
}

Test(registration, the_numbers_webhooks_are_set_and_taken_away)
{
    struct fake_host *host = channel_new(",\"number_sid\":\"" NUMBER_SID "\"");
    kanal_op op = fake_provision(host, BASE "/", 1);
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "IncomingPhoneNumbers/" NUMBER_SID ".json");
    EXPECT_TEXT(call_text(&call, "SmsUrl"), BASE "/" AGAIN);
    EXPECT_TEXT(call_text(&call, "VoiceUrl"), BASE "/voice" AGAIN);
    EXPECT_TEXT(call_text(&call, "StatusCallback"), BASE "/call" AGAIN);
    EXPECT_TEXT(call_text(&call, "SmsMethod"), "POST");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"sid\":\"" NUMBER_SID "\"}");
    cr_expect_eq(finished(host, op), KANAL_OK);
    op = fake_provision(host, BASE, 0);
    call = call_only(host);
    EXPECT_TEXT(call_text(&call, "SmsUrl"), "");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"sid\":\"" NUMBER_SID "\"}");
    cr_expect_eq(finished(host, op), KANAL_OK);
    channel_free(host);
}

Test(registration, by_hand_without_the_numbers_sid)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = fake_provision(host, BASE, 1);
    cr_expect_eq(fake_request_count(host), 0);
    cr_expect_eq(finished(host, op), KANAL_OK);
    cr_expect(fake_logged(host, BASE));
    channel_free(host);
}

Test(registration, what_is_worth_trying_again_says_so)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } answers[] = { { 400, ERROR(21401, "Invalid Phone Number"), KANAL_E_REJECTED },
                    { 401, ERROR(20003, "Authenticate"), KANAL_E_DENIED },
                    { 429, ERROR(20429, "Too Many Requests"), KANAL_E_BUSY },
                    { 502, "", KANAL_E_NETWORK } };
    struct fake_host *host = channel_new(",\"number_sid\":\"" NUMBER_SID "\"");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        kanal_op op = fake_provision(host, BASE, 1);
        fake_request_answer(host, 0, answers[i].code, answers[i].body);
        cr_expect_eq(finished(host, op), answers[i].expected, "%s", answers[i].body);
    }
    channel_free(host);
}

Test(media, the_accounts_own_files_are_fetched_with_its_credentials)
{
    static const char *const wrong[] = { "https://evil.example/x",
                                         "Messages/../../AC2/x",
                                         "Messages//../x",
                                         "Calls/CA1",
                                         "Messages/MM1/Media/ME1?x=1",
                                         "Messages/.x",
                                         "" };
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer = fake_answer(
        host,
        fake_media(host,
                   "Messages/MM00000000000000000000000000000021/Media/ME00000000000000000000000000000001"));
    cr_assert(answer->answered && answer->status == KANAL_OK);
    EXPECT_TEXT(answer->location.url.ptr,
                "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                "/Messages/MM00000000000000000000000000000021/Media/ME00000000000000000000000000000001");
    cr_assert_eq(answer->location.secret_count, 1);
    cr_expect_eq(answer->location.secrets[0].where, KANAL_IN_BASIC);
    EXPECT_TEXT(answer->location.secrets[0].secret.ptr, "auth_token");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(fake_answer(host, fake_media(host, wrong[i]))->status, KANAL_E_NOT_FOUND, "%s",
                     wrong[i]);
    channel_free(host);
}

Test(media, urls_that_are_not_below_the_account_are_not_fetched)
{
    struct fake_host *host = tell("mms-elsewhere", 0);
    EXPECT_TEXT(event_value(host, 0, "message/content/0/ref"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/unavailable"), "failed");
    channel_free(host);
    host = tell("mms", 0);
    const kanal_str data = fake_event_at(host, 0)->event.data;
    cr_expect(!memmem(data.ptr, data.len, "api.twilio.com", 14), "Twilio's URL is not told");
    channel_free(host);
}
