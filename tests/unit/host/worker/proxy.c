/* Channels in a worker that the test plays: what it may say, what it may not, and what its death does. */
#include "peer.h"

static struct rig rig;
static struct peer peer;
static struct worker_plugin worker = { .fd = -1, .terms.memory_bytes = 1 << 20, .deadline_ms = 1000 };
static struct plugin plugin = { .path = "/nowhere/fake.so",
                                .descriptor = { .struct_size = sizeof(kanal_plugin), .id = "fake" },
                                .worker = &worker };
static struct config_channel configs[] = { { .id = "one", .plugin = "fake" },
                                           { .id = "two", .plugin = "fake" },
                                           { .id = "alone", .plugin = "fake", .worker_own = 1 } };

static void begin(void)
{
    setenv("KANAL_WORKER", "/nowhere/kanal-worker", 1); /* whoever is started again fails at once */
    rig_init(&rig);
    worker_proxy_slots(&plugin.descriptor, WIRE_SLOT_ON_HTTP | WIRE_SLOT_DELIVER);
    peer_init(&peer, &plugin);
}

static void end(void)
{
    rig_release(&rig);
    peer_release(&peer);
    wire_scratch_release(&worker.memory);
}

TestSuite(worker_proxy, .init = begin, .fini = end, .timeout = 20);

/* The channel is up; its number. */
static uint32_t start(struct channel *channel)
{
    struct wire_call call;
    channel_start(channel);
    uint32_t number = peer_expect(&rig, &peer, WIRE_CREATE, NULL).channel;
    peer_say(&peer, WIRE_CREATED, number, &(struct wire_count){ 1 });
    cr_assert_eq(peer_expect(&rig, &peer, WIRE_START, &call).channel, number);
    peer_say(&peer, WIRE_FINISH, number, &(struct wire_done){ .op = call.op });
    peer_say(&peer, WIRE_RAN, number, &(struct wire_count){ 1 });
    RUN_UNTIL(&rig, channel->state == CHANNEL_UP);
    return number;
}

static struct channel *add(size_t i)
{
    return host_add(rig.host, &configs[i], &plugin);
}

static double restarts(const char *reason)
{
    kanal_str values[] = { KANAL_LIT("fake"), kanal_str_c(reason) };
    return (double)metric_series(rig.host->workers->restarts, values)->value;
}

static void expect_broken(struct channel *channel)
{
    RUN_UNTIL(&rig, channel->state == CHANNEL_DOWN);
    cr_expect_eq(restarts("broken_frame"), 1);
    cr_expect_not_null(strstr(channel->reason, "broken frame"), "%s", channel->reason);
}

/* ---- What it says ---- */

Test(worker_proxy, create_that_is_refused)
{
    struct channel *channel = add(0);
    channel_start(channel);
    uint32_t number = peer_expect(&rig, &peer, WIRE_CREATE, NULL).channel;
    peer_expect(&rig, &peer, WIRE_START, NULL);
    peer_say(&peer, WIRE_CREATED, number, &(struct wire_count){ 0 });
    RUN_UNTIL(&rig, channel->state == CHANNEL_FAILED);
    cr_expect_eq(channel->health, KANAL_E_INVALID);
    cr_expect_eq(peer_expect(&rig, &peer, WIRE_DESTROY, NULL).channel, number);
    cr_expect_null(channel->instance);
}

Test(worker_proxy, an_answer_for_nothing_is_dropped)
{
    struct channel *channel = add(0);
    uint32_t number = start(channel);
    kanal_op invented[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63 };
    for (size_t i = 0; i < 4; i++) {
        peer_say(&peer, WIRE_FINISH, number, &(struct wire_done){ .op = invented[i], .status = -1 });
        peer_say(&peer, WIRE_CANCEL, number, &(struct wire_call){ invented[i] });
    }
    kanal_str values[] = { KANAL_LIT("one") };
    struct metric *dropped = metric_series(rig.host->dropped_answers, values);
    RUN_UNTIL(&rig, dropped->value == 4);
    cr_expect_eq(channel->state, CHANNEL_UP);
}

Test(worker_proxy, a_call_is_completed_under_its_own_number_and_cancelled_once)
{
    struct channel *channel = add(0);
    uint32_t number = start(channel);
    struct wire_done done;
    peer_say(&peer, WIRE_TIMER, number, &(struct wire_timer){ .op = 77, .delay_ms = 1 });
    peer_expect(&rig, &peer, WIRE_DONE, &done);
    cr_expect(done.op == 77 && done.status == KANAL_OK);
    peer_say(&peer, WIRE_TIMER, number, &(struct wire_timer){ .op = 78, .delay_ms = 60000 });
    peer_say(&peer, WIRE_CANCEL, number, &(struct wire_call){ 78 });
    peer_say(&peer, WIRE_CANCEL, number, &(struct wire_call){ 78 });
    peer_expect(&rig, &peer, WIRE_DONE, &done);
    cr_expect(done.op == 78 && done.status == KANAL_E_CANCELLED);
    cr_expect_eq(channel->ops, 0);
}

