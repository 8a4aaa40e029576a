/* Starting, stopping, settings, media. */
#include "test/capture.h"

static const char *const secrets[][2] = { { "token", "vk1.a.Token" }, { "secret", "Secret7Key" } };

Test(life, stop_with_everything_under_way)
{
    size_t len;
    char *event = fixture_read(FIXTURES, "press", &len);
    struct fake_host *host = channel_new(NULL);
    send_content(host, SEND("[" TEXT("x") "]"));
    send_content(host, SEND("[{\"type\":\"image\",\"url\":\"https://x.example/a.jpg\"}]"));
    post(host, kanal_str_of(event, len));
    fake_http_pending(host, "POST", "/", NULL, 0,
                      kanal_str_of(event, len)); /* its secret is being compared */
    cr_expect_eq(fake_request_count(host), 3);
    free(event);
    channel_free(host); /* every op answered, nothing leaked */
}

static void expect_link(const char *answer, const char *wanted)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{\"group_id\":5}", secrets, 2);
    fake_request_answer(host, 0, 200, answer);
    cr_expect(kanal_str_is(fake_link_template(host), wanted), "%s", answer);
    cr_expect_eq(fake_free(host), 0);
}

Test(life, links_name_the_community)
{
    expect_link("{\"response\":{\"groups\":[{\"id\":5,\"name\":\"x\",\"screen_name\":\"coffee\"}]}}",
                "https://vk.me/coffee?ref={ref}");
    expect_link("{\"response\":[{\"id\":5,\"name\":\"x\"}]}", "https://vk.me/club5?ref={ref}");
    expect_link("{\"response\":{\"groups\":[{\"id\":6,\"screen_name\":\"other\"}]}}", "");
}

Test(life, what_is_cut_off_is_unknown_only_if_it_was_a_message)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op message = send_content(host, SEND("[" TEXT("x") "]"));
    kanal_op upload = send_content(host, SEND("[{\"type\":\"image\",\"url\":\"https://x.example/a.jpg\"}]"));
    fake_request_fail(host, 0, KANAL_E_CANCELLED);
    fake_request_fail(host, 0, KANAL_E_CANCELLED);
    cr_expect_eq(result_of(host, message)->outcome, KANAL_UNKNOWN);
    cr_expect_eq(result_of(host, upload)->outcome, KANAL_RETRY);
    channel_free(host);
}

Test(life, settings_are_checked)
{
    cr_expect_null(fake_new(kanal_plugin_v1(), "{\"group_id\":5,\"api_url\":\"ftp://x\"}", secrets, 2));
    cr_expect_null(fake_new(kanal_plugin_v1(), "{\"group_id\":0}", secrets, 2));
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), "{\"group_id\":5,\"api_url\":\"http://127.0.0.1:8081/\"}", secrets, 2);
    EXPECT_TEXT(fake_request_at(host, 0)->request.url.ptr, "http://127.0.0.1:8081/method/groups.getById");
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    cr_expect_eq(fake_health(host), KANAL_OK, "VK may come back");
    cr_expect_eq(fake_free(host), 0);
}

Test(life, the_token_is_proved_early)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{\"group_id\":5}", secrets, 2);
    call_answer(host, "groups.getById", 200, ERROR(5, "User authorization failed"));
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    cr_expect_eq(fake_free(host), 0);
    host = fake_new(kanal_plugin_v1(), "{\"group_id\":5}", secrets, 2);
    call_answer(host, "groups.getById", 200, "{\"response\":{\"groups\":[{\"id\":6}]}}");
    cr_expect_eq(fake_health(host), KANAL_E_DENIED, "the token is of another community");
    cr_expect_eq(fake_free(host), 0);
}

Test(media, files_have_urls_of_their_own)
{
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer =
        fake_answer(host, fake_media(host, "https://sun9-12.userapi.com/impg/a.jpg?size=1x1"));
    cr_assert(answer->answered && answer->status == KANAL_OK);
    EXPECT_TEXT(answer->location.url.ptr, "https://sun9-12.userapi.com/impg/a.jpg?size=1x1");
    cr_expect_eq(answer->location.secret_count, 0, "the token goes to the API only");
    static const char *const wrong[] = { "", "file:///etc/passwd", "https://user:pass@vk.com/x", "a b" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(fake_answer(host, fake_media(host, wrong[i]))->status, KANAL_E_NOT_FOUND, "%s",
                     wrong[i]);
    channel_free(host);
}
