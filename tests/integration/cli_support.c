#include "cli_support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/topology.h"
#include "broker_support.h"

#define PATIENCE_MS 20000

/* ---- The broker ---- */

static void on_different(void *user, const char *name, kanal_str reason)
{
    (void)user;
    cr_assert_fail("%s: %.*s", name, (int)reason.len, reason.ptr);
}

static void on_done(void *user, kanal_status status, const char *name, kanal_str reason)
{
    cr_assert_eq(status, KANAL_OK, "%s: %.*s", name, (int)reason.len, reason.ptr ? reason.ptr : "");
    *(int *)user = 1;
}

/* As the gateway does it. */
static void make_streams(struct broker_of_test *b, const char *user, const char *password)
{
    struct fixture f;
    struct broker_options options = { .user = user, .password = password };
    struct topology_options topology = { .prefix = "kanal",
                                         .replicas = 1,
                                         .events_ms = 86400000,
                                         .activity_ms = 86400000,
                                         .raw_ms = 86400000,
                                         .dead_ms = 86400000,
                                         .media_ms = 86400000 };
    int done = 0;

    fixture_init(&f);
    f.nats = b->nats;
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    topology_ensure(f.broker, &topology, on_different, on_done, &done);
    cr_assert(run_until(&f.loop, &done, 1, 20000), "streams are not made");
    broker_free(f.broker);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    uv_loop_close(&f.loop);
}

void cli_connect(struct broker_of_test *b, const char *user, const char *password)
{
    natsOptions *options = NULL;

    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    natsOptions_SetURL(options, b->nats.url);
    natsOptions_SetReconnectWait(options, 100);
    natsOptions_SetMaxReconnect(options, -1);
    if (user)
        natsOptions_SetUserInfo(options, user, password);
    cr_assert_eq(natsConnection_Connect(&b->connection, options), NATS_OK, "%s", nats_GetLastError(NULL));
    cr_assert_eq(natsConnection_JetStream(&b->js, b->connection, NULL), NATS_OK);
    natsOptions_Destroy(options);
}

void cli_disconnect(struct broker_of_test *b)
{
    jsCtx_Destroy(b->js);
    natsConnection_Destroy(b->connection);
    b->js = NULL;
    b->connection = NULL;
}

void cli_up(struct broker_of_test *b, const char *extra, const char *user, const char *password)
{
    static const char *const variables[] = { "KANAL_CREDS", "KANAL_USER", "KANAL_PASSWORD", "KANAL_TOKEN",
                                             "NO_COLOR" };

    memset(b, 0, sizeof *b);
    nats_start(&b->nats, extra);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    setenv("KANAL_SERVER", b->nats.url, 1);
    setenv("TERM", "xterm", 1);
    make_streams(b, user, password);
    cli_connect(b, user, password);
}

void cli_down(struct broker_of_test *b)
{
    cli_disconnect(b);
    nats_release(&b->nats);
    nats_CloseAndWait(2000);
}

void cli_publish(struct broker_of_test *b, const char *subject, const char *payload)
{
    jsErrCode code = 0;
    natsStatus s = js_Publish(NULL, b->js, subject, payload, (int)strlen(payload), NULL, &code);

    cr_assert_eq(s, NATS_OK, "%s: %s (%d)", subject, natsStatus_GetText(s), (int)code);
}

uint64_t cli_stored(struct broker_of_test *b, const char *stream)
{
    jsStreamInfo *info = NULL;
    uint64_t count;

    cr_assert_eq(js_GetStreamInfo(&info, b->js, stream, NULL, NULL), NATS_OK);
    count = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return count;
}

const struct cli_event *cli_message_received(const char *channel, const char *address, const char *text,
                                             int number)
{
    static struct cli_event event;

    snprintf(event.subject, sizeof event.subject,
             "kanal.events.telegram.%s.message.received.a_deswgqzqbqbo2uj4pbkjd2g2wy", channel);
    snprintf(
        event.json, sizeof event.json,
        "{\"specversion\":\"1.0\",\"id\":\"e_%026d\",\"type\":\"message.received\",\"source\":\"urn:kanal:"
        "kanal:%s\","
        "\"subject\":\"a_deswgqzqbqbo2uj4pbkjd2g2wy\",\"time\":\"2026-11-21T20:53:05.000Z\",\"recordedtime\":"
        "\"2026-11-21T20:53:05.412Z\",\"datacontenttype\":\"application/json\",\"dataschema\":"
        "\"urn:kanal:schema:message.received:1\",\"data\":{\"channel\":{\"id\":\"%s\",\"plugin\":"
        "\"telegram\"},\"customer\":"
        "{\"id\":\"c_deswgqzqbqbo2uj4pbkjd2g2wy\",\"node\":\"a_deswgqzqbqbo2uj4pbkjd2g2wy\",\"address\":\"%"
        "s\",\"name\":\"Anna\"},"
        "\"message\":{\"id\":\"e_%026d\",\"external_id\":\"%d\",\"content\":[{\"type\":\"text\",\"text\":\"%"
        "s\"}]}}}",
        number, channel, channel, address, number, number, text);
    return &event;
}

