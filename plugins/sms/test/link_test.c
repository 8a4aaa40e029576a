/* The bind: refused, broken, probed, given back; one of several replicas. */
#include "test/capture.h"

Test(link, the_bind_is_as_configured)
{
    struct fake_host *host = channel_new(
        "{\"api_url\":\"smpps://"
        "smsc.example.com\",\"system_id\":\"kanal\",\"system_type\":\"VMA\",\"address_range\":\"^900$\"}");
    const struct fake_stream *stream = fake_stream_at(host, 0);
    cr_expect(kanal_str_is(stream->target.host, "smsc.example.com") && stream->target.port == 3550 &&
              stream->secured);
    fake_stream_open(host, stream->op);
    struct pdu bind = take_command(host, SMS_BIND_TRANSCEIVER);
    static const char body[] = "kanal\0" PASSWORD "\0VMA\0\x34\0\0^900$";
    cr_expect(kanal_str_equal(bind.body, kanal_str_of(body, sizeof body)),
              "with the secret, which the host put in");
    channel_free(host);
}

Test(link, addresses)
{
    static const struct {
        const char *settings, *host;
        unsigned port;
    } cases[] = { { "smpp://10.0.0.1:2776/", "10.0.0.1", 2776 },
                  { "smpp://smsc.example.com", "smsc.example.com", 2775 },
                  { "smpp://[2001:db8::1]:2775", "2001:db8::1", 2775 },
                  { "smpps://[2001:db8::1]", "2001:db8::1", 3550 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char settings[200];
        snprintf(settings, sizeof settings, "{\"api_url\":\"%s\",\"system_id\":\"kanal\"}",
                 cases[i].settings);
        struct fake_host *host = channel_new(settings);
        cr_expect(kanal_str_is(fake_stream_at(host, 0)->target.host, cases[i].host) &&
                      fake_stream_at(host, 0)->target.port == cases[i].port,
                  "%s", cases[i].settings);
        channel_free(host);
    }
}

Test(link, settings_are_checked)
{
    static const char *const wrong[] = { "http://x:1",  "smpp://",     "smpp://x:0",  "smpp://x:65536",
                                         "smpp://x:",   "smpp://x:1a", "smpp://[::1", "smpp://[::1]2775",
                                         "smpp://[]:1", "smpp://:1" };
    static const char *const secrets[][2] = { { "password", PASSWORD } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char settings[200];
        snprintf(settings, sizeof settings, "{\"api_url\":\"%s\",\"system_id\":\"kanal\"}", wrong[i]);
        cr_expect_null(fake_new(kanal_plugin_v1(), settings, secrets, 1), "%s", wrong[i]);
    }
    cr_expect_null(fake_new(kanal_plugin_v1(), SETTINGS(",\"sender\":\"A name too long\""), secrets, 1));
    cr_expect_null(fake_new(kanal_plugin_v1(), SETTINGS(",\"validity\":\"soon\""), secrets, 1));
}

Test(link, who_is_refused_knocks_seldom)
{
    struct fake_host *host = channel_new(NULL);
    answer_bind(host, SMS_INVALID_PASSWORD);
    cr_expect_eq(fake_health(host), KANAL_E_REJECTED);
    cr_expect(fake_logged(host, "the password is wrong (0x0000000e)"));
    cr_expect_not(fake_logged(host, PASSWORD));
    fake_advance(host, 14000);
    cr_expect_eq(fake_stream_count(host), 1);
    fake_advance(host, 17000);
    cr_expect_eq(fake_stream_count(host), 2, "30 s, less the jitter");
    answer_bind(host, SMS_OK);
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

Test(link, why_there_is_no_bind_is_told_each_time_it_is_another)
{
    struct fake_host *host = channel_new(NULL);
    answer_bind(host, SMS_INVALID_PASSWORD);
    cr_expect_eq(fake_health(host), KANAL_E_REJECTED);
    fake_advance(host, 31000);
    fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
    cr_expect_eq(fake_health(host), KANAL_E_NETWORK);
    fake_advance(host, 5000);
    cr_assert_eq(fake_stream_count(host), 3);
    answer_bind(host, SMS_INVALID_PASSWORD);
    cr_expect_eq(fake_health(host), KANAL_E_REJECTED);
    channel_free(host);
}

Test(link, backoff_grows_and_is_jittered)
{
    struct fake_host *host = channel_new(NULL);
    int64_t last = fake_now(host), waits[8];
    for (size_t i = 0; i < 8; i++) {
        size_t count = fake_stream_count(host);
        fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
        while (fake_stream_count(host) == count)
            fake_advance(host, 100);
        waits[i] = fake_now(host) - last;
        last = fake_now(host);
    }
    cr_expect(waits[0] >= 500 && waits[0] <= 1100, "%lld", (long long)waits[0]);
    cr_expect(waits[7] >= 30000 && waits[7] <= 60100, "%lld", (long long)waits[7]);
    cr_expect_eq(fake_health(host), KANAL_E_NETWORK);
    channel_free(host);
}

Test(link, a_missing_secret_is_said)
{
    struct fake_host *host = channel_new(NULL);
    fake_fail_call(host, fake_call_count(host), KANAL_E_NOT_FOUND);
    fake_stream_open(host, stream_of(host));
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    cr_expect(fake_logged(host, "the secret `password` is missing"));
    channel_free(host);
}

Test(link, the_bind_is_not_answered)
{
    struct fake_host *host = channel_new(SETTINGS(",\"response_timeout\":5"));
    fake_stream_open(host, stream_of(host));
    fake_advance(host, 7000);
    cr_expect(fake_stream_at(host, 0)->closed);
    cr_expect_eq(fake_health(host), KANAL_E_TIMEOUT);
    channel_free(host);
}

Test(link, silence_is_probed)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"enquire_link\":10,\"response_timeout\":5"));
    fake_advance(host, 9000);
    expect_nothing(host);
    fake_advance(host, 2000);
    struct pdu probe = take_command(host, SMS_ENQUIRE_LINK);
    answer(host, &probe, SMS_OK, NULL);
    fake_advance(host, 12000);
    take_command(host, SMS_ENQUIRE_LINK);
    cr_expect_not(fake_stream_at(host, 0)->closed);
    fake_advance(host, 6000);
    cr_expect(fake_stream_at(host, 0)->closed, "no answer");
    cr_expect_eq(fake_health(host), KANAL_E_TIMEOUT);
    channel_free(host);
}

