/* What the SMS centre sends: messages, receipts, segments; the answer comes when it is stored. */
#include <stdio.h>

#include "test/capture.h"

static void expect_answer(struct fake_host *host, uint32_t command, uint32_t status, uint32_t sequence)
{
    struct pdu pdu = take_command(host, command | SMS_RESPONSE);
    cr_expect_eq(pdu.header.status, status, "status 0x%x", (unsigned)pdu.header.status);
    cr_expect_eq(pdu.header.sequence, sequence);
}

static void check_fixture(const char *name, void *user)
{
    size_t len;
    char *bytes = read_hex(name, &len);
    struct sms_header header;
    struct fake_host *host = channel_bound(SETTINGS(",\"default_region\":\"RU\""));
    (void)user;
    say_bytes(host, kanal_str_of(bytes, len));
    cr_assert_eq(sms_header_read(&header, kanal_str_of(bytes, len)), 1);
    expect_answer(host, header.command, SMS_OK, header.sequence);
    fixture_check(host, FIXTURES, name);
    free(bytes);
    channel_free(host);
}

Test(incoming, fixtures)
{
    cr_expect_geq(each_hex(check_fixture, NULL), 29);
}

Test(incoming, byte_by_byte_and_all_at_once)
{
    size_t len;
    char *bytes = read_hex("text-ucs2", &len);
    struct fake_host *host = channel_bound(NULL);
    for (size_t i = 0; i < len; i++)
        say_bytes(host, kanal_str_of(bytes + i, 1));
    take_command(host, SMS_DELIVER_SM | SMS_RESPONSE);
    struct kanal_buffer many = { 0 };
    for (size_t i = 0; i < 2000; i++) { /* more than one round of credit */
        bytes[len - 1] = (char)i;
        bytes[len - 2] = (char)(i >> 8);
        kanal_buffer_append(&many, bytes, len);
    }
    fake_events_clear(host);
    say_bytes(host, kanal_buffer_view(&many));
    for (size_t i = 0; i < 2000; i++)
        take_command(host, SMS_DELIVER_SM | SMS_RESPONSE);
    cr_expect_eq(fake_event_count(host), 2000, "%zu", fake_event_count(host));
    kanal_buffer_release(&many);
    free(bytes);
    channel_free(host);
}

static struct sms_message message_of(const char *text)
{
    return (struct sms_message){ .source_ton = 1,
                                 .source_npi = 1,
                                 .source = KANAL_LIT("79161234567"),
                                 .destination = KANAL_LIT("900"),
                                 .text = kanal_str_c(text) };
}

static void expect_key(struct fake_host *host, size_t a, size_t b, int is_same)
{
    cr_assert(fake_event_count(host) > a && fake_event_count(host) > b, "%zu events", fake_event_count(host));
    cr_expect_eq(kanal_str_equal(fake_event_at(host, a)->event.dedupe, fake_event_at(host, b)->event.dedupe),
                 is_same, "%.*s, %.*s", (int)fake_event_at(host, a)->event.dedupe.len,
                 fake_event_at(host, a)->event.dedupe.ptr, (int)fake_event_at(host, b)->event.dedupe.len,
                 fake_event_at(host, b)->event.dedupe.ptr);
}

Test(incoming, the_same_text_twice_is_two_messages)
{
    struct fake_host *host = channel_bound(NULL);
    const struct sms_message message = message_of("yes");
    say_message(host, 1, &message);
    say_message(host, 2, &message);
    fake_advance(host, 20000);
    say_message(host, 3, &message);
    expect_key(host, 0, 1, 0);
    expect_key(host, 1, 2, 0);
    channel_free(host);
}

Test(incoming, what_was_refused_is_the_same_when_it_comes_again)
{
    struct fake_host *host = channel_bound(NULL);
    const struct sms_message message = message_of("yes");
    fake_fail_publish(host, KANAL_E_NETWORK);
    say_message(host, 1, &message);
    expect_answer(host, SMS_DELIVER_SM, SMS_TEMPORARY, 1);
    fake_fail_publish(host, KANAL_OK);
    say_message(host, 2, &message);
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 2);
    expect_key(host, 0, fake_event_count(host) - 1, 1);
    channel_free(host);
}

Test(incoming, what_was_acknowledged_on_a_bind_that_broke_is_the_same)
{
    struct fake_host *host = channel_bound(NULL);
    const struct sms_message message = message_of("yes");
    say_message(host, 1, &message);
    fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
    fake_advance(host, 5000);
    answer_bind(host, SMS_OK);
    say_message(host, 1, &message);
    expect_key(host, 0, 1, 1);
    say_message(host, 2, &message);
    expect_key(host, 1, 2, 0);
    channel_free(host);
}

