/* Orders of a channel's life, and of answers. */
#include "kit/inside.h"

/* ---- Kinds of faults over one whole life: each of these tests counts its own kind ---- */

static void play_once(struct kit_run *run)
{
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    play_all(run, host);
    play_end(run, host);
}

static void check_start_stop(struct kit_run *run)
{
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    fake_advance(host, 30000);
    if (!fake_start_answer(host)->answered)
        kit_fail(run, "start() was not finished within 30 s");
    else if (fake_start_answer(host)->status != KANAL_OK)
        kit_fail(run, "start() ended with %d (%.*s), though its provider answers",
                 fake_start_answer(host)->status, (int)fake_start_answer(host)->reason.len,
                 fake_start_answer(host)->reason.ptr ? fake_start_answer(host)->reason.ptr : "");
    play_end(run, host);
}

static void check_create_destroy(struct kit_run *run)
{
    for (int i = 0; i < 3; i++)
        play_end(run, play_begin(run, FAKE_CREATE_ONLY));
}

static void check_again(struct kit_run *run)
{
    size_t events = 0;
    for (int i = 0; i < 3; i++) {
        play_forget(run);
        struct fake_host *host = play_begin_as(run, 0, "check", run->seed, 1000, 0, FAKE_FINE);
        if (!host)
            return;
        play_all(run, host);
        if (i > 0 && fake_event_count(host) != events)
            kit_fail(run, "life %d publishes %zu events, the first %zu: something outlived destroy()", i + 1,
                     fake_event_count(host), events);
        events = fake_event_count(host);
        play_end(run, host);
    }
}

/* Both live at once and take turns; the second dies first. */
static void check_two_channels(struct kit_run *run)
{
    struct fake_host *one = play_begin_as(run, 0, "check-one", run->seed, 1000, 0, FAKE_FINE);
    struct fake_host *two = play_begin_as(run, 0, "check-two", run->seed + 1, 5000000, 1, FAKE_FINE);
    if (one && two) {
        play_webhooks(run, one, 0);
        size_t of_one = fake_event_count(one);
        play_webhooks(run, two, 0);
        if (fake_event_count(one) != of_one || fake_event_count(two) != of_one)
            kit_fail(run, "the same webhooks make %zu events on one channel and %zu on the other", of_one,
                     fake_event_count(two));
        play_samples(run, one);
        play_samples(run, two);
        fake_advance(one, 61000);
    }
    play_end(run, two);
    if (one)
        play_webhooks(run, one, 0);
    play_end(run, one);
}

static void check_stop_while_starting(struct kit_run *run)
{
    play_end(run, play_begin_as(run, 0, "check", run->seed, 1000, 0, FAKE_SILENT));
    play_end(run, play_begin_as(run, FAKE_CANCEL_LATE, "check", run->seed, 1000, 0, FAKE_SILENT));
}

/* Everything that can be under way is, when stop() comes. */
static void play_busy(struct kit_run *run, uint32_t flags)
{
    play_know_somebody(run);
    struct fake_host *host = play_begin(run, flags);
    if (!host)
        return;
    fake_provider_trouble(host, FAKE_SILENT);
    if (run->plugin->provision)
        fake_provision(host, fake_public_url(host), 1);
    play_webhooks(run, host, 0);
    for (int i = 0; i < 3; i++)
        play_sample(run, host, "text", kanal_str_of(NULL, 0));
    play_media(run, host);
    play_end(run, host);
}

static void check_stop_while_busy(struct kit_run *run)
{
    play_busy(run, 0);
}

static void check_cancel_late(struct kit_run *run)
{
    play_busy(run, FAKE_CANCEL_LATE);
}

static void check_no_public_url(struct kit_run *run)
{
    struct fake_host *host = play_begin(run, FAKE_NO_PUBLIC_URL);
    if (!host)
        return;
    fake_advance(host, 61000);
    play_end(run, host);
}

