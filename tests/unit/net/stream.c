#include "net/stream.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

/* A transport that does what a test says, over a socket pair that is always ready. */
struct script {
    ssize_t sends[8], receives[8];
    size_t send_at, receive_at;
    int released, opaque, pending, handshake;
    struct kanal_buffer sent;
};

static ssize_t next(const ssize_t *list, size_t *at, char *reason)
{
    ssize_t n = *at < 8 ? list[*at] : NET_WAIT_READ;
    *at += *at < 8;
    if (n <= NET_BROKEN)
        snprintf(reason, NET_REASON_MAX, "as told");
    return n;
}

static ssize_t receive(void *impl, void *buffer, size_t len, char *reason)
{
    struct script *s = impl;
    ssize_t n = next(s->receives, &s->receive_at, reason);
    if (n > (ssize_t)len) {
        s->receives[--s->receive_at] = n - (ssize_t)len; /* the rest comes next */
        n = (ssize_t)len;
    }
    if (n > 0)
        memset(buffer, 'r', (size_t)n);
    return n;
}

static ssize_t send_bytes(void *impl, const void *bytes, size_t len, char *reason)
{
    struct script *s = impl;
    ssize_t n = next(s->sends, &s->send_at, reason);
    if (n > (ssize_t)len)
        n = (ssize_t)len;
    if (n > 0)
        kanal_buffer_append(&s->sent, bytes, (size_t)n);
    return n;
}

static int handshake(void *impl, char *reason)
{
    snprintf(reason, NET_REASON_MAX, "shaken");
    return ((struct script *)impl)->handshake;
}

static int pending(void *impl)
{
    return ((struct script *)impl)->pending;
}

static int opaque(void *impl)
{
    return ((struct script *)impl)->opaque;
}

static void release(void *impl)
{
    ((struct script *)impl)->released++;
}

static const struct net_transport transport = { .receive = receive,
                                                .send = send_bytes,
                                                .handshake = handshake,
                                                .pending = pending,
                                                .opaque = opaque,
                                                .release = release };

struct rig {
    uv_loop_t loop;
    struct script script;
    struct net_stream *stream;
    int fds[2];
    size_t room, received;
    int ended, closed;
    kanal_status status, written[4];
    size_t written_count;
};

static size_t on_room(void *user)
{
    return ((struct rig *)user)->room;
}

static void on_data(void *user, kanal_str bytes)
{
    struct rig *rig = user;
    cr_assert_leq(bytes.len, rig->room);
    rig->room -= bytes.len;
    rig->received += bytes.len;
}

static void on_end(void *user)
{
    ((struct rig *)user)->ended++;
}

static void on_close(void *user, kanal_status status, const char *reason)
{
    struct rig *rig = user;
    (void)reason;
    rig->closed++;
    rig->status = status;
}

static void on_written(void *user, kanal_status status)
{
    struct rig *rig = user;
    rig->written[rig->written_count++] = status;
}

static const struct net_stream_events events = {
    .room = on_room, .data = on_data, .end = on_end, .close = on_close
};

static void rig_init(struct rig *rig, uint32_t idle_ms)
{
    uv_loop_init(&rig->loop);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, rig->fds), 0);
    cr_assert_eq(write(rig->fds[1], "x", 1), 1); /* readable for ever: the script does not read it */
    struct net_stream_options options = { .loop = &rig->loop,
                                          .fd = rig->fds[0],
                                          .transport = &transport,
                                          .impl = &rig->script,
                                          .idle_ms = idle_ms,
                                          .events = &events,
                                          .user = rig };
    cr_assert_eq(net_stream_new(&rig->stream, &options), 0);
}