Test(incoming, after_the_window_it_is_another_one)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"dedupe_window\":60"));
    const struct sms_message message = message_of("yes");
    say_message(host, 1, &message);
    fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
    fake_advance(host, 61000);
    answer_bind(host, SMS_OK);
    say_message(host, 1, &message);
    expect_key(host, 0, 1, 0);
    channel_free(host);
}

Test(incoming, what_cannot_be_read_is_refused)
{
    struct fake_host *host = channel_bound(NULL);
    say(host, SMS_DELIVER_SM, 0, 5, "only one text");
    expect_answer(host, SMS_DELIVER_SM, SMS_INVALID_LENGTH, 5);
    cr_expect_eq(fake_metric(host, "messages_unreadable"), 1);
    say(host, 0x77, 0, 6, NULL);
    struct pdu nack = take_command(host, SMS_RESPONSE);
    cr_expect(nack.header.status == SMS_INVALID_COMMAND && nack.header.sequence == 6);
    say(host, SMS_ALERT_NOTIFICATION, 0, 7, NULL);
    say(host, SMS_OUTBIND, 0, 8, NULL);
    expect_nothing(host);
    say(host, SMS_ENQUIRE_LINK, 0, 9, NULL);
    expect_answer(host, SMS_ENQUIRE_LINK, SMS_OK, 9);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}

Test(incoming, a_length_that_cannot_be_ends_the_connection)
{
    struct fake_host *host = channel_bound(NULL);
    say_bytes(host, KANAL_LIT("\xff\xff\xff\xff\0\0\0\5"));
    cr_expect(fake_stream_at(host, 0)->closed);
    cr_expect_eq(fake_health(host), KANAL_E_REJECTED);
    fake_advance(host, 2000);
    cr_expect_eq(fake_stream_count(host), 2, "it is connected again");
    answer_bind(host, SMS_OK);
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

Test(incoming, a_receipt_that_cannot_be_stored_comes_again)
{
    size_t len;
    char *bytes = read_hex("receipt-delivered", &len);
    struct fake_host *host = channel_bound(NULL);
    fake_fail_publish(host, KANAL_E_TIMEOUT);
    say_bytes(host, kanal_str_of(bytes, len));
    cr_expect_eq(take_command(host, SMS_DELIVER_SM | SMS_RESPONSE).header.status, SMS_TEMPORARY);
    free(bytes);
    channel_free(host);
}

/* ---- Segments ---- */

static void say_segment(struct fake_host *host, uint32_t sequence, uint8_t reference, uint8_t total,
                        uint8_t number, const char *words)
{
    char text[64] = { 5, 0, 3, (char)reference, (char)total, (char)number };
    struct sms_message message = message_of("");
    memcpy(text + 6, words, strlen(words));
    message.text = kanal_str_of(text, 6 + strlen(words));
    message.esm_class = SMS_CLASS_UDH;
    say_message(host, sequence, &message);
}

static void expect_text(struct fake_host *host, size_t event, const char *text)
{
    cr_assert_gt(fake_event_count(host), event);
    EXPECT_TEXT(event_value(host, event, "message/content/0/text"), text);
}

Test(segments, each_is_answered_when_it_is_kept)
{
    struct fake_host *host = channel_bound(NULL);
    say_segment(host, 1, 7, 3, 2, "two ");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 1);
    say_segment(host, 2, 7, 3, 3, "three");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 2);
    cr_expect_eq(fake_event_count(host), 0);
    say_segment(host, 3, 7, 3, 1, "one ");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 3);
    expect_text(host, 0, "one two three");
    say_segment(host, 4, 7, 3, 2, "two ");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 4);
    cr_expect_eq(fake_event_count(host), 1, "a segment that comes again is known");
    channel_free(host);
}

Test(segments, another_message_of_the_same_reference)
{
    struct fake_host *host = channel_bound(NULL);
    say_segment(host, 1, 7, 2, 1, "one ");
    say_segment(host, 2, 7, 2, 2, "two");
    say_segment(host, 3, 7, 2, 1, "three ");
    say_segment(host, 4, 7, 2, 2, "four");
    expect_text(host, 0, "one two");
    expect_text(host, 1, "three four");
    say_segment(host, 5, 7, 2, 1, "left alone");
    say_segment(host, 6, 7, 2, 1, "five ");
    expect_text(host, 2, "left alone");
    EXPECT_TEXT(event_value(host, 2, "message/provider/missing_segments"), "1");
    say_segment(host, 7, 7, 2, 2, "six");
    expect_text(host, 3, "five six");
    expect_key(host, 0, 1, 0);
    channel_free(host);
}

