/* Deliveries: the mail that is composed, and what its submission means. */
#include <stdio.h>

#include "html.h"
#include "quote.h"
#include "test/peer.h"

#define TEXT "{\"content\":[{\"type\":\"text\",\"text\":\"Привет, Анна!\"}]}"

static kanal_op send_to(struct fake_host *host, const char *address, const char *chat, const char *target,
                        const char *data)
{
    const kanal_delivery delivery = { .struct_size = sizeof delivery,
                                      .address = kanal_str_c(address),
                                      .chat = kanal_str_c(chat),
                                      .target_external_id = kanal_str_c(target),
                                      .idempotency_key = KANAL_LIT("key-1"),
                                      .data = kanal_str_c(data) };
    return fake_deliver(host, &delivery);
}

static const struct fake_mail *only_mail(struct fake_host *host)
{
    cr_assert_eq(fake_mail_count(host), 1);
    return fake_mail_at(host, 0);
}

static int has(kanal_str text, const char *wanted)
{
    return memmem(text.ptr, text.len, wanted, strlen(wanted)) != NULL;
}

#define EXPECT_IN(mail, wanted)                                                                              \
    cr_expect(has((mail)->body, wanted), "%s is not in\n%.*s", wanted, (int)(mail)->body.len,                \
              (mail)->body.ptr)

static void expect_code(struct fake_host *host, kanal_op op, int32_t outcome, int32_t scope, const char *code)
{
    const kanal_result *result = &fake_answer(host, op)->result;
    cr_expect(fake_answer(host, op)->answered);
    cr_expect_eq(result->outcome, outcome, "%d, not %d", result->outcome, outcome);
    cr_expect_eq(result->scope, scope, "scope %d, not %d (%s)", result->scope, scope, code);
    EXPECT_TEXT(result->code.ptr ? result->code.ptr : "", code);
}

static void end(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0);
}

