/* The mailbox: cursor, folders, IDLE, polling, what goes wrong. The peer speaks IMAP from memory. */
#include <stdio.h>

#include "channel.h"
#include "test/peer.h"

#define MAIL(n)                                                                                              \
    "From: Anna <anna@example.org>\r\nSubject: mail " #n                                                     \
    "\r\nDate: Sat, 21 Nov 2026 20:53:05 +0300\r\nMessage-ID: <m" #n "@example.org>\r\n\r\ntext " #n "\r\n"
#define SETTINGS(more) "{\"address\":\"shop@example.com\",\"imap_url\":\"imaps://imap.example.com\"" more "}"

static struct peer *peer_new(const char *settings)
{
    struct peer *p = calloc(1, sizeof *p);
    p->host = peer_host(settings ? settings : SETTINGS(",\"start\":\"all\""));
    p->has_idle = 1;
    return p;
}

static void peer_end(struct peer *p)
{
    cr_assert_eq(fake_free(p->host), 0);
    peer_release(p);
    free(p);
}

static int heard(const struct peer *p, const char *text)
{
    return p->heard.len > 0 && memmem(p->heard.data, p->heard.len, text, strlen(text)) != NULL;
}

static void expect_texts(struct peer *p, size_t from, size_t count)
{
    cr_assert_eq(fake_event_count(p->host), count, "%zu events", fake_event_count(p->host));
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "text %zu", from + i);
        EXPECT_TEXT(event_value(p->host, i, "message/content/0/text"), text);
    }
}

static void lose(struct peer *p)
{
    fake_stream_close(p->host, p->stream, KANAL_E_NETWORK);
    fake_advance(p->host, 300000);
}

/* ---- The cursor ---- */

Test(session, mails_are_read_once_across_connections)
{
    struct peer *p = peer_new(NULL);
    peer_add_text(p, 3, MAIL(1));
    peer_add_text(p, 8, MAIL(2));
    peer_open(p);
    expect_texts(p, 1, 2);
    cr_expect(heard(p, "UID FETCH 3,8 (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.104857600>)"));
    lose(p);
    peer_add_text(p, 9, MAIL(3));
    kanal_buffer_clear(&p->heard);
    peer_open(p);
    expect_texts(p, 1, 3);
    cr_expect(heard(p, "UID SEARCH UID 9:*"));
    cr_expect(heard(p, "UID FETCH 9 "));
    peer_end(p);
}

/* The state is what counts, not the memory of the process. */
Test(session, links_name_the_mailbox)
{
    struct peer *p = peer_new(NULL);
    cr_expect(kanal_str_is(fake_link_template(p->host), "mailto:shop@example.com?subject={text}"), "%.*s",
              (int)fake_link_template(p->host).len, fake_link_template(p->host).ptr);
    peer_end(p);
}

Test(session, the_cursor_survives_a_restart)
{
    struct peer *p = peer_new(NULL);
    struct cursor cursor;
    peer_add_text(p, 3, MAIL(1));
    peer_open(p);
    char key[80] = "cursor/";
    const char *texts[] = { "shop@example.com", "INBOX" };

    mail_hash(key + 7, texts, 2);
    const char *state = fake_state(p->host, key);
    cr_assert_not_null(state, "%s", key);
    cr_assert_eq(cursor_read(&cursor, kanal_str_c(state)), KANAL_OK);
    cr_expect_eq(cursor.uid, 3);
    cr_expect_eq(cursor.validity, 7);
    cr_expect_eq(cursor.key_count, 1);
    fake_lease_hold(p->host, 0); /* what was in memory is forgotten */
    fake_lease_hold(p->host, 1);
    fake_advance(p->host, 300000);
    peer_add_text(p, 4, MAIL(2));
    peer_open(p);
    expect_texts(p, 1, 2);
    peer_end(p);
}