Test(segments, without_the_state_they_come_again)
{
    struct fake_host *host = channel_bound(NULL);
    fake_fail_state(host, KANAL_E_NETWORK);
    say_segment(host, 1, 7, 2, 1, "one ");
    expect_answer(host, SMS_DELIVER_SM, SMS_TEMPORARY, 1);
    fake_fail_state(host, KANAL_OK);
    say_segment(host, 2, 7, 2, 1, "one ");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 2);
    fake_fail_publish(host, KANAL_E_NETWORK);
    say_segment(host, 3, 7, 2, 2, "two");
    expect_answer(host, SMS_DELIVER_SM, SMS_TEMPORARY, 3);
    fake_fail_publish(host, KANAL_OK);
    say_segment(host, 4, 7, 2, 2, "two");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 4);
    expect_text(host, fake_event_count(host) - 1, "one two");
    channel_free(host);
}

Test(segments, another_replica_was_faster)
{
    struct fake_host *host = channel_bound(NULL);
    say_segment(host, 1, 7, 3, 1, "one ");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 1);
    fake_fail_call(host, fake_call_count(host), KANAL_E_REJECTED);
    say_segment(host, 2, 7, 3, 2, "two ");
    cr_assert_str_eq(fake_failed_call(host), "state_put");
    expect_answer(host, SMS_DELIVER_SM, SMS_OK, 2); /* read anew, and written */
    say_segment(host, 3, 7, 3, 3, "three");
    expect_text(host, 0, "one two three");
    channel_free(host);
}

Test(segments, what_stays_incomplete_is_told)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"reassembly_timeout\":60"));
    say_segment(host, 1, 7, 3, 2, "the middle");
    fake_advance(host, 50000);
    cr_expect_eq(fake_event_count(host), 0);
    fake_advance(host, 30000);
    expect_text(host, 0, "the middle");
    EXPECT_TEXT(event_value(host, 0, "message/provider/missing_segments"), "2");
    fake_advance(host, 300000);
    cr_expect_eq(fake_event_count(host), 1);
    channel_free(host);
}

/* Long ones, whose pieces are many: what is stored fits into a value of the state, whatever comes. */
Test(segments, the_longest_messages_fit)
{
    struct fake_host *host = channel_bound(NULL);
    char text[146] = { 5, 0, 3, 0, (char)255, 0 };
    struct sms_message message = message_of("");
    memset(text + 6, 'x', sizeof text - 6);
    message.text = kanal_str_of(text, sizeof text);
    message.esm_class = SMS_CLASS_UDH;
    uint32_t sequence = 1;
    for (int reference = 0; reference < 12; reference++) {
        for (int number = 1; number <= 255; number++, sequence++) {
            text[3] = (char)reference;
            text[5] = (char)number;
            say_message(host, sequence, &message);
            expect_answer(host, SMS_DELIVER_SM, SMS_OK, sequence);
        }
    }
    cr_expect_eq(fake_event_count(host), 12);
    for (size_t i = 0; i < fake_event_count(host); i++)
        cr_expect_eq(strlen(event_value(host, i, "message/content/0/text")), 255 * 140);
    channel_free(host);
}

Test(incoming, more_contents_than_places_are_told_rather_twice)
{
    struct fake_host *host = channel_bound(NULL);
    for (uint32_t i = 0; i < 6000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i % 3000); /* each twice, with 3,000 between */
        const struct sms_message message = message_of(text);
        say_message(host, i + 1, &message);
        if (i == 2999)
            fake_advance(host, 1000);
    }
    cr_assert_eq(fake_event_count(host), 6000, "%zu events", fake_event_count(host));
    for (size_t i = 0; i < 3000; i++)
        expect_key(host, i, i + 3000, 0);
    channel_free(host);
}

Test(segments, more_than_fits_is_told_as_it_is)
{
    struct fake_host *host = channel_bound(NULL);
    for (uint32_t i = 0; i < 2000; i++) { /* halves that nobody completes */
        char text[16] = { 6, 8, 4, (char)(i >> 8), (char)i, 2, 1, 'h', 'a', 'l', 'f' };
        struct sms_message message = message_of("");
        message.text = kanal_str_of(text, 11);
        message.esm_class = SMS_CLASS_UDH;
        say_message(host, i + 1, &message);
    }
    for (uint32_t i = 0; i < 2000; i++)
        expect_answer(host, SMS_DELIVER_SM, SMS_OK, i + 1);
    cr_expect_gt(fake_event_count(host), 1500, "only a bounded number waits");
    channel_free(host);
}
