/* A host on a loop, with a broker that nobody answers for: what it stores fails, which is nobody's concern here. */
#ifndef KANAL_TEST_HOST_RIG_H
#define KANAL_TEST_HOST_RIG_H
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>
#include "host/host.h"
#include "kanal/sdk/str.h"

struct rig {
    uv_loop_t loop;
    struct log *log;
    struct metrics *metrics;
    struct ids *ids;
    struct broker *broker;
    struct http_client *http;
    struct host *host;
};

static inline void rig_init(struct rig *rig)
{
    static const char *const urls[] = { "nats://127.0.0.1:1" };
    struct broker_options broker = { .urls = urls, .url_count = 1, .name = "test" };
    struct http_client_options client = { .connections = 4, .connections_per_host = 4, .user_agent = "t" };
    char reason[256];
    *rig = (struct rig){ 0 };
    cr_assert_eq(uv_loop_init(&rig->loop), 0);
    cr_assert_eq(log_new(&rig->log, open("/dev/null", O_WRONLY), "text", KANAL_LOG_ERROR), 0);
    cr_assert_eq(metrics_new(&rig->metrics), 0);
    cr_assert_eq(ids_new(&rig->ids, KANAL_LIT("a salt for tests only")), 0);
    cr_assert_eq(broker_new(&rig->broker, &rig->loop, &broker, NULL, NULL, reason), 0, "%s", reason);
    cr_assert_eq(http_client_new(&rig->http, &rig->loop, &client), 0);
    struct host_options options = { .loop = &rig->loop,
                                    .log = rig->log,
                                    .metrics = rig->metrics,
                                    .broker = rig->broker,
                                    .http = rig->http,
                                    .ids = rig->ids,
                                    .prefix = "kanal",
                                    .base_url = "http://localhost" };
    cr_assert_eq(host_new(&rig->host, &options), 0);
}

/* In the order in which the gateway does it. */
static inline void rig_release(struct rig *rig)
{
    http_client_free(rig->http);
    broker_shut(rig->broker);
    host_free(rig->host);
    broker_free(rig->broker);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&rig->loop), 0, "a handle was left open");
    ids_free(rig->ids);
    metrics_free(rig->metrics);
    log_free(rig->log);
}

static inline void rig_turn(struct rig *rig)
{
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    usleep(1000);
}

/* Turns the loop until it is so; fails after that long. */
#define RUN_UNTIL_MS(rig, condition, ms)                                                                     \
    do {                                                                                                     \
        uint64_t until_ = uv_hrtime() + (ms)*UINT64_C(1000000);                                              \
        while (!(condition) && uv_hrtime() < until_)                                                         \
            rig_turn(rig);                                                                                   \
        cr_assert(condition, "not within %d ms: " #condition, (int)(ms));                                    \
    } while (0)
#define RUN_UNTIL(rig, condition) RUN_UNTIL_MS(rig, condition, 5000)
#define RUN_FOR(rig, ms)                                                                                     \
    for (uint64_t end_ = uv_hrtime() + (ms)*UINT64_C(1000000); uv_hrtime() < end_;)                          \
    rig_turn(rig)

#endif
