/* Files of the visitor: upload, ticket, message, link. */
#include <stdio.h>
#include "../filetype.h"
#include "../session.h"
#include "support.h"

#define PNG "\x89PNG\r\n\x1a\nrest"

struct posted {
    int code;
    char ticket[2048], error[32], url[256];
};

static struct posted post(struct fake_host *host, const char *origin, const char *token, const char *type,
                          const char *name, kanal_str body)
{
    char bearer[256];
    struct posted posted = { 0 };
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    kanal_field headers[] = { { KANAL_LIT("origin"), kanal_str_c(origin) },
                              { KANAL_LIT("authorization"), kanal_str_c(bearer) },
                              { KANAL_LIT("content-type"), kanal_str_c(type) },
                              { KANAL_LIT("x-filename"), kanal_str_c(name) } };
    const struct fake_answer *answer =
        fake_answer(host, fake_http(host, "POST", "/upload", headers, 4, body));
    yyjson_doc *doc = kanal_json_parse(answer->response.body);

    cr_assert(answer->answered);
    posted.code = answer->response.code;
    snprintf(posted.ticket, sizeof posted.ticket, "%s", doc_text(doc, "/ticket"));
    snprintf(posted.error, sizeof posted.error, "%s", doc_text(doc, "/error"));
    snprintf(posted.url, sizeof posted.url, "%s", doc_text(doc, "/url"));
    if (posted.code != 403)
        cr_expect(kanal_str_is(kanal_field_get(answer->response.headers, answer->response.header_count,
                                               "access-control-allow-origin"),
                               origin));
    yyjson_doc_free(doc);
    return posted;
}

Test(upload, a_file_is_kept_and_goes_into_a_message)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), tab = visit_new(host, visit.token);
    struct posted posted =
        post(host, ORIGIN, visit.token, "image/PNG; charset=x", "..%2Fcup%20%D1%8F.png", KANAL_LIT(PNG));
    const struct fake_event *received;

    cr_assert_eq(posted.code, 201);
    cr_assert(kanal_str_starts(kanal_str_c(posted.url), "https://hub.example.com/m/"));
    page_say(host, visit.page,
             "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\",\"text\":\"my cup\"}",
             posted.ticket);
    cr_assert_str_eq(page_hear_text(host, visit.page, "ack", "id"), "message-1");
    received = event_of(host, "message.received", 0);
    cr_assert_str_eq(event_text(received, "/message/content/0/type"), "image");
    cr_assert_str_eq(event_text(received, "/message/content/0/ref"), "blob:1");
    cr_assert_str_eq(event_text(received, "/message/content/0/mime"), "image/png");
    cr_assert_str_eq(event_text(received, "/message/content/0/name"), "cup я.png");
    cr_assert_str_eq(event_text(received, "/message/content/0/size"), "12");
    cr_assert_str_eq(event_text(received, "/message/content/0/caption"), "my cup");
    /* the browser gets no reference, and asks for the address when it shows the file */
    yyjson_doc *frame = page_hear(host, tab.page, "message");
    cr_assert(yyjson_is_true(yyjson_doc_ptr_get(frame, "/item/content/0/held")));
    cr_assert_null(yyjson_doc_ptr_get(frame, "/item/content/0/ref"));
    yyjson_doc_free(frame);
    page_say(host, tab.page, "{\"type\":\"link\",\"id\":\"message-1\",\"part\":0}");
    cr_assert_str_eq(page_hear_text(host, tab.page, "link", "url"), posted.url);
    chat_free(host);
}

