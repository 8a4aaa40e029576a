/* The files of one control group's directory: Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/ beside it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/worker/cgroup_private.h"

#define PERIOD_US 100000u
#define NEAR_BYTES (1024u * 1024) /* charged in batches, that is as good as the limit */
#define REMOVE_TRIES 40           /* of 5 ms: a killed process is in its group until it is gone */

static const char *const names[] = { "memory", "cpu", "pids" };

const char *cgroup_controller_name(unsigned controller)
{
    return names[controller == CGROUP_MEMORY ? 0 : controller == CGROUP_CPU ? 1 : 2];
}

void cgroup_names(unsigned controllers, char text[32])
{
    size_t n = 0;
    text[0] = '\0';
    for (unsigned controller = 1; controller <= CGROUP_PIDS; controller <<= 1) {
        unsigned rest = controllers & ~(2 * controller - 1);
        if (controllers & controller)
            n += (size_t)snprintf(text + n, 32 - n, "%s%s", cgroup_controller_name(controller),
                                  !rest               ? ""
                                  : rest & (rest - 1) ? ", "
                                                      : " and ");
    }
}

/* ---- Reading and writing ---- */

int cgroup_read(int directory, const char *file, char *text, size_t size)
{
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    errno = error;
    return n < 0 ? -1 : 0;
}

int cgroup_write(int directory, const char *file, const char *text)
{
    int fd = openat(directory, file, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? write(fd, text, strlen(text)) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return n < 0 ? -1 : 0;
}

/* ---- Controllers of version 2 ---- */

unsigned cgroup_listed(int directory, const char *file)
{
    char text[512], *rest = NULL;
    unsigned listed = 0;
    if (cgroup_read(directory, file, text, sizeof text) != 0)
        return 0;
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        for (unsigned controller = 1; controller <= CGROUP_PIDS; controller <<= 1)
            if (strcmp(word, cgroup_controller_name(controller)) == 0)
                listed |= controller;
    return listed;
}

static int switch_controllers(int directory, char sign, unsigned controllers)
{
    char text[64];
    size_t n = 0;
    for (unsigned controller = 1; controller <= CGROUP_PIDS; controller <<= 1)
        if (controllers & controller)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%c%s", n > 0 ? " " : "", sign,
                                  cgroup_controller_name(controller));
    return n > 0 ? cgroup_write(directory, "cgroup.subtree_control", text) : 0;
}

int cgroup_hand_on(int directory, unsigned controllers)
{
    return switch_controllers(directory, '+', controllers);
}

int cgroup_take_back(int directory, unsigned controllers)
{
    return switch_controllers(directory, '-', controllers);
}

/* ---- Limits ---- */

enum value { BYTES, NO_SWAP, QUOTA, PERIOD, QUOTA_PERIOD, PROCESSES };

struct file {
    int version;
    unsigned controller;
    const char *name;
    enum value value;
    int is_optional; /* not there, or not valid here: that is no error */
};

