/* The allow-lists of system calls. A call on none of them is trapped (sandbox_trap.c). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "host/worker/sandbox_private.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Lists of names, because not every architecture and not every libseccomp has all of them.
 *
 * Without arguments worth looking at: what malloc, the loop over poll(), the socket pair, clocks and locks need. */
static const char always[] =
    "read write readv writev recvmsg sendmsg recvfrom sendto poll ppoll pause close shutdown lseek fstat "
    "futex brk munmap mremap madvise getrandom clock_gettime clock_getres clock_nanosleep nanosleep "
    "gettimeofday time getpid gettid getuid geteuid getgid getegid exit exit_group rt_sigreturn "
    "rt_sigprocmask sigaltstack restart_syscall sched_yield sched_getaffinity getrusage sysinfo "
    "membarrier set_robust_list rseq";

/* What the dynamic loader and constructors of ordinary libraries need besides; paths are Landlock's matter. seccomp and
 * landlock_* can only take away more. */
static const char while_loading[] =
    "stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd getdents64 "
    "pread64 uname statfs fstatfs seccomp landlock_create_ruleset landlock_restrict_self getresuid "
    "getresgid";

/* Refused with EACCES without a word: stdio looks at each stream that it is about to use. */
static const char not_worth_a_word[] = "stat lstat newfstatat statx fstatfs";

/* Refused with EACCES, and reported; the process lives: time zones, locales, character sets, terminals and names of threads
 * are asked for by libraries that mean no harm. */
static const char looking_around[] =
    "open openat openat2 creat access faccessat faccessat2 readlink readlinkat getcwd getdents "
    "getdents64 statfs uname prctl fcntl sched_setaffinity sched_getparam sched_getscheduler prlimit64 "
    "getrlimit getcpu getresuid getresgid getpgrp pread64 dup";

#if SANDBOX_UNDER_ASAN
/* A report of the sanitizer tries to start its symbolizer; the report is worth more than the death. */
static const char asan[] = "clone fork vfork pipe pipe2 socketpair wait4 ptrace kill";
#endif

struct filter {
    scmp_filter_ctx context;
    int failed;
};

/* Negative: the system call does not exist here, or libseccomp does not know it. */
static int number_of(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

static void add(struct filter *filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
    int number = number_of(name);
    if (number >= 0 && seccomp_rule_add_array(filter->context, action, number, count, arguments) != 0)
        filter->failed = 1;
}

static void allow_if(struct filter *filter, const char *name, struct scmp_arg_cmp argument)
{
    add(filter, SCMP_ACT_ALLOW, name, 1, &argument);
}

/* Takes the next name of a list. 1, or 0: there is none. */
static int next_name(const char **list, char ret_name[32])
{
    size_t len = strcspn(*list, " ");
    if (len == 0 || len >= 32)
        return 0;
    memcpy(ret_name, *list, len);
    ret_name[len] = '\0';
    *list += len + ((*list)[len] == ' ');
    return 1;
}

static void add_all(struct filter *filter, uint32_t action, const char *list)
{
    for (char name[32]; next_name(&list, name);)
        add(filter, action, name, 0, NULL);
}

/* ---- By arguments ---- */

_Static_assert(SIGSYS == 31, "the rules for rt_sigaction() know its number");

static struct scmp_arg_cmp equal(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){ argument, SCMP_CMP_EQ, value, 0 };
}

static struct scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, mask, value };
}

/* Private memory or a file: RLIMIT_DATA does not count memory that is shared without a file. */
static void allow_mmap(struct filter *filter, struct scmp_arg_cmp protection)
{
    struct scmp_arg_cmp is_private[] = { protection, masked(3, MAP_SHARED, 0) },
                        of_file[] = { protection, masked(3, MAP_ANONYMOUS, 0) };
    add(filter, SCMP_ACT_ALLOW, "mmap", COUNT(is_private), is_private);
    add(filter, SCMP_ACT_ALLOW, "mmap", COUNT(of_file), of_file);
}

/* Memory never becomes code, except that the loader maps the code of files, which is not writable. */
static void add_memory(struct filter *filter, enum sandbox_stage stage)
{
    allow_mmap(filter, masked(2, PROT_EXEC, 0));
    allow_if(filter, "mprotect", masked(2, PROT_EXEC, 0));
    if (stage == SANDBOX_LOAD)
        allow_mmap(filter, masked(2, PROT_WRITE | PROT_EXEC, PROT_EXEC));
}

