/* sandbox-driver OBJECT ACT [OPTION …]: goes through both stages of the sandbox as a worker does, loads OBJECT in between,
 * does ACT, and writes lines to descriptor 1: "layers 255 abi 7", "constructed -13", "act -13". Descriptor 3: the page of
 * the notice. Descriptors besides these are the test's bait. OPTIONs: threads, user, landlock (required), fd (the
 * object is opened by its descriptor), nothing (no sandbox at all: what the acts do without). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>
#include "host/worker/sandbox.h"

static int has(int argc, char **argv, const char *option)
{
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], option) == 0)
            return 1;
    return 0;
}

extern char **environ;

/* secret: what the variable's value was, and where it stood. */
static void tell_process(const char *secret)
{
    unsigned open_descriptors = 0;
    for (int fd = 3; fd < 1024; fd++)
        open_descriptors += fcntl(fd, F_GETFD) >= 0;
    dprintf(1, "descriptors %u\nenvironment %d\nleft %zu\nuser %u\n", open_descriptors,
            environ != NULL && *environ != NULL, secret ? strlen(secret) : 0, getuid());
}

static int refuse(const struct sandbox_report *report)
{
    dprintf(1, "refused %s\n", report->problem);
    return 4;
}

int main(int argc, char **argv)
{
    static const int keep[] = { 1, 2, 3 };
    static const struct sandbox_limit limits[] = { { RLIMIT_DATA, 256u << 20 },
                                                   { RLIMIT_AS, 1u << 30 },
                                                   { RLIMIT_NOFILE, 16 },
                                                   { RLIMIT_FSIZE, 1u << 20 } };
    if (argc < 3)
        return 2;
    const char *const read_paths[] = { argv[1], NULL };
    const int object_fd = has(argc, argv, "fd") ? open(argv[1], O_RDONLY) : -1;
    char by_fd[32];
    if (object_fd >= 0 && dup2(object_fd, 2) != 2) /* one that is kept */
        return 2;
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/2");
    struct sandbox_options options = { .keep = keep,
                                       .keep_count = 3,
                                       .read_paths = read_paths,
                                       .limits = limits,
                                       .limit_count = sizeof limits / sizeof *limits,
                                       .parent = (int)getppid(),
                                       .uid = has(argc, argv, "user") ? 65534 : 0,
                                       .require = SANDBOX_BASE };
    options.allow = has(argc, argv, "threads") ? SANDBOX_ALLOW_THREADS : 0;
    options.require |= has(argc, argv, "landlock") ? SANDBOX_LANDLOCK : 0;
    struct sandbox_report report = { .layers = 0 };
    const char *secret = getenv("SECRET");
    if (object_fd >= 0) {
        options.read_paths = NULL;
        options.read_fds = keep + 1;
        options.read_fd_count = 1;
    }
    int sandboxed = !has(argc, argv, "nothing");
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    options.notice = page == MAP_FAILED ? NULL : page;

    if (sandboxed && sandbox_before_load(&options, &report) != 0)
        return refuse(&report);
    void *object = dlopen(object_fd >= 0 ? by_fd : argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        dprintf(1, "not loaded: %s\n", dlerror());
        return 3;
    }
    int *constructed = dlsym(object, "constructed");
    if (constructed)
        dprintf(1, "constructed %d\n", *constructed);
    if (sandboxed && sandbox_after_load(&options, &report) != 0)
        return refuse(&report);
    dprintf(1, "layers %u abi %d\n", report.layers, report.landlock_abi);
    if (report.problem[0])
        dprintf(1, "problem %s\n", report.problem);
    tell_process(secret);
    int (*run_act)(const char *);
    *(void **)&run_act = dlsym(object, "run_act"); /* as POSIX says to */
    if (!run_act)
        return 3;
    dprintf(1, "act %d\n", run_act(argv[2]));
    return 0;
}
