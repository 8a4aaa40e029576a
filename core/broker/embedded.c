#include "embedded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000
#define STOP_MS 5000
#define LOCK_MS 3000 /* the server of a gateway that was killed needs a moment to die */
#define RESTART_MS 1000
#define PORT_TRIES 3

struct broker_embedded {
    uv_loop_t *loop;
    broker_embedded_exit_fn *exited;
    void *user;
    char dir[400]; /* data_dir/nats */
    char program[400];
    char url[64], password[33], name[33];
    char words[300]; /* the last it said on its error output */
    size_t word_bytes;
    int port, lock;
    pid_t pid;  /* 0: not running */
    int output; /* its error output; its end is the child's end */
    uv_poll_t poll;
    uv_timer_t restart;
    int polling, handles;
};

static uint64_t clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- Preparing ---- */

static int find_program(char out[400])
{
    static const char *const further[] = { "/usr/sbin", "/usr/local/bin", "/usr/local/sbin" };
    const char *path = getenv("PATH");

    /* Debian installs it in /usr/sbin, which users do not have in their PATH. */
    while (path && *path) {
        size_t n = strcspn(path, ":");

        if (n > 0 && snprintf(out, 400, "%.*s/nats-server", (int)n, path) < 400 && access(out, X_OK) == 0)
            return 0;
        path += n + (path[n] == ':');
    }
    for (size_t i = 0; i < sizeof further / sizeof *further; i++) {
        snprintf(out, 400, "%s/nats-server", further[i]);
        if (access(out, X_OK) == 0)
            return 0;
    }
    return -1;
}

static int make_dir(const char *path, char reason[256])
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    snprintf(reason, 256, "cannot make the folder %.150s: %s", path, strerror(errno));
    return -1;
}

/* The child inherits the descriptor, so that the lock lasts until both are gone. */
static int take_lock(struct broker_embedded *e, char reason[256])
{
    uint64_t until = clock_ms() + LOCK_MS;
    char path[420];

    snprintf(path, sizeof path, "%s/lock", e->dir);
    e->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock < 0) {
        snprintf(reason, 256, "cannot write %.150s: %s", path, strerror(errno));
        return -1;
    }
    while (flock(e->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || clock_ms() >= until) {
            snprintf(reason, 256, "%.150s is locked: another kanal runs on this data_dir", path);
            return -1;
        }
        poll(NULL, 0, 50);
    }
    return 0;
}

static int random_hex(char out[33])
{
    unsigned char bytes[16];

    if (uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL) != 0)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

/* A quoted string of nats-server's configuration language. */
static void write_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static int write_config(struct broker_embedded *e, char reason[256])
{
    char path[420];
    int fd;
    FILE *f;

    snprintf(path, sizeof path, "%s/nats.conf", e->dir);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        snprintf(reason, 256, "cannot write %.150s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    fprintf(f, "# Written by kanal at each start.\nlisten: \"127.0.0.1:%d\"\nserver_name: \"%s\"\n", e->port,
            e->name);
    fprintf(f, "authorization { user: kanal, password: \"%s\" }\njetstream { store_dir: ", e->password);
    write_quoted(f, e->dir);
    fprintf(f, " }\nlog_file: ");
    snprintf(path, sizeof path, "%s/nats.log", e->dir);
    write_quoted(f, path);
    fprintf(f, "\nlogfile_size_limit: 10MB\n");
    if (fclose(f) != 0) {
        snprintf(reason, 256, "cannot write to %.150s: %s", e->dir, strerror(errno));
        return -1;
    }
    return 0;
}

/* ---- The child ---- */

/* Between fork and exec only what is allowed after a fork of a process with threads. */
static void become_server(const struct broker_embedded *e, const char *config, int output, pid_t parent)
{
    char *argv[] = { "nats-server", "-c", (char *)(uintptr_t)config, NULL };
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    /* Ctrl-C in the terminal is ours to handle. */
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    (void)fcntl(e->lock, F_SETFD, 0);
    execv(e->program, argv);
    _exit(127);
}

