/* Updates to events: every fixture against its golden file (fixtures/expected/NAME.json; KANAL_WRITE_GOLDEN=1
 * writes them anew, for a person to read), and by hand what matters most. */
#include "test/capture.h"

/* ---- Every fixture ---- */

static struct fake_host *tell(const char *name)
{
    size_t len;
    char *update = read_fixture(name, &len);
    struct fake_host *host = channel_new(NULL);
    cr_assert_eq(post_update(host, update, len), 200, "%s is not answered with 200", name);
    free(update);
    return host;
}

static void check_fixture(const char *name, void *user)
{
    struct fake_host *host = tell(name);
    (void)user;
    fixture_check(host, FIXTURES, name);
    channel_free(host);
}

Test(update, every_fixture_tells_what_its_golden_file_says)
{
    size_t count = fixture_each(FIXTURES, check_fixture, NULL);
    cr_expect_geq(count, 80, "only %zu fixtures were found", count);
}

/* ---- By hand ---- */

static void expect_event(struct fake_host *host, size_t index, const char *type, const char *address,
                         const char *chat, const char *external_id)
{
    cr_assert_lt(index, fake_event_count(host));
    const kanal_event *event = &fake_event_at(host, index)->event;
    EXPECT_TEXT(event->type.ptr, type);
    EXPECT_TEXT(event->address.ptr, address);
    cr_expect(kanal_str_is(event->chat, chat), "chat is %.*s, not %s", (int)event->chat.len, event->chat.ptr,
              chat);
    cr_expect(kanal_str_is(event->external_id, external_id), "external_id is %.*s, not %s",
              (int)event->external_id.len, event->external_id.ptr, external_id);
}

Test(update, a_text_says_who_where_when_and_what)
{
    struct fake_host *host = tell("text");
    cr_assert_eq(fake_event_count(host), 1);
    expect_event(host, 0, "message.received", "telegram:3527065", "3527065", "3527065/1000");
    const kanal_event *event = &fake_event_at(host, 0)->event;
    EXPECT_TEXT(event->dedupe.ptr, "870000100");
    cr_expect_eq(event->time_ms, INT64_C(1795300007000));
    cr_expect(event->raw.len > 100, "the raw payload is there for those who keep it");
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the 200 waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), "text");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"),
                "Здравствуйте! Самовар ещё в наличии? 🫖");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/markup"), "");
    EXPECT_TEXT(event_value(host, 0, "customer/name"), "Анна Каренина");
    EXPECT_TEXT(event_value(host, 0, "customer/username"), "anna_k");
    EXPECT_TEXT(event_value(host, 0, "customer/locale"), "ru");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "private");
    EXPECT_TEXT(event_value(host, 0, "author"), "");
    channel_free(host);
}

Test(update, entities_become_html_at_their_utf16_offsets)
{
    struct fake_host *host = tell("text-entities");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/markup"), "html");
    const char *html = event_value(host, 0, "message/content/0/text");
    const char *const pieces[] = {
        "👋🏽 Привет, @anna_k и <a href=\"tg://user?id=5000000123\">Борис</a>!",
        "<b>жирный и <i>косой</i></b>",
        "<span class=\"spoiler\">скрыто</span>",
        "<s>зачёркнуто</s>",
        "<u>подчёркнуто</u>",
        "<code>x&lt;y</code>",
        "<pre>int main(void);</pre>",
        "<a href=\"https://example.ru/?q=&quot;1&quot;&amp;r=&lt;2&gt;\">ссылка</a> 😀",
        "<blockquote>цитата\nещё строка</blockquote> &lt;тег&gt; &amp; &quot;кавычки&quot;",
        "https://example.ru/s?a=1&amp;b=2",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        cr_expect(strstr(html, pieces[i]), "there is no %s in %s", pieces[i], html);
    cr_expect(strstr(event_value(host, 0, "message/content/0/plain"), "ссылка 😀 конец"));
    channel_free(host);
    host = tell("text-entities-overlap");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "<b>один <i>два</i></b><i> три</i>");
    channel_free(host);
}

Test(update, of_a_photo_the_largest_size_is_taken)
{
    struct fake_host *host = tell("photo");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), "image");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/ref"), "AgACAgIAAxkBAAIBcmUAAT-large");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/external_id"), "AQADlarge");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/width"), "1280");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/caption"), "Вот такой, <b>с медалями</b>");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/caption_markup"), "html");
    channel_free(host);
}

