/* Frames that stand aside of the socket, from and to a worker that the test plays: what is taken, what is freed, and what is broken. */
#include "peer.h"

#include <dirent.h>
#include <sys/stat.h>

#define LARGE (200u * 1024)
#define SHARE (1024u * 1024) /* an eighth of memory_bytes */

static struct rig rig;
static struct peer peer;
static struct worker_plugin worker = { .fd = -1, .terms.memory_bytes = 8 * SHARE, .deadline_ms = 1000 };
static struct plugin plugin = { .path = "/nowhere/fake.so",
                                .descriptor = { .struct_size = sizeof(kanal_plugin), .id = "fake" },
                                .worker = &worker };
static struct config_channel config = { .id = "one", .plugin = "fake" };
static struct channel *channel;
static uint32_t number;
static struct area sent; /* as the worker sees what it writes */
static char *written;    /* the same, mapped */
static const char *got;  /* and what it reads */
static struct kanal_buffer answer;
static int answers, keeps_still;

static void start_channel(void)
{
    struct wire_call call;
    struct wire_count area;
    channel = host_add(rig.host, &config, &plugin);
    channel_start(channel);
    peer_expect(&rig, &peer, WIRE_AREA, &area);
    sent.bytes = area.count;
    number = peer_expect(&rig, &peer, WIRE_CREATE, NULL).channel;
    peer_say(&peer, WIRE_CREATED, number, &(struct wire_count){ 1 });
    peer_expect(&rig, &peer, WIRE_START, &call);
    peer_say(&peer, WIRE_FINISH, number, &(struct wire_done){ .op = call.op });
    peer_say(&peer, WIRE_RAN, number, &(struct wire_count){ 1 });
    RUN_UNTIL(&rig, channel->state == CHANNEL_UP);
}

static void begin(void)
{
    int fds[2];
    setenv("KANAL_WORKER", "/nowhere/kanal-worker", 1);
    rig_init(&rig);
    worker_proxy_slots(&plugin.descriptor, WIRE_SLOT_ON_HTTP);
    peer_init(&peer, &plugin);
    cr_assert_eq(process_areas_make(worker.process, &fds[0], &fds[1]), 0);
    written = mmap(NULL, WORKER_AREA_BYTES_MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    got = mmap(NULL, WORKER_AREA_BYTES_MOST, PROT_READ, MAP_SHARED, fds[1], 0);
    cr_assert(written != MAP_FAILED && got != MAP_FAILED);
    cr_expect_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0), MAP_FAILED,
                 "what the core writes is for reading only");
    sent.fd = fds[0];
    close(fds[1]);
    start_channel();
}

static void end(void)
{
    rig_release(&rig);
    peer_release(&peer);
    kanal_buffer_release(&answer);
    wire_scratch_release(&worker.memory);
    close(sent.fd);
    munmap(written, WORKER_AREA_BYTES_MOST);
    munmap((void *)(uintptr_t)got, WORKER_AREA_BYTES_MOST);
}

TestSuite(worker_aside, .init = begin, .fini = end, .timeout = 20);

static struct worker_process *process(void)
{
    return channel->worker->process;
}

static double resident_kb(int fd)
{
    struct stat now;
    cr_assert_eq(fstat(fd, &now), 0);
    return (double)now.st_blocks / 2;
}

static kanal_str text_of(size_t bytes)
{
    static char text[6 * 1024 * 1024];
    memset(text, 'x', sizeof text);
    return kanal_str_of(text, bytes);
}

/* The worker writes all over its area, as a hostile one might while the core is at work. */
static void on_answered(struct op *op, const void *value)
{
    const kanal_http_response *response = value;
    (void)op;
    if (!keeps_still)
        memset(written, '!', sent.bytes);
    if (response)
        kanal_buffer_str(&answer, response->body);
    answers++;
}

/* A request for the plugin; its operation. */
static struct wire_http ask(kanal_str body, struct wire_frame *ret_frame)
{
    const kanal_http_request request = { .struct_size = sizeof request, .body = body };
    struct wire_http http;
    cr_assert_not_null(channel_http(channel, &request, NULL, on_answered, NULL));
    *ret_frame = peer_expect(&rig, &peer, WIRE_HTTP, NULL);
    if (ret_frame->is_aside)
        ret_frame->body.ptr = got + ret_frame->at;
    cr_assert_eq(wire_get(ret_frame, &peer.scratch, &http), 0);
    return http;
}

static void put_response(struct kanal_buffer *out, kanal_op op, kanal_str body)
{
    kanal_http_response response = { .struct_size = sizeof response, .code = 200, .body = body };
    cr_assert_eq(wire_put_large(out, &sent, WIRE_RESPOND, number,
                                &(struct wire_response){ .op = op, .response = &response }),
                 0);
}