static int spawn(struct broker_embedded *e, char reason[256])
{
    char config[420];
    int pipe_fds[2];
    pid_t parent = getpid();

    snprintf(config, sizeof config, "%s/nats.conf", e->dir);
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        snprintf(reason, 256, "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    e->word_bytes = 0;
    e->pid = fork();
    if (e->pid == 0)
        become_server(e, config, pipe_fds[1], parent);
    close(pipe_fds[1]);
    if (e->pid < 0) {
        e->pid = 0;
        close(pipe_fds[0]);
        snprintf(reason, 256, "cannot start nats-server: %s", strerror(errno));
        return -1;
    }
    e->output = pipe_fds[0];
    return 0;
}

/* 0: it has closed its output: it is gone. */
static int read_output(struct broker_embedded *e)
{
    char chunk[512];
    ssize_t n;

    while ((n = read(e->output, chunk, sizeof chunk)) > 0) {
        size_t len = (size_t)n, most = sizeof e->words - 1;

        /* The beginning says why it does not start. */
        if (len > most - e->word_bytes)
            len = most - e->word_bytes;
        memcpy(e->words + e->word_bytes, chunk, len);
        e->word_bytes += len;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What it said, on one line. */
static void explain(struct broker_embedded *e, int status, char reason[256])
{
    e->words[e->word_bytes] = '\0';
    for (char *p = e->words; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    if (WIFSIGNALED(status))
        snprintf(reason, 256, "nats-server was ended by signal %d. %.180s", WTERMSIG(status), e->words);
    else
        snprintf(reason, 256, "nats-server ended with code %d; see %.80s/nats.log. %.110s",
                 WEXITSTATUS(status), e->dir, e->words);
}

static int reap(struct broker_embedded *e)
{
    int status = 0;

    if (e->pid > 0)
        waitpid(e->pid, &status, 0);
    e->pid = 0;
    if (e->output >= 0)
        close(e->output);
    e->output = -1;
    return status;
}

/* True if our server (by its name) answers on the port. */
static int answers(const struct broker_embedded *e)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)e->port) };
    struct pollfd p = { .events = POLLIN };
    char info[4096];
    ssize_t n = 0;
    int ok = 0;

    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p.fd < 0)
        return 0;
    if (connect(p.fd, (struct sockaddr *)&address, sizeof address) == 0 && poll(&p, 1, 1000) > 0)
        n = recv(p.fd, info, sizeof info, 0);
    if (n > 0)
        ok = memmem(info, (size_t)n, e->name, strlen(e->name)) != NULL;
    close(p.fd);
    return ok;
}

/* Spawns and waits until it accepts connections. */
static int start(struct broker_embedded *e, char reason[256])
{
    uint64_t until = clock_ms() + START_MS;

    if (spawn(e, reason) != 0)
        return -1;
    while (!answers(e)) {
        if (!read_output(e)) {
            explain(e, reap(e), reason);
            return -1;
        }
        if (clock_ms() >= until) {
            kill(e->pid, SIGKILL);
            reap(e);
            snprintf(reason, 256, "nats-server does not accept connections after %d s; see %.150s/nats.log",
                     START_MS / 1000, e->dir);
            return -1;
        }
        poll(NULL, 0, 5);
    }
    return 0;
}

/* ---- Watching it ---- */

static void watch(struct broker_embedded *e);

static void handle_closed(uv_handle_t *handle)
{
    struct broker_embedded *e = handle->data;

    if (--e->handles == 0) {
        explicit_bzero(e->password, sizeof e->password);
        free(e);
    }
}

static void restart_cb(uv_timer_t *timer)
{
    struct broker_embedded *e = timer->data;
    char reason[256];

    /* Without waiting: the broker's connection tries again by itself until it is there. */
    if (spawn(e, reason) != 0) {
        e->exited(e->user, reason);
        uv_timer_start(timer, restart_cb, RESTART_MS, 0);
        return;
    }
    watch(e);
}

static void poll_closed(uv_handle_t *handle)
{
    struct broker_embedded *e = handle->data;

    e->polling = 0;
    handle_closed(handle);
}

