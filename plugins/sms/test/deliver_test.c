/* The way out: what is submitted, what its answers mean, what a next attempt submits. */
#include "test/capture.h"
#include "text.h"

#define LONG_160                                                                                             \
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "2345678901234567890123456789012345678901234567890123456789"

Test(deliver, a_short_text)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"sender\":\"Lavka\",\"validity\":\"PT1H\""));
    kanal_op op = deliver(host, TEXT("Hi {you}"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    cr_expect(kanal_str_is(pdu.message.source, "Lavka") && pdu.message.source_ton == 5 &&
              kanal_str_is(pdu.message.destination, "79161234567") && pdu.message.destination_ton == 1 &&
              pdu.message.destination_npi == 1 && pdu.message.data_coding == 0 &&
              pdu.message.esm_class == 0 && pdu.message.registered_delivery == 1 &&
              kanal_str_is(pdu.message.validity, "000000010000000R"));
    cr_expect(kanal_str_is(pdu.message.text, "Hi \x1b\x28you\x1b\x29"));
    cr_expect_not(fake_answered(host, op), "sent is what the SMS centre says is");
    answer(host, &pdu, SMS_OK, "id-1");
    expect_sent(host, op, "id-1");
    channel_free(host);
}

Test(deliver, options_and_settings)
{
    struct fake_host *host = channel_bound(
        SETTINGS(",\"receipts\":false,\"source_ton\":3,\"destination_ton\":0,\"destination_npi\":0"));
    deliver(host, "{\"expires\":\"2026-11-21T20:55:05Z\",\"provider\":{\"sms\":{\"sender\":\"900\",\"flash\":"
                  "true,\"priority\":2}},"
                  "\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}");
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    cr_expect(kanal_str_is(pdu.message.source, "900") && pdu.message.source_ton == 3 &&
              pdu.message.destination_ton == 0 && pdu.message.destination_npi == 0 &&
              pdu.message.data_coding == 0x10 && pdu.message.priority == 2 &&
              pdu.message.registered_delivery == 0);
    cr_expect(kanal_str_is(pdu.message.validity, "000000000200000R"), "two minutes are left");
    cr_expect(kanal_str_is(pdu.message.text, "a\nb"));
    channel_free(host);
}

Test(deliver, what_is_refused_for_good)
{
    static const struct {
        const char *data, *code;
    } cases[] = { { "{}", "invalid_content" },
                  { "{\"content\":[]}", "invalid_content" },
                  { "[", "invalid_content" },
                  { "{\"content\":[{\"type\":\"image\",\"url\":\"https://x.example/a.png\"}]}",
                    "unsupported_content" },
                  { "{\"expires\":\"2026-11-21T20:53:00Z\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
                    "expired" },
                  { "{\"provider\":{\"sender\":\"Лавка\"},\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
                    "invalid_content" },
                  { TEXT(LONG_160 LONG_160 LONG_160), "payload_too_large" } };
    struct fake_host *host = channel_bound(SETTINGS(",\"max_segments\":3"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_result(host, deliver(host, cases[i].data), KANAL_FAILED, KANAL_SCOPE_MESSAGE, cases[i].code);
    kanal_delivery other = { .type = KANAL_LIT("message.edit"),
                             .address = KANAL_LIT(ADDRESS),
                             .data = KANAL_LIT(TEXT("x")) };
    expect_result(host, fake_deliver(host, &other), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_verb");
    kanal_delivery nobody = { .address = KANAL_LIT("telegram:1"), .data = KANAL_LIT(TEXT("x")) };
    expect_result(host, fake_deliver(host, &nobody), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_nothing(host);
    channel_free(host);
}

Test(deliver, only_while_bound)
{
    struct fake_host *host = channel_new(NULL);
    expect_result(host, deliver(host, TEXT("x")), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
    fake_stream_open(host, stream_of(host));
    expect_result(host, deliver(host, TEXT("x")), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
    channel_free(host);
}

static void expect_status(struct fake_host *host, uint32_t status, int32_t outcome, int32_t scope,
                          const char *code)
{
    kanal_op op = deliver(host, TEXT("x"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    answer(host, &pdu, status, NULL);
    expect_result(host, op, outcome, scope, code);
    fake_advance(host, 1000);
}

Test(deliver, errors)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"retry_statuses\":[1025]"));
    expect_status(host, SMS_THROTTLED, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    expect_status(host, SMS_QUEUE_FULL, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    expect_status(host, 0x0b, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    expect_status(host, 0x401, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    expect_status(host, 0x402, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
    kanal_op op = deliver(host, TEXT("x"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    say(host, SMS_RESPONSE, SMS_INVALID_COMMAND_LENGTH, pdu.header.sequence, NULL); /* generic_nack */
    expect_result(host, op, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
    channel_free(host);
}

Test(deliver, a_bind_that_the_sms_centre_denies_is_made_anew)
{
    static const uint32_t statuses[] = { SMS_NOT_BOUND, SMS_ALREADY_BOUND };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct fake_host *host = channel_bound(NULL);
        kanal_op op = deliver(host, TEXT("x"));
        struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
        answer(host, &pdu, statuses[i], NULL);
        expect_result(host, op, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
        cr_expect(fake_stream_at(host, 0)->closed, "status %u", (unsigned)statuses[i]);
        fake_advance(host, 2000);
        cr_expect_eq(fake_stream_count(host), 2, "status %u", (unsigned)statuses[i]);
        channel_free(host);
    }
}

Test(deliver, no_answer_in_time_is_unknown_and_keeps_its_place)
{
    struct fake_host *host =
        channel_bound(SETTINGS(",\"window\":1,\"response_timeout\":10,\"enquire_link\":0"));
    kanal_op first = deliver(host, TEXT("first"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    kanal_op second = deliver_attempt(host, "k-2", 1, TEXT("second"));
    expect_nothing(host);
    fake_advance(host, 9000);
    cr_expect_not(fake_answered(host, first));
    fake_advance(host, 2000);
    expect_result(host, first, KANAL_UNKNOWN, 0, "timeout");
    /* A whole window without an answer: nothing is to be had from this bind any more. */
    cr_expect(fake_stream_at(host, 0)->closed);
    expect_result(host, second, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
    (void)pdu;
    channel_free(host);
}

Test(deliver, a_late_answer_frees_its_place)
{
    struct fake_host *host =
        channel_bound(SETTINGS(",\"window\":2,\"response_timeout\":5,\"enquire_link\":0"));
    kanal_op first = deliver(host, TEXT("first"));
    struct pdu late = take_command(host, SMS_SUBMIT_SM);
    fake_advance(host, 6000);
    expect_result(host, first, KANAL_UNKNOWN, 0, "timeout");
    deliver_attempt(host, "k-2", 1, TEXT("second"));
    deliver_attempt(host, "k-3", 1, TEXT("third"));
    take_command(host, SMS_SUBMIT_SM);
    expect_nothing(host);
    answer(host, &late, SMS_OK, "late");
    cr_expect(kanal_str_is(take_command(host, SMS_SUBMIT_SM).message.text, "third"));
    channel_free(host);
}

Test(deliver, the_window_holds)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"window\":3"));
    kanal_op ops[8];
    struct pdu pdus[8];
    for (size_t i = 0; i < 8; i++)
        ops[i] = deliver_attempt(host, "k-1", 1, TEXT("x"));
    for (size_t i = 0; i < 3; i++)
        pdus[i] = take_command(host, SMS_SUBMIT_SM);
    expect_nothing(host);
    for (size_t i = 0; i < 5; i++) {
        answer(host, &pdus[i], SMS_OK, "id");
        expect_sent(host, ops[i], "id");
        pdus[i + 3] = take_command(host, SMS_SUBMIT_SM);
        expect_nothing(host);
    }
    channel_free(host);
}

Test(deliver, what_waits_while_the_sms_centre_throttles)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"window\":1"));
    kanal_op first = deliver(host, TEXT("first"));
    deliver_attempt(host, "k-2", 1, TEXT("second"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    answer(host, &pdu, SMS_THROTTLED, NULL);
    expect_result(host, first, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    fake_advance(host, 900);
    expect_nothing(host);
    fake_advance(host, 1200);
    cr_expect(kanal_str_is(take_command(host, SMS_SUBMIT_SM).message.text, "second"));
    channel_free(host);
}

Test(deliver, what_waits_too_long_goes_back_unsent)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"window\":1,\"response_timeout\":120"));
    deliver(host, TEXT("first"));
    kanal_op second = deliver(host, TEXT("second"));
    fake_advance(host, 59000);
    expect_result(host, second, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
    channel_free(host);
}

Test(deliver, the_connection_breaks)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"window\":1"));
    kanal_op sent = deliver(host, TEXT("sent")), waiting = deliver(host, TEXT("waiting"));
    fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
    expect_result(host, sent, KANAL_UNKNOWN, 0, "timeout");
    expect_result(host, waiting, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
    channel_free(host);
}

Test(deliver, a_write_that_did_not_leave_is_tried_again)
{
    struct fake_host *host = channel_bound(NULL);
    fake_fail_call(host, fake_call_count(host), KANAL_E_NETWORK);
    kanal_op op = deliver(host, TEXT("x"));
    cr_expect_str_eq(fake_failed_call(host), "stream write");
    expect_result(host, op, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
    fake_fail_call(host, fake_call_count(host), KANAL_E_MAYBE);
    op = deliver(host, TEXT("x"));
    expect_result(host, op, KANAL_UNKNOWN, 0, "timeout");
    channel_free(host);
}

/* ---- Long texts ---- */

static unsigned number_of(const struct pdu *pdu)
{
    struct sms_part part;
    sms_part_read(&part, &pdu->message);
    return part.sequence;
}

static unsigned reference_of(const struct pdu *pdu)
{
    struct sms_part part;
    sms_part_read(&part, &pdu->message);
    return part.reference;
}

Test(segments, the_first_goes_alone)
{
    struct fake_host *host = channel_bound(NULL);
    kanal_op op = deliver(host, TEXT(LONG_160 LONG_160 LONG_160));
    struct pdu first = take_command(host, SMS_SUBMIT_SM), rest[3];
    expect_nothing(host);
    answer(host, &first, SMS_OK, "id-1");
    for (size_t i = 0; i < 3; i++) {
        rest[i] = take_command(host, SMS_SUBMIT_SM);
        cr_expect_eq(number_of(&rest[i]), i + 2);
        cr_expect_eq(reference_of(&rest[i]), reference_of(&first));
        cr_expect_eq(rest[i].message.registered_delivery, i == 2, "the last one's receipt speaks for all");
    }
    answer(host, &rest[2], SMS_OK, "id-4");
    answer(host, &rest[0], SMS_OK, "id-2");
    cr_expect_not(fake_answered(host, op));
    answer(host, &rest[1], SMS_OK, "id-3");
    expect_sent(host, op, "id-4");
    channel_free(host);
}

Test(segments, a_refused_number_costs_one)
{
    struct fake_host *host = channel_bound(NULL);
    kanal_op op = deliver(host, TEXT(LONG_160 LONG_160));
    struct pdu first = take_command(host, SMS_SUBMIT_SM);
    answer(host, &first, 0x0b, NULL);
    expect_nothing(host);
    expect_result(host, op, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    channel_free(host);
}

/* The first is taken, the second throttled, the third taken: 2 is left. */
static unsigned throttle_second(struct fake_host *host)
{
    kanal_op op = deliver_attempt(host, "part-key", 1, TEXT(LONG_160 LONG_160));
    struct pdu first = take_command(host, SMS_SUBMIT_SM);
    answer(host, &first, SMS_OK, "id-1");
    struct pdu second = take_command(host, SMS_SUBMIT_SM), third = take_command(host, SMS_SUBMIT_SM);
    answer(host, &second, SMS_THROTTLED, NULL);
    answer(host, &third, SMS_OK, "id-3");
    expect_result(host, op, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    fake_advance(host, 1000);
    return reference_of(&first);
}

Test(segments, another_attempt_submits_what_is_left)
{
    struct fake_host *host = channel_bound(NULL);
    unsigned reference = throttle_second(host);
    kanal_op op = deliver_attempt(host, "part-key", 2, TEXT(LONG_160 LONG_160));
    struct pdu second = take_command(host, SMS_SUBMIT_SM);
    expect_nothing(host);
    cr_expect_eq(number_of(&second), 2);
    cr_expect_eq(reference_of(&second), reference);
    answer(host, &second, SMS_OK, "id-2");
    expect_sent(host, op, "id-3");
    channel_free(host);
}

Test(segments, an_attempt_of_another_message_submits_all)
{
    struct fake_host *host = channel_bound(NULL);
    throttle_second(host);
    deliver_attempt(host, "part-key", 2, TEXT(LONG_160 LONG_160 LONG_160)); /* other segments */
    cr_expect_eq(number_of(&(struct pdu[]){ take_command(host, SMS_SUBMIT_SM) }[0]), 1);
    channel_free(host);
}

Test(segments, without_the_state_all_are_submitted_again_as_the_same_message)
{
    struct fake_host *host = channel_bound(NULL);
    unsigned reference = throttle_second(host);
    fake_fail_state(host, KANAL_E_NETWORK);
    deliver_attempt(host, "part-key", 2, TEXT(LONG_160 LONG_160));
    struct pdu first = take_command(host, SMS_SUBMIT_SM);
    cr_expect_eq(number_of(&first), 1);
    cr_expect_eq(reference_of(&first), reference);
    fake_fail_state(host, KANAL_OK);
    channel_free(host);
}

Test(segments, one_without_an_answer_makes_the_whole_unknown)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"response_timeout\":5"));
    kanal_op op = deliver_attempt(host, "part-key", 1, TEXT(LONG_160 LONG_160));
    struct pdu first = take_command(host, SMS_SUBMIT_SM);
    answer(host, &first, SMS_OK, "id-1");
    struct pdu second = take_command(host, SMS_SUBMIT_SM), third = take_command(host, SMS_SUBMIT_SM);
    answer(host, &third, SMS_OK, "id-3");
    fake_advance(host, 7000);
    expect_result(host, op, KANAL_UNKNOWN, 0, "timeout");
    (void)second;
    op = deliver_attempt(host, "part-key", 2, TEXT(LONG_160 LONG_160)); /* on_unknown: retry */
    second = take_command(host, SMS_SUBMIT_SM);
    cr_expect_eq(number_of(&second), 2);
    channel_free(host);
}