Test(send, a_text)
{
    struct fake_host *host = peer_host(NULL);
    kanal_op op = send_to(host, "mailto:anna%2Bshop@example.org", NULL, NULL, TEXT);
    const struct fake_mail *mail = only_mail(host);
    EXPECT_TEXT(mail->url.ptr, "smtp://smtp.example.com:587");
    EXPECT_TEXT(mail->user.ptr, "shop@example.com");
    EXPECT_TEXT(mail->secret.ptr, "password");
    EXPECT_TEXT(mail->from.ptr, "shop@example.com");
    EXPECT_TEXT(mail->recipients[0].ptr, "anna+shop@example.org");
    cr_expect_eq(mail->cause, op);
    EXPECT_TEXT(mail->body.ptr, "Date: Sat, 21 Nov 2026 20:53:05 +0000\r\n"
                                "From: =?UTF-8?b?0JzQsNCz0LDQt9C40L0=?= <shop@example.com>\r\n"
                                "To: anna+shop@example.org\r\n"
                                "Subject: Message\r\n"
                                "Message-ID: <key-1.kanal@example.com>\r\n"
                                "X-Loop: shop@example.com\r\n"
                                "MIME-Version: 1.0\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                "=D0=9F=D1=80=D0=B8=D0=B2=D0=B5=D1=82, =D0=90=D0=BD=D0=BD=D0=B0!\r\n");
    fake_mail_answer(host, 0, KANAL_OK, 250, "2.0.0 queued");
    expect_code(host, op, KANAL_SENT, 0, "");
    EXPECT_TEXT(fake_answer(host, op)->result.external_id.ptr, "key-1.kanal@example.com");
    end(host);
}

Test(send, html_and_files)
{
    struct fake_host *host = peer_host(NULL);
    send_to(
        host, "mailto:anna@example.org", NULL, NULL,
        "{\"subject\":\"Счёт\\r\\nBcc: "
        "evil@example.org\",\"content\":[{\"type\":\"text\",\"markup\":\"html\",\"text\":\"Order "
        "<b>512</b><br>ready\"},"
        "{\"type\":\"file\",\"url\":\"https://hub.example.com/m/1\",\"name\":\"счёт "
        "\\\"5\\\".pdf\",\"mime\":\"application/pdf\",\"caption\":\"The invoice\"},"
        "{\"type\":\"image\",\"url\":\"https://hub.example.com/m/2\",\"mime\":\"image/png\\r\\nX: y\"}]}");
    const struct fake_mail *mail = only_mail(host);
    EXPECT_IN(mail,
              "Content-Type: multipart/mixed; boundary=\"=_m_key-1\"\r\n\r\n--=_m_key-1\r\nContent-Type: "
              "multipart/alternative; boundary=\"=_a_key-1\"");
    EXPECT_IN(mail, "Order 512\r\nready\r\n\r\nThe invoice\r\n--=_a_key-1\r\nContent-Type: text/html");
    EXPECT_IN(mail, "Order <b>512</b><br>ready<br>\r\n<br>\r\nThe invoice\r\n--=_a_key-1--\r\n");
    EXPECT_IN(mail, "Content-Type: application/pdf\r\nContent-Disposition: attachment;");
    EXPECT_IN(mail,
              "Content-Transfer-Encoding: base64\r\n\r\n<source:https://hub.example.com/m/1>--=_m_key-1\r\n");
    EXPECT_IN(mail, "<source:https://hub.example.com/m/2>--=_m_key-1--\r\n");
    cr_expect_not(has(mail->body, "\r\nBcc:"), "a subject is one line");
    cr_expect_not(has(mail->body, "\r\nX: y"));
    fake_mail_answer(host, 0, KANAL_OK, 250, "ok");
    end(host);
}

Test(send, in_a_thread)
{
    struct peer *p = calloc(1, sizeof *p);
    p->host = peer_host(NULL);
    peer_add_text(p, 3,
                  "From: Anna <anna@example.org>\r\nReply-To: work@example.org\r\nSubject: "
                  "=?utf-8?b?0JfQsNC60LDQtw==?=\r\nMessage-ID: <q2@example.org>\r\n"
                  "References: <q1@example.org>\r\nDate: Sat, 21 Nov 2026 20:53:05 +0300\r\n\r\nhi\r\n");
    peer_open(p);
    EXPECT_TEXT(fake_event_at(p->host, 0)->event.chat.ptr, "q1@example.org");
    /* to the chat alone: its last mail is answered, at the address that was asked for */
    send_to(p->host, NULL, "q1@example.org", NULL, TEXT);
    const struct fake_mail *mail = only_mail(p->host);
    EXPECT_TEXT(mail->recipients[0].ptr, "work@example.org");
    EXPECT_IN(mail, "In-Reply-To: <q2@example.org>\r\nReferences: <q1@example.org>\r\n <q2@example.org>\r\n");
    EXPECT_IN(mail, "Subject: Re: =?UTF-8?B?0JfQsNC60LDQtw==?=\r\n");
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    /* a certain mail, and somebody else */
    send_to(p->host, "mailto:boris@example.org", "q1@example.org", "q0@example.org", TEXT);
    mail = only_mail(p->host);
    EXPECT_TEXT(mail->recipients[0].ptr, "boris@example.org");
    EXPECT_IN(mail, "In-Reply-To: <q0@example.org>\r\nReferences: <q1@example.org>\r\n <q0@example.org>\r\n");
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    expect_code(p->host, send_to(p->host, NULL, "nobody@knows", NULL, TEXT), KANAL_FAILED,
                KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    end(p->host);
    peer_release(p);
    free(p);
}

/* RFC 3834: what a program sends says so, and never answers a program. */
Test(send, loop_guard)
{
    static const char by_bot[] =
        "{\"agent\":{\"kind\":\"bot\"},\"content\":[{\"type\":\"text\",\"text\":\"We are closed.\"}]}";
    struct peer *p = calloc(1, sizeof *p);
    p->host = peer_host(NULL);
    peer_add_text(p, 3,
                  "From: anna@example.org\r\nMessage-ID: <away@example.org>\r\nAuto-Submitted: "
                  "auto-replied\r\nDate: Sat, 21 Nov 2026 20:53:05 +0300\r\n\r\nAway.\r\n");
    peer_open(p);
    EXPECT_TEXT(event_value(p->host, 0, "message/auto"), "true");
    expect_code(p->host, send_to(p->host, "mailto:anna@example.org", "away@example.org", NULL, by_bot),
                KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected");
    cr_expect_eq(fake_mail_count(p->host), 0);
    send_to(p->host, "mailto:anna@example.org", "away@example.org", NULL, TEXT); /* a person may */
    cr_expect_not(has(only_mail(p->host)->body, "Auto-Submitted"));
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    send_to(p->host, "mailto:anna@example.org", NULL, NULL, by_bot);
    EXPECT_IN(only_mail(p->host), "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    send_to(p->host, "mailto:anna@example.org", NULL, "q@x", by_bot);
    EXPECT_IN(only_mail(p->host), "Auto-Submitted: auto-replied\r\n");
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    end(p->host);
    peer_release(p);
    free(p);
}

/* ---- Outcomes ---- */

Test(send, what_the_server_says)
{
    static const struct {
        kanal_status status;
        int code;
        const char *text;
        int32_t outcome, scope;
        const char *told;
    } rows[] = {
        { KANAL_E_REJECTED, 450, "4.7.1 greylisted", KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited" },
        { KANAL_E_REJECTED, 451, "4.3.0 local error", KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_error" },
        { KANAL_E_REJECTED, 452, "4.2.2 full", KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_rejected" },
        { KANAL_E_REJECTED, 421, "4.7.0 too many connections", KANAL_RETRY, KANAL_SCOPE_CHANNEL,
          "rate_limited" },
        { KANAL_E_REJECTED, 454, "4.7.0 temporary authentication failure", KANAL_RETRY, KANAL_SCOPE_CHANNEL,
          "unavailable" },
        { KANAL_E_REJECTED, 535, "5.7.8 credentials", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { KANAL_E_REJECTED, 530, "5.7.0 authentication required", KANAL_FAILED, KANAL_SCOPE_CHANNEL,
          "auth_failed" },
        { KANAL_E_REJECTED, 550, "5.1.1 no such user", KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
          "recipient_unknown" },
        { KANAL_E_REJECTED, 553, "5.1.7 sender address", KANAL_FAILED, KANAL_SCOPE_CHANNEL,
          "provider_rejected" },
        { KANAL_E_REJECTED, 550, "5.1.8 sender's domain", KANAL_FAILED, KANAL_SCOPE_CHANNEL,
          "provider_rejected" },
        { KANAL_E_REJECTED, 550, "no such user", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
        { KANAL_E_REJECTED, 550, "5.2.1 disabled", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
        { KANAL_E_REJECTED, 552, "5.2.2 over quota", KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
          "provider_rejected" },
        { KANAL_E_REJECTED, 552, "5.3.4 too big", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { KANAL_E_REJECTED, 554, "5.7.1 spam", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { KANAL_E_REJECTED, 550, "5.4.4 no such domain", KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
          "recipient_unknown" },
        { KANAL_E_REJECTED, 500, "what", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { KANAL_E_REJECTED, 0, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network" },
        { KANAL_E_NETWORK, 0, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network" },
        { KANAL_E_TIMEOUT, 0, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network" },
        { KANAL_E_CANCELLED, 0, "", KANAL_RETRY, KANAL_SCOPE_MESSAGE, "network" },
        { KANAL_E_BUSY, 0, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable" },
        { KANAL_E_MAYBE, 0, "", KANAL_UNKNOWN, 0, "timeout" },
        { KANAL_E_NOT_FOUND, 0, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { KANAL_E_TOO_LARGE, 0, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { KANAL_E_INVALID, 0, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { KANAL_E_DENIED, 0, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "denied" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = peer_host(NULL);
        kanal_op op = send_to(host, "mailto:anna@example.org", NULL, NULL, TEXT);
        fake_mail_answer(host, 0, rows[i].status, rows[i].code, rows[i].text);
        expect_code(host, op, rows[i].outcome, rows[i].scope, rows[i].told);
        end(host);
    }
}

/* A log-in that is refused is the channel's illness until a mail is sent; that it reads well says nothing of it. */
Test(send, a_refused_log_in_is_told)
{
    struct peer *p = calloc(1, sizeof *p);
    p->host = peer_host(NULL);
    send_to(p->host, "mailto:anna@example.org", NULL, NULL, TEXT);
    fake_mail_answer(p->host, 0, KANAL_E_REJECTED, 535, "5.7.8 credentials");
    cr_expect_eq(fake_health(p->host), KANAL_E_REJECTED);
    peer_open(p);
    cr_expect_eq(fake_health(p->host), KANAL_E_REJECTED, "reading is something else");
    send_to(p->host, "mailto:anna@example.org", NULL, NULL, TEXT);
    fake_mail_answer(p->host, 0, KANAL_E_REJECTED, 550, "5.1.1 no such user");
    cr_expect_eq(fake_health(p->host), KANAL_E_REJECTED);
    send_to(p->host, "mailto:anna@example.org", NULL, NULL, TEXT);
    fake_mail_answer(p->host, 0, KANAL_OK, 250, "ok");
    cr_expect_eq(fake_health(p->host), KANAL_OK);
    send_to(p->host, "mailto:anna@example.org", NULL, NULL, TEXT);
    fake_mail_answer(p->host, 0, KANAL_E_REJECTED, 550, "5.1.1 no such user");
    cr_expect_eq(fake_health(p->host), KANAL_OK, "a customer's address is not the channel's illness");
    end(p->host);
    peer_release(p);
    free(p);
}

Test(send, what_cannot_be_sent)
{
    static const struct {
        const char *address, *data, *code;
    } rows[] = {
        { "tel:+7916", TEXT, "recipient_unknown" },
        { "mailto:", TEXT, "recipient_unknown" },
        { "mailto:anna", TEXT, "recipient_unknown" },
        { "mailto:a@b%0d%0aRCPT%20TO", TEXT, "recipient_unknown" },
        { "mailto:a%00@b", TEXT, "recipient_unknown" },
        { "mailto:a%zz@b", TEXT, "recipient_unknown" },
        { "mailto:unknown@invalid", TEXT, "recipient_unknown" },
        { NULL, TEXT, "recipient_unknown" },
        { "mailto:a@b", "{}", "unsupported_content" },
        { "mailto:a@b", "[", "unsupported_content" },
        { "mailto:a@b", "{\"content\":[{\"type\":\"text\"}]}", "invalid_content" },
        { "mailto:a@b", "{\"content\":[{\"type\":\"image\"}]}", "media_unavailable" },
        { "mailto:a@b", "{\"content\":[{\"type\":\"location\",\"lat\":1,\"lon\":2}]}",
          "unsupported_content" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = peer_host(NULL);
        kanal_op op = send_to(host, rows[i].address, NULL, NULL, rows[i].data);
        cr_expect_eq(fake_mail_count(host), 0);
        EXPECT_TEXT(fake_answer(host, op)->result.code.ptr, rows[i].code);
        cr_expect_eq(fake_answer(host, op)->result.outcome, KANAL_FAILED);
        end(host);
    }
}

Test(send, log_ins)
{
    static const struct {
        const char *login, *user, *secret;
        uint32_t flags;
    } rows[] = { { "\"own\",\"smtp_user\":\"out\"", "out", "smtp_password", 0 },
                 { "\"none\"", "", "", 0 },
                 { "\"plain\"", "", "", KANAL_LOGIN_PLAIN },
                 { "\"same\",\"auth\":\"token\"", "shop@example.com", "password", KANAL_LOGIN_BEARER } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char settings[300];
        snprintf(
            settings, sizeof settings,
            "{\"address\":\"shop@example.com\",\"smtp_url\":\"smtp://relay.example.com\",\"smtp_login\":%s}",
            rows[i].login);
        struct fake_host *host = peer_host(settings);
        send_to(host, "mailto:anna@example.org", NULL, NULL, TEXT);
        const struct fake_mail *mail = only_mail(host);
        EXPECT_TEXT(mail->user.ptr ? mail->user.ptr : "", rows[i].user);
        EXPECT_TEXT(mail->secret.ptr ? mail->secret.ptr : "", rows[i].secret);
        cr_expect_eq(mail->flags, rows[i].flags);
        cr_expect_eq(fake_stream_count(host), 0, "nothing is read without imap_url");
        fake_mail_answer(host, 0, KANAL_OK, 250, "ok");
        end(host);
    }
}

Test(send, stopping_waits_for_the_answer)
{
    struct fake_host *host = peer_host(NULL);
    kanal_op op = send_to(host, "mailto:anna@example.org", NULL, NULL, TEXT);
    cr_assert_eq(fake_free(host), 0);
    (void)op;
}

/* ---- Texts ---- */

static void expect_html(const char *html, const char *text)
{
    struct kanal_buffer out = { 0 };
    html_to_text(&out, kanal_str_c(html));
    kanal_buffer_byte(&out, 0);
    EXPECT_TEXT(out.data, text);
    kanal_buffer_release(&out);
}

Test(text, html)
{
    expect_html("a<br>b<br><br>c", "a\nb\n\nc");
    expect_html("<p>one</p>\n\n<p>two <i>words</i>  here</p>", "one\n\ntwo words here");
    expect_html("<script>x<b></script>after<style>p{}</style><!-- <p>no --><![if mso]>yes<![endif]>",
                "afteryes");
    expect_html("<blockquote>old<blockquote>older</blockquote></blockquote>new", "> old\n> > older\nnew");
    expect_html("<a href='https://x.example/a?b=1&amp;c=2'>link</a> <a "
                "href=\"https://y.example\">y.example</a> <a href='javascript:x'>z</a>",
                "link (https://x.example/a?b=1&c=2) y.example z");
    expect_html("&lt;b&gt; &amp;amp; &#1055;&#x41F; &unknown; & &#xD800; &#99999999;",
                "<b> &amp; ПП &unknown; & \xef\xbf\xbd \xef\xbf\xbd");
    expect_html("<div style=\"color:red; display : none\">hidden<div>deep</div></div>shown<span "
                "style='mso-hide:all'>x</span>",
                "shown");
    expect_html("<pre>a\n  b</pre>", "a\n  b");
    expect_html("<ul><li>1</li><li>2</li></ul>", "- 1\n- 2");
    expect_html("<unclosed attribute=\"x>text", "text");
    expect_html("1 < 2 and <3", "1 < 2 and <3");
    expect_html("<scr<script>ipt>alert(1)</script>x",
                "ipt>alert(1)x"); /* as a browser does: one odd element, and words */
    expect_html("", "");
}

static void expect_split(const char *text, const char *fresh, const char *quoted)
{
    struct quote_split split = quote_split(kanal_str_c(text));
    cr_expect(kanal_str_is(split.before, fresh), "'%.*s'", (int)split.before.len, split.before.ptr);
    cr_expect(kanal_str_is(split.quoted, quoted), "'%.*s'", (int)split.quoted.len, split.quoted.ptr);
}

Test(text, quotes)
{
    expect_split("new\n\nOn Monday, Shop <a@b.example> wrote:\n> old\n", "new",
                 "On Monday, Shop <a@b.example> wrote:\n> old");
    expect_split("new\n\nOn Monday at a long time,\nShop <a@b.example>\nwrote:\n\n> old\n> old", "new",
                 "On Monday at a long time,\nShop <a@b.example>\nwrote:\n\n> old\n> old");
    expect_split("Список:\n> не цитата, но так выглядит", "Список:", "> не цитата, но так выглядит");
    expect_split("new\n-----Original Message-----\nFrom: x\nanything", "new",
                 "-----Original Message-----\nFrom: x\nanything");
    expect_split("да\n\n-------- Исходное сообщение --------\nОт: x", "да",
                 "-------- Исходное сообщение --------\nОт: x");
    expect_split("ok\n\nОт: Shop <a@b>\nОтправлено: сегодня\nКому: Анна\n\nстарое", "ok",
                 "От: Shop <a@b>\nОтправлено: сегодня\nКому: Анна\n\nстарое");
    expect_split("> a\nyes\n> b\nno", "> a\nyes\n> b\nno", "");
    expect_split("> only a quotation\n> and no more", "> only a quotation\n> and no more", "");
    expect_split("From: here to there\nis far", "From: here to there\nis far", "");
    expect_split("", "", "");
}

/* ---- Strange deliveries ---- */

static void deliver_strange(kanal_str body, void *user)
{
    struct fake_host *host = user;
    const kanal_delivery delivery = { .struct_size = sizeof delivery,
                                      .address = KANAL_LIT("mailto:anna@example.org"),
                                      .data = body };
    kanal_op op = fake_deliver(host, &delivery);
    while (fake_mail_count(host) > 0)
        fake_mail_answer(host, 0, KANAL_OK, 250, "ok");
    cr_expect(fake_answer(host, op)->answered, "%.*s", (int)body.len, body.ptr);
}

Test(send, any_type_in_any_place)
{
    static const char data[] =
        "{\"subject\":\"s\",\"agent\":{\"kind\":\"bot\"},\"content\":[{\"type\":\"text\",\"markup\":\"html\","
        "\"text\":\"<b>x</b>\",\"plain\":\"x\"},"
        "{\"type\":\"file\",\"url\":\"https://a.example/x\",\"name\":\"a.pdf\",\"mime\":\"application/"
        "pdf\",\"caption\":\"c\",\"caption_markup\":\"plain\"}]}";
    struct fake_host *host = peer_host(NULL);
    cr_expect_gt(fixture_mutate(kanal_str_c(data), deliver_strange, host), 100);
    cr_expect_gt(fixture_truncate(kanal_str_c(data), deliver_strange, host), 100);
    end(host);
}