static void check_provision(struct kit_run *run)
{
    static const enum fake_trouble troubles[] = { FAKE_FINE,  FAKE_400,     FAKE_401,
                                                  FAKE_500,   FAKE_429,     FAKE_TIMEOUT,
                                                  FAKE_MAYBE, FAKE_GARBAGE, FAKE_STRANGE };
    if (!run->plugin->provision) {
        kit_skip(run, "it has no provision()");
        return;
    }
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        struct fake_host *host = play_begin(run, 0);
        if (!host)
            return;
        fake_provider_trouble(host, troubles[i]);
        for (int wanted = 1; wanted >= 0; wanted--) {
            kit_step(run, "%s with trouble number %zu", wanted ? "registering" : "taking back", i);
            kanal_op op = fake_provision(host, fake_public_url(host), wanted);
            play_settle(host, op);
            if (!fake_answer(host, op)->answered)
                kit_fail(run, "provision() was not finished within 40 s");
            else if (i == 0 && fake_answer(host, op)->status != KANAL_OK)
                kit_fail(run, "provision() ended with %d though the provider answers",
                         fake_answer(host, op)->status);
            else if (i == 1 && fake_request_count(host) == 0 && fake_answer(host, op)->status == KANAL_OK)
                kit_warn(run, "the provider said 400, provision() says it went well");
        }
        play_end(run, host);
    }
}

const struct kit_test life_tests[] = {
    { .name = "life.create-destroy",
      .what = "create() and destroy() without start(), again and again",
      .advice =
          "create() may only log and ask for extensions; destroy() takes a channel that was never started",
      .run = check_create_destroy },
    { .name = "life.start-stop",
      .what = "start() and stop() are each finished, in time",
      .advice = "answer each by finish(), exactly once",
      .run = check_start_stop },
    { .name = "events.valid",
      .what = "every published event is valid by the contract",
      .advice = "compare with proto/examples and proto/kanal.schema.json",
      .run = play_once,
      .faults = KIT_FAULT(EVENT) },
    { .name = "answers.exactly-once",
      .what = "every op is answered exactly once, by its own slot",
      .advice = "keep the op with the work, answer where the work ends, then forget it",
      .run = play_once,
      .faults = KIT_FAULT(ANSWER) },
    { .name = "host.arguments",
      .what = "host calls are given what they take: keys, secrets, hosts, headers, codes",
      .advice = "see the call in kanal/plugin.h; declare secrets and egress in the descriptor",
      .run = play_once,
      .faults = KIT_FAULT(ARGUMENT) | KIT_FAULT(TEST) | KIT_FAULT(LIFE) },
    { .name = "calls.on-time",
      .what = "no callback takes longer than a second",
      .advice = "never wait inside a callback: ask the host and go on in the answer",
      .run = play_once,
      .faults = KIT_FAULT(TIME) },
    { .name = "calls.lane",
      .what = "the host is called from the lane only, and answers are awaited outside the call",
      .advice = "from a thread call only log() and wake(); give callbacks the channel or memory of their own "
                "as user",
      .run = play_once,
      .faults = KIT_FAULT(LANE) },
    { .name = "life.again",
      .what = "a channel made again after destroy() behaves like the first",
      .advice = "keep everything in the kanal_channel, nothing in static variables",
      .run = check_again },
    { .name = "life.two-channels",
      .what = "two channels in one process do not disturb each other",
      .advice = "keep everything in the kanal_channel, nothing in static variables",
      .run = check_two_channels },
    { .name = "life.stop-while-starting",
      .what = "stop() while start() still waits for the provider",
      .advice = "in stop(), cancel what is open, answer start() with KANAL_E_CANCELLED, then finish",
      .run = check_stop_while_starting },
    { .name = "life.stop-while-busy",
      .what = "stop() while deliveries, requests and media wait for the provider",
      .advice = "in stop(), cancel what is open; answer each op when its callback comes with "
                "KANAL_E_CANCELLED; then "
                "finish",
      .run = check_stop_while_busy },
    { .name = "life.cancel-late",
      .what = "the same, when answers arrive in spite of cancel()",
      .advice = "a cancelled operation may still end as if it had not been cancelled",
      .run = check_cancel_late },
    { .name = "life.no-public-url",
      .what = "a channel without a public URL",
      .advice = "public_url may be absent: start all the same, or finish() with a reason",
      .run = check_no_public_url },
    { .name = "life.provision",
      .what = "registration is answered, also when the provider refuses or fails",
      .advice =
          "KANAL_E_NETWORK, _TIMEOUT, _BUSY and _MAYBE are tried again, others are told to the operator",
      .run = check_provision },
    { 0 },
};
