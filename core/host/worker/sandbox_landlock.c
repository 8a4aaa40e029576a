/* Landlock, by its system calls: Debian 12's headers know ABI 2, its libc none. Values: include/uapi/linux/landlock.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "host/worker/sandbox_private.h"

#ifndef SYS_landlock_create_ruleset /* the same on all architectures */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)

struct ruleset {
    uint64_t files, network, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

/* All that this ABI can refuse: file rights (13 in the first, then REFER, TRUNCATE, IOCTL_DEV), TCP's bind and connect, abstract
 * sockets and signals. */
static struct ruleset everything(int abi)
{
    unsigned rights = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    return (struct ruleset){ .files = (UINT64_C(1) << rights) - 1,
                             .network = abi >= 4 ? 3 : 0,
                             .scoped = abi >= 6 ? 3 : 0 };
}

static size_t ruleset_size(int abi)
{
    return abi >= 6 ? sizeof(struct ruleset) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int add_descriptor(int ruleset, int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return -1;
    struct path_rule rule = { .allowed = S_ISDIR(info.st_mode) ? READ_FILE | READ_DIR : READ_FILE,
                              .parent = fd };
    return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0u);
}

/* A path that is not there grants nothing and is no error: /lib64 is not everywhere. */
static int add_path(int ruleset, const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    int status = add_descriptor(ruleset, fd);
    close(fd);
    return status;
}

static int add_paths(int ruleset, const struct sandbox_options *options)
{
    int status = 0;
    for (const char *const *path = sandbox_library_paths; *path && status == 0; path++)
        status = add_path(ruleset, *path);
    for (const char *const *path = options->read_paths; path && *path && status == 0; path++)
        status = add_path(ruleset, *path);
    for (size_t i = 0; i < options->read_fd_count && status == 0; i++)
        status = add_descriptor(ruleset, options->read_fds[i]);
    return status;
}

int sandbox_landlock(enum sandbox_stage stage, const struct sandbox_options *options,
                     struct sandbox_report *report)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
    if (abi <= 0)
        return sandbox_lacks(report, "landlock");
    struct ruleset all = everything(abi);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, ruleset_size(abi), 0u);
    if (ruleset < 0)
        return sandbox_lacks(report, "landlock");
    int status = 0;
    if (stage == SANDBOX_LOAD && add_paths(ruleset, options) != 0)
        status = sandbox_lacks(report, "landlock: a path");
    if (status == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0)
        status = sandbox_lacks(report, "landlock");
    close(ruleset);
    if (status == 0) {
        report->landlock_abi = abi;
        report->layers |= SANDBOX_LANDLOCK | (abi >= 6 ? SANDBOX_LANDLOCK_IPC : 0);
    }
    return status;
}