static void turn(struct rig *rig, int turns)
{
    while (turns-- > 0)
        uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static void rig_release(struct rig *rig)
{
    net_stream_free(rig->stream);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    cr_assert_eq(rig->script.released, 1);
    cr_assert_eq(uv_loop_close(&rig->loop), 0);
    kanal_buffer_release(&rig->script.sent);
    close(rig->fds[0]);
    close(rig->fds[1]);
}

static int put(struct rig *rig, const char *text)
{
    struct kanal_buffer bytes = { 0 };
    kanal_buffer_text(&bytes, text);
    int status = net_stream_write(rig->stream, &bytes, 16, on_written, rig);
    cr_expect_null(bytes.data);
    return status;
}

Test(stream, what_a_lost_connection_may_have_taken)
{
    struct rig rig = { .script = { .sends = { 4, 2, NET_WAIT_WRITE, NET_BROKEN } } };
    rig_init(&rig, 0);
    cr_expect_eq(put(&rig, "abcd"), 0);
    cr_expect_eq(put(&rig, "efgh"), 0);
    cr_expect_eq(put(&rig, "ijkl"), 0);
    cr_expect_eq(put(&rig, "mnopq"), KANAL_E_BUSY, "over 16 bytes would wait");
    cr_expect_eq(rig.written_count, 0, "never inside the call");
    turn(&rig, 4);
    cr_expect(kanal_str_is(kanal_buffer_view(&rig.script.sent), "abcdef"));
    cr_expect_eq(rig.written_count, 3);
    cr_expect_eq(rig.written[0], KANAL_OK);
    cr_expect_eq(rig.written[1], KANAL_E_MAYBE, "half of it left");
    cr_expect_eq(rig.written[2], KANAL_E_NETWORK, "nothing of it left");
    cr_expect_eq(rig.closed, 1);
    cr_expect_eq(rig.status, KANAL_E_NETWORK);
    cr_expect_eq(put(&rig, "late"), KANAL_E_NOT_FOUND);
    rig_release(&rig);
    cr_expect_eq(rig.closed, 1);
}

Test(stream, of_what_hides_its_records_a_try_counts)
{
    struct rig rig = { .script = { .sends = { NET_WAIT_WRITE, NET_BROKEN }, .opaque = 1 } };
    rig_init(&rig, 0);
    cr_expect_eq(put(&rig, "abcd"), 0);
    turn(&rig, 4);
    cr_expect_eq(rig.written[0], KANAL_E_MAYBE);
    rig_release(&rig);
}

Test(stream, reads_no_more_than_there_is_room_for)
{
    struct rig rig = { .room = 10, .script = { .receives = { 25, NET_WAIT_READ, 0 } } };
    rig_init(&rig, 0);
    turn(&rig, 6);
    cr_expect_eq(rig.received, 10);
    rig.room = 5;
    net_stream_resume(rig.stream);
    turn(&rig, 6);
    cr_expect_eq(rig.received, 15);
    rig.room = 100;
    net_stream_resume(rig.stream);
    turn(&rig, 6);
    cr_expect_eq(rig.received, 25);
    cr_expect_eq(rig.ended, 1);
    cr_expect_eq(rig.closed, 0, "writing may go on");
    net_stream_shutdown(rig.stream);
    turn(&rig, 3);
    cr_expect_eq(rig.closed, 1);
    cr_expect_eq(rig.status, KANAL_OK);
    rig_release(&rig);
}

Test(stream, what_lies_inside_is_read_without_the_descriptor)
{
    char byte;
    struct rig rig = { .room = 10, .script = { .receives = { 30, NET_WAIT_READ }, .pending = 1 } };
    rig_init(&rig, 0);
    cr_assert_eq(read(rig.fds[0], &byte, 1), 1); /* not readable any more */
    turn(&rig, 4);
    cr_expect_eq(rig.received, 10);
    rig.room = 50;
    net_stream_resume(rig.stream);
    turn(&rig, 4);
    cr_expect_eq(rig.received, 30);
    rig_release(&rig);
}

static void on_secured(void *user, kanal_status status, const char *reason)
{
    struct rig *rig = user;
    (void)reason;
    rig->written[rig->written_count++] = status;
}

Test(stream, nothing_is_written_or_read_during_the_handshake)
{
    struct rig rig = { .room = 10, .script = { .receives = { 5 }, .handshake = NET_WAIT_READ } };
    rig_init(&rig, 0);
    cr_expect_eq(net_stream_secure(rig.stream, 5000, on_secured, &rig), 0);
    cr_expect_eq(net_stream_secure(rig.stream, 5000, on_secured, &rig), KANAL_E_INVALID);
    cr_expect_eq(put(&rig, "in plain text"), KANAL_E_NOT_FOUND);
    turn(&rig, 4);
    cr_expect_eq(rig.received, 0);
    rig.script.handshake = NET_REFUSED;
    turn(&rig, 4);
    cr_expect_eq(rig.written_count, 1);
    cr_expect_eq(rig.written[0], KANAL_E_REJECTED);
    cr_expect_eq(rig.closed, 0, "the one who asked for TLS is told");
    rig_release(&rig);
}

Test(stream, idle_only_while_there_is_room)
{
    struct rig rig = { .room = 0, .script = { .receives = { NET_WAIT_READ, NET_WAIT_READ } } };
    rig_init(&rig, 50);
    uint64_t until = uv_hrtime() + 200 * UINT64_C(1000000);
    while (uv_hrtime() < until) {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        usleep(2000);
    }
    cr_expect_eq(rig.closed, 0);
    rig.room = 1;
    rig.script.receive_at = 0;
    for (size_t i = 0; i < 8; i++)
        rig.script.receives[i] = NET_WAIT_READ;
    char byte;
    cr_assert_eq(read(rig.fds[0], &byte, 1), 1);
    net_stream_resume(rig.stream);
    for (int i = 0; i < 1000 && !rig.closed; i++) {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        usleep(2000);
    }
    cr_expect_eq(rig.closed, 1);
    cr_expect_eq(rig.status, KANAL_E_TIMEOUT);
    rig_release(&rig);
}
