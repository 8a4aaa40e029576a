#include "nats.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *nats_binary(void)
{
    const char *binary = getenv("NATS_SERVER");

    if (binary && binary[0])
        return binary;
    return access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : "nats-server";
}

int nats_version(void)
{
    char command[512];
    int major = 0, minor = 0, patch = 0;
    FILE *p;

    snprintf(command, sizeof command, "'%s' --version", nats_binary());
    p = popen(command, "re");
    cr_assert_not_null(p);
    cr_assert_eq(fscanf(p, "nats-server: v%d.%d.%d", &major, &minor, &patch), 3);
    pclose(p);
    return major * 10000 + minor * 100 + patch;
}

int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* 1: this very server answers, and not another one that was given the same free port. Its first line says its name. */
static int answers(const struct nats_server *s)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)s->port) };
    struct timeval patience = { .tv_sec = 1 };
    char info[4096], name[160];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n = -1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        n = recv(fd, info, sizeof info - 1, 0);
    close(fd);
    info[n > 0 ? n : 0] = '\0';
    snprintf(name, sizeof name, "\"server_name\":\"%s\"", s->dir);
    return strstr(info, name) != NULL;
}

void nats_reconfigure(struct nats_server *s, const char *extra)
{
    FILE *f = fopen(s->config, "we");

    cr_assert_not_null(f);
    fprintf(
        f,
        "listen: 127.0.0.1:%d\nserver_name: \"%s\"\njetstream { store_dir: \"%s\" }\nlog_file: \"%s/log\"\n",
        s->port, s->dir, s->dir, s->dir);
    for (const char *p = extra ? extra : ""; *p; p++) {
        if (p[0] == '%' && p[1] == 'd') {
            fputs(s->dir, f);
            p++;
        } else {
            fputc(*p, f);
        }
    }
    fputc('\n', f);
    fclose(f);
}

/* 0, or -1: it ended (somebody may have taken the port since it was found free). */
static int try_to_run(struct nats_server *s)
{
    pid_t parent = getpid();

    cr_assert_eq(s->pid, 0);
    s->pid = fork();
    cr_assert(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        execlp(nats_binary(), "nats-server", "-c", s->config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        if (waitpid(s->pid, NULL, WNOHANG) != 0) {
            s->pid = 0;
            return -1;
        }
        if (answers(s))
            return 0;
        poll(NULL, 0, 10);
    }
    cr_assert_fail("nats-server does not accept connections");
    return -1;
}

static void run(struct nats_server *s)
{
    cr_assert_eq(try_to_run(s), 0, "nats-server ended: see %s/log", s->dir);
}

void nats_start(struct nats_server *s, const char *extra)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "%s/kanal-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    cr_assert_not_null(mkdtemp(s->dir));
    snprintf(s->config, sizeof s->config, "%s/nats.conf", s->dir);
    for (int i = 0; i < 3; i++) {
        s->port = free_port();
        snprintf(s->url, sizeof s->url, "nats://127.0.0.1:%d", s->port);
        nats_reconfigure(s, extra);
        if (try_to_run(s) == 0)
            return;
    }
    cr_assert_fail("nats-server does not start: see %s/log", s->dir);
}

static void end(struct nats_server *s, int signal)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, signal);
    kill(s->pid, SIGCONT);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void nats_stop(struct nats_server *s)
{
    end(s, SIGTERM);
}

void nats_kill(struct nats_server *s)
{
    end(s, SIGKILL);
}

void nats_restart(struct nats_server *s)
{
    run(s);
}

void nats_pause(struct nats_server *s)
{
    kill(s->pid, SIGSTOP);
}

void nats_resume(struct nats_server *s)
{
    kill(s->pid, SIGCONT);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void nats_release(struct nats_server *s)
{
    nats_kill(s);
    if (s->dir[0])
        remove_tree(s->dir);
}