/* Opened for reading only. openat2() has its flags in memory, where no filter sees them. */
static void add_open(struct filter *filter)
{
    uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    allow_if(filter, "openat", masked(2, writing, 0));
    allow_if(filter, "open", masked(1, writing, 0));
}

/* To itself (abort(), pthread_kill()); never to another process. SIGSYS keeps its handler. */
static void add_signals(struct filter *filter)
{
    allow_if(filter, "tgkill", equal(0, (scmp_datum_t)getpid()));
    /* 1 to 30, 32 to 64. "Not SIGSYS" would compare 64 bits, and the kernel looks at 32 of them. */
    allow_if(filter, "rt_sigaction", (struct scmp_arg_cmp){ 0, SCMP_CMP_LT, SIGSYS, 0 });
    allow_if(filter, "rt_sigaction", masked(0, ~UINT64_C(0x1f), 0x20));
    allow_if(filter, "rt_sigaction", equal(0, 64));
}

static void add_small(struct filter *filter)
{
    static const int commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
    for (size_t i = 0; i < COUNT(commands); i++)
        allow_if(filter, "fcntl", equal(1, (scmp_datum_t)commands[i]));
    allow_if(filter, "prctl", equal(0, PR_SET_NAME));
    add(filter, SCMP_ACT_ERRNO(ENOTTY), "ioctl", 0, NULL); /* isatty() */
}

/* libc blocks all signals while it makes a thread, so that a trap would be death without a name: EPERM, which it hands on.
 * clone3() has its flags in memory; without it libc uses clone(). */
static void add_threads(struct filter *filter, unsigned allowed)
{
    uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    uint64_t apart = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                     CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE;
    struct scmp_arg_cmp is_thread = masked(0, thread | apart, thread);

    add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    add(filter, allowed & SANDBOX_ALLOW_THREADS ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), "clone", 1,
        &is_thread);
}

/* ---- Together ---- */

static void describe_as_harmless(const char *list)
{
    for (char name[32]; next_name(&list, name);)
        sandbox_trap_describe(number_of(name), name, 1);
}

static void describe(void)
{
    uint32_t native = seccomp_arch_native();
    for (int number = 0; number < 512; number++) {
        char *name = seccomp_syscall_resolve_num_arch(native, number);
        if (name)
            sandbox_trap_describe(number, name, 0);
        free(name);
    }
    describe_as_harmless(looking_around);
#if SANDBOX_UNDER_ASAN
    describe_as_harmless(asan);
#endif
}

static void add_rules(struct filter *filter, enum sandbox_stage stage, unsigned allowed)
{
    add_all(filter, SCMP_ACT_ALLOW, always);
    add_memory(filter, stage);
    add_signals(filter);
    add_small(filter);
    add_threads(filter, allowed);
    if (stage == SANDBOX_LOAD) {
        add_all(filter, SCMP_ACT_ALLOW, while_loading);
        add_open(filter);
        allow_if(filter, "prctl", equal(0, PR_SET_DUMPABLE));
        return;
    }
    add_all(filter, SCMP_ACT_ERRNO(EACCES), not_worth_a_word);
}

int sandbox_filter(enum sandbox_stage stage, const struct sandbox_options *options,
                   struct sandbox_report *report)
{
    struct filter filter = { .context = seccomp_init(SCMP_ACT_TRAP) };
    int status = -1;

    if (!filter.context)
        goto out;
    if (stage == SANDBOX_LOAD) {
        describe();
        if (sandbox_trap_install(options->notice, report) != 0)
            goto out;
    }
    /* Foreign system call tables (32 bit, x32) are death without a word. The filter holds for threads that a constructor made. */
    if (seccomp_attr_set(filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
        seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC,
                         stage == SANDBOX_RUN && (options->allow & SANDBOX_ALLOW_THREADS)) != 0)
        goto out;
    add_rules(&filter, stage, options->allow);
    if (!filter.failed)
        status = seccomp_load(filter.context);
    if (status != 0)
        errno = -status;
out:
    if (filter.context)
        seccomp_release(filter.context);
    return status == 0 ? 0 : sandbox_lacks(report, "seccomp");
}