Test(session, only_what_comes_from_now_on)
{
    struct peer *p = peer_new(SETTINGS(""));
    peer_add_text(p, 3, MAIL(1));
    peer_open(p);
    cr_expect_eq(fake_event_count(p->host), 0);
    peer_add_text(p, 4, MAIL(2));
    peer_tell(p);
    expect_texts(p, 2, 1);
    peer_end(p);
}

/* The cursor moves only when the events are stored. */
Test(session, nothing_is_passed_that_is_not_stored)
{
    struct peer *p = peer_new(NULL);
    peer_add_text(p, 3, MAIL(1));
    fake_fail_publish(p->host, KANAL_E_NETWORK);
    peer_open(p);
    cr_expect_eq(fake_event_count(p->host), 0);
    cr_expect(fake_stream_at(p->host, 0)->closed, "the connection is given up");
    fake_fail_publish(p->host, KANAL_OK);
    fake_advance(p->host, 300000);
    peer_open(p);
    expect_texts(p, 1, 1);
    peer_end(p);
}

Test(session, a_cursor_that_cannot_be_stored)
{
    struct peer *p = peer_new(NULL);
    peer_add_text(p, 3, MAIL(1));
    fake_fail_state(p->host, KANAL_E_NETWORK);
    peer_open(p);
    fake_fail_state(p->host, KANAL_OK);
    fake_advance(p->host, 300000);
    peer_open(p);
    cr_expect_geq(fake_event_count(p->host), 1); /* the same dedupe key again: the host stores it once */
    for (size_t i = 0; i < fake_event_count(p->host); i++)
        cr_expect(kanal_str_equal(fake_event_at(p->host, i)->event.dedupe,
                                  fake_event_at(p->host, 0)->event.dedupe));
    peer_end(p);
}

/* Events that the host will never take: the mail is told as unsupported, the others as they are, and the cursor passes. */
Test(session, an_event_that_is_refused_for_good)
{
    struct peer *p = peer_new(NULL);
    peer_add_text(p, 3, MAIL(1));
    fake_fail_publish(p->host, KANAL_E_INVALID);
    peer_open(p);
    cr_expect_eq(fake_metric(p->host, "events_refused"), 1);
    fake_fail_publish(p->host, KANAL_OK);
    peer_add_text(p, 4, MAIL(2));
    peer_tell(p);
    expect_texts(p, 2, 1);
    peer_end(p);
}

/* Lost in the middle of a chunk, after a batch of it was stored: the rest comes, and what was stored is not told again. */
Test(session, a_connection_that_breaks_between_two_batches)
{
    static char texts[60][160];
    struct peer *p = peer_new(NULL);
    for (size_t i = 0; i < 60; i++) {
        snprintf(texts[i], sizeof texts[i], "From: a@example.org\r\nMessage-ID: <b%zu@x>\r\n\r\ntext %zu\r\n",
                 i, i);
        peer_add_text(p, 10 + i, texts[i]);
    }
    p->breaks_at = 50;
    peer_open(p);
    cr_expect_eq(fake_event_count(p->host), 32);
    p->breaks_at = 0;
    fake_advance(p->host, 300000);
    peer_open(p);
    expect_texts(p, 0, 60);
    cr_expect_eq(fake_metric(p->host, "mails_known"), 32);
    peer_end(p);
}

/* ---- Numbers that change ---- */

Test(session, a_folder_that_was_numbered_anew)
{
    struct peer *p = peer_new(NULL);
    peer_add_text(p, 30, MAIL(1));
    peer_add_text(p, 31, MAIL(2));
    peer_open(p);
    lose(p);
    p->validity = 8;
    p->mails[0].uid = 1;
    p->mails[1].uid = 2;
    peer_add_text(p, 3, MAIL(3));
    kanal_buffer_clear(&p->heard);
    peer_open(p);
    cr_expect(heard(p, "UID SEARCH UID 1:* SINCE 20-Nov-2026"), "%.*s", (int)p->heard.len, p->heard.data);
    expect_texts(p, 1, 3);
    cr_expect_eq(fake_metric(p->host, "mails_known"), 2);
    kanal_buffer_clear(&p->heard);
    peer_add_text(p, 4, MAIL(4));
    peer_tell(p);
    expect_texts(p, 1, 4);
    cr_expect_not(heard(p, "SINCE"));
    peer_end(p);
}

