/* The worker's sandbox, through a small driver that goes through both stages and lets a hostile object act. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "host/worker/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

#define ALIVE 1000000 /* the act did not come back, and the process did not end */

struct run {
    int status; /* of waitpid() */
    int timed_out;
    char output[8192];
    struct sandbox_notice notice;
};

/* A kernel, or a container's profile, that refuses these system calls. */
static void refuse_calls(const char *const *names)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    for (; names && *names; names++)
        seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(*names), 0);
    if (seccomp_load(context) != 0)
        _exit(98);
    seccomp_release(context);
}

static void start_child(const char *object, const char *act, const char *option, int out, int page)
{
    int null = open("/dev/null", O_RDWR);
    dup2(out, 1);
    dup2(null, 2);
    dup2(page, 3);
    for (int bait = 4; bait < 10; bait++)
        dup2(null, bait);
    setenv("SECRET", "of the core", 1);
    execl(SANDBOX_DRIVER, SANDBOX_DRIVER, object, act, option, NULL);
    _exit(99);
}

static void read_output(struct run *run, int fd, int deadline_ms)
{
    size_t used = 0;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    while (used < sizeof run->output - 1) {
        if (poll(&wait, 1, deadline_ms) == 0) {
            run->timed_out = 1;
            break;
        }
        ssize_t count = read(fd, run->output + used, sizeof run->output - 1 - used);
        if (count <= 0)
            break;
        used += (size_t)count;
    }
    run->output[used] = '\0';
}

static struct run drive_with(int deadline_ms, const char *const *refused, const char *object, const char *act,
                             const char *option)
{
    struct run run = { .status = 0 };
    int out[2], page = memfd_create("notice", 0);
    cr_assert(pipe2(out, O_CLOEXEC) == 0 && page >= 0 && ftruncate(page, 4096) == 0);
    fcntl(out[1], F_DUPFD, 20); /* bait beyond those of the child */
    char path[512];
    snprintf(path, sizeof path, "%s/%s.so", HOSTILE_OBJECTS, object);
    pid_t child = fork();
    if (child == 0) {
        int far_out = fcntl(out[1], F_DUPFD_CLOEXEC, 50), far_page = fcntl(page, F_DUPFD_CLOEXEC, 60);
        if (refused)
            refuse_calls(refused);
        start_child(path, act, option, far_out, far_page);
    }
    close(out[1]);
    for (int fd = 20; fd < 30; fd++)
        close(fd);
    read_output(&run, out[0], deadline_ms);
    if (run.timed_out)
        kill(child, SIGKILL);
    waitpid(child, &run.status, 0);
    struct sandbox_notice *notice = mmap(NULL, 4096, PROT_READ, MAP_SHARED, page, 0);
    sandbox_notice_read(notice, &run.notice);
    munmap(notice, 4096);
    close(out[0]);
    close(page);
    return run;
}

static struct run drive(const char *object, const char *act, const char *option)
{
    return drive_with(30000, NULL, object, act, option);
}

static int number_after(const struct run *run, const char *word)
{
    const char *at = strstr(run->output, word);
    return at ? (int)strtol(at + strlen(word), NULL, 10) : ALIVE;
}

static int died_by_trap(const struct run *run)
{
    return WIFSIGNALED(run->status) && WTERMSIG(run->status) == SIGSYS;
}

static void expect_death(const char *act, const char *name)
{
    struct run run = drive("hostile_object", act, NULL);
    cr_expect(died_by_trap(&run), "%s: ended with %x and said: %s", act, run.status, run.output);
    cr_expect(number_after(&run, "act ") == ALIVE, "%s came back: %s", act, run.output);
    cr_expect(run.notice.fatal == 1, "%s: not told", act);
    cr_expect_str_eq(run.notice.fatal_name, name, "%s: told as %s", act, run.notice.fatal_name);
    char text[128], wanted[64];
    snprintf(wanted, sizeof wanted, "called %.*s()", (int)strcspn(name, " "), name);
    cr_expect(sandbox_explain(run.status, &run.notice, text, sizeof text) && strstr(text, wanted), "%s",
              text);
}

