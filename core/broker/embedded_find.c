#include "embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CONFIG_BYTES 4096u

static int fail(const char *path, int error, char reason[256])
{
    if (error == ENOENT || error == ENOTDIR) {
        snprintf(reason, 256, "no gateway with a nats-server of its own runs: there is no %.150s", path);
        return KANAL_E_NOT_FOUND;
    }
    snprintf(reason, 256, "cannot read %.120s: %.60s; only the user that runs the gateway may", path,
             strerror(error));
    return KANAL_E_DENIED;
}

/* The gateway and its server hold a lock as long as one of them lives; the configuration stays behind. */
static int check_lock(const char *data_dir, char reason[256])
{
    char path[420];
    int fd, r = 0;

    snprintf(path, sizeof path, "%.400s/nats/lock", data_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, errno, reason);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        snprintf(reason, 256, "no gateway runs on %.150s (its lock is free); start it with `kanal run`",
                 data_dir);
        r = KANAL_E_NOT_FOUND;
    }
    close(fd);
    return r;
}

static int read_config(const char *data_dir, char content[CONFIG_BYTES], char reason[256])
{
    char path[420];
    size_t len = 0;
    ssize_t n;
    int fd, error = 0;

    snprintf(path, sizeof path, "%.400s/nats/nats.conf", data_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, errno, reason);
    while (len < CONFIG_BYTES - 1 && (n = read(fd, content + len, CONFIG_BYTES - 1 - len)) != 0) {
        if (n < 0) {
            error = errno;
            break;
        }
        len += (size_t)n;
    }
    content[len] = '\0';
    close(fd);
    return error ? fail(path, error, reason) : 0;
}

int broker_embedded_find(const char *data_dir, struct broker_embedded_access *ret_access, char reason[256])
{
    struct broker_embedded_access found = { 0 };
    char content[CONFIG_BYTES] = "";
    const char *listen, *access;
    int port = 0, r = check_lock(data_dir, reason);

    if (r == 0)
        r = read_config(data_dir, content, reason);
    if (r != 0)
        return r;
    /* As embedded.c writes it. */
    listen = strstr(content, "listen: \"127.0.0.1:");
    access = strstr(content, "authorization { user: ");
    if (listen && access && sscanf(listen, "listen: \"127.0.0.1:%5d\"", &port) == 1 && port > 0 &&
        port < 65536 &&
        sscanf(access, "authorization { user: %32[a-z], password: \"%64[0-9a-f]\"", found.user,
               found.password) == 2) {
        snprintf(found.url, sizeof found.url, "nats://127.0.0.1:%d", port);
        *ret_access = found;
        reason[0] = '\0';
    } else {
        snprintf(reason, 256,
                 "%.120s/nats/nats.conf is not what this kanal writes: is the gateway of another version?",
                 data_dir);
        r = KANAL_E_INVALID;
    }
    explicit_bzero(content, sizeof content);
    explicit_bzero(&found, sizeof found);
    return r;
}
