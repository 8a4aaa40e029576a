#include "host/worker/sandbox.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include "host/worker/sandbox_private.h"

const char *const sandbox_library_paths[] = { "/etc/ld.so.cache", "/lib",           "/lib64",
                                              "/usr/lib",         "/usr/local/lib", NULL };

int sandbox_lacks(struct sandbox_report *report, const char *what)
{
    if (report->problem[0] == '\0')
        snprintf(report->problem, sizeof report->problem, "%s: %s", what, strerror(errno));
    return -1;
}

/* What is required and is not in force decides, not which call failed. */
static int judge(const struct sandbox_options *options, struct sandbox_report *report)
{
    unsigned missing = options->require & ~report->layers;
    for (unsigned layer = 1; layer <= SANDBOX_USER; layer <<= 1)
        if ((missing & layer) && report->problem[0] == '\0')
            snprintf(report->problem, sizeof report->problem, "%s is not in force",
                     sandbox_layer_name(layer));
    return missing ? -1 : 0;
}

#if SANDBOX_UNDER_ASAN
/* LeakSanitizer asks before it looks. It would stop the process by ptrace(), which the sandbox forbids. */
static int is_sandboxed;
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return is_sandboxed;
}
#endif

int sandbox_before_load(const struct sandbox_options *options, struct sandbox_report *ret_report)
{
    struct sandbox_report *report = ret_report;
    *report = (struct sandbox_report){ .layers = 0 };

#if SANDBOX_UNDER_ASAN
    is_sandboxed = 1;
#endif
    sandbox_clear_environment();
    report->layers |= SANDBOX_ENVIRONMENT;
    if (sandbox_close_descriptors(options, report) == 0)
        report->layers |= SANDBOX_DESCRIPTORS;
    if (options->uid && sandbox_drop_user(options, report) == 0)
        report->layers |= SANDBOX_USER;
    if (sandbox_drop_capabilities(report) == 0)
        report->layers |= SANDBOX_CAPABILITIES;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        report->layers |= SANDBOX_NO_NEW_PRIVS;
    else
        sandbox_lacks(report, "no_new_privs");
    if (sandbox_set_limits(options, report) == 0)
        report->layers |= SANDBOX_LIMITS;
    if (sandbox_tie_to_parent(options, report) == 0)
        report->layers |= SANDBOX_PARENT;
    sandbox_landlock(SANDBOX_LOAD, options, report);
    if (sandbox_filter(SANDBOX_LOAD, options, report) == 0)
        report->layers |= SANDBOX_SECCOMP;
    return judge(options, report);
}

int sandbox_after_load(const struct sandbox_options *options, struct sandbox_report *report)
{
    if (sandbox_hide(report) != 0)
        report->layers &= ~SANDBOX_PARENT;
    if (report->layers & SANDBOX_LANDLOCK)
        sandbox_landlock(SANDBOX_RUN, options, report);
    if ((report->layers & SANDBOX_SECCOMP) && sandbox_filter(SANDBOX_RUN, options, report) != 0)
        report->layers &= ~SANDBOX_SECCOMP;
    return judge(options, report);
}