static void expect_refusal(const char *act, int error, const char *name)
{
    struct run run = drive("hostile_object", act, NULL);
    cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0, "%s: ended with %x: %s", act, run.status,
              run.output);
    cr_expect(number_after(&run, "act ") == -error, "%s: %s", act, run.output);
    cr_expect(run.notice.denied > 0 && run.notice.fatal == 0, "%s: not told", act);
    cr_expect_str_eq(run.notice.name, name, "%s: told as %s", act, run.notice.name);
}

/* ---- What there is ---- */

Test(sandbox, a_harmless_object_runs)
{
    struct run run = drive("hostile_object", "none", NULL);
    cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0, "%x: %s", run.status, run.output);
    cr_expect_eq(number_after(&run, "act "), 1);
    cr_expect_eq(number_after(&run, "layers ") & (int)SANDBOX_BASE, (int)SANDBOX_BASE, "%s", run.output);
    cr_expect_eq(number_after(&run, "descriptors "), 1, "%s", run.output);
    cr_expect_eq(number_after(&run, "environment "), 0);
    cr_expect_eq(number_after(&run, "left "), 0, "it stands in memory still");
    cr_expect_eq(run.notice.denied, 0, "%s", run.notice.name);
}

/* The acts do what they say: without the sandbox they are let, or stopped by something else than SIGSYS. */
Test(sandbox, without_it_the_same_acts_are_let)
{
    static const char *const acts[] = { "socket",     "fork", "spawn",    "thread", "read_passwd",
                                        "write_file", "code", "code_map", "memfd",  "block_trap" };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        struct run run = drive("hostile_object", acts[i], "nothing");
        cr_expect(number_after(&run, "act ") == 0, "%s: %x %s", acts[i], run.status, run.output);
    }
    struct run run = drive("hostile_object", "none", "nothing");
    cr_expect_eq(number_after(&run, "environment "), 1);
    cr_expect_eq(number_after(&run, "left "), 11);
    run = drive("hostile_object", "exec", "nothing");
    cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0 && number_after(&run, "act ") == ALIVE);
}

/* ---- Deaths ---- */

Test(sandbox, no_network)
{
    expect_death("socket", "socket");
    expect_death("unix_socket", "socket");
}

Test(sandbox, no_other_program)
{
    expect_death("exec", "execve");
    if (!UNDER_ASAN) { /* there the sanitizer's symbolizer is refused in words */
        expect_death("fork", "clone");
        /* libc blocks signals meanwhile, and the kernel kills without asking the handler. */
        struct run run = drive("hostile_object", "spawn", NULL);
        char text[128];
        cr_expect(died_by_trap(&run) && number_after(&run, "act ") == ALIVE, "%x: %s", run.status,
                  run.output);
        cr_expect(sandbox_explain(run.status, &run.notice, text, sizeof text) && strstr(text, "posix_spawn"),
                  "%s", text);
        run = drive("hostile_object", "thread", NULL);
        cr_expect_eq(number_after(&run, "act "), -EPERM, "%s", run.output);
    }
}

Test(sandbox, no_other_process)
{
    expect_death("kill", "getppid");
    expect_death("queue_signal", "rt_sigqueueinfo");
    expect_death("thread_signal", "tgkill");
    expect_death("read_process", "process_vm_readv");
    expect_death("take_descriptor", "pidfd_open");
    if (!UNDER_ASAN) {
        expect_death("kill_all", "kill");
        expect_death("ptrace", "ptrace");
    }
}

