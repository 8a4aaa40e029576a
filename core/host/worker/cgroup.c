/* The gateway's control group and its workers' below it. In each hierarchy:
 *
 *   D                  delegated; it is never removed, and its limits are the operator's
 *   D/kanal-PID        the gateway's; locked as long as it lives
 *   D/kanal-PID/7      a worker's
 *   D/kanal-PID/gateway   version 2, if D was the gateway's own: the gateway, because D may have no processes if it hands controllers on */
#include "host/worker/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/worker/cgroup_private.h"
#include "kanal/plugin.h"

#define NAME "kanal-"
#define LEAF "gateway"
#define NAMES_MOST 100 /* gateways of other pid namespaces with the same number */
/* Of the gateway against one worker each. It is its workers' server: what waits for it waits for all. */
#define LEAF_WEIGHT "1000"
#define SHARES_EACH 1024u /* version 1: what a process without a group has */
#define SHARES_MOST 262144u

/* The gateway's directory in one hierarchy. */
struct hold {
    int version;
    unsigned controllers;
    unsigned handed_on; /* version 2: of these, those that D did not hand on already, perhaps to others */
    int above;          /* D */
    int directory;      /* D/kanal-PID, and the lock on it; -1: not there */
    int has_leaf;
    char name[32];
    char path[CGROUP_PATH_MAX]; /* of D */
};

struct cgroups {
    struct hold holds[CGROUP_PLACES];
    size_t count;
    unsigned last;   /* number of a worker's group; atomic */
    unsigned living; /* workers' groups; atomic */
    char missing[CGROUP_REASON_MAX];
};

struct cgroup {
    struct cgroups *groups;
    char name[16];
    int directories[CGROUP_PLACES]; /* by hold; -1: not there */
};

static int refuse(char reason[CGROUP_REASON_MAX], const char *path, const char *what)
{
    int error = errno;
    snprintf(reason, CGROUP_REASON_MAX, "%.*s%s%s: %s", 150, path, *what ? "/" : "", what, strerror(error));
    return KANAL_E_INTERNAL;
}

/* ---- Leftovers ---- */

/* A directory that nobody holds, and that is still the one of that name. Its descriptor, with the lock; or -1. */
static int try_to_hold(int above, const char *name)
{
    struct stat held, named;
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 &&
        fstatat(above, name, &named, 0) == 0 && held.st_ino == named.st_ino)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* "kanal-" and numbers. Others' are none of ours, such as a unit's that is called kanal-web.service. */
static int is_of_a_gateway(const char *name)
{
    size_t prefix = strlen(NAME);
    if (strncmp(name, NAME, prefix) != 0)
        return 0;
    name += prefix;
    return *name >= '0' && *name <= '9' && name[strspn(name, "0123456789-")] == '\0';
}