Test(worker_proxy, a_number_in_use_is_a_broken_frame)
{
    struct channel *channel = add(0);
    uint32_t number = start(channel);
    for (int i = 0; i < 2; i++)
        peer_say(&peer, WIRE_TIMER, number, &(struct wire_timer){ .op = 5, .delay_ms = 60000 });
    expect_broken(channel);
}

Test(worker_proxy, a_channel_of_nobody_is_a_broken_frame)
{
    struct channel *channel = add(0);
    start(channel);
    peer_say(&peer, WIRE_LOG, 12345, &(struct wire_log){ .text = KANAL_LIT("hi") });
    expect_broken(channel);
}

Test(worker_proxy, more_worked_off_than_there_was_is_a_broken_frame)
{
    struct channel *channel = add(0);
    uint32_t number = start(channel);
    peer_say(&peer, WIRE_RAN, number, &(struct wire_count){ 100 });
    expect_broken(channel);
}

/* A number of one channel says nothing in the name of another. */
Test(worker_proxy, a_worker_without_numbers_keeps_the_channels_that_it_has)
{
    struct channel *first = add(0), *second = add(1);
    uint32_t number = start(first);
    struct worker *full = first->worker;
    size_t room = WIRE_CHANNELS_MAX - 8, used = full->instance_room;
    full->instances = realloc(full->instances, room * sizeof *full->instances);
    memset(full->instances + used, 0, (room - used) * sizeof *full->instances);
    full->instance_room = (uint32_t)room;
    struct kanal_channel *spare = full->free_instances;
    full->free_instances = NULL;
    channel_start(second);
    cr_expect_eq(second->state, CHANNEL_FAILED);
    cr_expect_eq(instance_find(full, number), first->instance);
    full->free_instances = spare;
}

Test(worker_proxy, another_channels_number_finds_nothing)
{
    struct channel *one = add(0), *two = add(1);
    uint32_t first = start(one), second = start(two);
    struct wire_done done;
    cr_assert_neq(first, second);
    peer_say(&peer, WIRE_TIMER, first, &(struct wire_timer){ .op = 9, .delay_ms = 300 });
    peer_say(&peer, WIRE_CANCEL, second, &(struct wire_call){ 9 });
    struct wire_frame frame = peer_expect(&rig, &peer, WIRE_DONE, &done);
    cr_expect(frame.channel == first && done.op == 9 && done.status == KANAL_OK, "it was not cancelled");
}

static int answered;

static void on_answered(struct op *op, const void *value)
{
    const kanal_http_response *response = value;
    (void)op;
    answered = response ? response->code : 503;
}

Test(worker_proxy, an_answer_to_another_channels_request_is_not_its_answer)
{
    struct channel *one = add(0), *two = add(1);
    uint32_t first = start(one), second = start(two);
    const kanal_http_request request = { .struct_size = sizeof request };
    kanal_http_response response = { .struct_size = sizeof response, .code = 200 };
    struct wire_http http;
    cr_assert_not_null(channel_http(one, &request, NULL, on_answered, NULL));
    peer_expect(&rig, &peer, WIRE_HTTP, &http);
    peer_say(&peer, WIRE_RESPOND, second, &(struct wire_response){ .op = http.op, .response = &response });
    RUN_FOR(&rig, 50);
    cr_expect_eq(answered, 0);
    peer_say(&peer, WIRE_RESPOND, first, &(struct wire_response){ .op = http.op, .response = &response });
    RUN_UNTIL(&rig, answered == 200);
}

Test(worker_proxy, beyond_256_frames_calls_wait_in_the_lane)
{
    struct channel *channel = add(0);
    uint32_t number = start(channel);
    const kanal_http_request request = { .struct_size = sizeof request };
    struct wire_frame frame;
    int came = 0;
    for (int i = 0; i < 400; i++)
        cr_assert_not_null(channel_http(channel, &request, NULL, on_answered, NULL));
    for (int i = 0; i < 100; i++) {
        rig_turn(&rig);
        while (peer_next(&peer, &frame))
            came += frame.type == WIRE_HTTP;
    }
    cr_expect_eq(came, WORKER_CALLS_MOST);
    peer_say(&peer, WIRE_RAN, number, &(struct wire_count){ WORKER_CALLS_MOST });
    for (int i = 0; i < 100; i++) {
        rig_turn(&rig);
        while (peer_next(&peer, &frame))
            came += frame.type == WIRE_HTTP;
    }
    cr_expect_eq(came, 400);
}

/* ---- Its death ---- */