static const struct file files[] = {
    { 2, CGROUP_MEMORY, "memory.max", BYTES, 0 },
    { 2, CGROUP_MEMORY, "memory.swap.max", NO_SWAP, 1 }, /* not there: no swap is accounted */
    { 2, CGROUP_CPU, "cpu.max", QUOTA_PERIOD, 0 },
    { 2, CGROUP_PIDS, "pids.max", PROCESSES, 0 },
    /* Memory with swap may not be less than memory: one of the first and the third is refused, as it grows or shrinks. */
    { 1, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", BYTES, 1 },
    { 1, CGROUP_MEMORY, "memory.limit_in_bytes", BYTES, 0 },
    { 1, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", BYTES, 1 },
    { 1, CGROUP_CPU, "cpu.cfs_period_us", PERIOD, 0 },
    { 1, CGROUP_CPU, "cpu.cfs_quota_us", QUOTA, 1 }, /* not valid: more than the group above has */
    { 1, CGROUP_PIDS, "pids.max", PROCESSES, 0 },
};

static void put_number(char text[64], unsigned long long number, const char *none)
{
    if (number > 0)
        snprintf(text, 64, "%llu", number);
    else
        snprintf(text, 64, "%s", none);
}

static void make_text(const struct file *file, const struct cgroup_limits *limits, char text[64])
{
    const char *none = file->version == 2 || file->value == PROCESSES ? "max" : "-1";
    unsigned long long quota = (unsigned long long)limits->cpu_percent * (PERIOD_US / 100);
    if (file->value == BYTES)
        put_number(text, limits->memory_bytes, none);
    else if (file->value == NO_SWAP)
        snprintf(text, 64, "%s", limits->memory_bytes > 0 ? "0" : none);
    else if (file->value == PERIOD)
        put_number(text, PERIOD_US, none);
    else if (file->value == PROCESSES)
        put_number(text, limits->processes, none);
    else
        put_number(text, quota, none);
    if (file->value == QUOTA_PERIOD)
        snprintf(text + strlen(text), 64 - strlen(text), " %u", PERIOD_US);
}

int cgroup_apply(int directory, int version, unsigned controllers, const struct cgroup_limits *limits,
                 const char **ret_refused)
{
    char text[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct file *file = &files[i];
        if (file->version != version || !(controllers & file->controller))
            continue;
        make_text(file, limits, text);
        if (cgroup_write(directory, file->name, text) != 0 &&
            !(file->is_optional && (errno == ENOENT || errno == EINVAL))) {
            *ret_refused = file->name;
            return -1;
        }
    }
    return 0;
}

/* The number behind "key " at the begin of a line, or of the file if there is no key. */
static unsigned long long counted(int directory, const char *file, const char *key)
{
    char text[1024];
    if (cgroup_read(directory, file, text, sizeof text) != 0)
        return 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0)
            return strtoull(line + strlen(key), NULL, 10);
    }
    return 0;
}

/* The machine's own lack of memory kills in groups as well, and is counted there too: so the limit must have been reached. Version 1 tells
 * by the most that was used; its memory.failcnt stays 0 on newer kernels (6.18). */
int cgroup_killed(int directory, int version)
{
    if (version == 2)
        return counted(directory, "memory.events", "oom_kill ") > 0 &&
               counted(directory, "memory.events", "oom ") > 0;
    return counted(directory, "memory.oom_control", "oom_kill ") > 0 &&
           counted(directory, "memory.max_usage_in_bytes", "") + NEAR_BYTES >=
               counted(directory, "memory.limit_in_bytes", "");
}

/* ---- Removing ---- */

/* cgroup.kill is of version 2, and of 5.14. */
static void kill_all(int directory)
{
    char text[4096], *rest = NULL;
    if (cgroup_write(directory, "cgroup.kill", "1") == 0 ||
        cgroup_read(directory, "cgroup.procs", text, sizeof text) != 0)
        return;
    for (char *pid = strtok_r(text, "\n", &rest); pid; pid = strtok_r(NULL, "\n", &rest))
        if (strtol(pid, NULL, 10) > 1)
            kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
}

static int remove_one(int parent, const char *name)
{
    int directory, tries = 0;
    while (unlinkat(parent, name, AT_REMOVEDIR) != 0) {
        if (errno != EBUSY || tries++ == REMOVE_TRIES)
            return errno == ENOENT ? 0 : -1;
        if ((directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
            kill_all(directory);
            close(directory);
        }
        if (tries > 1)
            poll(NULL, 0, 5);
    }
    return 0;
}

int cgroup_remove(int parent, const char *name)
{
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = directory >= 0 ? fdopendir(directory) : NULL;
    if (!listing && directory >= 0)
        close(directory);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            remove_one(directory, entry->d_name);
    if (listing)
        closedir(listing);
    return remove_one(parent, name);
}
