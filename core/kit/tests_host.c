/* A host that fails, and hosts of other minors. */
#include "kit/inside.h"

static const kanal_status statuses[] = { KANAL_E_BUSY,      KANAL_E_TIMEOUT,   KANAL_E_NETWORK,
                                         KANAL_E_MAYBE,     KANAL_E_NOT_FOUND, KANAL_E_REJECTED,
                                         KANAL_E_INTERNAL,  KANAL_E_DENIED,    KANAL_E_TOO_LARGE,
                                         KANAL_E_CANCELLED, KANAL_E_INVALID };
#define STATUSES (sizeof statuses / sizeof *statuses)
#define LIVES_MAX 700u /* lives that are played; with more calls than that, chance chooses the status */

static void play_failing(struct kit_run *run, uint64_t number, kanal_status status)
{
    struct fake_host *host = play_begin_as(run, FAKE_CREATE_ONLY, "check", run->seed, 1000, 0, FAKE_FINE);
    if (!host)
        return;
    const size_t before = run->failures;
    fake_fail_call(host, number, status);
    fake_start(host);
    play_all(run, host);
    const char *call = fake_failed_call(host);
    play_end(run, host);
    if (run->failures > before) {
        run->step = "";
        kit_fail(run, "… when host call %llu, %s(), ends with %d", (unsigned long long)number,
                 call ? call : "?", status);
    }
}

static void check_calls_fail(struct kit_run *run)
{
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    play_all(run, host);
    const uint64_t calls = fake_call_count(host);
    play_end(run, host);
    if (calls == 0) {
        kit_skip(run, "it calls nothing that could fail");
        return;
    }
    const uint64_t each = calls * STATUSES <= LIVES_MAX ? STATUSES
                          : calls < LIVES_MAX           ? LIVES_MAX / calls
                                                        : 1;
    for (uint64_t number = 0; number < calls && number < LIVES_MAX && run->failures < 12; number++)
        for (uint64_t k = 0; k < each; k++)
            play_failing(run, number,
                         statuses[(each == STATUSES ? k : kit_random(run, STATUSES)) % STATUSES]);
}

/* The broker and the network are away, and come back. */
static void check_outage(struct kit_run *run)
{
    static const kanal_status ways[] = { KANAL_E_NETWORK, KANAL_E_TIMEOUT, KANAL_E_MAYBE, KANAL_E_BUSY };
    play_know_somebody(run);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct fake_host *host = play_begin(run, 0);
        if (!host)
            return;
        fake_fail_publish(host, ways[i]);
        fake_fail_state(host, ways[i]);
        fake_fail_blob(host, ways[i]);
        fake_provider_trouble(host, FAKE_NETWORK);
        play_all(run, host);
        if (fake_event_count(host) > 0)
            kit_fail(run, "events were stored though the broker is away"); /* the fake host would be wrong */
        fake_fail_publish(host, KANAL_OK);
        fake_fail_state(host, KANAL_OK);
        fake_fail_blob(host, KANAL_OK);
        fake_provider_trouble(host, FAKE_FINE);
        kit_step(run, "%s", "after the outage");
        fake_advance(host, 120000);
        play_webhooks(run, host, 0);
        play_end(run, host);
    }
}

static void play_with(struct kit_run *run, uint32_t flags)
{
    struct fake_host *host = play_begin(run, flags);
    if (!host)
        return;
    play_all(run, host);
    if (!fake_start_answer(host)->answered || fake_start_answer(host)->status != KANAL_OK)
        kit_fail(run, "start() did not end with KANAL_OK");
    play_end(run, host);
}

static void check_same_events(struct kit_run *run, uint32_t flags)
{
    size_t events[2] = { 0, 0 };
    for (int i = 0; i < 2; i++) {
        play_forget(run);
        struct fake_host *host = play_begin(run, i == 0 ? 0 : flags);
        if (!host)
            return;
        play_all(run, host);
        events[i] = fake_event_count(host);
        play_end(run, host);
    }
    if (events[0] != events[1])
        kit_fail(run, "it publishes %zu events instead of %zu", events[1], events[0]);
}

static void check_borrowed(struct kit_run *run)
{
    play_with(run, FAKE_GUARDED);
}

static void check_newer(struct kit_run *run)
{
    play_with(run, FAKE_GUARDED | FAKE_NEWER_MINOR);
    check_same_events(run, FAKE_NEWER_MINOR);
}

static void check_oldest(struct kit_run *run)
{
    play_with(run, FAKE_GUARDED | FAKE_OLDEST_MINOR);
    check_same_events(run, FAKE_OLDEST_MINOR);
}

const struct kit_test host_tests[] = {
    { .name = "host.borrowed",
      .what = "arguments are read within their bounds and until the call returns",
      .advice = "copy what you keep (kanal_str_dup, kanal_buffer_str); compare with kanal_str_is, never with "
                "strcmp",
      .run = check_borrowed },
    { .name = "host.oldest",
      .what = "every struct and the host's table as small as in minor 0",
      .advice = "test KANAL_HAS() before you touch a member that is newer than minor 0",
      .run = check_oldest },
    { .name = "host.newer",
      .what = "every struct larger than this header knows, the rest poisoned",
      .advice = "accept a struct_size that is larger than your sizeof",
      .run = check_newer },
    { .name = "host.calls-fail",
      .what = "every host call fails in turn, with each status",
      .advice = "look at the status in each callback before the value; answer the op then too",
      .run = check_calls_fail },
    { .name = "host.outage",
      .what = "broker and network away, and back",
      .advice = "answer deliveries with KANAL_RETRY, requests by responding (the host makes 503 of it), go "
                "on afterwards",
      .run = check_outage },
    { 0 },
};
