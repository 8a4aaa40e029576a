/* The core's side of the sandbox: what a worker was stopped at. Needs no libseccomp. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "host/worker/sandbox.h"

static const struct {
    unsigned layer;
    const char *name;
} layers[] = {
    { SANDBOX_NO_NEW_PRIVS, "no_new_privs" },
    { SANDBOX_CAPABILITIES, "capabilities" },
    { SANDBOX_ENVIRONMENT, "environment" },
    { SANDBOX_DESCRIPTORS, "descriptors" },
    { SANDBOX_LIMITS, "limits" },
    { SANDBOX_PARENT, "parent" },
    { SANDBOX_SECCOMP, "seccomp" },
    { SANDBOX_LANDLOCK, "landlock" },
    { SANDBOX_LANDLOCK_IPC, "landlock_ipc" },
    { SANDBOX_USER, "user" },
};

const char *sandbox_layer_name(unsigned layer)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (layers[i].layer == layer)
            return layers[i].name;
    return NULL;
}

static void read_text(const volatile char *from, char *out, size_t size)
{
    size_t len = 0;
    for (; len < size - 1 && from[len] > ' ' - 1 && from[len] < 0x7f; len++)
        out[len] = from[len];
    for (; len < size; len++)
        out[len] = '\0';
}

void sandbox_notice_read(const volatile struct sandbox_notice *notice, struct sandbox_notice *ret_copy)
{
    ret_copy->denied = notice->denied;
    ret_copy->fatal = notice->fatal != 0;
    read_text(notice->name, ret_copy->name, sizeof ret_copy->name);
    read_text(notice->fatal_name, ret_copy->fatal_name, sizeof ret_copy->fatal_name);
}

int sandbox_explain(int wait_status, const struct sandbox_notice *notice, char *text, size_t size)
{
    int killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS;

    if (!killed && !(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 128 + SIGSYS))
        return 0;
    if (notice->fatal && notice->fatal_name[0])
        snprintf(text, size, "called %.*s()%s, which its sandbox forbids",
                 (int)strcspn(notice->fatal_name, " "), notice->fatal_name,
                 strchr(notice->fatal_name, ' ') ? " to make memory executable" : "");
    else
        snprintf(text, size,
                 "made a system call that its sandbox forbids, with signals blocked, as "
                 "posix_spawn() does");
    return 1;
}

void sandbox_report_read(const volatile struct sandbox_report *report, struct sandbox_report *ret_copy)
{
    ret_copy->layers = report->layers;
    ret_copy->landlock_abi = report->landlock_abi;
    read_text(report->problem, ret_copy->problem, sizeof ret_copy->problem);
}

int sandbox_report_text(const struct sandbox_report *report, char *text, size_t size)
{
    unsigned missing = SANDBOX_REQUIRED & ~report->layers;
    size_t used = 0;
    if (missing == 0) {
        snprintf(text, size, "plugins run in workers with a sandbox of seccomp and Landlock (ABI %d)",
                 report->landlock_abi);
        return 1;
    }
    used = (size_t)snprintf(text, size, "plugins run in workers with a weaker sandbox, without");
    for (unsigned layer = 1; layer <= SANDBOX_USER && used < size; layer <<= 1)
        if ((missing & layer) && sandbox_layer_name(layer))
            used += (size_t)snprintf(text + used, size - used, " %s", sandbox_layer_name(layer));
    if (used < size)
        snprintf(text + used, size - used, " (%s)", report->problem);
    return 0;
}