/* The same mail in two folders is one event for the host. */
Test(session, the_key_names_no_folder)
{
    struct peer *p = peer_new(SETTINGS(",\"start\":\"all\",\"folders\":[\"INBOX\",\"Заказы\"]"));
    peer_add_text(p, 3, MAIL(1));
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), 2);
    cr_expect(
        kanal_str_equal(fake_event_at(p->host, 0)->event.dedupe, fake_event_at(p->host, 1)->event.dedupe));
    cr_expect(heard(p, "EXAMINE \"&BBcEMAQ6BDAENwRL-\""), "modified UTF-7");
    peer_end(p);
}

/* ---- Waiting ---- */

Test(session, idle_tells_of_new_mail)
{
    struct peer *p = peer_new(NULL);
    peer_open(p);
    cr_expect(p->is_idling);
    peer_add_text(p, 5, MAIL(1));
    peer_tell(p);
    expect_texts(p, 1, 1);
    cr_expect(p->is_idling, "and again");
    kanal_buffer_clear(&p->heard);
    fake_advance(p->host, 540000);
    peer_serve(p);
    cr_expect(heard(p, "DONE\r\n"), "before the network forgets it");
    cr_expect(heard(p, "EXAMINE"));
    cr_expect(p->is_idling);
    peer_end(p);
}

Test(session, polling_without_idle)
{
    struct peer *p = peer_new(SETTINGS(",\"start\":\"all\",\"poll_interval\":30"));
    p->has_idle = 0;
    peer_open(p);
    peer_add_text(p, 5, MAIL(1));
    fake_advance(p->host, 29000);
    peer_serve(p);
    cr_expect_eq(fake_event_count(p->host), 0);
    fake_advance(p->host, 1000);
    peer_serve(p);
    expect_texts(p, 1, 1);
    cr_expect_eq(fake_stream_count(p->host), 1, "in the same connection");
    peer_end(p);
}

Test(session, several_folders_are_looked_into_while_the_first_idles)
{
    struct peer *p = peer_new(SETTINGS(",\"folders\":[\"INBOX\",\"Spam\"],\"poll_interval\":60"));
    peer_open(p);
    EXPECT_TEXT(p->selected, "INBOX");
    kanal_buffer_clear(&p->heard);
    fake_advance(p->host, 60000);
    peer_serve(p);
    cr_expect(heard(p, "EXAMINE \"Spam\"") && heard(p, "EXAMINE \"INBOX\""));
    cr_expect(p->is_idling);
    peer_end(p);
}

Test(session, a_folder_that_is_not_there)
{
    struct peer *p = peer_new(SETTINGS(",\"start\":\"all\",\"folders\":[\"INBOX\",\"Nowhere\"]"));
    p->refused_folder = "Nowhere";
    peer_add_text(p, 5, MAIL(1));
    peer_open(p);
    expect_texts(p, 1, 1);
    cr_expect(fake_logged(p->host, "Nowhere"));
    peer_end(p);
}

Test(session, a_mailbox_that_is_never_read_is_ill)
{
    struct peer *p = peer_new(SETTINGS(",\"start\":\"all\",\"folders\":[\"Nowhere\"]"));
    p->refused_folder = "Nowhere";
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(fake_health(p->host), KANAL_OK);
        peer_open(p);
        cr_assert(fake_stream_at(p->host, i)->closed);
        fake_advance(p->host, 300000);
        cr_assert_eq(fake_stream_count(p->host), i + 2);
    }
    cr_expect_eq(fake_health(p->host), KANAL_E_REJECTED);
    p->refused_folder = NULL;
    peer_open(p);
    cr_expect_eq(fake_health(p->host), KANAL_OK);
    peer_end(p);
}