Test(sandbox, no_kernel_services)
{
    static const char *const acts[][2] = {
        { "uring", "io_uring_setup" }, { "bpf", "bpf" },
        { "namespace", "unshare" },    { "mount", "mount" },
        { "keyring", "keyctl" },       { "perf", "perf_event_open" },
        { "set_user", "setuid" },      { "unlink", "unlink" },
        { "make_directory", "mkdir" }, { "personality", "personality" },
        { "memfd", "memfd_create" },
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        expect_death(acts[i][0], acts[i][1]);
}

/* RLIMIT_DATA does not count it. */
Test(sandbox, memory_is_not_shared)
{
    expect_death("shared_memory", "mmap");
}

Test(sandbox, memory_never_becomes_code)
{
    expect_death("code", "mprotect exec");
    expect_death("code_map", "mmap exec");
}

Test(sandbox, the_trap_cannot_be_taken_away)
{
    expect_death("ignore_trap", "rt_sigaction");
    expect_death("ignore_trap_long", "rt_sigaction");
    /* Blocked, the kernel kills without asking the handler: no name, but dead. */
    struct run run = drive("hostile_object", "block_trap", NULL);
    cr_expect(died_by_trap(&run), "%x: %s", run.status, run.output);
    cr_expect_eq(number_after(&run, "act "), ALIVE);
}

#if defined(__x86_64__)
Test(sandbox, no_32_bit_calls)
{
    struct run run = drive("hostile_object", "foreign_call", NULL);
    cr_expect(died_by_trap(&run) || (WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV), "%x: %s",
              run.status, run.output);
    cr_expect_eq(number_after(&run, "act "), ALIVE);
}
#endif

/* ---- Refusals ---- */

Test(sandbox, no_files)
{
    expect_refusal("read_passwd", EACCES, "openat");
    expect_refusal("read_self_memory", EACCES, "openat");
    expect_refusal("read_environment", EACCES, "openat");
    expect_refusal("read_library", EACCES, "openat");
    expect_refusal("write_file", EACCES, "openat");
}

Test(sandbox, what_was_set_stays)
{
    expect_refusal("raise_limit", EACCES, "prlimit64");
    expect_refusal("dumpable", EACCES, "prctl");
}

/* The way a worker loads: it knows no path, and as no root it could not open /proc/self/fd of a process that is hidden. */
Test(sandbox, an_object_behind_a_descriptor)
{
    struct run run = drive("hostile_object", "read_passwd", "fd");
    cr_expect_eq(number_after(&run, "act "), -EACCES, "%x: %s", run.status, run.output);
    if (geteuid() == 0)
        cr_assert(setgid(65534) == 0 && setuid(65534) == 0);
    run = drive("hostile_object", "read_passwd", "fd");
    cr_expect((WIFEXITED(run.status) && WEXITSTATUS(run.status) == 99) ||
                  number_after(&run, "act ") == -EACCES,
              "%x: %s", run.status, run.output);
}

/* ---- Allowed by the operator ---- */

Test(sandbox, threads_when_allowed)
{
    struct run run = drive("hostile_object", "thread", "threads");
    cr_expect_eq(number_after(&run, "act "), 0, "%x: %s", run.status, run.output);
    run = drive("hostile_object", "fork", "threads");
    cr_expect(UNDER_ASAN || died_by_trap(&run), "threads are no processes: %x %s", run.status, run.output);
}

/* ---- Constructors ---- */

Test(sandbox, a_constructor_is_held_too)
{
    static const char *const deaths[][2] = { { "socket", "socket" },
                                             { "exec", "execve" },
                                             { "code", "mprotect exec" } };
    for (size_t i = 0; i < 3; i++) {
        char object[64];
        snprintf(object, sizeof object, "hostile_constructor_%s", deaths[i][0]);
        struct run run = drive(object, "none", NULL);
        cr_expect(died_by_trap(&run), "%s: %x %s", object, run.status, run.output);
        cr_expect_str_eq(run.notice.fatal_name, deaths[i][1]);
        cr_expect_eq(number_after(&run, "layers "), ALIVE, "it was not let in: %s", run.output);
    }
}

Test(sandbox, a_constructor_reads_libraries_and_nothing_else)
{
    struct run run = drive("hostile_constructor_read_library", "none", NULL);
    cr_expect_eq(number_after(&run, "constructed "), 0, "%s", run.output);
    run = drive("hostile_constructor_read_passwd", "none", NULL);
    if (number_after(&run, "layers ") & (int)SANDBOX_LANDLOCK)
        cr_expect_eq(number_after(&run, "constructed "), -EACCES, "%s", run.output);
    run = drive("hostile_constructor_write_file", "none", NULL);
    cr_expect_eq(number_after(&run, "constructed "), -EACCES, "%s", run.output);
    cr_expect_str_eq(run.notice.name, "openat");
}

/* ---- Resources ---- */

Test(sandbox, memory_is_limited)
{
    if (UNDER_ASAN)
        return; /* no limit of addresses there */
    struct run run = drive("hostile_object", "memory", NULL);
    cr_expect_eq(number_after(&run, "act "), -ENOMEM, "%x: %s", run.status, run.output);
}

Test(sandbox, what_spins_or_sleeps_can_be_killed)
{
    struct run run = drive_with(500, NULL, "hostile_object", "spin", NULL);
    cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL);
    run = drive("hostile_object", "crash", NULL);
    cr_expect(UNDER_ASAN || (WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV), "%x", run.status);
}

