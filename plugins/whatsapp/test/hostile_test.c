/* Hostile webhooks: they are signed, so the plugin is all that stands before them. */
#include <stdio.h>

#include "../../meta/test/support.h"

Test(hostile, any_value_may_be_any_other, .timeout = 120)
{
    cr_expect_gt(mutate_fixtures(), 5000);
}

Test(hostile, a_body_may_end_anywhere)
{
    size_t len;
    char *text = read_fixture("several", &len);
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i + 2 < len; i += 7) /* without the last '}' and '\n' */
        cr_expect_eq(post_hook(host, text, i), 400, "cut after %zu bytes", i);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_gt(fake_metric(host, "webhook_unreadable"), 0);
    free(text);
    channel_free(host);
}

Test(hostile, what_is_no_webhook_is_refused)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "5",
        "{}",
        "{\"object\":\"page\",\"entry\":[]}",
        "{\"object\":\"whatsapp_business_account\"}",
        "{\"object\":\"whatsapp_business_account\",\"entry\":{}}",
        "\xff\xfe",
        "{\"object\":\"whatsapp_business_account\",\"entry\":[\"\xc3\x28\"]}"
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        cr_expect_eq(post_hook(host, bodies[i], strlen(bodies[i])), 400, "%s", bodies[i]);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}

#define HOOK_START                                                                                           \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{" \
    "\"messages\":["
#define HOOK_END "]}}]}]}"

Test(hostile, deep_nesting_is_refused_or_left_out)
{
    struct fake_host *host = channel_new(NULL);
    for (size_t depth = 1; depth <= 200; depth += 9) {
        struct kanal_buffer out = { 0 };
        kanal_buffer_text(&out,
                          HOOK_START "{\"from\":\"79161234567\",\"id\":\"x\",\"type\":\"new\",\"new\":");
        for (size_t i = 0; i < depth; i++)
            kanal_buffer_text(&out, i % 2 ? "{\"a\":" : "[");
        kanal_buffer_text(&out, "1");
        for (size_t i = depth; i > 0; i--)
            kanal_buffer_text(&out, (i - 1) % 2 ? "}" : "]");
        kanal_buffer_text(&out, "}" HOOK_END);
        int code = post_hook(host, out.data, out.len);
        cr_expect_eq(code, depth <= 56 ? 200 : 400, "depth %zu: %d", depth, code);
        kanal_buffer_release(&out);
    }
    channel_free(host);
}

Test(hostile, a_thousand_things_at_once)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(NULL);
    kanal_buffer_text(&out, HOOK_START);
    for (size_t i = 0; i < 1000; i++) {
        char message[160];
        snprintf(
            message, sizeof message,
            "%s{\"from\":\"79161234567\",\"id\":\"wamid.%zu\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}",
            i ? "," : "", i);
        kanal_buffer_text(&out, message);
    }
    kanal_buffer_text(&out, HOOK_END);
    cr_expect_eq(post_hook(host, out.data, out.len), 200);
    cr_expect_eq(fake_event_count(host), 1000);
    kanal_buffer_release(&out);
    channel_free(host);
}

Test(hostile, long_ids_and_texts_stay_within_the_contract)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(NULL);
    kanal_buffer_text(&out, HOOK_START "{\"from\":\"79161234567\",\"id\":\"");
    for (size_t i = 0; i < 2000; i++)
        kanal_buffer_text(&out, "i");
    kanal_buffer_text(&out, "\",\"type\":\"text\",\"text\":{\"body\":\"");
    for (size_t i = 0; i < 100000; i++)
        kanal_buffer_text(&out, i % 3 ? "<" : "😀");
    kanal_buffer_text(&out, "\"}}" HOOK_END);
    cr_expect_eq(post_hook(host, out.data, out.len), 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_lt(fake_event_at(host, 0)->event.data.len, 300 * 1024);
    cr_expect_eq(fake_event_at(host, 0)->event.external_id.len, 0);
    cr_expect_eq(fake_event_at(host, 0)->event.dedupe.ptr[0], '#', "without an id, a hash of what it is");
    kanal_buffer_release(&out);
    channel_free(host);
}
