/* What only Instagram has; the rest is in ../../meta/test/page_test.c. */
#include "../../meta/test/page_test.h"

const struct meta_test meta_test = {
    .settings = "{\"account_id\":\"17841405822304914\"}",
    .api = "https://graph.instagram.com/v24.0/",
    .self = "me?fields=id,username",
    .address = "instagram:17841405822304914/6543210987654321",
    .chat = "6543210987654321",
};
const char *const sent_answer = "{\"recipient_id\":\"6543210987654321\",\"message_id\":\"aWdfSENT\"}";
const char *const sent_id = "aWdfSENT";
const struct page_test page_test = { .fixtures = 25, .foreign = "other-account" };

Test(instagram, links_name_the_user)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    call_answer(host, meta_test.self, 200, "{\"id\":\"17841405822304914\",\"username\":\"kanal.coffee\"}");
    EXPECT_TEXT(fake_link_template(host).ptr, "https://ig.me/m/kanal.coffee?ref={ref}");
    channel_free(host);
}

Test(instagram, stories)
{
    struct fake_host *host = tell("story-reply");
    EXPECT_TEXT(event_value(host, 0, "message/story/external_id"), "18012345678901234");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Красота!");
    channel_free(host);
    host = tell("story-mention");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/ref"),
                "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=2&signature=A");
    EXPECT_TEXT(event_value(host, 0, "message/story/url"),
                "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=2&signature=A");
    channel_free(host);
}

Test(instagram, a_read_names_its_message)
{
    struct fake_host *host = tell("read");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.read");
    EXPECT_TEXT(fake_event_at(host, 0)->event.external_id.ptr, "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlETARGET");
    channel_free(host);
}

Test(instagram, reactions)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, "message.react", "aWdfA", "{\"reactions\":[{\"emoji\":\"❤️\"}]}");
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "sender_action"), "react");
    EXPECT_TEXT(call_text(&call, "payload"), "{\"message_id\":\"aWdfA\",\"reaction\":\"love\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"recipient_id\":\"1\"}");
    expect_sent(host, op, "aWdfA");
    channel_free(host);
    expect_refused("message.react", "aWdfA", "{\"reactions\":[{\"emoji\":\"👍\"}]}", "unsupported_content");
    expect_refused("message.react", NULL, "{\"reactions\":[]}", "message_not_found");
}

Test(instagram, what_only_messenger_can)
{
    char data[2400] = "{\"content\":[{\"type\":\"text\",\"text\":\"";
    expect_refused("message.send", NULL, SEND("[{\"type\":\"file\",\"url\":\"https://x.ru/a\"}]"),
                   "unsupported_content");
    expect_refused(
        "message.send", NULL,
        SEND("[" TEXT("?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"options\":[{\"text\":\"x\","
                           "\"request\":\"contact\"}]}]"),
        "unsupported_content");
    size_t n = strlen(data);
    for (size_t i = 0; i < 501; i++, n += 2)
        memcpy(data + n, "ж", 2);
    memcpy(data + n, "\"}]}", 5);
    expect_refused("message.send", NULL, data, "payload_too_large");
}