static void remove_leftovers(const struct hold *hold)
{
    int copy = openat(hold->above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    if (!listing && copy >= 0)
        close(copy);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (is_of_a_gateway(entry->d_name) && (fd = try_to_hold(hold->above, entry->d_name)) >= 0) {
            cgroup_remove(hold->above, entry->d_name);
            close(fd);
        }
    if (listing)
        closedir(listing);
}

/* ---- Holding a directory ---- */

/* Until it is locked another gateway may take it for a leftover. */
static int make_own(struct hold *hold)
{
    for (int i = 0; i < NAMES_MOST; i++) {
        snprintf(hold->name, sizeof hold->name, i ? NAME "%ld-%d" : NAME "%ld", (long)getpid(), i);
        if (mkdirat(hold->above, hold->name, 0755) != 0 && errno != EEXIST)
            return -1;
        if ((hold->directory = try_to_hold(hold->above, hold->name)) >= 0)
            return 0;
    }
    errno = EEXIST;
    return -1;
}

/* Version 2: who is in D. 1: this process and no other; 0: nobody; -1: others. */
static int is_alone(const struct hold *hold)
{
    char text[4096], *rest = NULL;
    int found = 0;
    if (cgroup_read(hold->above, "cgroup.procs", text, sizeof text) != 0)
        return -1;
    for (char *pid = strtok_r(text, "\n", &rest); pid; pid = strtok_r(NULL, "\n", &rest)) {
        if (strtol(pid, NULL, 10) != (long)getpid())
            return -1;
        found = 1;
    }
    return found;
}

/* The gateway's leaf, and the controllers down to the workers. */
static int prepare_unified(struct hold *hold, char reason[CGROUP_REASON_MAX])
{
    int alone = is_alone(hold);
    if (alone < 0) {
        snprintf(
            reason, CGROUP_REASON_MAX,
            "%.100s/cgroup.procs: other processes than the gateway are in its group, or it cannot be read "
            "(a group of its own is needed)",
            hold->path);
        return KANAL_E_INTERNAL;
    }
    if (alone > 0) {
        if (mkdirat(hold->directory, LEAF, 0755) != 0)
            return refuse(reason, hold->path, LEAF);
        hold->has_leaf = 1;
        if (cgroup_write(hold->directory, LEAF "/cgroup.procs", "0") != 0)
            return refuse(reason, hold->path, LEAF "/cgroup.procs");
    }
    hold->handed_on = hold->controllers & ~cgroup_listed(hold->above, "cgroup.subtree_control");
    if (cgroup_hand_on(hold->above, hold->handed_on) != 0 ||
        cgroup_hand_on(hold->directory, hold->controllers) != 0)
        return refuse(reason, hold->path, "cgroup.subtree_control");
    if (hold->has_leaf && (hold->controllers & CGROUP_CPU))
        cgroup_write(hold->directory, LEAF "/cpu.weight", LEAF_WEIGHT);
    return 0;
}

/* What is under way in it is over. The kernel refuses to take controllers back that another gateway's group there hands on. */
static void hold_release(struct hold *hold)
{
    if (hold->directory >= 0) {
        if (hold->version == 2) {
            cgroup_take_back(hold->directory, hold->controllers);
            cgroup_take_back(hold->above, hold->handed_on);
        }
        if (hold->has_leaf)
            cgroup_write(hold->above, "cgroup.procs", "0");
        /* Not while somebody is in it: then the next gateway does it. */
        unlinkat(hold->directory, LEAF, AT_REMOVEDIR);
        unlinkat(hold->above, hold->name, AT_REMOVEDIR);
        close(hold->directory);
    }
    if (hold->above >= 0)
        close(hold->above);
}

/* 0, or the reason why this hierarchy is of no use. */
static int hold_make(struct hold *hold, const struct cgroup_place *place, unsigned wanted,
                     char reason[CGROUP_REASON_MAX])
{
    char list[32];
    int status = 0;
    *hold = (struct hold){ .version = place->version, .directory = -1 };
    snprintf(hold->path, sizeof hold->path, "%s", place->path);
    hold->above = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (hold->above < 0)
        return refuse(reason, place->path, "");
    hold->controllers = wanted & (place->version == 2 ? cgroup_listed(hold->above, "cgroup.controllers")
                                                      : place->controllers);
    if (!hold->controllers) {
        cgroup_names(wanted, list);
        snprintf(reason, CGROUP_REASON_MAX, "%.*s/cgroup.controllers: %s not in it", 150, place->path, list);
        status = KANAL_E_NOT_FOUND;
    } else {
        remove_leftovers(hold);
        if (make_own(hold) != 0)
            status = refuse(reason, place->path, hold->name);
        else if (hold->version == 2)
            status = prepare_unified(hold, reason);
    }
    if (status != 0)
        hold_release(hold);
    return status;
}

/* ---- The gateway's ---- */

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    if (file && getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

static int find_places(struct cgroup_places *ret_places, const char *group)
{
    char *membership = read_whole("/proc/self/cgroup"), *mounts = read_whole("/proc/self/mountinfo");
    ret_places->count = 0;
    if (membership && mounts)
        cgroup_find(ret_places, membership, mounts, group);
    int status = membership && mounts ? 0 : KANAL_E_INTERNAL;
    free(membership);
    free(mounts);
    return status;
}

/* What version 1 has is not in version 2, so that is asked for the rest. */
static unsigned wanted_of(const struct cgroup_places *places, const struct cgroup_place *place)
{
    unsigned wanted = CGROUP_ALL;
    for (size_t i = 0; place->version == 2 && i < places->count; i++)
        wanted &= ~places->list[i].controllers;
    return place->version == 2 ? wanted : place->controllers;
}

int cgroups_open(struct cgroups **ret_groups, const char *group, char reason[CGROUP_REASON_MAX])
{
    struct cgroup_places *places = malloc(sizeof *places);
    struct cgroups *groups = calloc(1, sizeof *groups);
    snprintf(reason, CGROUP_REASON_MAX, "no hierarchy of control groups is mounted, or not down to %.100s",
             group ? group : "the gateway's group");
    if (!places || !groups || find_places(places, group) != 0) {
        free(places);
        free(groups);
        return KANAL_E_INTERNAL;
    }
    for (size_t i = 0; i < places->count; i++) {
        unsigned wanted = wanted_of(places, &places->list[i]);
        if (wanted && hold_make(&groups->holds[groups->count], &places->list[i], wanted, reason) == 0)
            groups->count++;
        else if (wanted && !groups->missing[0])
            snprintf(groups->missing, sizeof groups->missing, "%s", reason);
    }
    free(places);
    if (groups->count > 0 && cgroups_controllers(groups) != CGROUP_ALL && !groups->missing[0])
        snprintf(groups->missing, sizeof groups->missing, "not delegated, or its hierarchy is not mounted");
    if (groups->count > 0 || groups->missing[0])
        snprintf(reason, CGROUP_REASON_MAX, "%s", groups->missing);
    if (groups->count == 0) {
        free(groups);
        return KANAL_E_NOT_FOUND;
    }
    *ret_groups = groups;
    return 0;
}

unsigned cgroups_controllers(const struct cgroups *groups)
{
    unsigned controllers = 0;
    for (size_t i = 0; groups && i < groups->count; i++)
        controllers |= groups->holds[i].controllers;
    return controllers;
}

void cgroups_text(const struct cgroups *groups, char *text, size_t size)
{
    char had[32], lacking[32];
    unsigned controllers = cgroups_controllers(groups);
    cgroup_names(controllers, had);
    cgroup_names(CGROUP_ALL & ~controllers, lacking);
    int n = snprintf(text, size, "%s below %.200s/%s", had, groups->holds[0].path, groups->holds[0].name);
    if (lacking[0] && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", without %s (%s)", lacking, groups->missing);
}

void cgroups_close(struct cgroups *groups)
{
    for (size_t i = 0; groups && i < groups->count; i++)
        hold_release(&groups->holds[i]);
    free(groups);
}

/* ---- A worker's ---- */

/* Version 1: the gateway's processes stand beside their workers' common group, which counts there as one process would. */
static void weigh(struct cgroups *groups, int more)
{
    char text[16];
    unsigned living = __atomic_add_fetch(&groups->living, (unsigned)more, __ATOMIC_RELAXED);
    unsigned shares = living < SHARES_MOST / SHARES_EACH ? living * SHARES_EACH : SHARES_MOST;
    snprintf(text, sizeof text, "%u", living > 0 ? shares : SHARES_EACH);
    for (size_t i = 0; i < groups->count; i++)
        if (groups->holds[i].version == 1 && (groups->holds[i].controllers & CGROUP_CPU))
            cgroup_write(groups->holds[i].directory, "cpu.shares", text);
}

int cgroup_limit(struct cgroup *group, const struct cgroup_limits *limits, char reason[CGROUP_REASON_MAX])
{
    const char *file;
    for (size_t i = 0; i < group->groups->count; i++) {
        const struct hold *hold = &group->groups->holds[i];
        if (cgroup_apply(group->directories[i], hold->version, hold->controllers, limits, &file) != 0)
            return refuse(reason, hold->path, file);
    }
    return 0;
}

static int make_directories(struct cgroup *group, char reason[CGROUP_REASON_MAX])
{
    for (size_t i = 0; i < group->groups->count; i++) {
        const struct hold *hold = &group->groups->holds[i];
        if (mkdirat(hold->directory, group->name, 0755) != 0 ||
            (group->directories[i] =
                 openat(hold->directory, group->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
            return refuse(reason, hold->path, hold->name);
    }
    return 0;
}

int cgroup_new(struct cgroup **ret_group, struct cgroups *groups, const struct cgroup_limits *limits,
               char reason[CGROUP_REASON_MAX])
{
    struct cgroup *group = calloc(1, sizeof *group);
    if (!group) {
        snprintf(reason, CGROUP_REASON_MAX, "out of memory");
        return KANAL_E_INTERNAL;
    }
    group->groups = groups;
    for (size_t i = 0; i < CGROUP_PLACES; i++)
        group->directories[i] = -1;
    snprintf(group->name, sizeof group->name, "%u", __atomic_add_fetch(&groups->last, 1, __ATOMIC_RELAXED));
    weigh(groups, 1);
    int status = make_directories(group, reason);
    if (status == 0)
        status = cgroup_limit(group, limits, reason);
    if (status == 0)
        *ret_group = group;
    else
        cgroup_free(group);
    return status;
}

int cgroup_open_entrances(const struct cgroup *group, int ret_fds[CGROUP_ENTRANCES_MOST])
{
    for (size_t i = 0; i < group->groups->count; i++) {
        ret_fds[i] = openat(group->directories[i], "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (ret_fds[i] < 0) {
            int error = errno;
            while (i > 0)
                close(ret_fds[--i]);
            errno = error;
            return -1;
        }
    }
    return (int)group->groups->count;
}

int cgroup_has_killed(const struct cgroup *group)
{
    for (size_t i = 0; group && i < group->groups->count; i++)
        if (group->groups->holds[i].controllers & CGROUP_MEMORY)
            return cgroup_killed(group->directories[i], group->groups->holds[i].version);
    return 0;
}

void cgroup_free(struct cgroup *group)
{
    if (!group)
        return;
    for (size_t i = 0; i < group->groups->count; i++) {
        if (group->directories[i] >= 0)
            close(group->directories[i]);
        cgroup_remove(group->groups->holds[i].directory, group->name);
    }
    weigh(group->groups, -1);
    free(group);
}
