#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "host/worker/sandbox_private.h"

extern char **environ;

/* ---- Privileges ---- */

int sandbox_drop_user(const struct sandbox_options *options, struct sandbox_report *report)
{
    gid_t gid = options->gid ? options->gid : options->uid;
    if (geteuid() != 0)
        return sandbox_lacks(report, "another user: not root");
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(options->uid, options->uid, options->uid) != 0)
        return sandbox_lacks(report, "another user");
    return 0;
}

/* The bounding set can be emptied only with CAP_SETPCAP. Without it, no_new_privs keeps what is in the set from being had. */
static void empty_bounding_set(void)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

int sandbox_drop_capabilities(struct sandbox_report *report)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } },
                                  left[_LINUX_CAPABILITY_U32S_3];

    empty_bounding_set();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0 || syscall(SYS_capget, &header, left) != 0)
        return sandbox_lacks(report, "capabilities");
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (left[i].effective | left[i].permitted | left[i].inheritable)
            return sandbox_lacks(report, "capabilities");
    return 0;
}

/* ---- Environment ---- */

void sandbox_clear_environment(void)
{
    for (char **entry = environ; entry && *entry; entry++)
        explicit_bzero(*entry, strlen(*entry));
    clearenv();
}

/* ---- Descriptors ---- */

static int is_kept(const struct sandbox_options *options, int fd)
{
    for (size_t i = 0; i < options->keep_count; i++)
        if (options->keep[i] == fd)
            return 1;
    return 0;
}

/* Of the kept ones, the lowest above fd; -1: none. */
static int next_kept(const struct sandbox_options *options, int fd)
{
    int next = -1;
    for (size_t i = 0; i < options->keep_count; i++)
        if (options->keep[i] > fd && (next < 0 || options->keep[i] < next))
            next = options->keep[i];
    return next;
}

/* Where close_range() is refused (kernels before 5.9, old container profiles). */
static int close_listed(const struct sandbox_options *options)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return -1;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && fd > 2 && fd != dirfd(directory) &&
            !is_kept(options, (int)fd))
            close((int)fd);
    }
    closedir(directory);
    return 0;
}

static int close_ranges(const struct sandbox_options *options)
{
    unsigned from = 3;
    for (int kept = next_kept(options, 2); kept >= 0; kept = next_kept(options, kept)) {
        if ((unsigned)kept > from && syscall(SYS_close_range, from, (unsigned)kept - 1, 0u) != 0)
            return -1;
        from = (unsigned)kept + 1;
    }
    return syscall(SYS_close_range, from, ~0u, 0u) == 0 ? 0 : -1;
}

int sandbox_close_descriptors(const struct sandbox_options *options, struct sandbox_report *report)
{
    if (close_ranges(options) != 0 && close_listed(options) != 0)
        return sandbox_lacks(report, "descriptors");
    /* 0 to 2 stay taken: a library that writes to "stderr" must not write into a descriptor that came later. */
    for (int fd = 0; fd < 3; fd++) {
        if (is_kept(options, fd))
            continue;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
            return sandbox_lacks(report, "/dev/null");
        if (null != fd) {
            dup2(null, fd);
            close(null);
        }
    }
    return 0;
}

/* ---- Limits ---- */

static int is_memory(int resource)
{
    return resource == RLIMIT_AS || resource == RLIMIT_DATA;
}

int sandbox_set_limits(const struct sandbox_options *options, struct sandbox_report *report)
{
    struct rlimit none = { 0, 0 };
    int status = setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : sandbox_lacks(report, "limit of core dumps");

    for (size_t i = 0; i < options->limit_count; i++) {
        const struct sandbox_limit *limit = &options->limits[i];
        struct rlimit value = { limit->value, limit->value }, now;
        if (SANDBOX_UNDER_ASAN && is_memory(limit->resource))
            continue; /* its shadow alone is 20 TB of addresses */
        /* A lower hard limit than the wanted one is as good. */
        if (getrlimit(limit->resource, &now) == 0 && now.rlim_max < value.rlim_max)
            value.rlim_max = value.rlim_cur = now.rlim_max;
        if (setrlimit(limit->resource, &value) != 0)
            status = sandbox_lacks(report, "limits");
    }
    return status;
}

/* ---- The core ---- */

/* After the change of user, which takes the death signal back. */
int sandbox_tie_to_parent(const struct sandbox_options *options, struct sandbox_report *report)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return sandbox_lacks(report, "death signal");
    if (options->parent && getppid() != options->parent) {
        errno = ESRCH; /* it died before the signal was asked for */
        return sandbox_lacks(report, "the core");
    }
    return 0;
}

int sandbox_hide(struct sandbox_report *report)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : sandbox_lacks(report, "dumpable");
}