/* ---- The child ---- */

static void become_kanal(const char *const *words, pid_t parent)
{
    const char *argv[48] = { "kanal" };
    sigset_t none;
    size_t n = 1;

    for (; words[n - 1] && n < 47; n++)
        argv[n] = words[n - 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(KANAL_BINARY, (char **)(uintptr_t)argv);
    _exit(127);
}

static void feed_input(const char *input, int fd)
{
    size_t len = strlen(input);

    cr_assert(len < 60000, "longer than the pipe");
    cr_assert_eq(write(fd, input, len), (ssize_t)len);
}

void child_start(struct child *c, const char *const *words, const char *input)
{
    int in[2], out[2], err[2];
    pid_t parent = getpid();

    memset(c, 0, sizeof *c);
    cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    c->pid = fork();
    cr_assert(c->pid >= 0);
    if (c->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        become_kanal(words, parent);
    }
    if (input)
        feed_input(input, in[1]);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    close(err[1]);
    c->out = out[0];
    c->err = err[0];
}

void child_start_terminal(struct child *c, const char *const *words)
{
    int err[2], master, slave;
    pid_t parent = getpid();

    memset(c, 0, sizeof *c);
    cr_assert(pipe2(err, O_CLOEXEC) == 0 && openpty(&master, &slave, NULL, NULL, NULL) == 0);
    c->pid = fork();
    cr_assert(c->pid >= 0);
    if (c->pid == 0) {
        close(master);
        dup2(slave, STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        become_kanal(words, parent);
    }
    close(slave);
    close(err[1]);
    c->out = master;
    c->err = err[0];
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void append(char **text, size_t *bytes, int *fd)
{
    char chunk[65536];
    ssize_t n = read(*fd, chunk, sizeof chunk);

    if (n <= 0) { /* a terminal's end is EIO */
        close(*fd);
        *fd = -1;
        return;
    }
    *text = realloc(*text, *bytes + (size_t)n + 1);
    cr_assert_not_null(*text);
    memcpy(*text + *bytes, chunk, (size_t)n);
    *bytes += (size_t)n;
    (*text)[*bytes] = '\0';
}

/* False at the end of both pipes, or after the time. */
static int read_more(struct child *c, int64_t until_ms)
{
    struct pollfd fds[] = { { .fd = c->out, .events = POLLIN }, { .fd = c->err, .events = POLLIN } };
    int64_t left = until_ms - now_ms();

    if ((c->out < 0 && c->err < 0) || left <= 0)
        return 0;
    if (poll(fds, 2, (int)left) <= 0)
        return 0;
    if (fds[0].revents)
        append(&c->output, &c->output_bytes, &c->out);
    if (fds[1].revents)
        append(&c->errors, &c->error_bytes, &c->err);
    return 1;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void child_expect(struct child *c, const char *text)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;

    while (!strstr(or_empty(c->output), text) && read_more(c, until_ms))
        ;
    cr_assert_not_null(strstr(or_empty(c->output), text), "\"%s\" does not come; output: %s\nerrors: %s",
                       text, or_empty(c->output), or_empty(c->errors));
}

void child_expect_error(struct child *c, const char *text)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;

    while (!strstr(or_empty(c->errors), text) && read_more(c, until_ms))
        ;
    cr_assert_not_null(strstr(or_empty(c->errors), text), "\"%s\" does not come; output: %s\nerrors: %s",
                       text, or_empty(c->output), or_empty(c->errors));
}

int child_wait(struct child *c)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;
    int status = 0;

    while (read_more(c, until_ms))
        ;
    if (c->out >= 0 || c->err >= 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        cr_assert_fail("it does not end; output: %s\nerrors: %s", or_empty(c->output), or_empty(c->errors));
    }
    cr_assert_eq(waitpid(c->pid, &status, 0), c->pid);
    c->pid = 0;
    c->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    if (!c->output)
        c->output = strdup("");
    if (!c->errors)
        c->errors = strdup("");
    return c->code;
}

int child_signal(struct child *c, int signal)
{
    kill(c->pid, signal);
    return child_wait(c);
}

void child_release(struct child *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    if (c->out >= 0)
        close(c->out);
    if (c->err >= 0)
        close(c->err);
    free(c->output);
    free(c->errors);
    memset(c, 0, sizeof *c);
    c->out = c->err = -1;
}

int cli_run(struct child *c, const char *const *words, const char *input)
{
    child_start(c, words, input);
    return child_wait(c);
}

size_t cli_count(const char *text, const char *in)
{
    size_t count = 0;

    for (const char *at = in; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}
