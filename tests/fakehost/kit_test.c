/* What `kanal plugin check` and unit tests need of the fake host beyond a quiet day: guarded arguments, other minors, a scripted provider, failing
 * calls, faults by kind. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"

struct kanal_channel {
    const kanal_host *host;
    kanal_str last; /* borrowed, on purpose */
    uint32_t config_size, delivery_size;
    kanal_status status;
    int code, calls;
    char body[256];
};

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    channel->host = host;
    channel->config_size = config->struct_size;
    channel->last = config->channel_id;
    return channel;
}

static void destroy(kanal_channel *channel)
{
    free(channel);
}

static void finish(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    kanal_channel *channel = user;
    channel->calls++;
    channel->status = status;
    channel->code = response ? response->code : 0;
    if (response && response->body.len < sizeof channel->body) {
        memcpy(channel->body, response->body.ptr, response->body.len);
        channel->body[response->body.len] = 0;
    }
}

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .method = KANAL_LIT("POST"),
                                         .url = KANAL_LIT("https://api.example.com/v1/send?x=1"),
                                         .body = KANAL_LIT("{\"n\":1}") };
    const kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_SENT };
    channel->delivery_size = delivery->struct_size;
    channel->host->http_send(channel->host, op, &request, on_response, channel);
    channel->host->delivered(channel->host, op, &result);
}

static const char *const egress[] = { "api.example.com", NULL };
static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .id = "x",
    .name = "X",
    .version = "1.0.0",
    .egress = egress,
    .settings_schema = "{}",
    .create = create,
    .start = finish,
    .deliver = deliver,
    .stop = finish,
    .destroy = destroy,
};

struct told {
    size_t of[FAKE_FAULT_TEST + 1];
};

static void on_failure(void *user, enum fake_fault fault, const char *where, const char *text)
{
    (void)where;
    (void)text;
    ((struct told *)user)->of[fault]++;
}

static struct fake_host *begin(uint32_t flags, struct told *told)
{
    const struct fake_options options = {
        .flags = flags, .seed = 3, .on_failure = told ? on_failure : NULL, .user = told
    };
    return fake_new_with(&plugin, &options);
}

static const kanal_delivery text = { .address = { "x:1", 3 } };

Test(fakehost_kit, guarded_arguments_are_known_by_their_address)
{
    struct fake_host *host = begin(FAKE_GUARDED, NULL);
    const char *call = NULL, *kept = fake_channel(host)->last.ptr;
    cr_assert_str_eq(fake_guarded(host, kept, &call), "after it had returned:");
    cr_assert_str_eq(call, "create()");
    cr_assert_str_eq(fake_guarded(host, kept + fake_channel(host)->last.len, &call), "beyond the end of");
    cr_assert_null(fake_guarded(host, &call, &call));
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, a_kept_guarded_argument_kills, .signal = SIGSEGV)
{
    struct fake_host *host = begin(FAKE_GUARDED, NULL);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would make an exit code of it */
    fake_channel(host)->code = *(const volatile char *)fake_channel(host)->last.ptr;
}

Test(fakehost_kit, structs_of_other_minors)
{
    struct fake_host *host = begin(FAKE_NEWER_MINOR, NULL);
    fake_deliver(host, &text);
    cr_assert_eq(fake_channel(host)->config_size, sizeof(kanal_config) + 64);
    cr_assert_eq(fake_channel(host)->delivery_size, sizeof(kanal_delivery) + 64);
    cr_assert_eq(fake_channel(host)->host->struct_size, sizeof(kanal_host) + 64);
    cr_assert_eq(((const unsigned char *)fake_channel(host)->host)[sizeof(kanal_host)], 0xA5);
    fake_free(host);
    host = begin(FAKE_OLDEST_MINOR, NULL);
    cr_assert_eq(fake_channel(host)->config_size, 56); /* of minor 0, for ever */
    cr_assert_eq(fake_channel(host)->host->struct_size, 168);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, a_scripted_provider)
{
    struct fake_host *host = begin(0, NULL);
    struct kanal_channel *channel = fake_channel(host);
    cr_assert_eq(
        fake_provider_script(host, KANAL_LIT("[{\"path\":\"/v2/*\",\"code\":500},"
                                             "{\"path\":\"/v1/*\",\"contains\":\"\\\"n\\\":1\",\"times\":1,"
                                             "\"code\":201,\"body\":{\"id\":7}},"
                                             "{\"status\":\"maybe\",\"delay_ms\":500}]")),
        KANAL_OK);
    fake_deliver(host, &text);
    cr_assert_eq(channel->code, 201);
    cr_assert_str_eq(channel->body, "{\"id\":7}");
    fake_deliver(host, &text); /* the rule was for once; the last one fits everything, after a while */
    cr_assert_eq(channel->calls, 1);
    fake_advance(host, 499);
    cr_assert_eq(channel->calls, 1);
    fake_advance(host, 1);
    cr_assert_eq(channel->status, KANAL_E_MAYBE);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, a_script_that_is_none)
{
    static const char *const scripts[] = { "", "{}", "[1]", "[{\"status\":\"later\"}]" };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct told told = { 0 };
        struct fake_host *host = begin(0, &told);
        cr_assert_eq(fake_provider_script(host, kanal_str_c(scripts[i])), KANAL_E_INVALID);
        cr_assert_eq(told.of[FAKE_FAULT_TEST], 1);
        fake_free(host);
    }
}