static void die(struct peer *which, uint32_t running)
{
    which->page->running = running;
    which->page->slot = WIRE_HTTP;
    kill(which->pid, SIGSEGV);
    close(which->socket);
    which->socket = -1;
}

Test(worker_proxy, who_was_running_is_blamed_and_the_other_is_told_whose_fault_it_was)
{
    struct channel *one = add(0), *two = add(1);
    uint32_t first = start(one);
    start(two);
    die(&peer, first + 1);
    RUN_UNTIL(&rig, one->state == CHANNEL_DOWN && two->state == CHANNEL_DOWN);
    cr_expect_not_null(strstr(one->reason, "ended in on_http(): it crashed (SIGSEGV)"), "%s", one->reason);
    cr_expect_not_null(strstr(two->reason, "that it shares ended in on_http() of channel 'one'"), "%s",
                       two->reason);
    cr_expect(one->blames == 1 && two->blames == 0);
    cr_expect_eq(restarts("crash"), 1);
}

Test(worker_proxy, a_page_that_lies_blames_nobody)
{
    struct channel *one = add(0);
    start(one);
    die(&peer, 4000000000u);
    RUN_UNTIL(&rig, one->state == CHANNEL_DOWN);
    cr_expect_eq(one->blames, 0);
    cr_expect_not_null(strstr(one->reason, "its worker ended: it crashed"), "%s", one->reason);
}

/* The other one is back at once, the culprit after half a second at least; the second time it is alone. */
Test(worker_proxy, the_culprit_waits_and_the_second_time_gets_its_own)
{
    struct channel *one = add(0), *two = add(1);
    uint32_t first = start(one);
    start(two);
    struct worker *shared = one->worker;
    for (uint32_t i = 1; i <= 2; i++) {
        struct peer dead = peer;
        peer_init(&peer, &plugin);
        uint64_t from = uv_hrtime();
        die(&dead, first + 1);
        struct wire_call call;
        uint32_t number = peer_expect(&rig, &peer, WIRE_CREATE, NULL).channel;
        cr_expect_lt(uv_hrtime() - from, UINT64_C(400000000), "the neighbour is started at once");
        peer_expect(&rig, &peer, WIRE_START, &call);
        peer_say(&peer, WIRE_FINISH, number, &(struct wire_done){ .op = call.op });
        RUN_UNTIL(&rig, two->state == CHANNEL_UP);
        cr_expect_eq(one->state, CHANNEL_DOWN);
        peer_release(&dead);
        if (i == 2)
            break;
        first = peer_expect(&rig, &peer, WIRE_CREATE, NULL).channel;
        cr_expect_gt(uv_hrtime() - from, UINT64_C(400000000));
        peer_expect(&rig, &peer, WIRE_START, &call);
        peer_say(&peer, WIRE_FINISH, first, &(struct wire_done){ .op = call.op });
        RUN_UNTIL(&rig, one->state == CHANNEL_UP);
    }
    cr_expect_eq(one->blames, 2);
    cr_expect(one->worker != shared && one->worker->owner == one && two->worker == shared);
}

Test(worker_proxy, one_that_cannot_be_started_is_tried_again_more_and_more_slowly)
{
    struct channel *one = add(0);
    start(one);
    die(&peer, 0);
    RUN_UNTIL(&rig, one->state == CHANNEL_DOWN);
    cr_expect_eq(one->worker->failures, 1);
    RUN_UNTIL(&rig, one->worker->failures == 2);
    cr_expect_eq(one->worker->state, WORKER_WAITING);
    uint64_t due = uv_timer_get_due_in(one->worker->timer);
    cr_expect(due > 900 && due <= 2000, "%llu ms", (unsigned long long)due);
}

/* ---- Leaving ---- */

static void on_stopped(struct channel *channel, void *user)
{
    (void)channel;
    *(int *)user = 1;
}

Test(worker_proxy, a_worker_whose_last_channel_leaves_ends_without_being_missed)
{
    struct channel *alone = add(2);
    uint32_t number = start(alone);
    int is_stopped = 0;
    struct wire_call call;
    struct worker *own = alone->worker;
    cr_expect_eq(own->owner, alone);
    channel_stop(alone, on_stopped, &is_stopped);
    peer_expect(&rig, &peer, WIRE_STOP, &call);
    peer_say(&peer, WIRE_FINISH, number, &(struct wire_done){ .op = call.op });
    peer_expect(&rig, &peer, WIRE_DESTROY, NULL);
    cr_assert(is_stopped);
    host_retire(rig.host, alone, NULL);
    RUN_FOR(&rig, 20);
    cr_expect(own->is_dismissed);
    char byte;
    cr_expect_eq(recv(peer.socket, &byte, 1, 0), 0, "it is told to end");
    die(&peer, 0);
    RUN_UNTIL(&rig, own->state == WORKER_IDLE);
    cr_expect(restarts("crash") == 0 && own->failures == 0);
}
