/* The embedded server: starts, works, is guarded, is started again, dies with us. */
#include "broker_support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "broker/embedded.h"

struct embedded_fixture {
    struct fixture f;
    struct broker_embedded *child;
    char dir[64], reason[256];
    int exits;
};

static void note_exit(void *user, const char *reason)
{
    struct embedded_fixture *e = user;

    e->exits++;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

/* The pid of the server below us, by its parent and its arguments. */
static pid_t child_pid(const char *dir)
{
    char command[256];
    int pid = 0;
    FILE *p;

    snprintf(command, sizeof command, "pgrep -f 'nats-server -c %s/nats/nats.conf'", dir);
    p = popen(command, "re");
    cr_assert_not_null(p);
    if (fscanf(p, "%d", &pid) != 1)
        pid = 0;
    pclose(p);
    return pid;
}

static void connect_embedded(struct embedded_fixture *e)
{
    const char *url = broker_embedded_url(e->child);
    struct broker_options options = { .urls = &url,
                                      .url_count = 1,
                                      .user = broker_embedded_user(e->child),
                                      .password = broker_embedded_password(e->child) };

    fixture_connect(&e->f, &options);
    cr_assert(run_until_state(&e->f, BROKER_UP, 5000), "%s", e->f.reason);
}

static void start(struct embedded_fixture *e)
{
    memset(e, 0, sizeof *e);
    fixture_init(&e->f);
    snprintf(e->dir, sizeof e->dir, "/tmp/kanal-test-XXXXXX");
    cr_assert_not_null(mkdtemp(e->dir));
    cr_assert_eq(broker_embedded_start(&e->child, &e->f.loop, e->dir, note_exit, e, e->reason), 0, "%s",
                 e->reason);
}

static void end(struct embedded_fixture *e)
{
    broker_embedded_stop(e->child);
    fixture_down(&e->f);
    remove_tree(e->dir);
}

Test(embedded, starts_and_keeps_its_data, .timeout = 60)
{
    struct embedded_fixture e;
    struct broker_options intruder = { 0 };
    struct fixture other;
    struct stat st;
    struct noted n;
    const char *url;
    char path[128];
    pid_t pid;

    start(&e);
    connect_embedded(&e);
    cr_assert_eq(make_stream(&e.f, "EVENTS", "events.>"), KANAL_OK);
    cr_assert_eq(publish(&e.f, "events.a", "kept", NULL, JS_ANY_SEQUENCE, &n), KANAL_OK);
    snprintf(path, sizeof path, "%s/nats/nats.conf", e.dir);
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "%o", st.st_mode);
    cr_assert_eq(strlen(broker_embedded_password(e.child)), 32);
    /* Nobody without the password. */
    fixture_init(&other);
    url = broker_embedded_url(e.child);
    intruder.urls = &url;
    intruder.url_count = 1;
    fixture_connect(&other, &intruder);
    cr_assert(run_until_state(&other, BROKER_CLOSED, 5000), "%s", other.reason);
    fixture_down(&other);
    broker_free(e.f.broker);
    pid = child_pid(e.dir);
    cr_assert(pid > 0);
    broker_embedded_stop(e.child);
    cr_assert(kill(pid, 0) != 0 && errno == ESRCH, "it must be gone");
    cr_assert_eq(broker_embedded_start(&e.child, &e.f.loop, e.dir, note_exit, &e, e.reason), 0, "%s",
                 e.reason);
    connect_embedded(&e);
    memset(&n, 0, sizeof n);
    js_get_last(e.f.broker, "EVENTS", KANAL_LIT("events.a"), note_message, &n);
    cr_assert(run_until(&e.f.loop, &n.calls, 1, 3000));
    cr_assert_str_eq(n.text, "kept", "%d %s", n.status, n.text);
    cr_assert_eq(e.exits, 0);
    end(&e);
}

Test(embedded, a_second_one_is_refused, .timeout = 60)
{
    struct embedded_fixture e;
    struct broker_embedded *second = NULL;
    char reason[256];

    start(&e);
    cr_assert_neq(broker_embedded_start(&second, &e.f.loop, e.dir, note_exit, &e, reason), 0);
    cr_assert_not_null(strstr(reason, "another kanal runs on this data_dir"), "%s", reason);
    end(&e);
}

Test(embedded, is_started_again_on_the_same_port, .timeout = 60)
{
    struct embedded_fixture e;
    pid_t first, second;
    char url[64];

    start(&e);
    connect_embedded(&e);
    snprintf(url, sizeof url, "%s", broker_embedded_url(e.child));
    first = child_pid(e.dir);
    kill(first, SIGKILL);
    cr_assert(run_until(&e.f.loop, &e.exits, 1, 2000));
    cr_assert_not_null(strstr(e.reason, "signal 9"), "%s", e.reason);
    cr_assert(run_until_state(&e.f, BROKER_DOWN, 2000));
    cr_assert(run_until_state(&e.f, BROKER_UP, 10000), "%s", e.f.reason);
    second = child_pid(e.dir);
    cr_assert(second > 0 && second != first);
    cr_assert_str_eq(url, broker_embedded_url(e.child));
    end(&e);
}

/* kill -9 of us takes it along, and a new start finds the folder free. */
Test(embedded, dies_with_us, .timeout = 60)
{
    struct embedded_fixture e;
    char dir[] = "/tmp/kanal-test-XXXXXX";
    int ready[2], status;
    char byte = 0;
    pid_t us, server;

    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(pipe(ready), 0);
    us = fork();
    if (us == 0) {
        struct broker_embedded *child = NULL;
        uv_loop_t loop;
        char reason[256];

        uv_loop_init(&loop);
        if (broker_embedded_start(&child, &loop, dir, note_exit, &e, reason) != 0)
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    server = child_pid(dir);
    cr_assert(server > 0);
    kill(us, SIGKILL);
    waitpid(us, &status, 0);
    memset(&e, 0, sizeof e);
    fixture_init(&e.f);
    snprintf(e.dir, sizeof e.dir, "%s", dir);
    cr_assert_eq(broker_embedded_start(&e.child, &e.f.loop, e.dir, note_exit, &e, e.reason), 0, "%s",
                 e.reason);
    cr_assert_neq(child_pid(dir), server);
    connect_embedded(&e);
    end(&e);
}

Test(embedded, says_what_is_wrong, .timeout = 60)
{
    struct embedded_fixture e;
    struct broker_embedded *child = NULL;
    char path[128], reason[256];
    FILE *f;

    memset(&e, 0, sizeof e);
    fixture_init(&e.f);
    snprintf(e.dir, sizeof e.dir, "/tmp/kanal-test-XXXXXX");
    cr_assert_not_null(mkdtemp(e.dir));
    cr_assert_neq(broker_embedded_start(&child, &e.f.loop, "/proc/nowhere", note_exit, &e, reason), 0);
    cr_assert_not_null(strstr(reason, "/proc/nowhere"), "%s", reason);
    /* A program that is none. */
    snprintf(path, sizeof path, "%s/nats-server", e.dir);
    f = fopen(path, "we");
    cr_assert_not_null(f);
    fputs("#!/bin/sh\necho 'nothing works here' >&2\nexit 3\n", f);
    fclose(f);
    chmod(path, 0755);
    setenv("PATH", e.dir, 1);
    cr_assert_neq(broker_embedded_start(&child, &e.f.loop, e.dir, note_exit, &e, reason), 0);
    cr_assert_not_null(strstr(reason, "code 3"), "%s", reason);
    cr_assert_not_null(strstr(reason, "nothing works here"), "%s", reason);
    fixture_down(&e.f);
    remove_tree(e.dir);
}
