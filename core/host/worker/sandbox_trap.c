/* A system call that the filter traps is not made: the kernel sends SIGSYS in its place, to this handler. It notes the
 * call's name where the core finds it, and ends the process, or answers EACCES where harmless libraries look around too
 * (a file of time zones, a terminal).
 *
 * The handler lives among the plugin's memory, so nothing depends on its being left alone: a call that was trapped never
 * happens, whatever the handler does. What a plugin can reach by overwriting its data is a missing or wrong name. The filter
 * keeps it from replacing the handler, and where it blocks SIGSYS the kernel kills. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "host/worker/sandbox_private.h"

#define NUMBERS 512 /* system calls end below 480 */

/* A signal handler is told nothing of its owner, so these are of the process. */
static struct {
    struct sandbox_notice *notice;
    char names[NUMBERS][20];
    unsigned char may_live[NUMBERS];
} trap;

#if defined(__x86_64__)
#define ARGUMENT_3(context) ((context)->uc_mcontext.gregs[REG_RDX])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
/* Raw: libc's functions are reached through tables that a plugin could have written to. */
static long raw_call(long number, long argument)
{
    long result = number;
    __asm__ volatile("syscall" : "+a"(result) : "D"(argument), "S"(0L), "d"(0L) : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
#define ARGUMENT_3(context) ((context)->uc_mcontext.regs[2])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
static long raw_call(long number, long argument)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = argument;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8) : "memory");
    return x0;
}
#else
#error "the sandbox knows amd64 and arm64"
#endif

void sandbox_trap_describe(int number, const char *name, int may_live)
{
    if (number < 0 || number >= NUMBERS)
        return;
    snprintf(trap.names[number], sizeof trap.names[number], "%s", name);
    trap.may_live[number] = may_live != 0;
}

static void copy_name(char out[24], const char *name, const char *more)
{
    size_t len = 0;
    for (; *name && len < 23; name++)
        out[len++] = *name;
    for (; *more && len < 23; more++)
        out[len++] = *more;
    for (; len < 24; len++)
        out[len] = '\0';
}

static void note(int number, const ucontext_t *context, int is_fatal)
{
    struct sandbox_notice *notice = trap.notice;
    const char *name = number >= 0 && number < NUMBERS ? trap.names[number] : "";
    const char *more = "";

    if (!notice)
        return;
    if ((number == SYS_mprotect || number == SYS_mmap || number == SYS_pkey_mprotect) &&
        (ARGUMENT_3(context) & PROT_EXEC))
        more = " exec";
    copy_name(notice->name, name[0] ? name : "?", more);
    if (is_fatal)
        copy_name(notice->fatal_name, name[0] ? name : "?", more);
    __atomic_fetch_add(&notice->denied, 1, __ATOMIC_RELEASE);
    if (is_fatal)
        __atomic_store_n(&notice->fatal, 1, __ATOMIC_RELEASE);
}

static void on_trap(int signal, siginfo_t *info, void *user)
{
    ucontext_t *context = user;
    int number = info->si_syscall;
    int may_live = number >= 0 && number < NUMBERS && trap.may_live[number];

    (void)signal;
    note(number, context, !may_live);
    if (may_live) {
        RESULT(context) = -EACCES;
        return;
    }
    /* Trapped while SIGSYS is blocked, as it is in here: the kernel kills, and the core sees WTERMSIG() == SIGSYS. */
    raw_call(SYS_getppid, 0);
    for (;;)
        raw_call(SYS_exit_group, 128 + SIGSYS);
}

int sandbox_trap_install(struct sandbox_notice *notice, struct sandbox_report *report)
{
    struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
    sigset_t mine;

    trap.notice = notice;
    sigemptyset(&action.sa_mask);
    sigemptyset(&mine);
    sigaddset(&mine, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &mine, NULL) != 0)
        return sandbox_lacks(report, "seccomp: SIGSYS");
    return 0;
}