Test(update, a_file_over_20_mb_cannot_be_fetched_and_says_so)
{
    struct fake_host *host = tell("document-large");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/ref"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/unavailable"), "too_large");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/size"), "2254857830");
    channel_free(host);
}

Test(update, media_have_their_kind)
{
    static const char *const expected[][3] = {
        { "video", "video", "BAACAgIAAxkBAAIBd-video" },
        { "animation", "video", "CgACAgQAAxkBAAIBe-anim" },
        { "video-note", "video", "DQACAgIAAxkBAAIBf-note" },
        { "audio", "audio", "CQACAgIAAxkBAAIBg-audio" },
        { "voice", "voice", "AwACAgIAAxkBAAIBh-voice" },
        { "document", "file", "BQACAgIAAxkBAAIBi-doc" },
        { "sticker", "sticker", "CAACAgIAAxkBAAIBl-st" },
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct fake_host *host = tell(expected[i][0]);
        EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), expected[i][1]);
        EXPECT_TEXT(event_value(host, 0, "message/content/0/ref"), expected[i][2]);
        EXPECT_TEXT(event_value(host, 0, "message/content/1"), "");
        channel_free(host);
    }
}

Test(update, a_callback_query_is_an_answer_and_its_spinner_is_stopped)
{
    struct fake_host *host = tell("callback");
    expect_event(host, 0, "message.received", "telegram:3527065", "3527065", "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), "answer");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/kind"), "button");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/payload"), "ORDER_YES");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Да");
    EXPECT_TEXT(event_value(host, 0, "message/reply_to/external_id"), "3527065/991");
    struct call call = call_only(host); /* the 200 did not wait for it */
    EXPECT_TEXT(call.method, "answerCallbackQuery");
    EXPECT_TEXT(call_text(&call, "callback_query_id"), "4382bfdwdsb323b2d9");
    cr_expect_eq(fake_request_at(host, 0)->cause, fake_event_at(host, 0)->cause);
    call_free(&call);
    fake_request_answer(
        host, 0, 400, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: query is too old\"}");
    channel_free(host);
}

Test(update, a_start_link_begins_a_conversation)
{
    struct fake_host *host = tell("start-payload");
    cr_assert_eq(fake_event_count(host), 2);
    expect_event(host, 0, "conversation.started", "telegram:3527065", "3527065", "");
    EXPECT_TEXT(fake_event_at(host, 1)->event.type.ptr, "message.received");
    EXPECT_TEXT(event_value(host, 1, "message/content/0/text"), "/start order-512_aZ");
    EXPECT_TEXT(event_value(host, 0, "referral/payload"), "order-512_aZ");
    EXPECT_TEXT(event_value(host, 1, "referral/payload"), "order-512_aZ");
    cr_expect_str_neq(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 1)->event.dedupe.ptr);
    channel_free(host);
    host = tell("start-group");
    EXPECT_TEXT(event_value(host, 0, "referral/payload"), "promo7");
    EXPECT_TEXT(event_value(host, 1, "message/mentioned"), "true");
    channel_free(host);
    host = tell("command");
    cr_expect_eq(fake_event_count(host), 1);
    channel_free(host);
}

Test(update, blocking_and_unblocking_is_consent)
{
    struct fake_host *host = tell("blocked");
    cr_assert_eq(fake_event_count(host), 1);
    expect_event(host, 0, "consent.withdrawn", "telegram:3527065", "3527065", "");
    EXPECT_TEXT(event_value(host, 0, "reason"), "blocked");
    EXPECT_TEXT(event_value(host, 0, "consent/0/given"), "false");
    EXPECT_TEXT(event_value(host, 0, "consent/0/channel"), "fake");
    channel_free(host);
    host = tell("unblocked");
    expect_event(host, 0, "consent.given", "telegram:3527065", "3527065", "");
    channel_free(host);
    host = tell("group-kicked"); /* nobody's consent */
    expect_event(host, 0, "message.received", "telegram:5000000123", "-412345678", "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/kind"), "my_chat_member");
    channel_free(host);
}

