/* An SMS centre gone mad: every fixture with each of its bytes changed; answers that are none. Whatever comes, nothing crashes, what is published is by the
 * contract (the fake host looks), and a message is answered once or the connection ends. */
#include <stdio.h>

#include "test/capture.h"

static void bind_again(struct fake_host *host)
{
    fake_advance(host, 120000);
    answer_bind(host, SMS_OK);
}

/* What was written is taken; how many answers to messages were among it. */
static size_t take_answers(struct fake_host *host)
{
    struct pdu pdu;
    size_t count = 0;
    while (take(host, &pdu))
        count += pdu.header.command == (SMS_DELIVER_SM | SMS_RESPONSE) ||
                 pdu.header.command == (SMS_DATA_SM | SMS_RESPONSE);
    return count;
}

static void change_each_byte(const char *name, void *user)
{
    static const unsigned char masks[] = { 0xff, 0x80, 0x01, 0x40 };
    size_t len;
    char *bytes = read_hex(name, &len);
    struct fake_host *host = channel_bound(SETTINGS(",\"default_region\":\"RU\""));
    (void)user;
    for (size_t i = 4; i < len; i++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            bytes[i] = (char)(bytes[i] ^ masks[m]);
            say_bytes(host, kanal_str_of(bytes, len));
            size_t answers = take_answers(host);
            bytes[i] = (char)(bytes[i] ^ masks[m]);
            if (fake_stream_at(host, fake_stream_count(host) - 1)->closed)
                bind_again(host);
            else if (i >= 16)
                cr_expect_eq(answers, 1, "%s, byte %zu ^ %02x: %zu answers", name, i, masks[m], answers);
        }
    }
    free(bytes);
    channel_free(host);
}

Test(hostile, every_byte_of_every_fixture)
{
    cr_expect_geq(each_hex(change_each_byte, NULL), 29);
}

Test(hostile, lengths)
{
    struct fake_host *host = channel_bound(NULL);
    for (uint32_t length = 0; length < 80000; length += length < 20 ? 1 : 7919) {
        char head[16] = {
            (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length, 0, 0, 0, 5
        };
        say_bytes(host, kanal_str_of(head, sizeof head));
        int is_closed = fake_stream_at(host, fake_stream_count(host) - 1)->closed;
        cr_expect_eq(is_closed, length < 16 || length > SMS_PDU_BYTES_MAX, "%u", (unsigned)length);
        if (!is_closed)
            fake_stream_close(host, stream_of(host), KANAL_E_NETWORK); /* in the middle of it */
        bind_again(host);
        take_answers(host);
    }
    channel_free(host);
}

Test(hostile, the_answer_to_the_bind)
{
    static const uint32_t commands[] = { SMS_BIND_TRANSCEIVER | SMS_RESPONSE,
                                         SMS_RESPONSE,
                                         SMS_SUBMIT_SM | SMS_RESPONSE,
                                         SMS_UNBIND,
                                         SMS_DELIVER_SM,
                                         0x7fffffff };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        for (uint32_t status = 0; status < 3; status++) {
            struct fake_host *host = channel_new(NULL);
            fake_stream_open(host, stream_of(host));
            struct pdu bind = take_command(host, SMS_BIND_TRANSCEIVER);
            say(host, commands[i], status, bind.header.sequence, NULL);
            kanal_op op = deliver(host, TEXT("x"));
            int is_bound = i == 0 && status == 0;
            cr_expect_eq(fake_answered(host, op), !is_bound, "0x%08x", (unsigned)commands[i]);
            channel_free(host);
        }
    }
}

Test(hostile, answers_to_a_message)
{
    struct fake_host *host = channel_bound(NULL);
    char longer[200];
    memset(longer, 'i', sizeof longer);
    longer[sizeof longer - 1] = 0;
    kanal_op op = deliver(host, TEXT("a"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    answer(host, &pdu, SMS_OK, longer); /* an id that cannot be one: sent all the same */
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    cr_expect_eq(result_of(host, op)->external_id.len, 0);
    op = deliver(host, TEXT("b"));
    pdu = take_command(host, SMS_SUBMIT_SM);
    answer(host, &pdu, SMS_OK, NULL); /* no body at all */
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    answer(host, &pdu, SMS_OK, "again"); /* twice */
    op = deliver(host, TEXT("c"));
    pdu = take_command(host, SMS_SUBMIT_SM);
    answer(host, &pdu, 0xffffffff, "id");
    expect_result(host, op, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
    channel_free(host);
}
