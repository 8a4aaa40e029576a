#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 15

double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_us(long us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&t, NULL);
}

void bench_sleep_ms(unsigned ms)
{
    sleep_us((long)ms * 1000);
}

pid_t process_start(const char *log_path, const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    return pid;
}

int process_lives(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

void process_stop(pid_t pid)
{
    if (!process_lives(pid))
        return;
    double until = bench_seconds() + STOP_SECONDS;
    kill(pid, SIGTERM);
    while (process_lives(pid)) {
        if (bench_seconds() > until)
            kill(pid, SIGKILL);
        sleep_us(2000);
    }
}

double process_status_mb(pid_t pid, const char *line)
{
    char path[64], text[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(text, sizeof text, file))
        if (strncmp(text, line, strlen(line)) == 0)
            kb = strtod(text + strlen(line), NULL);
    if (file)
        fclose(file);
    return kb / 1024;
}

double process_rollup_mb(pid_t pid, const char *lines)
{
    char path[64], text[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(text, sizeof text, file))
        if (strncmp(text, lines, strlen(lines)) == 0 && strchr(text, ':'))
            kb += strtod(strchr(text, ':') + 1, NULL);
    if (file)
        fclose(file);
    return kb / 1024;
}

pid_t process_child(pid_t pid)
{
    char path[64];
    long child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%ld", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return (pid_t)child;
}

double process_cpu_seconds(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    char *after_name = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (after_name) /* state, ten numbers, then the two that are wanted */
        (void)sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    if (file)
        fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

uint16_t free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("no free port");
        exit(1);
    }
    close(fd);
    return ntohs(address.sin_port);
}

/* A connected socket, or -1. */
static int try_connect(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

int wait_for_accept(uint16_t port, double until)
{
    while (bench_seconds() < until) {
        int fd = try_connect(port);
        if (fd >= 0) {
            close(fd);
            return 1;
        }
        sleep_us(200);
    }
    return 0;
}

int wait_for_200(uint16_t port, const char *path, double until)
{
    char request[256], answer[64];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    while (bench_seconds() < until) {
        int fd = try_connect(port), is_good = 0;
        if (fd >= 0) {
            is_good = send(fd, request, (size_t)length, MSG_NOSIGNAL) == length &&
                      recv(fd, answer, sizeof answer, 0) > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
            close(fd);
        }
        if (is_good)
            return 1;
        sleep_us(200);
    }
    return 0;
}