static void output_cb(uv_poll_t *poll, int status, int events)
{
    struct broker_embedded *e = poll->data;
    char reason[256];

    (void)events;
    if (status == 0 && read_output(e))
        return;
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, poll_closed);
    explain(e, reap(e), reason);
    uv_timer_start(&e->restart, restart_cb, RESTART_MS, 0);
    e->exited(e->user, reason);
}

static void watch(struct broker_embedded *e)
{
    if (uv_poll_init(e->loop, &e->poll, e->output) != 0)
        return;
    e->poll.data = e;
    e->polling = 1;
    e->handles++;
    uv_poll_start(&e->poll, UV_READABLE, output_cb);
}

/* ---- Start and stop ---- */

static int prepare(struct broker_embedded *e, const char *data_dir, char reason[256])
{
    if (snprintf(e->dir, sizeof e->dir, "%s/nats", data_dir) >= (int)sizeof e->dir - 20) {
        snprintf(reason, 256, "data_dir is too long");
        return -1;
    }
    if (find_program(e->program) != 0) {
        snprintf(
            reason, 256,
            "nats-server is not installed (apt install nats-server), or name a broker in the configuration");
        return -1;
    }
    if (make_dir(data_dir, reason) != 0 || make_dir(e->dir, reason) != 0 || take_lock(e, reason) != 0)
        return -1;
    if (random_hex(e->password) != 0 || random_hex(e->name) != 0) {
        snprintf(reason, 256, "no random numbers");
        return -1;
    }
    return 0;
}

static void release(struct broker_embedded *e)
{
    if (e->lock >= 0)
        close(e->lock);
    explicit_bzero(e->password, sizeof e->password);
    free(e);
}

int broker_embedded_start(struct broker_embedded **ret_child, uv_loop_t *loop, const char *data_dir,
                          broker_embedded_exit_fn *exited, void *user, char reason[256])
{
    struct broker_embedded *e = calloc(1, sizeof *e);
    int r = -1;

    snprintf(reason, 256, "out of memory");
    if (!e)
        return KANAL_E_INTERNAL;
    e->loop = loop;
    e->exited = exited;
    e->user = user;
    e->lock = e->output = -1;
    if (prepare(e, data_dir, reason) != 0) {
        release(e);
        return KANAL_E_INVALID;
    }
    /* Between our look and its start somebody else may take the port. */
    for (int i = 0; i < PORT_TRIES && r != 0; i++) {
        e->port = free_port();
        r = write_config(e, reason);
        if (r != 0)
            break;
        r = start(e, reason);
    }
    if (r != 0) {
        release(e);
        return KANAL_E_INVALID;
    }
    snprintf(e->url, sizeof e->url, "nats://127.0.0.1:%d", e->port);
    uv_timer_init(loop, &e->restart);
    e->restart.data = e;
    e->handles = 1;
    watch(e);
    reason[0] = '\0';
    *ret_child = e;
    return 0;
}

const char *broker_embedded_url(const struct broker_embedded *e)
{
    return e->url;
}

const char *broker_embedded_user(const struct broker_embedded *e)
{
    (void)e;
    return "kanal";
}

const char *broker_embedded_password(const struct broker_embedded *e)
{
    return e->password;
}

static void end_child(struct broker_embedded *e)
{
    uint64_t until = clock_ms() + STOP_MS;

    if (e->pid <= 0)
        return;
    kill(e->pid, SIGTERM);
    while (clock_ms() < until) {
        if (waitpid(e->pid, NULL, WNOHANG) == e->pid) {
            e->pid = 0;
            return;
        }
        poll(NULL, 0, 5);
    }
    kill(e->pid, SIGKILL);
    waitpid(e->pid, NULL, 0);
    e->pid = 0;
}

void broker_embedded_stop(struct broker_embedded *e)
{
    if (!e)
        return;
    if (e->polling && !uv_is_closing((uv_handle_t *)&e->poll)) {
        uv_poll_stop(&e->poll);
        uv_close((uv_handle_t *)&e->poll, handle_closed);
    }
    end_child(e);
    if (e->output >= 0)
        close(e->output);
    close(e->lock);
    uv_close((uv_handle_t *)&e->restart, handle_closed);
}
