#include <criterion/criterion.h>
#include <stdio.h>

#include "handoff/reference.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define TOKEN "k_aaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbb"

/* data: further members of the event's data. */
static enum token_kind find(const char *type, const char *data, struct token_found *ret_found)
{
    static char kept[64];
    char json[4096];
    yyjson_doc *document = NULL;
    struct projected event;
    snprintf(json, sizeof json,
             "{\"specversion\":\"1.0\",\"id\":\"e_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"type\":\"%s\",\"source\":"
             "\"urn:kanal:kanal:shop\","
             "\"subject\":\"a_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"time\":\"2026-11-21T20:53:05.000Z\","
             "\"recordedtime\":\"2026-11-21T20:53:05.412Z\","
             "\"data\":{\"channel\":{\"id\":\"shop\",\"plugin\":\"probe\"},\"customer\":{\"id\":\"c_"
             "aaaaaaaaaaaaaaaaaaaaaaaaaa\","
             "\"node\":\"a_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"address\":\"probe:anna\"}%s%s}}",
             type, *data ? "," : "", data);
    char subject[128];
    snprintf(subject, sizeof subject, "kanal.events.probe.shop.%s.a_aaaaaaaaaaaaaaaaaaaaaaaaaa", type);
    cr_assert_eq(projected_read(&event, PROJECTED_EVENTS, kanal_str_c(subject), kanal_str_c(json), &document),
                 0, "%s", json);
    enum token_kind kind = reference_find(&event, ret_found);
    if (kind != TOKEN_NONE)
        ret_found->text = kanal_str_keep(kept, sizeof kept, ret_found->text);
    yyjson_doc_free(document);
    return kind;
}

static void expect(const char *type, const char *data, enum token_kind wanted)
{
    struct token_found found = { 0 };
    cr_expect_eq(find(type, data, &found), wanted, "%s %s", type, data);
    if (wanted == TOKEN_WHOLE)
        cr_expect(kanal_str_is(found.text, TOKEN), "%s", data);
}

Test(reference, in_a_referral)
{
    expect("conversation.started", "\"referral\":{\"payload\":\"" TOKEN "\"}", TOKEN_WHOLE);
    expect("message.received", "\"message\":{\"content\":[]},\"referral\":{\"payload\":\"" TOKEN "\"}",
           TOKEN_WHOLE);
    expect("conversation.started", "\"referral\":{\"payload\":\"k_summer\"}", TOKEN_DAMAGED);
    expect("conversation.started", "\"referral\":{\"payload\":\"summer\"}", TOKEN_NONE);
    expect("conversation.started", "\"referral\":{\"payload\":\" " TOKEN "\"}",
           TOKEN_NONE); /* a payload is the reference */
    expect("conversation.started", "", TOKEN_NONE);
    expect("call.missed", "\"referral\":{\"payload\":\"" TOKEN "\"}", TOKEN_NONE);
}

Test(reference, said_by_the_core)
{
    expect("conversation.started",
           "\"referral\":{\"payload\":\"" TOKEN
           "\",\"link\":\"k_aaaaaaaaaaaaaaaaaaaaaaaaaa\"},\"context\":{}",
           TOKEN_NONE);
}

Test(reference, in_what_was_written)
{
    expect("message.received",
           "\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Hello! " TOKEN "\"}]}", TOKEN_WHOLE);
    expect("message.received",
           "\"message\":{\"subject\":\"Re: [" TOKEN "]\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
           TOKEN_WHOLE);
    expect("message.received", "\"message\":{\"subject\":\"" TOKEN "\"}", TOKEN_WHOLE);
    expect("message.received",
           "\"message\":{\"content\":[{\"type\":\"text\",\"markup\":\"html\",\"text\":\"<b>x</"
           "b>\",\"plain\":\"" TOKEN "\"}]}",
           TOKEN_WHOLE);
    expect("message.received",
           "\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"" TOKEN
           "a\"},{\"type\":\"text\",\"text\":\"" TOKEN "\"}]}",
           TOKEN_WHOLE);
    expect("message.received", "\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"" TOKEN "a\"}]}",
           TOKEN_DAMAGED);
    expect("message.received", "\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"k_summer\"}]}",
           TOKEN_NONE);
    expect("message.received", "\"message\":{\"content\":[{\"type\":\"image\",\"caption\":\"" TOKEN "\"}]}",
           TOKEN_NONE);
    expect("message.edited", "\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"" TOKEN "\"}]}",
           TOKEN_NONE);
    expect("message.received", "\"message\":{\"content\":{\"type\":\"text\",\"text\":\"" TOKEN "\"}}",
           TOKEN_NONE);
    expect("message.received", "\"message\":7", TOKEN_NONE);
}

Test(reference, of_others)
{
    expect("message.received",
           "\"message\":{\"forwarded\":{},\"subject\":\"" TOKEN
           "\",\"content\":[{\"type\":\"text\",\"text\":\"" TOKEN "\"}]}",
           TOKEN_NONE);
    expect("message.received",
           "\"chat\":{\"id\":\"1\",\"kind\":\"group\"},\"message\":{\"content\":[{\"type\":\"text\",\"text\":"
           "\"" TOKEN "\"}]}",
           TOKEN_NONE);
    expect("conversation.started",
           "\"chat\":{\"id\":\"1\",\"kind\":\"group\"},\"referral\":{\"payload\":\"" TOKEN "\"}", TOKEN_NONE);
    expect("conversation.started",
           "\"chat\":{\"id\":\"1\",\"kind\":\"private\"},\"referral\":{\"payload\":\"" TOKEN "\"}",
           TOKEN_WHOLE);
}
