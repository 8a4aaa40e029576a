/* Hostile requests. Those with a right signature come to the parsers; those without must come no further than the form. */
#include <stdio.h>

#include "kanal/sdk/url.h"
#include "test/capture.h"

#define FORM "application/x-www-form-urlencoded"

struct trial {
    struct fake_host *host;
    const char *path;
    size_t count;
    int as_json;
};

static void expect_fine(const struct fake_answer *answer, kanal_str body)
{
    int code = answer->response.code;
    cr_assert(code == 200 || code == 204 || code == 400, "%d for %.*s", code, (int)body.len, body.ptr);
}

static void try_body(kanal_str body, void *user)
{
    struct trial *trial = user;
    struct kanal_buffer form = { 0 };
    yyjson_doc *document = kanal_json_parse(body);
    trial->count++;
    encode_form(&form, yyjson_doc_get_root(document));
    if (trial->as_json)
        expect_fine(post_json(trial->host, trial->path, body), body);
    else
        expect_fine(post_form(trial->host, trial->path, kanal_buffer_view(&form)), body);
    kanal_buffer_release(&form);
    yyjson_doc_free(document);
}

static size_t bodies;

static void mutate(const char *name, void *user)
{
    struct fixture fixture = fixture_open(name);
    struct trial trial = { .path = fixture.path, .as_json = fixture.body != NULL || *(int *)user };
    char *json = yyjson_val_write(fixture.body ? fixture.body : fixture.params, 0, NULL);
    trial.host = channel_new(fixture.settings);
    fixture_mutate(kanal_str_c(json), try_body, &trial);
    bodies += trial.count;
    channel_free(trial.host);
    free(json);
    fixture_close(&fixture);
}

/* What is published is well-formed (the fake host checks) and strictly valid by the contract (the shapes test checks the
 * events written by this run). */
Test(hostile, any_value_may_be_any_other_or_missing)
{
    int as_json = 0;
    fixture_each(FIXTURES, mutate, &as_json);
    cr_expect_gt(bodies, 8000);
}

Test(hostile, also_as_json)
{
    static const char *const names[] = { "text",           "mms-several",   "status-failed",
                                         "call-completed", "leg-completed", "recording-call" };
    int as_json = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mutate(names[i], &as_json);
    cr_expect_gt(bodies, 1000);
}

/* A cut form is another form, and a cut JSON text none. */
static void try_cut(kanal_str body, void *user)
{
    struct trial *trial = user;
    const struct fake_answer *answer = trial->as_json ? post_json(trial->host, trial->path, body)
                                                      : post_form(trial->host, trial->path, body);
    if (trial->as_json)
        cr_expect_eq(answer->response.code, 400, "cut after %zu bytes", body.len);
    else
        expect_fine(answer, body);
}

Test(hostile, a_body_may_end_anywhere)
{
    struct fixture form = fixture_open("mms-several"), stream = fixture_open("events-several");
    struct kanal_buffer text = { 0 };
    char *json = yyjson_val_write(stream.body, 0, NULL);
    struct trial trial = { .host = channel_new(NULL), .path = form.path };
    encode_form(&text, form.params);
    cr_expect_gt(fixture_truncate(kanal_buffer_view(&text), try_cut, &trial), 500);
    fake_events_clear(trial.host);
    trial.path = stream.path;
    trial.as_json = 1;
    cr_expect_gt(fixture_truncate(kanal_str_c(json), try_cut, &trial), 500);
    cr_expect_eq(fake_event_count(trial.host), 0);
    free(json);
    kanal_buffer_release(&text);
    fixture_close(&form);
    fixture_close(&stream);
    channel_free(trial.host);
}