Test(upload, wrong_requests_are_refused)
{
    struct fake_host *host = chat_new("\"upload_bytes\":100");
    struct visit visit = visit_new(host, NULL);
    char forged[128];
    const kanal_str png = KANAL_LIT(PNG);
    static const char big[101] = PNG;
    static const struct {
        const char *type;
        int code;
    } types[] = { { "text/html", 415 }, { "image/svg+xml", 415 },   { "application/x-msdownload", 415 },
                  { "", 415 },          { "image", 415 },           { "image/", 415 },
                  { "image/gif", 415 }, { "application/pdf", 415 }, { "image/png/x", 415 } };

    make_token("another secret", visit.visitor, forged);
    cr_assert_str_eq(post(host, ORIGIN, forged, "image/png", "x", png).error, "bad_token");
    cr_assert_str_eq(post(host, ORIGIN, "nonsense", "image/png", "x", png).error, "bad_token");
    cr_assert_eq(post(host, ORIGIN, forged, "image/png", "x", png).code, 401);
    cr_assert_eq(post(host, "https://evil.example", visit.token, "image/png", "x", png).code, 403);
    cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", kanal_str_of(big, sizeof big)).code, 413);
    cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", KANAL_LIT("")).code, 400);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_eq(post(host, ORIGIN, visit.token, types[i].type, "x", png).code, types[i].code, "%s",
                     types[i].type);
    fake_fail_blob(host, KANAL_E_NETWORK);
    cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", png).code, 503);
    chat_free(host);
}

Test(upload, what_a_browser_would_run_is_never_taken)
{
    static const char *const types[] = { "text/html", "image/svg+xml", "text/javascript",
                                         "application/xhtml+xml", "text/xml" };
    struct fake_host *host =
        chat_new("\"upload_types\":[\"text/*\",\"image/*\",\"application/*\",\"image/svg+xml\"]");
    struct visit visit = visit_new(host, NULL);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_eq(post(host, ORIGIN, visit.token, types[i], "x", KANAL_LIT("<x>")).code, 415, "%s",
                     types[i]);
    cr_assert_eq(post(host, ORIGIN, visit.token, "text/css2", "x", KANAL_LIT("<x>")).code, 201);
    chat_free(host);
}

Test(upload, files_of_one_visitor_are_limited)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), other = visit_new(host, NULL);

    for (int i = 0; i < 10; i++)
        cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", KANAL_LIT(PNG)).code, 201);
    cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", KANAL_LIT(PNG)).code, 429);
    cr_assert_eq(post(host, ORIGIN, other.token, "image/png", "x", KANAL_LIT(PNG)).code, 201);
    chat_free(host);
}

Test(upload, a_ticket_serves_its_own_visitor_only_and_for_a_day)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), stranger = visit_new(host, NULL);
    struct posted posted = post(host, ORIGIN, visit.token, "image/png", "cup.png", KANAL_LIT(PNG));
    char damaged[2048];

    page_say(host, stranger.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\"}",
             posted.ticket);
    cr_assert_str_eq(page_hear_text(host, stranger.page, "error", "code"), "bad_file");
    snprintf(damaged, sizeof damaged, "%s", posted.ticket);
    damaged[10] = damaged[10] == 'A' ? 'B' : 'A';
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\"}", damaged);
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_file");
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\"}",
             visit.token); /* no ticket */
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_file");
    cr_assert_eq(fake_event_count(host), 0);
    fake_advance(host, 25 * 3600000);
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\"}", posted.ticket);
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_file");
    chat_free(host);
}

Test(upload, a_forged_ticket_opens_nobodys_file)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    struct posted posted = post(host, ORIGIN, visit.token, "image/png", "cup.png", KANAL_LIT(PNG));
    struct session_ticket ticket = { .reference = "blob:2", .mime = "image/png", .name = "x", .size = 1 };
    struct kanal_buffer forged = { 0 };

    ticket.at_ms = 1795294385000;
    memcpy(ticket.visitor, visit.visitor, SESSION_VISITOR_LEN);
    session_ticket_begin(&forged, &ticket);
    kanal_buffer_text(&forged, strrchr(posted.ticket, '.')); /* the signature of another */
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%.*s\"}",
             (int)forged.len, forged.data);
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_file");
    cr_assert_eq(fake_event_count(host), 0);
    kanal_buffer_release(&forged);
    chat_free(host);
}