Test(fakehost_kit, bad_days)
{
    static const struct {
        enum fake_trouble trouble;
        kanal_status status;
        int code;
    } days[] = { { FAKE_FINE, KANAL_OK, 200 },         { FAKE_429, KANAL_OK, 429 },
                 { FAKE_500, KANAL_OK, 500 },          { FAKE_401, KANAL_OK, 401 },
                 { FAKE_400, KANAL_OK, 400 },          { FAKE_GARBAGE, KANAL_OK, 200 },
                 { FAKE_CUT, KANAL_OK, 200 },          { FAKE_EMPTY, KANAL_OK, 200 },
                 { FAKE_STRANGE, KANAL_OK, 200 },      { FAKE_HUGE, KANAL_OK, 200 },
                 { FAKE_TIMEOUT, KANAL_E_TIMEOUT, 0 }, { FAKE_MAYBE, KANAL_E_MAYBE, 0 },
                 { FAKE_NETWORK, KANAL_E_NETWORK, 0 } };
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        struct fake_host *host = begin(0, NULL);
        fake_provider_script(host, KANAL_LIT("[{\"body\":{\"ok\":true}}]"));
        fake_provider_trouble(host, days[i].trouble);
        cr_assert_not(fake_asked_provider(host));
        fake_deliver(host, &text);
        cr_assert(fake_asked_provider(host));
        cr_assert_eq(fake_channel(host)->status, days[i].status, "day %zu", i);
        cr_assert_eq(fake_channel(host)->code, days[i].code, "day %zu", i);
        fake_free(host);
    }
    struct fake_host *host = begin(0, NULL);
    fake_provider_trouble(host, FAKE_SILENT);
    fake_deliver(host, &text);
    cr_assert_eq(fake_channel(host)->calls, 0);
    cr_assert_eq(fake_request_count(host), 1);
    fake_request_answer(host, 0, 200, "{}"); /* the test still can */
    cr_assert_eq(fake_channel(host)->calls, 1);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, a_call_that_fails)
{
    struct fake_host *host = begin(0, NULL);
    fake_fail_call(host, 1, KANAL_E_BUSY);
    fake_deliver(host, &text);
    cr_assert_null(fake_failed_call(host));
    fake_request_answer(host, 0, 200, "{}");
    fake_deliver(host, &text);
    cr_assert_str_eq(fake_failed_call(host), "http_send");
    cr_assert_eq(fake_channel(host)->status, KANAL_E_BUSY);
    cr_assert_eq(fake_call_count(host), 2);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, only_the_script_answers)
{
    struct told told = { 0 };
    struct fake_host *host = begin(FAKE_SCRIPT_ONLY, &told);
    fake_deliver(host, &text);
    cr_assert_eq(told.of[FAKE_FAULT_TEST], 1);
    cr_assert_eq(fake_channel(host)->code, 404);
    fake_free(host);
}

static void nothing(void *user, kanal_status status)
{
    (void)user;
    (void)status;
}

static kanal_channel *create_wrong(const kanal_host *host, const kanal_config *config)
{
    int on_the_stack;
    kanal_channel *channel = create(host, config);
    host->timer(host, 1, nothing, &on_the_stack);
    return channel;
}

static void *ask_clock(void *user)
{
    const kanal_host *host = user;
    host->now_ms(host);
    return NULL;
}

Test(fakehost_kit, faults_are_told_by_kind)
{
    struct told told = { 0 };
    kanal_plugin wrong = plugin;
    const struct fake_options options = { .on_failure = on_failure, .user = &told };
    pthread_t thread;
    wrong.create = create_wrong;
    struct fake_host *host = fake_new_with(&wrong, &options);
    cr_assert_eq(told.of[FAKE_FAULT_LANE], 2, "a call in create(), and its user in a dead frame");
    cr_assert_eq(pthread_create(&thread, NULL, ask_clock, (void *)(uintptr_t)fake_channel(host)->host), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(told.of[FAKE_FAULT_LANE], 3);
    kanal_op op = fake_deliver(host, &text);
    const kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_SENT };
    fake_channel(host)->host->delivered(fake_channel(host)->host, op, &result);
    cr_assert_eq(told.of[FAKE_FAULT_ANSWER], 1);
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = KANAL_LIT("1"),
                                .address = KANAL_LIT("x:1"),
                                .data = KANAL_LIT("{\"message\":{\"content\":[{\"type\":\"smoke\"}]}}") };
    const kanal_event *const events[] = { &event };
    fake_channel(host)->host->publish(fake_channel(host)->host, 0, events, 1, NULL, NULL);
    cr_assert_geq(told.of[FAKE_FAULT_EVENT], 1);
    cr_assert_eq(fake_free(host), 3 + 1 + told.of[FAKE_FAULT_EVENT]);
}

Test(fakehost_kit, chance_comes_from_the_seed)
{
    unsigned char first[8], second[8], third[8];
    const struct fake_options options[] = { { .seed = 1 }, { .seed = 1 }, { .seed = 2 } };
    unsigned char *out[] = { first, second, third };
    for (int i = 0; i < 3; i++) {
        struct fake_host *host = fake_new_with(&plugin, &options[i]);
        fake_channel(host)->host->random(fake_channel(host)->host, out[i], 8);
        fake_free(host);
    }
    cr_assert_eq(memcmp(first, second, 8), 0);
    cr_assert_neq(memcmp(first, third, 8), 0);
}

Test(fakehost_kit, a_cancel_that_comes_too_late)
{
    struct fake_host *host = begin(FAKE_CANCEL_LATE, NULL);
    fake_provider_trouble(host, FAKE_SILENT);
    fake_deliver(host, &text);
    kanal_op call = fake_request_at(host, 0)->op;
    fake_channel(host)->host->cancel(fake_channel(host)->host, call);
    fake_run(host);
    cr_assert_eq(fake_channel(host)->status, KANAL_E_MAYBE);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost_kit, create_only)
{
    struct fake_host *host = begin(FAKE_CREATE_ONLY, NULL);
    cr_assert_eq(fake_call_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
}