Test(hostile, invalid_utf8_is_replaced)
{
    struct fake_host *host = channel_new(NULL);
    static const char body[] =
        "MessageSid=SM00000000000000000000000000000011&From=%2B14155551212&To=x&NumMedia=0&"
        "Body=a%FF%C3%28b%ED%A0%80&FromCity=%FE";
    cr_expect_eq(post_form(host, "/", kanal_str_c(body))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect(kanal_str_utf8(fake_event_at(host, 0)->event.data));
    cr_expect(kanal_str_starts(kanal_str_c(event_value(host, 0, "message/content/0/text")), "a\xEF\xBF\xBD"));
    cr_expect_eq(
        post_form(host, "/", KANAL_LIT("MessageSid=SM00000000000000000000000000000012&From=%FF%FE&Body=x"))
            ->response.code,
        200);
    cr_expect_eq(
        post_form(host, "/", KANAL_LIT("MessageSid=SM00000000000000000000000000000013&From=a%00b&Body=x"))
            ->response.code,
        200);
    cr_expect_eq(fake_event_count(host), 1, "a sender of no characters is nobody");
    cr_expect_eq(fake_metric(host, "events_ignored"), 2);
    channel_free(host);
}

Test(hostile, ids_that_are_none_make_no_event)
{
    static const char *const sids[] = { "",
                                        "SM1",
                                        "SM0000000000000000000000000000001",
                                        "SM000000000000000000000000000000111",
                                        "sm00000000000000000000000000000011",
                                        "SM0000000000000000000000000000001g",
                                        "SM0000000000000000000000000000%0011" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof sids / sizeof *sids; i++) {
        char body[200];
        snprintf(body, sizeof body, "MessageSid=%s&From=%%2B14155551212&Body=x", sids[i]);
        cr_expect_eq(post_form(host, "/", kanal_str_c(body))->response.code, 200);
    }
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}

Test(hostile, forms_that_are_none)
{
    struct fake_host *host = channel_new(NULL);
    struct kanal_buffer many = { 0 };
    char signature[64];
    sign(signature, BASE "/", kanal_str_of(NULL, 0));
    cr_expect_eq(post_with(host, "/", FORM, KANAL_LIT("Body=%"), signature)->response.code, 400);
    cr_expect_eq(post_with(host, "/", FORM, KANAL_LIT("%zz=1"), signature)->response.code, 400);
    for (int i = 0; i < 300; i++)
        kanal_form_add(&many, "a", KANAL_LIT("b"));
    cr_expect_eq(post_with(host, "/", FORM, kanal_buffer_view(&many), signature)->response.code, 400);
    cr_expect_eq(post_with(host, "/", FORM, kanal_str_of(NULL, 0), signature)->response.code, 200,
                 "an empty form");
    cr_expect_eq(post_json(host, "/", KANAL_LIT("[1,2]"))->response.code, 400);
    cr_expect_eq(post_json(host, "/events", KANAL_LIT("\"x\""))->response.code, 400);
    cr_expect_eq(fake_event_count(host), 0);
    kanal_buffer_release(&many);
    channel_free(host);
}

Test(hostile, what_is_too_deep_or_too_large_is_refused)
{
    struct fake_host *host = channel_new(NULL);
    struct kanal_buffer out = { 0 };
    for (int i = 0; i < 5000; i++)
        kanal_buffer_text(&out, "[{\"data\":");
    cr_expect_eq(post_json(host, "/events", kanal_buffer_view(&out))->response.code, 400);
    kanal_buffer_clear(&out);
    kanal_buffer_text(&out, "Body=");
    for (int i = 0; i < 256 * 1024; i++)
        kanal_buffer_byte(&out, 'x');
    cr_expect_eq(post_form(host, "/", kanal_buffer_view(&out))->response.code, 413);
    cr_expect_eq(fake_event_count(host), 0);
    kanal_buffer_release(&out);
    channel_free(host);
}

Test(hostile, long_texts_stay_within_the_contract)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(NULL);
    kanal_buffer_text(
        &out,
        "MessageSid=SM00000000000000000000000000000011&From=%2B14155551212&NumMedia=99999999&ProfileName=");
    for (size_t i = 0; i < 1000; i++)
        kanal_buffer_text(&out, "%D1%8F");
    kanal_buffer_text(&out, "&Body=");
    for (size_t i = 0; i < 20000; i++)
        kanal_buffer_text(&out, "%D0%B6");
    cr_expect_eq(post_form(host, "/", kanal_buffer_view(&out))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_lt(fake_event_at(host, 0)->event.data.len, 64 * 1024);
    kanal_buffer_release(&out);
    channel_free(host);
}

Test(hostile, what_the_urls_bring_back_is_bounded)
{
    static const char form[] =
        "MessageSid=SM00000000000000000000000000000051&To=%2B14155551212&MessageStatus=delivered";
    static const char *const queries[] = { "/status?c=%FF&p=1", "/status?c=%00x&p=2&n=1",
                                           "/status?c=&p=0&n=0", "/status?p=99999999999999999999&n=1",
                                           "/status?c=%zz" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        cr_expect_eq(post_form(host, queries[i], kanal_str_c(form))->response.code, 204);
        cr_expect_eq(fake_event_at(host, i)->event.command_id.len, 0, "%s", queries[i]);
        EXPECT_TEXT(event_value(host, i, "message/part"), "");
    }
    channel_free(host);
}