static void say(const void *bytes, size_t len)
{
    cr_assert_eq(send(peer.socket, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* ---- What arrives ---- */

Test(worker_aside, a_large_answer_arrives_and_its_place_is_given_back)
{
    struct wire_frame frame;
    struct wire_count taken;
    struct kanal_buffer out = { 0 };
    cr_assert_eq(sent.bytes, SHARE);
    struct wire_http http = ask(KANAL_LIT("small"), &frame);
    cr_expect(!frame.is_aside);
    put_response(&out, http.op, text_of(LARGE));
    cr_expect_eq(out.len, WIRE_HEADER_BYTES + WIRE_ASIDE_BYTES);
    say(out.data, out.len);
    RUN_UNTIL(&rig, answers == 1);
    cr_expect(kanal_str_equal(kanal_buffer_view(&answer), text_of(LARGE)), "it is the core's own by now");
    peer_expect(&rig, &peer, WIRE_TAKEN, &taken);
    cr_expect_eq(taken.count, 0);
    kanal_buffer_release(&out);
}

Test(worker_aside, a_large_request_stands_aside_until_it_is_told_as_taken)
{
    struct wire_frame frame;
    struct area *area = &process()->got.area;
    ask(text_of(LARGE), &frame);
    cr_expect(frame.is_aside && frame.at == 0 && area->count == 1);
    struct wire_http second = ask(text_of(6 * 1024 * 1024), &frame);
    cr_expect(frame.is_aside && frame.at >= LARGE && area->count == 2);
    cr_expect(kanal_str_equal(second.request->body, text_of(6 * 1024 * 1024)));
    cr_expect_gt(resident_kb(process()->got.fd), 6000);
    peer_say(&peer, WIRE_TAKEN, WIRE_NOBODY, &(struct wire_count){ frame.at });
    peer_say(&peer, WIRE_TAKEN, WIRE_NOBODY, &(struct wire_count){ 0 });
    RUN_UNTIL(&rig, area->count == 0);
    cr_expect_leq(resident_kb(process()->got.fd), 4096, "what lies beyond is freed");
    cr_expect_eq(channel->state, CHANNEL_UP);
}

Test(worker_aside, without_room_it_goes_through_the_socket)
{
    struct wire_frame frame;
    process()->got.area.bytes = LARGE / AREA_PAGE_BYTES * AREA_PAGE_BYTES;
    struct wire_http http = ask(text_of(LARGE), &frame);
    cr_expect(!frame.is_aside && kanal_str_equal(http.request->body, text_of(LARGE)));
    process()->got.area.bytes = WORKER_AREA_BYTES_MOST; /* as it is unmapped */
}

/* The core reads without room for descriptors, so that the kernel drops them. */
Test(worker_aside, descriptors_that_it_sends_are_nobodys)
{
    struct wire_frame frame;
    struct kanal_buffer out = { 0 };
    struct wire_http http = ask(KANAL_LIT("small"), &frame);
    put_response(&out, http.op, text_of(LARGE));
    int pipes[2], counts[2] = { 0, 0 };
    cr_assert_eq(pipe(pipes), 0);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control = { .header = { CMSG_LEN(8 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    for (int i = 0; i < 8; i++)
        memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &pipes[i % 2], sizeof(int));
    struct iovec bytes = { out.data, out.len };
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    for (int i = 0; i < 2; i++) {
        DIR *directory = opendir("/proc/self/fd");
        while (readdir(directory))
            counts[i]++;
        closedir(directory);
        if (i == 0) {
            cr_assert_eq(sendmsg(peer.socket, &message, MSG_NOSIGNAL), (ssize_t)out.len);
            RUN_UNTIL(&rig, answers == 1);
        }
    }
    cr_expect_eq(counts[0], counts[1]);
    cr_expect(answer.len == LARGE && channel->state == CHANNEL_UP);
    kanal_buffer_release(&out);
}

/* ---- What is broken ---- */

static void expect_broken(void)
{
    kanal_str values[] = { KANAL_LIT("fake"), KANAL_LIT("broken_frame") };
    RUN_UNTIL(&rig, channel->state == CHANNEL_DOWN);
    cr_expect_eq(metric_series(rig.host->workers->restarts, values)->value, 1);
}

static void say_aside(uint32_t type, uint32_t at, uint32_t bytes)
{
    const uint32_t frame[] = { WIRE_ASIDE_BYTES, type | WIRE_ASIDE, number, at, bytes };
    say(frame, sizeof frame); /* on a little-endian machine */
}

Test(worker_aside, beyond_the_share_is_broken)
{
    say_aside(WIRE_RESPOND, SHARE - WIRE_LARGE + 1, WIRE_LARGE);
    expect_broken();
}

Test(worker_aside, a_place_that_overflows_is_broken)
{
    say_aside(WIRE_RESPOND, UINT32_MAX - WIRE_LARGE + 2, WIRE_LARGE);
    expect_broken();
}

Test(worker_aside, longer_than_the_share_is_broken)
{
    say_aside(WIRE_RESPOND, 0, 2 * SHARE);
    expect_broken();
}

Test(worker_aside, longer_than_its_type_is_broken)
{
    say_aside(WIRE_LOG, 0, WIRE_LARGE);
    expect_broken();
}

Test(worker_aside, a_body_that_is_none_is_broken)
{
    memset(written, 0xff, SHARE);
    say_aside(WIRE_PUBLISH, 0, WIRE_LARGE);
    expect_broken();
}

/* Twenty bytes in the socket must not cost the core an area's copy as often as they fit. */
Test(worker_aside, more_than_the_share_at_once_is_broken)
{
    struct wire_frame frame;
    struct kanal_buffer out = { 0 };
    struct wire_http http = ask(KANAL_LIT("small"), &frame);
    keeps_still = 1; /* each of them is whole */
    put_response(&out, http.op, text_of(SHARE / 2));
    for (int i = 0; i < 3; i++)
        say(out.data, out.len);
    expect_broken();
    kanal_buffer_release(&out);
}

Test(worker_aside, to_give_back_what_nobody_lent_is_broken)
{
    peer_say(&peer, WIRE_TAKEN, WIRE_NOBODY, &(struct wire_count){ 0 });
    expect_broken();
}