/* ---- Users and kernels ---- */

Test(sandbox, as_another_user)
{
    struct run run = drive("hostile_object", "socket", "user");
    if (geteuid() != 0) {
        cr_expect(number_after(&run, "user ") == (int)geteuid(), "%s", run.output);
        return;
    }
    cr_expect_eq(number_after(&run, "user "), 65534, "%s", run.output);
    cr_expect(died_by_trap(&run));
    cr_expect_str_eq(run.notice.fatal_name, "socket");
}

/* As in a container: not root from the start. */
Test(sandbox, started_by_no_root)
{
    if (geteuid() == 0)
        cr_assert(setgid(65534) == 0 && setuid(65534) == 0);
    struct run run = drive("hostile_object", "none", NULL);
    if (WIFEXITED(run.status) && WEXITSTATUS(run.status) == 99)
        return; /* the folder of the build is root's alone */
    cr_expect_eq(number_after(&run, "layers ") & (int)SANDBOX_BASE, (int)SANDBOX_BASE, "%x %s", run.status,
                 run.output);
    cr_expect_eq(number_after(&run, "descriptors "), 1, "%s", run.output);
    run = drive("hostile_object", "socket", NULL);
    cr_expect_str_eq(run.notice.fatal_name, "socket");
}

static const char *const no_landlock[] = { "landlock_create_ruleset", NULL };
static const char *const no_close_range[] = { "close_range", NULL };
static const char *const no_seccomp[] = { "seccomp", NULL };

Test(sandbox, a_kernel_without_landlock_is_told_or_refused)
{
    struct run run = drive_with(30000, no_landlock, "hostile_object", "read_passwd", NULL);
    cr_expect_eq(number_after(&run, "layers ") & (int)SANDBOX_REQUIRED, (int)SANDBOX_BASE, "%s", run.output);
    cr_expect(strstr(run.output, "problem landlock: "), "%s", run.output);
    cr_expect_eq(number_after(&run, "act "), -EACCES, "the second stage has no files anyway: %s", run.output);
    run = drive_with(30000, no_landlock, "hostile_object", "none", "landlock");
    cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 4, "%x", run.status);
    cr_expect(strncmp(run.output, "refused landlock: ", 18) == 0, "%s", run.output);
}

Test(sandbox, a_container_without_close_range_closes_all_the_same)
{
    struct run run = drive_with(30000, no_close_range, "hostile_object", "none", NULL);
    cr_expect_eq(number_after(&run, "descriptors "), 1, "%s", run.output);
}

Test(sandbox, without_seccomp_no_plugin_is_loaded)
{
    /* libseccomp goes the way of prctl() then; refused as well, there is nothing left. */
    static const char *const neither[] = { "seccomp", "prctl", NULL };
    struct run run = drive_with(30000, neither, "hostile_constructor_socket", "none", NULL);
    cr_expect(strncmp(run.output, "refused ", 8) == 0, "%s", run.output);
    run = drive_with(30000, no_seccomp, "hostile_object", "socket", NULL);
    cr_expect(strncmp(run.output, "refused ", 8) == 0 || died_by_trap(&run), "%x %s", run.status, run.output);
}

/* ---- The notice ---- */

Test(sandbox, a_forged_notice_is_cut_and_cleaned)
{
    struct sandbox_notice forged, copy;
    memset(&forged, 0xff, sizeof forged);
    memcpy(forged.name, "sock\net", 7);
    memset(forged.fatal_name, 'x', sizeof forged.fatal_name);
    sandbox_notice_read(&forged, &copy);
    cr_expect_eq(copy.fatal, 1);
    cr_expect_str_eq(copy.name, "sock");
    cr_expect_eq(strlen(copy.fatal_name), 23);
}
