#include <criterion/criterion.h>

#include "kanal/sdk/str.h"
#include "mail/mail.h"

/* A dialogue: "> " is a command, everything else a line of the server's. */
static void play(struct mail_dialogue *d, const char *const *lines)
{
    for (; *lines; lines++) {
        if (strncmp(*lines, "> ", 2) == 0)
            mail_dialogue_sent(d, kanal_str_c(*lines + 2));
        else
            mail_dialogue_heard(d, kanal_str_c(*lines));
    }
}

static void expect(const struct mail_reply *reply, int code, const char *text)
{
    cr_expect_eq(reply->code, code, "%d, not %d", reply->code, code);
    cr_expect(kanal_str_is(kanal_str_of(reply->text, reply->len), text), "'%.*s', not '%s'", (int)reply->len,
              reply->text, text);
}

Test(replies, each_recipient_has_its_own)
{
    struct mail_reply recipients[3] = { { 0 } };
    struct mail_dialogue d = { .recipients = recipients, .recipient_count = 3 };
    const char *const lines[] = { "220 hello\r\n",
                                  "> EHLO x\r\n",
                                  "250-mx\r\n",
                                  "250 SIZE\r\n",
                                  "> MAIL FROM:<a@b>\r\n",
                                  "250 2.1.0 ok\r\n",
                                  "> RCPT TO:<c@d>\r\n",
                                  "250 2.1.5 ok\r\n",
                                  "> RCPT TO:<e@f>\r\n",
                                  "550-5.1.1 no such\r\n",
                                  "550 5.1.1 user\r\n",
                                  "> RCPT TO:<g@h>\r\n",
                                  "451 later\r\n",
                                  "> DATA\r\n",
                                  "354 go\r\n",
                                  "250 2.0.0 queued as 7\r\n",
                                  "> QUIT\r\n",
                                  "221 bye\r\n",
                                  NULL };
    play(&d, lines);
    expect(&recipients[0], 250, "2.1.5 ok");
    expect(&recipients[1], 550, "5.1.1 no such 5.1.1 user");
    expect(&recipients[2], 451, "later");
    expect(&d.last, 250, "2.0.0 queued as 7");
    cr_expect_eq(d.refusal.code, 0);
}

Test(replies, a_refusal_is_remembered_and_one_that_was_overcome_is_not)
{
    struct mail_dialogue d = { 0 };
    const char *const login[] = {
        "220 hi", "> AUTH PLAIN", "504 not this", "> AUTH LOGIN", "334 VXNlcg==", "235 2.7.0 in", NULL
    };
    play(&d, login);
    cr_expect_eq(d.refusal.code, 0);
    const char *const refused[] = { "> MAIL FROM:<>", "552 5.3.4 too large", "> QUIT", "221 bye", NULL };
    play(&d, refused);
    expect(&d.refusal, 552, "5.3.4 too large");
}

Test(replies, hostile_lines)
{
    struct mail_reply recipients[1] = { { 0 } };
    struct mail_dialogue d = { .recipients = recipients, .recipient_count = 1 };
    const char *const lines[] = { "",     "2",   "25",   "abc hello", "999 no", "100 no",
                                  "2500", "250", "250-", "-250 x",    NULL };
    play(&d, lines);
    cr_expect_eq(d.last.code, 250);
    mail_dialogue_sent(&d, kanal_str_c("RCPT TO:<a>"));
    mail_dialogue_sent(&d, kanal_str_c("RCPT TO:<b>"));
    mail_dialogue_heard(&d, kanal_str_c("550 for nobody we know"));
    cr_expect_eq(recipients[0].code, 0);
    struct mail_dialogue long_one = { 0 };
    for (int i = 0; i < 1000; i++)
        mail_dialogue_heard(&long_one, kanal_str_c("250-a line of some length \x01\x80 with odd bytes"));
    cr_expect_eq(long_one.last.len, MAIL_REPLY_MAX);
    for (size_t i = 0; i < long_one.last.len; i++)
        cr_assert(long_one.last.text[i] >= ' ' && long_one.last.text[i] < 0x7f);
}