Test(session, marks_as_read_what_is_stored)
{
    struct peer *p = peer_new(SETTINGS(",\"start\":\"all\",\"mark_seen\":true"));
    peer_add_text(p, 5, MAIL(1));
    peer_open(p);
    cr_expect(heard(p, "SELECT \"INBOX\""));
    cr_expect(p->mails[0].seen);
    peer_end(p);
}

/* ---- Leases ---- */

Test(session, only_while_the_lease_is_held)
{
    struct peer *p = peer_new(NULL);
    peer_open(p);
    fake_lease_hold(p->host, 0);
    cr_expect(fake_stream_at(p->host, 0)->closed);
    fake_advance(p->host, 600000);
    cr_expect_eq(fake_stream_count(p->host), 1);
    cr_expect_eq(fake_health(p->host), KANAL_OK, "to stand by is no illness");
    fake_lease_hold(p->host, 1);
    fake_advance(p->host, 10000);
    cr_expect_eq(fake_stream_count(p->host), 2);
    peer_end(p);
}

/* ---- What goes wrong ---- */

Test(session, a_refused_log_in_is_not_tried_again_and_again)
{
    struct peer *p = peer_new(NULL);
    fake_stream_close(p->host, fake_stream_at(p->host, 0)->op, KANAL_E_REJECTED);
    cr_expect_eq(fake_health(p->host), KANAL_E_REJECTED);
    fake_advance(p->host, 299000);
    cr_expect_eq(fake_stream_count(p->host), 1);
    fake_advance(p->host, 2000);
    cr_expect_eq(fake_stream_count(p->host), 2);
    peer_open(p);
    cr_expect_eq(fake_health(p->host), KANAL_OK);
    peer_end(p);
}

Test(session, a_server_that_is_away)
{
    struct peer *p = peer_new(NULL);
    for (size_t i = 0; i < 3; i++) {
        fake_stream_close(p->host, fake_stream_at(p->host, i)->op, KANAL_E_NETWORK);
        cr_expect_eq(fake_health(p->host), i < 2 ? KANAL_OK : KANAL_E_NETWORK);
        fake_advance(p->host, 300000);
        cr_assert_eq(fake_stream_count(p->host), i + 2);
    }
    peer_end(p);
}

/* Whoever has the lease finds out whether the server is there. */
Test(session, who_is_ill_and_loses_the_lease_stands_by)
{
    struct peer *p = peer_new(NULL);
    for (size_t i = 0; i < 3; i++) {
        fake_advance(p->host, i > 0 ? 300000 : 0);
        fake_stream_close(p->host, fake_stream_at(p->host, i)->op, KANAL_E_NETWORK);
    }
    cr_expect_eq(fake_health(p->host), KANAL_E_NETWORK);
    fake_lease_hold(p->host, 0);
    cr_expect_eq(fake_health(p->host), KANAL_OK);
    fake_lease_hold(p->host, 1);
    fake_stream_close(p->host, fake_stream_at(p->host, 3)->op, KANAL_E_NETWORK);
    cr_expect_eq(fake_health(p->host), KANAL_E_NETWORK, "and is ill again if it is still away");
    peer_end(p);
}

Test(session, nonsense_closes_the_connection)
{
    static const char *const nonsense[] = { "HTTP/1.1 400 Bad Request\r\n\r\n)",
                                            "* 1 FETCH (BODY[] {99999999999}\r\n", "\x01\x02\r\n",
                                            "K1 BAD what\r\n" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct peer *p = peer_new(NULL);
        kanal_op stream = fake_stream_at(p->host, 0)->op;
        fake_stream_open(p->host, stream);
        fake_stream_receive(p->host, stream, nonsense[i], strlen(nonsense[i]));
        cr_expect(fake_stream_at(p->host, 0)->closed, "%zu", i);
        peer_end(p);
    }
}

