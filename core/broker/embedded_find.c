#include "embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* The characters of `set` that follow `before` in the text; 0, or -1: there is none, or it is too long. */
static int take(const char *content, const char *before, const char *set, char *ret, size_t size)
{
    const char *at = strstr(content, before);
    size_t len = at ? strspn(at + strlen(before), set) : 0;

    if (len == 0 || len >= size)
        return -1;
    memcpy(ret, at + strlen(before), len);
    ret[len] = '\0';
    return 0;
}

int broker_embedded_find(const char *data_dir, struct broker_embedded_access *ret_access, char reason[256])
{
    struct broker_embedded_access found = { 0 };
    char content[CONFIG_BYTES] = "", port[6];
    int r = check_lock(data_dir, reason);

    if (r == 0)
        r = read_config(data_dir, content, reason);
    if (r != 0)
        return r;
    /* As embedded.c writes it. */
    if (take(content, "listen: \"127.0.0.1:", "0123456789", port, sizeof port) == 0 &&
        take(content, "authorization { user: ", "abcdefghijklmnopqrstuvwxyz", found.user,
             sizeof found.user) == 0 &&
        take(content, "password: \"", "0123456789abcdef", found.password, sizeof found.password) == 0) {
        snprintf(found.url, sizeof found.url, "nats://127.0.0.1:%s", port);
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
