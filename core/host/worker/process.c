#include "host/worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

#define READ_BYTES (128u * 1024)

/* ---- The program ---- */

/* As told by KANAL_WORKER (tests); beside this program, as it was built; beside its folder, wherever the tree was moved to; where it was
 * to be installed. */
static const char *find_program(char path[4096])
{
    static const char *const places[] = { "kanal-worker", "../libexec/kanal/kanal-worker" };
    const char *told = getenv("KANAL_WORKER");
    if (told && *told) {
        snprintf(path, 4096, "%s", told);
        return path;
    }
    ssize_t n = readlink("/proc/self/exe", path, 4000);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(slash + 1, 4096 - (size_t)(slash + 1 - path), "%s", places[i]);
        if (access(path, X_OK) == 0)
            return path;
    }
    snprintf(path, 4096, "%s/kanal-worker", KANAL_LIBEXEC_DIR);
    return path;
}

/* The worker inherits nothing of the environment, where secrets may stand; a sanitizer's options are none. */
static void make_environment(char *environment[5])
{
    static const char *const names[] = { "ASAN_OPTIONS=", "LSAN_OPTIONS=", "UBSAN_OPTIONS=",
                                         "TSAN_OPTIONS=" };
    size_t count = 0;
    for (char **variable = WORKER_IS_SANITIZED ? environ : NULL; variable && *variable && count < 4;
         variable++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(*variable, names[i], strlen(names[i])) == 0)
                environment[count++] = *variable;
    environment[count] = NULL;
}

/* What must not be in the way of the numbers that the worker's descriptors get. */
static int lift(int fd)
{
    if (fd >= WORKER_FD_END || fd < 0)
        return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_END);
    close(fd);
    return lifted;
}

struct ends { /* what the child gets */
    int socket, page, plugin, errors, sent, got;
    int entrances[CGROUP_ENTRANCES_MOST], entrance_count;
};

static void ends_close(struct ends *ends)
{
    const int fds[] = { ends->socket, ends->page, ends->plugin, ends->errors, ends->sent, ends->got };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (int i = 0; i < ends->entrance_count; i++)
        close(ends->entrances[i]);
}