/* One mail that the server cannot give does not keep the others away. */
Test(session, a_mail_that_cannot_be_given)
{
    struct peer *p = peer_new(NULL);
    p->refuses_uid = 4;
    peer_add_text(p, 3, MAIL(1));
    peer_add_text(p, 4, MAIL(9));
    peer_add_text(p, 5, MAIL(2));
    peer_open(p);
    expect_texts(p, 1, 2);
    cr_expect_eq(fake_metric(p->host, "mails_unreadable"), 1);
    peer_end(p);
}

Test(session, a_body_as_a_quoted_string)
{
    struct peer *p = peer_new(NULL);
    p->speaks_quoted = 1;
    peer_add_text(p, 3, "only words");
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), 1);
    peer_end(p);
}

Test(session, stopping_at_any_moment)
{
    for (uint64_t n = 0; n < 14; n++) {
        struct peer *p = peer_new(NULL);
        peer_add_text(p, 3, MAIL(1));
        fake_fail_call(p->host, n, KANAL_E_CANCELLED);
        const struct fake_stream *s = fake_stream_at(p->host, 0);
        if (s && !s->closed)
            peer_open(p);
        peer_end(p);
    }
}

/* ---- Files ---- */

static const char with_file[] = "From: anna@example.org\r\nMessage-ID: <f@x>\r\nContent-Type: "
                                "multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee\r\n--b\r\n"
                                "Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n--b--\r\n";

/* A mail with a file comes while the store answers so. */
static struct peer *peer_with_file(kanal_status status)
{
    struct peer *p = peer_new(NULL);
    fake_fail_blob(p->host, status);
    peer_add_text(p, 3, with_file);
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), status == KANAL_E_TOO_LARGE);
    fake_fail_blob(p->host, KANAL_OK);
    return p;
}

Test(session, a_file_that_is_too_large_is_told)
{
    struct peer *p = peer_with_file(KANAL_E_TOO_LARGE);
    EXPECT_TEXT(event_value(p->host, 0, "message/content/1/unavailable"), "too_large");
    EXPECT_TEXT(event_value(p->host, 0, "message/content/1/name"), "a.pdf");
    peer_end(p);
}

/* A store that is away holds the mail up; it is not told without its file. */
Test(session, a_file_that_cannot_be_stored_now)
{
    struct peer *p = peer_with_file(KANAL_E_NETWORK);
    fake_advance(p->host, 300000);
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), 1);
    cr_expect(kanal_str_starts(kanal_str_c(event_value(p->host, 0, "message/content/1/ref")), "blob:"));
    peer_end(p);
}

Test(session, a_store_that_is_busy_is_asked_again)
{
    struct peer *p = peer_with_file(KANAL_E_BUSY);
    fake_advance(p->host, 200);
    peer_serve(p);
    cr_assert_eq(fake_event_count(p->host), 1);
    cr_expect_eq(fake_stream_count(p->host), 1);
    peer_end(p);
}

static kanal_op put_nothing(const kanal_host *host, kanal_str content_type, kanal_str filename,
                            kanal_str data, kanal_value_fn *callback, void *user)
{
    (void)host, (void)content_type, (void)filename, (void)data, (void)callback, (void)user;
    return 0;
}

/* The file is given up; the connection goes on. */
Test(session, a_store_that_is_busy_and_then_takes_nothing)
{
    static const kanal_blob2_host nothing = { .struct_size = sizeof nothing, .put = put_nothing };
    struct peer *p = peer_with_file(KANAL_E_BUSY);
    fake_channel(p->host)->blobs = &nothing;
    fake_advance(p->host, 200);
    peer_serve(p);
    cr_assert_eq(fake_event_count(p->host), 1);
    EXPECT_TEXT(event_value(p->host, 0, "message/content/1/unavailable"), "failed");
    cr_expect_eq(fake_stream_count(p->host), 1);
    peer_end(p);
}

