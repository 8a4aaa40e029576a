/* host/worker/cgroup_private.h - between the files of cgroup.h, and their tests. */
#ifndef KANAL_HOST_WORKER_CGROUP_PRIVATE_H
#define KANAL_HOST_WORKER_CGROUP_PRIVATE_H
#include "host/worker/cgroup.h"

/* ---- cgroup_find.c: where a group's directories are ---- */

#define CGROUP_PATH_MAX 1024
#define CGROUP_PLACES 4u /* one of version 2, and of version 1 one a controller at most */

struct cgroup_place {
    int version;          /* 1 or 2 */
    unsigned controllers; /* of version 1: those bound to it; of version 2 the directory tells */
    char path[CGROUP_PATH_MAX];
};

struct cgroup_places {
    struct cgroup_place list[CGROUP_PLACES];
    size_t count;
};

/* What /proc/self/cgroup and /proc/self/mountinfo say. group: NULL: the process's own. What is mounted nowhere, or not that deep, is left
 * out; so are lines that are no such lines. */
void cgroup_find(struct cgroup_places *ret_places, const char *membership, const char *mounts,
                 const char *group);

/* ---- cgroup_files.c: one directory's files. -1: errno ---- */

/* "memory" of CGROUP_MEMORY. */
const char *cgroup_controller_name(unsigned controller);
/* "memory, cpu and pids" */
void cgroup_names(unsigned controllers, char text[32]);

/* The file's text, cut at the size. */
int cgroup_read(int directory, const char *file, char *text, size_t size);
int cgroup_write(int directory, const char *file, const char *text);

/* Version 2: those in cgroup.controllers, which it has, or cgroup.subtree_control, which it hands on; hands more on, or takes them back. */
unsigned cgroup_listed(int directory, const char *file);
int cgroup_hand_on(int directory, unsigned controllers);
int cgroup_take_back(int directory, unsigned controllers);

/* refused: the name of the file. */
int cgroup_apply(int directory, int version, unsigned controllers, const struct cgroup_limits *,
                 const char **ret_refused);
int cgroup_killed(int directory, int version);

/* Removes a group that is below the directory, and first what is in it: processes, and groups without groups of their own. */
int cgroup_remove(int directory, const char *name);

#endif
