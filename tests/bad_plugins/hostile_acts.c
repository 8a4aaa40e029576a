#include "hostile_acts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int told(long result)
{
    return result < 0 ? -errno : 0;
}

/* ---- Out of the process ---- */

static int act_socket(void)
{
    return told(socket(AF_INET, SOCK_STREAM, 0));
}

static int act_unix_socket(void)
{
    return told(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int act_exec(void)
{
    char *const arguments[] = { "/bin/true", NULL };
    return told(execv("/bin/true", arguments));
}

static int act_spawn(void)
{
    char *const arguments[] = { "/bin/true", NULL };
    return -posix_spawn(&(pid_t){ 0 }, "/bin/true", NULL, NULL, arguments, arguments + 1);
}

static int act_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return told(child);
}

static void *idle(void *unused)
{
    return unused;
}

static int act_thread(void)
{
    pthread_t thread;
    int status = pthread_create(&thread, NULL, idle, NULL);
    if (status == 0)
        pthread_join(thread, NULL);
    return -status;
}

static int act_kill(void)
{
    return told(kill(getppid(), SIGTERM));
}

/* Without getppid(), which tells on its own. */
static int act_kill_all(void)
{
    return told(kill(-1, SIGURG));
}

static int act_queue_signal(void)
{
    return told(sigqueue(1, SIGURG, (union sigval){ .sival_int = 0 }));
}

static int act_thread_signal(void)
{
    return told(syscall(SYS_tgkill, 1, 1, SIGURG));
}

static int act_ptrace(void)
{
    return told(ptrace(PTRACE_SEIZE, 1, NULL, NULL));
}

static int act_read_process(void)
{
    char bytes[16];
    struct iovec local = { bytes, sizeof bytes }, remote = { bytes, sizeof bytes };
    return told(process_vm_readv(1, &local, 1, &remote, 1, 0));
}

static int act_take_descriptor(void)
{
    return told(syscall(SYS_pidfd_open, 1, 0));
}

/* ---- Files ---- */

static int reads(const char *path)
{
    char bytes[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t count = read(fd, bytes, sizeof bytes);
    int status = told(count);
    close(fd);
    return status;
}

static int act_read_passwd(void)
{
    return reads("/etc/passwd");
}

static int act_read_self_memory(void)
{
    return reads("/proc/self/mem");
}

static int act_read_environment(void)
{
    return reads("/proc/1/environ");
}

static int act_read_library(void)
{
    return reads("/etc/ld.so.cache");
}

static int act_write_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/kanal-hostile-%d", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    unlink(path);
    close(fd);
    return 0;
}

static int act_unlink(void)
{
    return told(unlink("/tmp/kanal-hostile-there-is-no-such-file"));
}

static int act_make_directory(void)
{
    int status = told(mkdir("/tmp/kanal-hostile-directory", 0700));
    if (status == 0)
        rmdir("/tmp/kanal-hostile-directory");
    return status;
}

/* ---- The kernel ---- */

static int act_uring(void)
{
    char parameters[256] = { 0 };
    return told(syscall(SYS_io_uring_setup, 4, parameters));
}

static int act_bpf(void)
{
    char attributes[64] = { 0 };
    return told(syscall(SYS_bpf, 0, attributes, sizeof attributes));
}

static int act_namespace(void)
{
    return told(unshare(CLONE_NEWUSER));
}

static int act_mount(void)
{
    return told(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static int act_keyring(void)
{
    return told(syscall(SYS_keyctl, 0, -3, 0));
}

static int act_perf(void)
{
    char attributes[128] = { 0 };
    return told(syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
}

static int act_set_user(void)
{
    return told(setuid(0));
}

static int act_raise_limit(void)
{
    struct rlimit more = { RLIM_INFINITY, RLIM_INFINITY };
    return told(setrlimit(RLIMIT_NOFILE, &more));
}

static int act_dumpable(void)
{
    return told(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* The system calls of 32-bit programs, which have other numbers. */
static int act_foreign_call(void)
{
#if defined(__x86_64__)
    long result = 20; /* getpid there */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    return result < 0 ? (int)result : 0;
#else
    return -ENOSYS;
#endif
}

/* ---- Code ---- */

static int act_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -errno : told(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int act_code_map(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -errno : 0;
}

static int act_personality(void)
{
    return told(personality(READ_IMPLIES_EXEC));
}

static int act_memfd(void)
{
    return told(memfd_create("hostile", MFD_CLOEXEC));
}

/* ---- The sandbox itself ---- */

static int act_ignore_trap(void)
{
    struct sigaction action = { .sa_handler = SIG_IGN };
    sigaction(SIGSYS, &action, NULL);
    return act_socket();
}

/* The kernel looks at the lower half of the number. */
static int act_ignore_trap_long(void)
{
    unsigned long ignore[4] = { 1 /* SIG_IGN */ };
    syscall(SYS_rt_sigaction, (1L << 32) | SIGSYS, ignore, NULL, 8);
    return act_socket();
}

static int act_block_trap(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return act_socket();
}

/* ---- Resources ---- */

/* Ends with -ENOMEM where there is a limit. 4 GiB are enough to know. */
static int act_memory(void)
{
    for (size_t chunk = 0; chunk < 1024; chunk++) {
        volatile char *bytes = malloc(4u << 20);
        if (!bytes)
            return -ENOMEM;
        for (size_t i = 0; i < 4u << 20; i += 4096)
            bytes[i] = 1;
    }
    return 0;
}

/* Shared without a file, it would be counted by no limit. */
static int act_shared_memory(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -errno : 0;
}

/* Filled and then made read-only, it is no data to RLIMIT_DATA any more. 0: 1 GiB of it was to be had. */
static int act_hoard(void)
{
    enum { CHUNK = 4 << 20 };
    for (int chunk = 0; chunk < 256; chunk++) {
        char *bytes = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED)
            return -errno;
        memset(bytes, chunk + 1, CHUNK);
        if (mprotect(bytes, CHUNK, PROT_READ) != 0)
            return -errno;
    }
    return 0;
}

/* A mapping that grows downwards is a stack to it. */
static int act_hoard_stack(void)
{
    enum { BYTES = 1 << 30 };
    char *bytes =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    memset(bytes, 1, BYTES);
    return 0;
}

__attribute__((noreturn)) static int act_spin(void)
{
    for (volatile unsigned turn = 0;; turn++)
        ;
}

__attribute__((noreturn)) static int act_sleep(void)
{
    for (;;)
        pause();
}

static int act_crash(void)
{
    raise(SIGSEGV);
    return 0;
}

__attribute__((noreturn)) static int act_exit(void)
{
    _exit(0);
}

static int act_flood_stderr(void)
{
    static const char line[] = "a line that says nothing at all, again and again\n";
    for (int i = 0; i < 100000; i++)
        if (write(2, line, sizeof line - 1) < 0)
            return -errno;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} acts[] = {
    { "socket", act_socket },
    { "unix_socket", act_unix_socket },
    { "exec", act_exec },
    { "spawn", act_spawn },
    { "fork", act_fork },
    { "thread", act_thread },
    { "kill", act_kill },
    { "kill_all", act_kill_all },
    { "queue_signal", act_queue_signal },
    { "thread_signal", act_thread_signal },
    { "ptrace", act_ptrace },
    { "read_process", act_read_process },
    { "take_descriptor", act_take_descriptor },
    { "read_passwd", act_read_passwd },
    { "read_self_memory", act_read_self_memory },
    { "read_environment", act_read_environment },
    { "read_library", act_read_library },
    { "write_file", act_write_file },
    { "unlink", act_unlink },
    { "make_directory", act_make_directory },
    { "uring", act_uring },
    { "bpf", act_bpf },
    { "namespace", act_namespace },
    { "mount", act_mount },
    { "keyring", act_keyring },
    { "perf", act_perf },
    { "set_user", act_set_user },
    { "raise_limit", act_raise_limit },
    { "dumpable", act_dumpable },
    { "foreign_call", act_foreign_call },
    { "code", act_code },
    { "code_map", act_code_map },
    { "personality", act_personality },
    { "memfd", act_memfd },
    { "ignore_trap", act_ignore_trap },
    { "ignore_trap_long", act_ignore_trap_long },
    { "block_trap", act_block_trap },
    { "memory", act_memory },
    { "shared_memory", act_shared_memory },
    { "hoard", act_hoard },
    { "hoard_stack", act_hoard_stack },
    { "spin", act_spin },
    { "sleep", act_sleep },
    { "crash", act_crash },
    { "exit", act_exit },
    { "flood_stderr", act_flood_stderr },
};

int hostile_act(const char *name)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, name) == 0)
            return acts[i].run();
    return 1;
}