Test(link, the_sms_centre_unbinds)
{
    struct fake_host *host = channel_bound(NULL);
    say(host, SMS_UNBIND, 0, 44, NULL);
    cr_expect_eq(take_command(host, SMS_UNBIND | SMS_RESPONSE).header.sequence, 44);
    cr_expect(fake_stream_at(host, 0)->ended, "after the answer, not instead of it");
    fake_stream_end(host, stream_of(host));
    fake_advance(host, 2000);
    cr_expect_eq(fake_stream_count(host), 2);
    channel_free(host);
}

Test(link, one_that_unbinds_and_stays_is_left)
{
    struct fake_host *host = channel_bound(NULL);
    say(host, SMS_UNBIND, 0, 44, NULL);
    fake_advance(host, 4000);
    cr_expect(fake_stream_at(host, 0)->closed);
    channel_free(host);
}

Test(link, answers_that_nobody_waits_for)
{
    struct fake_host *host = channel_bound(NULL);
    say(host, SMS_SUBMIT_SM | SMS_RESPONSE, 0, 999, "id");
    say(host, SMS_BIND_TRANSCEIVER | SMS_RESPONSE, 0, 1, "smsc");
    say(host, SMS_RESPONSE, 3, 0, NULL);
    cr_expect_eq(fake_metric(host, "answers_unexpected"), 3);
    kanal_op op = deliver(host, TEXT("x"));
    struct pdu pdu = take_command(host, SMS_SUBMIT_SM);
    say(host, SMS_ENQUIRE_LINK | SMS_RESPONSE, 0, pdu.header.sequence,
        NULL); /* the number is right, the command is not */
    cr_expect_not(fake_answered(host, op));
    channel_free(host);
}

Test(link, messages_before_the_bind_are_put_off)
{
    struct fake_host *host = channel_new(NULL);
    fake_stream_open(host, stream_of(host));
    take_command(host, SMS_BIND_TRANSCEIVER);
    say(host, SMS_DELIVER_SM, 0, 3, NULL);
    cr_expect_eq(take_command(host, SMS_DELIVER_SM | SMS_RESPONSE).header.status, SMS_TEMPORARY);
    channel_free(host);
}

/* ---- Leases ---- */

Test(lease, only_the_holder_binds)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"single_bind\":true"));
    kanal_op sent = deliver(host, TEXT("x"));
    fake_lease_hold(host, 0);
    cr_expect(fake_stream_at(host, 0)->closed);
    expect_result(host, sent, KANAL_UNKNOWN, 0, "timeout");
    expect_result(host, deliver(host, TEXT("x")), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
    fake_advance(host, 120000);
    cr_expect_eq(fake_stream_count(host), 1, "it is another replica's turn");
    cr_expect_eq(fake_health(host), KANAL_OK, "to stand by is no illness");
    fake_lease_hold(host, 1);
    cr_expect_eq(fake_stream_count(host), 2);
    answer_bind(host, SMS_OK);
    channel_free(host);
}

Test(lease, who_starts_without_it_waits)
{
    static const char *const secrets[][2] = { { "password", PASSWORD } };
    const struct fake_options options = { .settings = SETTINGS(",\"single_bind\":true"),
                                          .secrets = secrets,
                                          .secret_count = 1,
                                          .flags = FAKE_CREATE_ONLY };
    struct fake_host *host = fake_new_with(kanal_plugin_v1(), &options);
    cr_assert_not_null(host);
    fake_lease_hold(host, 0);
    fake_start(host);
    fake_advance(host, 60000);
    cr_expect_eq(fake_stream_count(host), 0);
    fake_lease_hold(host, 1);
    cr_expect_eq(fake_stream_count(host), 1);
    channel_free(host);
}

/* ---- The end ---- */

Test(stop, with_everything_under_way)
{
    struct fake_host *host = channel_bound(SETTINGS(",\"window\":1"));
    deliver(host, TEXT("in flight"));
    deliver(host, TEXT("waiting"));
    char text[] = { 5, 0, 3, 1, 2, 1, 'x' };
    const struct sms_message half = { .source = KANAL_LIT("79161234567"),
                                      .esm_class = 0x40,
                                      .text = kanal_str_of(text, 7) };
    say_message(host, 1, &half);
    channel_free(host);
}

Test(stop, while_connecting_and_while_binding)
{
    channel_free(channel_new(NULL));
    struct fake_host *host = channel_new(NULL);
    fake_stream_open(host, stream_of(host));
    channel_free(host);
    host = channel_new(NULL);
    fake_stream_close(host, stream_of(host), KANAL_E_NETWORK);
    channel_free(host);
}