static void add_files(posix_spawn_file_actions_t *files, const struct ends *ends)
{
    posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(files, ends->errors, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(files, ends->socket, WORKER_FD_SOCKET);
    posix_spawn_file_actions_adddup2(files, ends->page, WORKER_FD_PAGE);
    posix_spawn_file_actions_adddup2(files, ends->plugin, WORKER_FD_PLUGIN);
    posix_spawn_file_actions_adddup2(files, ends->sent, WORKER_FD_SENT);
    posix_spawn_file_actions_adddup2(files, ends->got, WORKER_FD_GOT);
    for (int i = 0; i < ends->entrance_count; i++)
        posix_spawn_file_actions_adddup2(files, ends->entrances[i], WORKER_FD_GROUPS + i);
    posix_spawn_file_actions_addclosefrom_np(files, WORKER_FD_GROUPS + ends->entrance_count);
}

static int spawn(pid_t *ret_pid, const struct ends *ends, const struct worker_terms *terms)
{
    char path[4096], parent[16], memory[24], told[12], entrances[12], *environment[5];
    char *argv[] = { "kanal-worker", parent, memory, told, entrances, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    snprintf(memory, sizeof memory, "%llu", (unsigned long long)terms->memory_bytes);
    snprintf(told, sizeof told, "%u", terms->flags);
    snprintf(entrances, sizeof entrances, "%d", ends->entrance_count);
    make_environment(environment);
    posix_spawn_file_actions_init(&files);
    add_files(&files, ends);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes,
                              0); /* a terminal's ^C is for the core, which then stops its workers */
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    int error = posix_spawn(ret_pid, find_program(path), &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* ---- The process ---- */

static int make_pairs(struct worker_process *process, struct ends *ends, int plugin_fd)
{
    int sockets[2], pipes[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return -1;
    process->socket = sockets[0];
    ends->socket = lift(sockets[1]);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -1;
    process->errors = pipes[0];
    ends->errors = lift(pipes[1]);
    ends->plugin = fcntl(plugin_fd, F_DUPFD_CLOEXEC, WORKER_FD_END);
    ends->page = lift(memfd_create("kanal-worker-page", MFD_CLOEXEC));
    if (ends->socket < 0 || ends->errors < 0 || ends->plugin < 0 || ends->page < 0 ||
        ftruncate(ends->page, WORKER_PAGE_BYTES) != 0 ||
        process_areas_make(process, &ends->sent, &ends->got) != 0)
        return -1;
    void *page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ, MAP_SHARED, ends->page, 0);
    process->page = page == MAP_FAILED ? NULL : page;
    return process->page && fcntl(process->socket, F_SETFL, O_NONBLOCK) == 0 &&
                   fcntl(process->errors, F_SETFL, O_NONBLOCK) == 0
               ? 0
               : -1;
}

int worker_process_new(struct worker_process **ret_process, int plugin_fd, const struct worker_terms *terms,
                       char reason[WORKER_REASON_MAX])
{
    struct ends ends = { -1, -1, -1, -1, -1, -1, { 0 }, 0 };
    struct worker_process *process = calloc(1, sizeof *process);
    if (!process) {
        snprintf(reason, WORKER_REASON_MAX, "out of memory");
        return KANAL_E_INTERNAL;
    }
    process->socket = process->errors = -1;
    int entrances = process_group_make(process, terms, ends.entrances, reason);
    if (entrances < 0) {
        worker_process_free(process);
        return entrances;
    }
    ends.entrance_count = entrances;
    for (int i = 0; i < entrances; i++)
        ends.entrances[i] = lift(ends.entrances[i]);
    int error = make_pairs(process, &ends, plugin_fd) != 0 ? errno : spawn(&process->pid, &ends, terms);
    ends_close(&ends);
    if (error != 0) {
        char path[4096];
        snprintf(reason, WORKER_REASON_MAX, "its worker cannot be started: %.150s: %s", find_program(path),
                 strerror(error));
        process->pid = 0;
        worker_process_free(process);
        return KANAL_E_INTERNAL;
    }
    *ret_process = process;
    return 0;
}

void worker_process_free(struct worker_process *process)
{
    if (!process)
        return;
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (process->socket >= 0)
        close(process->socket);
    if (process->errors >= 0)
        close(process->errors);
    if (process->page)
        munmap((void *)(uintptr_t)process->page, WORKER_PAGE_BYTES);
    cgroup_free(process->group);
    process_areas_release(process);
    kanal_buffer_release(&process->in);
    free(process);
}

int worker_process_reap(struct worker_process *process, int *ret_status)
{
    if (process->pid <= 0 || waitpid(process->pid, ret_status, WNOHANG) != process->pid)
        return 0;
    process->pid = 0;
    return 1;
}

void worker_status_text(int status, char text[64])
{
    if (WIFSIGNALED(status) && sigabbrev_np(WTERMSIG(status)))
        snprintf(text, 64, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    else if (WIFSIGNALED(status))
        snprintf(text, 64, "signal %d", WTERMSIG(status));
    else
        snprintf(text, 64, "exit code %d", WEXITSTATUS(status));
}

/* ---- Reading ---- */

static void forget_taken(struct worker_process *process)
{
    struct kanal_buffer *in = &process->in;
    if (process->taken == 0)
        return;
    in->len -= process->taken;
    memmove(in->data, in->data + process->taken, in->len);
    process->taken = 0;
    if (in->len == 0 && in->capacity > 4 * READ_BYTES)
        kanal_buffer_release(in); /* of one large frame */
}

int worker_process_read(struct worker_process *process)
{
    struct kanal_buffer *in = &process->in;
    forget_taken(process);
    process_forget_aside(process);
    if (kanal_buffer_reserve(in, READ_BYTES) != 0)
        return KANAL_E_INTERNAL;
    ssize_t n = recv(process->socket, in->data + in->len, in->capacity - in->len, 0);
    if (n > 0) {
        in->len += (size_t)n;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return KANAL_E_NETWORK;
}

int worker_process_next(struct worker_process *process, struct wire_frame *ret_frame)
{
    size_t bytes;
    kanal_str rest = kanal_str_from(kanal_buffer_view(&process->in), process->taken);
    struct wire_frame frame;
    int found = wire_next(rest, WIRE_FROM_WORKER, &frame, &bytes);
    if (found <= 0)
        return found;
    process->taken += bytes;
    *ret_frame = frame;
    int status = frame.is_aside ? process_fetch_aside(process, ret_frame) : 0;
    return status == 0 ? 1 : status;
}

int worker_check_hello(const struct wire_frame *frame, char reason[WORKER_REASON_MAX])
{
    struct wire_hello hello;
    struct wire_scratch scratch = { 0 };
    if (frame->type != WIRE_HELLO || wire_get(frame, &scratch, &hello) != 0 || hello.magic != WIRE_MAGIC) {
        snprintf(reason, WORKER_REASON_MAX, "its worker did not say hello");
        return KANAL_E_INVALID;
    }
    if (hello.version == WIRE_VERSION && hello.abi_major == KANAL_ABI_MAJOR &&
        hello.abi_minor == KANAL_ABI_MINOR)
        return 0;
    snprintf(
        reason, WORKER_REASON_MAX,
        "kanal-worker is of another version (wire %u, ABI %u.%u; this kanal: wire %u, ABI %u.%u): install "
        "both from one build",
        hello.version, hello.abi_major, hello.abi_minor, WIRE_VERSION, KANAL_ABI_MAJOR, KANAL_ABI_MINOR);
    return KANAL_E_INVALID;
}
