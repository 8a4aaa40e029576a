/* The fake host must notice what a host would not stand: each check has a test that trips it. */
#include <unistd.h>

#include "chosen_plugin.h"

static void respond_twice(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    respond(channel, op, 200);
    respond(channel, op, 200);
}

static void never_answer(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)channel, (void)op, (void)request;
}

static void respond_badly(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    const kanal_field headers[] = { { KANAL_LIT("Content-Type"), KANAL_LIT("a") },
                                    { KANAL_LIT("a"), KANAL_LIT("b\r\nc: d") } };
    const kanal_http_response response = {
        .struct_size = sizeof response, .code = 99, .headers = headers, .header_count = 2
    };
    (void)request;
    channel->host->respond(channel->host, op, &response);
}

static void finish_instead(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
    respond(channel, op, 200);
}

static void publish_after(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    respond(channel, op, 200);
    publish_one(channel, op, GOOD_DATA); /* too late: it was let go */
}

Test(fakehost, notices_wrong_answers)
{
    static const struct {
        void (*on_http)(kanal_channel *, kanal_op, const kanal_http_request *);
        size_t failures;
    } cases[] = { { respond_twice, 1 },
                  { never_answer, 1 },
                  { respond_badly, 3 },
                  { finish_instead, 1 },
                  { publish_after, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_host *host = new_host();
        hooks.on_http = cases[i].on_http;
        fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0));
        size_t failures = fake_free(host);
        cr_assert_eq(failures, cases[i].failures, "case %zu: %zu", i, failures);
    }
}

static void deliver_badly(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    kanal_result result = { .struct_size = sizeof result,
                            .outcome = KANAL_FAILED,
                            .code = KANAL_LIT("whatever") };
    if (kanal_str_is(delivery->type, "message.send"))
        channel->host->delivered(channel->host, op, &result);
    result.code = KANAL_LIT("provider_error");
    if (kanal_str_is(delivery->type, "message.edit"))
        channel->host->delivered(channel->host, op, &result);
}

Test(fakehost, notices_unknown_error_codes)
{
    struct fake_host *host = new_host();
    hooks.deliver = deliver_badly;
    fake_deliver(host, &(kanal_delivery){ .type = KANAL_LIT("message.edit") });
    cr_assert_eq(fake_failures(host), 0);
    kanal_op op = fake_deliver(host, &(kanal_delivery){ .address = KANAL_LIT("probe:anna") });
    cr_assert_eq(fake_failures(host), 1);
    cr_assert_eq(fake_answer(host, op)->result.outcome, KANAL_FAILED);
    fake_free(host);
}

Test(fakehost, notices_bad_events)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    static const struct {
        const char *type, *dedupe, *address, *data;
        uint32_t struct_size;
    } cases[] = { { "message.received", "1", "probe:a", "{", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a", "[]", sizeof(kanal_event) },
                  { "message.received", "", "probe:a", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "anna", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a b", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:\xD0\x90", "{}", sizeof(kanal_event) },
                  { "message", "1", "probe:a", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a", "{}", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const kanal_event event = { .struct_size = cases[i].struct_size,
                                    .type = kanal_str_c(cases[i].type),
                                    .dedupe = kanal_str_c(cases[i].dedupe),
                                    .address = kanal_str_c(cases[i].address),
                                    .data = kanal_str_c(cases[i].data) };
        const kanal_event *list = &event;
        h->publish(h, 0, &list, 1, count_done, (void *)(uintptr_t) "x");
        cr_assert_eq(fake_failures(host), i + 1, "case %zu passed", i);
    }
    fake_run(host);
    cr_assert_str_eq(events, "x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 ");
    cr_assert_eq(fake_event_count(host), 0);
    fake_free(host);
}

Test(fakehost, notices_secrets_in_the_log)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    h->log(h, 0, KANAL_LOG_INFO, KANAL_LIT("all is well"));
    cr_assert_eq(fake_failures(host), 0);
    cr_assert(fake_logged(host, "is well"));
    cr_assert_not(fake_logged(host, "unwell"));
    h->log(h, 0, KANAL_LOG_INFO, KANAL_LIT("the token is Jefe"));
    cr_assert_eq(fake_failures(host), 1);
    h->metric_add(h, KANAL_LIT("Bad-Name"), 1, NULL, 0);
    cr_assert_eq(fake_failures(host), 2);
    h->metric_add(h, KANAL_LIT("good_total"), 2, NULL, 0);
    h->metric_add(h, KANAL_LIT("good_total"), 3, NULL, 0);
    cr_assert(fake_metric(host, "good_total") == 5);
    fake_free(host);
}

static kanal_op stop_op;
static void stop_later(kanal_channel *channel, kanal_op op)
{
    (void)channel;
    stop_op = op;
}

static void finish_stop(void *user, kanal_status status)
{
    kanal_channel *channel = user;
    const kanal_host *h = channel->host;
    cr_assert_eq(status, KANAL_E_CANCELLED);
    h->finish(h, stop_op, KANAL_OK, kanal_str_of(NULL, 0));
    cr_assert_eq(h->timer(h, 1, NULL, NULL), 0); /* nothing is owed any more */
    note("stopped");
}

Test(fakehost, stop)
{
    struct fake_host *host = new_host();
    hooks.stop = stop_later;
    kanal_channel *channel = fake_channel(host);
    channel->host->timer(channel->host, 1000, finish_stop, channel);
    cr_assert_eq(fake_free(host), 0);
    cr_assert_str_eq(events, "stopped ");
    host = new_host();
    hooks.stop = stop_later; /* and nobody finishes */
    cr_assert_eq(fake_free(host), 2);
    cr_assert_eq(fake_free(NULL), 0);
}

static kanal_channel *bad_create(const kanal_host *host, const kanal_config *config)
{
    host->timer(host, 1, NULL, NULL);
    return probe_create(host, config);
}

static kanal_channel *no_create(const kanal_host *host, const kanal_config *config)
{
    (void)host, (void)config;
    return NULL;
}

Test(fakehost, notices_bad_plugins)
{
    kanal_plugin plugin = probe;
    plugin.create = no_create;
    cr_assert_null(fake_new(&plugin, NULL, NULL, 0));
    plugin.create = NULL;
    cr_assert_null(fake_new(&plugin, NULL, NULL, 0));
    plugin.create = bad_create;
    plugin.id = "Bad Id";
    memset(&hooks, 0, sizeof hooks);
    struct fake_host *host = fake_new(&plugin, NULL, given_secrets, 1);
    cr_assert_eq(fake_free(host), 2);
}