/* ---- Size ---- */

/* Has read one mail: the head, then the piece again and again. */
static struct peer *peer_with_long(const char *head, const char *piece, size_t bytes)
{
    struct peer *p = peer_new(NULL);
    struct kanal_buffer text = { 0 };
    kanal_buffer_text(&text, head);
    while (text.len < bytes)
        kanal_buffer_text(&text, piece);
    peer_add(p, 3, text.data, text.len);
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), 1);
    p->mails[0].gone = 1; /* its text is */
    kanal_buffer_release(&text);
    return p;
}

Test(session, a_large_file_goes_in_pieces)
{
    struct peer *p = peer_with_long(
        "From: anna@example.org\r\nContent-Type: application/zip; name=big.zip\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n",
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFC\r\n", 3000000);
    EXPECT_TEXT(event_value(p->host, 0, "message/content/0/name"), "big.zip");
    cr_expect_gt(strtol(event_value(p->host, 0, "message/content/0/size"), NULL, 10), 2100000);
    peer_end(p);
}

Test(session, a_long_text_becomes_a_file_too)
{
    static const char head[] = "From: anna@example.org\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    struct peer *p = peer_with_long(head, "so many words, ", 700000);
    char size[24];
    snprintf(size, sizeof size, "%zu", p->mails[0].len - strlen(head));
    cr_expect_eq(strlen(event_value(p->host, 0, "message/content/0/text")), 100 * 1024);
    EXPECT_TEXT(event_value(p->host, 0, "message/content/1/name"), "message.txt");
    EXPECT_TEXT(event_value(p->host, 0, "message/content/1/size"), size);
    EXPECT_TEXT(event_value(p->host, 0, "message/provider/truncated"), "true");
    peer_end(p);
}

Test(session, huge_headers)
{
    struct peer *p = peer_with_long("From: anna@example.org\r\nSubject: many\r\nMessage-ID: <h@x>\r\nTo: ",
                                    "somebody.with.a.long.name@example.org,\r\n ", 400000);
    EXPECT_TEXT(event_value(p->host, 0, "message/subject"), "many");
    EXPECT_TEXT(event_value(p->host, 0, "message/recipients/59/role"), "to");
    EXPECT_TEXT(event_value(p->host, 0, "message/provider/truncated"), "true");
    peer_end(p);
}

/* What makes GMime slow: a callback that takes too long fails the test. */
Test(session, headers_that_are_meant_to_be_slow)
{
    static const char *const heads[] = { "To: ", "To: \"x\" <a@b.c>\r\nTo: ", "Content-Type: text/plain; x=",
                                         "References: ", "X: y\r\n" };
    static const char *const pieces[] = { "a,",        "\xc3\xa9,", "a:",         "a ", "<a>", "a=b;",
                                          "a*1*=%41;", "X: y\r\n",  "To: a,\r\n", "((", "\"" };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
            peer_end(peer_with_long(heads[i], pieces[k], 130000));
}

Test(session, html_that_is_meant_to_be_slow)
{
    static const char *const heads[] = { "From: a@b.example\r\nContent-Type: text/html\r\n\r\n",
                                         "From: a@b.example\r\nContent-Type: text/html\r\n\r\n<script>" };
    static const char *const pieces[] = { "<a b='>", "<a b=\"",           "<!--",
                                          "<a",      "</a b='>",          "<script>",
                                          "&#",      "<div style=\"x\">", "<a href=https://x>",
                                          "> \n",    "a:\n> b\n" };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
            peer_end(peer_with_long(heads[k], pieces[i], 260000));
}

Test(session, deep_nesting_and_too_many_parts)
{
    struct kanal_buffer deep = { 0 }, many = { 0 };
    kanal_buffer_text(&deep, "From: anna@example.org\r\nMessage-ID: <deep@x>\r\n");
    for (int i = 0; i < 500; i++) {
        char line[120];
        snprintf(line, sizeof line, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
        kanal_buffer_text(&deep, line);
    }
    kanal_buffer_text(&deep, "\r\nthe ground\r\n");
    kanal_buffer_text(&many, "From: anna@example.org\r\nMessage-ID: <many@x>\r\nContent-Type: "
                             "multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 5000; i++)
        kanal_buffer_text(&many, "--b\r\nContent-Type: text/x-note\r\n\r\nnote\r\n");
    struct peer *p = peer_new(NULL);
    peer_add(p, 3, deep.data, deep.len);
    peer_add(p, 4, many.data, many.len);
    peer_open(p);
    cr_assert_eq(fake_event_count(p->host), 2);
    EXPECT_TEXT(event_value(p->host, 0, "message/content/0/type"), "file");
    EXPECT_TEXT(event_value(p->host, 1, "message/content/60/kind"), "attachments");
    EXPECT_TEXT(event_value(p->host, 1, "message/provider/truncated"), "true");
    peer_end(p);
    kanal_buffer_release(&deep);
    kanal_buffer_release(&many);
}

/* More than the numbers that are remembered, and than a batch holds. */
Test(session, a_large_mailbox)
{
    static char texts[2300][160];
    struct peer *p = peer_new(NULL);
    for (size_t i = 0; i < 2300; i++) {
        snprintf(texts[i], sizeof texts[i],
                 "From: a%zu@example.org\r\nMessage-ID: <l%zu@x>\r\n\r\ntext %zu\r\n", i % 7, i, i);
        peer_add_text(p, 10 + 3 * i, texts[i]);
    }
    peer_open(p);
    expect_texts(p, 0, 2300);
    cr_expect_eq(fake_stream_count(p->host), 1);
    peer_end(p);
}

/* ---- Pure ---- */

Test(session, names_of_folders)
{
    static const char *const rows[][2] = {
        { "Sent & done", "Sent &- done" },
        { "~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-" }, /* RFC 3501, 5.1.3 */
        { "a\U0001F600", "a&2D3eAA-" },                                   /* two units */
        { "a\xff", "a&,,0-" },                                            /* no UTF-8: U+FFFD */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kanal_buffer out = { 0 };
        cursor_encode_name(&out, kanal_str_c(rows[i][0]));
        kanal_buffer_byte(&out, 0);
        EXPECT_TEXT(out.data, rows[i][1]);
        kanal_buffer_release(&out);
    }
}

Test(session, cursors_and_dates)
{
    struct cursor cursor = { .validity = 7, .uid = 9, .last_ms = 5 }, again;
    struct kanal_buffer json = { 0 };
    for (uint64_t i = 0; i < 700; i++)
        cursor_add_key(&cursor, i << 32 | i);
    cursor_write(&cursor, &json);
    cr_assert_eq(cursor_read(&again, kanal_buffer_view(&json)), KANAL_OK);
    cr_expect(again.uid == 9 && again.validity == 7 && again.last_ms == 5 && again.key_count == 512);
    cr_expect_not(cursor_has_key(&again, UINT64_C(187) << 32 | 187));
    cr_expect(cursor_has_key(&again, UINT64_C(188) << 32 | 188) &&
              cursor_has_key(&again, UINT64_C(699) << 32 | 699));
    cr_expect_eq(cursor_read(&again, KANAL_LIT("{\"validity\":\"x\",\"uid\":[]}")), KANAL_E_INVALID);
    cr_expect_eq(cursor_read(&again, KANAL_LIT("[")), KANAL_E_INVALID);
    cr_expect_eq(cursor_parse_date(KANAL_LIT("21-Nov-2026 20:53:05 +0300")), 1795283585000);
    cr_expect_eq(cursor_parse_date(KANAL_LIT(" 1-Nov-2026 20:53:05 +0000")), 1793566385000);
    cr_expect_eq(cursor_parse_date(KANAL_LIT("21-Foo-2026 20:53:05 +0300")), 0);
    kanal_buffer_release(&json);
}
