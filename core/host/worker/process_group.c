/* A worker process's control group: what it may take in all, where its rlimits count only some.
 *
 * RLIMIT_DATA counts what is private and writable at this moment: not what was filled and then made read-only, not mappings that grow
 * downwards, not page tables, not what was written into the area. The group counts every page that the process was the first to touch. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "host/worker/process.h"

/* Beyond plugins.ID.memory: the stack, the kernel's own for it, and page tables, so that RLIMIT_DATA is met first: an allocation that
 * fails can be handled, and what the group does cannot. */
#define EXTRA_BYTES (16u * 1024 * 1024)
#define EXTRA_SHARE 32u
#define THREADS_MOST 64u

static uint64_t bytes_of(const struct worker_terms *terms)
{
    return WORKER_IS_SANITIZED || terms->memory_bytes == 0
               ? 0
               : terms->memory_bytes + terms->memory_bytes / EXTRA_SHARE + EXTRA_BYTES;
}

/* One thread is never more than one processor: there is nothing to be measured out. */
static struct cgroup_limits limits_of(const struct worker_terms *terms)
{
    int may_thread = (terms->flags & WORKER_MAY_THREAD) != 0;
    return (struct cgroup_limits){
        .memory_bytes = bytes_of(terms),
        .cpu_percent = may_thread || terms->cpu_percent < 100 ? terms->cpu_percent : 0,
        .processes = may_thread ? THREADS_MOST : 1,
    };
}

int process_group_make(struct worker_process *process, const struct worker_terms *terms,
                       int ret_entrances[CGROUP_ENTRANCES_MOST], char reason[WORKER_REASON_MAX])
{
    struct cgroup_limits limits = limits_of(terms);
    char words[CGROUP_REASON_MAX];
    if (!terms->groups)
        return 0;
    if (cgroup_new(&process->group, terms->groups, &limits, words) != 0) {
        snprintf(reason, WORKER_REASON_MAX, "its worker gets no control group: %.200s", words);
        return KANAL_E_INTERNAL;
    }
    int count = cgroup_open_entrances(process->group, ret_entrances);
    if (count < 0)
        snprintf(reason, WORKER_REASON_MAX, "its worker's control group: %s", strerror(errno));
    return count < 0 ? KANAL_E_INTERNAL : count;
}

int worker_process_limit(struct worker_process *process, const struct worker_terms *terms, uint32_t *ret_area,
                         char reason[WORKER_REASON_MAX])
{
    struct cgroup_limits limits = limits_of(terms);
    char words[CGROUP_REASON_MAX];
    *ret_area = process_area_limit(process, terms->memory_bytes);
    if (!process->group || cgroup_limit(process->group, &limits, words) == 0)
        return 0;
    snprintf(reason, WORKER_REASON_MAX, "its worker's control group: %.200s", words);
    return KANAL_E_INTERNAL;
}

int worker_process_stopped_by_group(const struct worker_process *process, const struct worker_terms *terms,
                                    int status, char text[WORKER_REASON_MAX])
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || !cgroup_has_killed(process->group))
        return 0;
    snprintf(
        text, WORKER_REASON_MAX,
        "needed more memory than the %llu MiB that its control group lets it have (plugins.ID.memory), and "
        "was killed",
        (unsigned long long)(bytes_of(terms) / (1024 * 1024)));
    return 1;
}