Test(update, in_groups_the_author_is_told_and_a_chat_may_speak)
{
    struct fake_host *host = tell("group-text");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "telegram:5000000123");
    EXPECT_TEXT(fake_event_at(host, 0)->event.chat.ptr, "-1001494028100");
    EXPECT_TEXT(event_value(host, 0, "author/address"), "telegram:5000000123");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "group");
    EXPECT_TEXT(event_value(host, 0, "chat/thread"), "12");
    EXPECT_TEXT(event_value(host, 0, "message/mentioned"), "true");
    channel_free(host);
    host = tell("group-anonymous-admin");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "telegram:-1001494028100");
    EXPECT_TEXT(event_value(host, 0, "author/name"), "Самовары и чайники");
    channel_free(host);
    host = tell("channel-post");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "telegram:-1001006503122");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "channel");
    channel_free(host);
}

Test(update, ones_own_contact_proves_the_number)
{
    struct fake_host *host = tell("contact-own");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/address"), "tel:+79161234567");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers/0/verified"), "true");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/own"), "true");
    channel_free(host);
    host = tell("contact-user"); /* somebody else's, who is on Telegram too */
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/own"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/address"), "telegram:5000000123");
    channel_free(host);
    host = tell("contact-other");
    EXPECT_TEXT(event_value(host, 0, "customer/identifiers"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/own"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/phones/0"), "+79160001122");
    channel_free(host);
}

Test(update, a_chat_of_a_business_account_is_another_chat)
{
    struct fake_host *host = tell("business-message");
    EXPECT_TEXT(fake_event_at(host, 0)->event.chat.ptr, "bc-1:3527065");
    cr_expect(strncmp(fake_event_at(host, 0)->event.external_id.ptr, "bc-1:3527065/", 13) == 0);
    channel_free(host);
    host = tell("business-own"); /* the owner wrote to the customer */
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.sent");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "telegram:3527065");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Я перезвоню");
    channel_free(host);
    host = tell("business-deleted");
    cr_assert_eq(fake_event_count(host), 2);
    expect_event(host, 1, "message.deleted", "telegram:3527065", "bc-1:3527065", "bc-1:3527065/1202");
    channel_free(host);
}

Test(update, reactions_replace_each_other)
{
    struct fake_host *host = tell("reaction-changed");
    expect_event(host, 0, "message.reacted", "telegram:3527065", "3527065", "3527065/990");
    EXPECT_TEXT(event_value(host, 0, "reactions"),
                "[{\"emoji\":\"👍\"},{\"custom_id\":\"5368324170671202286\"}]");
    channel_free(host);
    host = tell("reaction-removed");
    EXPECT_TEXT(event_value(host, 0, "reactions"), "[]");
    channel_free(host);
}

Test(update, what_names_nobody_is_counted_and_answered)
{
    struct fake_host *host = tell("poll"); /* the state of a poll: no user, no chat */
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "updates_ignored"), 1);
    cr_expect(fake_logged(host, "names neither a user nor a chat"));
    channel_free(host);
}

Test(update, an_update_that_cannot_be_stored_is_asked_for_again)
{
    size_t len;
    char *update = read_fixture("text", &len);
    struct fake_host *host = channel_new(NULL);
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_expect_eq(post_update(host, update, len), 503);
    fake_fail_publish(host, KANAL_OK);
    cr_expect_eq(post_update(host, update, len), 200);
    free(update);
    channel_free(host);
}

Test(update, the_route_is_closed_without_the_secret)
{
    size_t len;
    char *update = read_fixture("text", &len);
    struct fake_host *host = channel_new(NULL);
    const kanal_field wrong[] = { { KANAL_LIT("x-telegram-bot-api-secret-token"),
                                    KANAL_LIT("s3cret_tokeN") } };
    const kanal_field right[] = { { KANAL_LIT("x-telegram-bot-api-secret-token"),
                                    KANAL_LIT("s3cret_token") } };
    cr_expect_eq(
        fake_answer(host, fake_http(host, "POST", "/", NULL, 0, kanal_str_of(update, len)))->response.code,
        401);
    cr_expect_eq(
        fake_answer(host, fake_http(host, "POST", "/", wrong, 1, kanal_str_of(update, len)))->response.code,
        401);
    cr_expect_eq(
        fake_answer(host, fake_http(host, "GET", "/", right, 1, kanal_str_of(NULL, 0)))->response.code, 405);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
    static const char *const only_token[][2] = { { "token", "1:a" } };
    host = fake_new(kanal_plugin_v1(), NULL, only_token, 1);
    cr_expect_eq(
        fake_answer(host, fake_http(host, "POST", "/", right, 1, kanal_str_of(update, len)))->response.code,
        401);
    cr_expect_eq(fake_free(host), 0);
    free(update);
}