Test(upload, a_ticket_is_no_token)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    struct posted posted = post(host, ORIGIN, visit.token, "image/png", "cup.png", KANAL_LIT(PNG));
    kanal_op page = page_open(host);

    page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", posted.ticket);
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "bad_token");
    chat_free(host);
}

Test(upload, links_are_given_for_own_files_only)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), stranger = visit_new(host, NULL);
    struct posted posted = post(host, ORIGIN, visit.token, "image/png", "cup.png", KANAL_LIT(PNG));

    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"file\":\"%s\"}", posted.ticket);
    page_hear_text(host, visit.page, "ack", "id");
    page_say(host, stranger.page, "{\"type\":\"link\",\"id\":\"message-1\",\"part\":0}");
    cr_assert_str_eq(page_hear_text(host, stranger.page, "link", "url"), "");
    page_say(host, visit.page, "{\"type\":\"link\",\"id\":\"message-1\",\"part\":1}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "link", "url"), "");
    fake_fail_blob(host, KANAL_E_NETWORK);
    page_say(host, visit.page, "{\"type\":\"link\",\"id\":\"message-1\",\"part\":0}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "link", "url"), "");
    chat_free(host);
}

Test(upload, preflight_names_what_is_allowed)
{
    struct fake_host *host = chat_new(NULL);
    kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    const struct fake_answer *answer =
        fake_answer(host, fake_http(host, "OPTIONS", "/upload", &origin, 1, kanal_str_c(NULL)));

    cr_assert_eq(answer->response.code, 204);
    cr_assert(kanal_str_is(kanal_field_get(answer->response.headers, answer->response.header_count,
                                           "access-control-allow-origin"),
                           ORIGIN));
    origin.value = KANAL_LIT("https://evil.example");
    answer = fake_answer(host, fake_http(host, "OPTIONS", "/upload", &origin, 1, kanal_str_c(NULL)));
    cr_assert_eq(answer->response.code, 403);
    cr_assert_null(kanal_field_get(answer->response.headers, answer->response.header_count,
                                   "access-control-allow-origin")
                       .ptr);
    chat_free(host);
}

Test(upload, can_be_switched_off)
{
    struct fake_host *host = chat_new("\"upload_bytes\":0");
    struct visit visit = visit_new(host, NULL);

    cr_assert_eq(post(host, ORIGIN, visit.token, "image/png", "x", KANAL_LIT(PNG)).code, 403);
    chat_free(host);
}

Test(upload, names_are_made_safe)
{
    static const struct {
        const char *given, *expected;
    } names[] = { { "cup.png", "cup.png" },
                  { "", "file" },
                  { "..", "file" },
                  { "%2E%2E%2Fetc%2Fpasswd", "passwd" },
                  { "C%3A%5Ca%5Cb.txt", "b.txt" },
                  { "a%00b%0Ac", "abc" },
                  { "%E2%80%AEgpj.exe", "gpj.exe" },
                  { "%FF%FE", "file" },
                  { "%zz", "file" },
                  { "%3Cb%3E.txt", "b.txt" },
                  { "%C2%85x", "x" } };
    struct kanal_buffer out = { 0 };
    char longer[601];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        kanal_buffer_clear(&out);
        filetype_name(kanal_str_c(names[i].given), &out);
        cr_expect(kanal_str_is(kanal_buffer_view(&out), names[i].expected), "%s: %.*s", names[i].given,
                  (int)out.len, out.data);
    }
    for (int i = 0; i < 200; i++)
        memcpy(longer + 3 * i, "\xe2\x82\xac", 3);
    longer[600] = '\0';
    kanal_buffer_clear(&out);
    filetype_name(kanal_str_c(longer), &out);
    cr_assert_eq(out.len, 198); /* whole characters only */
    kanal_buffer_release(&out);
}
