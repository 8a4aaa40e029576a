/* A worker that the test plays: the other end of a socket pair, frames by hand, and a process that does nothing but can be killed. */
#ifndef KANAL_TEST_WORKER_PEER_H
#define KANAL_TEST_WORKER_PEER_H
#include "../rig.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "host/worker/worker.h"

struct peer {
    int socket;
    pid_t pid;
    struct worker_page *page;
    struct kanal_buffer in;
    size_t taken;
    struct wire_scratch scratch;
};

/* The plugin's next process is this one, which has described itself already. */
static inline void peer_init(struct peer *peer, struct plugin *plugin)
{
    int sockets[2];
    struct worker_process *process = calloc(1, sizeof *process);
    *peer = (struct peer){ 0 };
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets), 0);
    peer->socket = sockets[1];
    peer->page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(peer->page, MAP_FAILED);
    /* AddressSanitizer would write a report of the child's death. Set before the fork: it may be killed at once. */
    struct sigaction crash = { .sa_handler = SIG_DFL }, before;
    sigaction(SIGSEGV, &crash, &before);
    peer->pid = fork();
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_range(0, ~0u, 0); /* an end kept here would hide another peer's death */
        for (;;)
            pause();
    }
    sigaction(SIGSEGV, &before, NULL);
    int pipes[2];
    cr_assert_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    close(pipes[1]);
    *process = (struct worker_process){
        .pid = peer->pid, .socket = sockets[0], .errors = pipes[0], .page = peer->page
    };
    plugin->worker->process = process;
}

static inline void peer_release(struct peer *peer)
{
    if (peer->socket >= 0)
        close(peer->socket);
    kanal_buffer_release(&peer->in);
    wire_scratch_release(&peer->scratch);
}

static inline void peer_say(struct peer *peer, enum wire_type type, uint32_t channel, const void *value)
{
    struct kanal_buffer out = { 0 };
    cr_assert_eq(wire_put(&out, type, channel, value), 0);
    cr_assert_eq(send(peer->socket, out.data, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
    kanal_buffer_release(&out);
}

/* The next frame from the core; 1, or 0: none. */
static inline int peer_next(struct peer *peer, struct wire_frame *ret_frame)
{
    size_t bytes = 0;
    kanal_buffer_reserve(&peer->in, 1 << 20);
    ssize_t n = recv(peer->socket, peer->in.data + peer->in.len, peer->in.capacity - peer->in.len, 0);
    if (n > 0)
        peer->in.len += (size_t)n;
    int found = wire_next(kanal_str_from(kanal_buffer_view(&peer->in), peer->taken), WIRE_FROM_CORE,
                          ret_frame, &bytes);
    cr_assert_geq(found, 0);
    peer->taken += found ? bytes : 0;
    return found;
}

/* Reads until a frame of the type comes, and fills its struct. */
static inline struct wire_frame peer_expect(struct rig *rig, struct peer *peer, enum wire_type type,
                                            void *ret_value)
{
    struct wire_frame frame = { 0 };
    uint64_t until = uv_hrtime() + 5 * UINT64_C(1000000000);
    while (uv_hrtime() < until) {
        if (!peer_next(peer, &frame))
            rig_turn(rig);
        else if (frame.type == type)
            break;
    }
    cr_assert_eq(frame.type, type, "%s never came", wire_name(type));
    if (ret_value)
        cr_assert_eq(wire_get(&frame, &peer->scratch, ret_value), 0);
    return frame;
}

#endif
