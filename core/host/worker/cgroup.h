/* host/worker/cgroup.h - control groups: what a worker may take that no rlimit of its own counts.
 *
 * The gateway's group (struct cgroups) is a directory kanal-PID below the group that was delegated to it, held by a lock that the kernel
 * gives back when the gateway dies: what a killed one left behind is known by that, and is removed by the next that starts there. Each
 * worker has one below (struct cgroup), made before its process and removed after its end.
 *
 * Version 2 of the kernel's interface, and version 1 where a controller is bound to that; then a group is one directory a hierarchy.
 * Version 2 hands controllers on only from groups without processes, so there the gateway moves itself into a leaf of its own.
 * Errors are negative statuses, and words that say which file refused what. [any thread], one at a time for one worker's group. */
#ifndef KANAL_HOST_WORKER_CGROUP_H
#define KANAL_HOST_WORKER_CGROUP_H
#include <stddef.h>
#include <stdint.h>

/* ---- Controllers ---- */

#define CGROUP_MEMORY (1u << 0)
#define CGROUP_CPU (1u << 1)
#define CGROUP_PIDS (1u << 2)
#define CGROUP_ALL (CGROUP_MEMORY | CGROUP_CPU | CGROUP_PIDS)

#define CGROUP_REASON_MAX 256
#define CGROUP_ENTRANCES_MOST 4u

/* ---- The gateway's ---- */

struct cgroups;

/* group: as it stands in /proc/PID/cgroup, "/kanal.slice/kanal.service"; NULL: the one this process is in. Removes what gateways that
 * are dead left there. 0 if any controller is to be had, and the reason why others are not, or "". KANAL_E_NOT_FOUND: none is, or KANAL_E_INTERNAL; and why. */
int cgroups_open(struct cgroups **ret_groups, const char *group, char reason[CGROUP_REASON_MAX]);
/* Those that each worker is held by. 0 of NULL. */
unsigned cgroups_controllers(const struct cgroups *);
/* "memory, cpu and pids below /sys/fs/cgroup/x/kanal-7"; and what is missing, and why. */
void cgroups_text(const struct cgroups *, char *text, size_t size);
/* Every worker's is freed. Removes the group; on version 2 the gateway goes back to where it came from. NULL is fine. */
void cgroups_close(struct cgroups *);

/* ---- A worker's ---- */

struct cgroup;

struct cgroup_limits {
    uint64_t memory_bytes; /* with swap, so there is none; 0: no limit */
    uint32_t cpu_percent;  /* of one processor; 0: no limit */
    uint32_t processes;    /* and threads; 0: no limit */
};

int cgroup_new(struct cgroup **ret_group, struct cgroups *, const struct cgroup_limits *,
               char reason[CGROUP_REASON_MAX]);
/* Other limits. A worker that has more memory already is killed (version 2), or it is an error. */
int cgroup_limit(struct cgroup *, const struct cgroup_limits *, char reason[CGROUP_REASON_MAX]);
/* Opens what is written "0" to by a process that enters. Their count, at most CGROUP_ENTRANCES_MOST; the caller closes them. -1: errno. */
int cgroup_open_entrances(const struct cgroup *, int ret_fds[CGROUP_ENTRANCES_MOST]);
/* 1: its limit of memory has killed in it. NULL is fine. */
int cgroup_has_killed(const struct cgroup *);
/* Kills what is still in it, and removes it. NULL is fine. */
void cgroup_free(struct cgroup *);

#endif
