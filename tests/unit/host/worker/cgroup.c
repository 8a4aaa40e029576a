#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/worker/cgroup_private.h"
#include "kanal/plugin.h"

#define MIB (1024u * 1024)

/* ---- Where groups are ---- */

static const char unified[] =
    "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char legacy[] =
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw shared:1 master:2 - cgroup cgroup rw,memory\n"
    "38 31 0:35 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char in_legacy[] =
    "9:name=systemd:/user\n8:pids:/\n4:memory:/a/b\n3:cpuset:/\n1:cpu,cpuacct:/c\n0::/u\n";

static void expect_place(const struct cgroup_places *places, size_t i, int version, unsigned controllers,
                         const char *path)
{
    cr_assert_lt(i, places->count);
    cr_expect_eq(places->list[i].version, version);
    cr_expect_eq(places->list[i].controllers, controllers);
    cr_expect_str_eq(places->list[i].path, path);
}

Test(cgroup, version_2_is_one_directory)
{
    struct cgroup_places places;
    cgroup_find(&places, "0::/system.slice/kanal.service\n", unified, NULL);
    cr_expect_eq(places.count, 1);
    expect_place(&places, 0, 2, 0, "/sys/fs/cgroup/system.slice/kanal.service");
    cgroup_find(&places, "0::/\n", unified, NULL);
    expect_place(&places, 0, 2, 0, "/sys/fs/cgroup");
    cgroup_find(&places, "0::/elsewhere\n", unified, "/kanal.slice");
    expect_place(&places, 0, 2, 0, "/sys/fs/cgroup/kanal.slice");
}

Test(cgroup, version_1_is_a_directory_a_hierarchy)
{
    struct cgroup_places places;
    cgroup_find(&places, in_legacy, legacy, NULL);
    cr_expect_eq(places.count, 4);
    expect_place(&places, 0, 1, CGROUP_PIDS, "/sys/fs/cgroup/pids");
    expect_place(&places, 1, 1, CGROUP_MEMORY, "/sys/fs/cgroup/memory/a/b");
    expect_place(&places, 2, 1, CGROUP_CPU, "/sys/fs/cgroup/cpu,cpuacct/c");
    expect_place(&places, 3, 2, 0, "/sys/fs/cgroup/unified/u");
}

Test(cgroup, one_hierarchy_may_have_several_controllers)
{
    struct cgroup_places places;
    cgroup_find(&places, "5:memory,pids,cpu:/x\n", "1 2 0:3 / /cg rw - cgroup none rw,pids,cpu,memory\n",
                NULL);
    cr_expect_eq(places.count, 1);
    expect_place(&places, 0, 1, CGROUP_ALL, "/cg/x");
}

/* A container that sees its group of the host as the root of the mount, with blanks in the name. */
Test(cgroup, only_what_is_mounted_is_found)
{
    struct cgroup_places places;
    const char *mounts = "1 2 0:3 /docker/7f\\040x /a\\134b\\011 rw - cgroup2 cgroup2 rw\n";
    cgroup_find(&places, "0::/docker/7f x/in\n", mounts, NULL);
    expect_place(&places, 0, 2, 0, "/a\\b\t/in");
    cgroup_find(&places, "0::/docker/7f x\n", mounts, NULL);
    expect_place(&places, 0, 2, 0, "/a\\b\t");
    static const char *const beyond[] = { "0::/docker/7f xy\n", "0::/docker\n", "0::/\n",
                                          "0::/docker/7f x/../y\n", "0::/../z\n" };
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        cgroup_find(&places, beyond[i], mounts, NULL);
        cr_expect_eq(places.count, 0, "%s", beyond[i]);
    }
}

Test(cgroup, what_is_no_such_line_is_passed_over)
{
    struct cgroup_places places;
    char mounts[8192], long_path[2048];
    static const char *const broken[] = { "",    "\n\n",  ":",        "0",      "0:",
                                          "0::", "0::\n", "1:memory", "memory", "1:memory:" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        cgroup_find(&places, broken[i], legacy, NULL);
        cr_expect_eq(places.count, 0, "%s", broken[i]);
        snprintf(mounts, sizeof mounts, "%s\n%s", broken[i], unified);
        cgroup_find(&places, "0::/k\n", mounts, NULL);
        cr_expect_eq(places.count, 1, "%s", broken[i]);
    }
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    snprintf(mounts, sizeof mounts,
             "1 2 0:3 / /%s rw - cgroup2 cgroup2 rw\n1 2 0:3 / \\04 rw - cgroup2\n1 2 3 4\n", long_path);
    cgroup_find(&places, "0::/k\n", mounts, NULL);
    cr_expect_eq(places.count, 1);
    expect_place(&places, 0, 2, 0, "\\04/k");
    snprintf(mounts, sizeof mounts, "0::/%s\n", long_path);
    cgroup_find(&places, mounts, unified, NULL);
    cr_expect_eq(places.count, 0);
}

/* ---- Files of a directory, which here is one like any other ---- */

static char scratch[64];

static int make_tree(const char *const *names)
{
    snprintf(scratch, sizeof scratch, "/tmp/kanal-cgroup-XXXXXX");
    cr_assert(mkdtemp(scratch));
    int directory = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(directory, 0);
    for (; *names; names++)
        close(openat(directory, *names, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    return directory;
}

static void drop_tree(int directory)
{
    DIR *listing = fdopendir(directory);
    for (struct dirent *entry; (entry = readdir(listing));)
        unlinkat(directory, entry->d_name, 0);
    closedir(listing);
    rmdir(scratch);
}

static void expect_file(int directory, const char *name, const char *text)
{
    char found[256];
    cr_assert_eq(cgroup_read(directory, name, found, sizeof found), 0, "%s", name);
    cr_expect_str_eq(found, text, "%s: %s", name, found);
}

static void fill(int directory, const char *name, const char *text)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const struct cgroup_limits some = { .memory_bytes = 64 * MIB, .cpu_percent = 25, .processes = 7 };

Test(cgroup, limits_of_version_2)
{
    static const char *const names[] = { "memory.max", "memory.swap.max", "cpu.max", "pids.max", NULL };
    const char *refused = NULL;
    int directory = make_tree(names);
    cr_expect_eq(cgroup_apply(directory, 2, CGROUP_ALL, &some, &refused), 0, "%s", refused);
    expect_file(directory, "memory.max", "67108864");
    expect_file(directory, "memory.swap.max", "0");
    expect_file(directory, "cpu.max", "25000 100000");
    expect_file(directory, "pids.max", "7");
    drop_tree(directory);
}

Test(cgroup, no_limit_is_written_as_such)
{
    static const char *const names[] = {
        "memory.max",       "memory.swap.max",   "cpu.max", "pids.max", "memory.limit_in_bytes",
        "cpu.cfs_quota_us", "cpu.cfs_period_us", NULL
    };
    const char *refused = NULL;
    int directory = make_tree(names);
    cr_expect_eq(cgroup_apply(directory, 2, CGROUP_ALL, &(struct cgroup_limits){ 0 }, &refused), 0, "%s",
                 refused);
    expect_file(directory, "memory.max", "max");
    expect_file(directory, "memory.swap.max", "max");
    expect_file(directory, "cpu.max", "max 100000");
    expect_file(directory, "pids.max", "max");
    cr_expect_eq(
        cgroup_apply(directory, 1, CGROUP_MEMORY | CGROUP_CPU, &(struct cgroup_limits){ 0 }, &refused), 0);
    expect_file(directory, "memory.limit_in_bytes", "-1");
    expect_file(directory, "cpu.cfs_quota_us", "-1");
    drop_tree(directory);
}

Test(cgroup, limits_of_version_1)
{
    static const char *const names[] = { "memory.limit_in_bytes",
                                         "memory.memsw.limit_in_bytes",
                                         "cpu.cfs_quota_us",
                                         "cpu.cfs_period_us",
                                         "pids.max",
                                         NULL };
    const char *refused = NULL;
    int directory = make_tree(names);
    cr_expect_eq(cgroup_apply(directory, 1, CGROUP_ALL, &some, &refused), 0, "%s", refused);
    expect_file(directory, "memory.limit_in_bytes", "67108864");
    expect_file(directory, "memory.memsw.limit_in_bytes", "67108864");
    expect_file(directory, "cpu.cfs_quota_us", "25000");
    expect_file(directory, "cpu.cfs_period_us", "100000");
    expect_file(directory, "pids.max", "7");
    drop_tree(directory);
}

Test(cgroup, swap_may_be_uncounted_but_memory_not)
{
    static const char *const names[] = { "memory.max", NULL }, *const none[] = { NULL };
    const char *refused = NULL;
    int directory = make_tree(names);
    cr_expect_eq(cgroup_apply(directory, 2, CGROUP_MEMORY, &some, &refused), 0);
    cr_expect_eq(cgroup_apply(directory, 2, CGROUP_MEMORY | CGROUP_PIDS, &some, &refused), -1);
    cr_expect_str_eq(refused, "pids.max");
    drop_tree(directory);
    directory = make_tree(none);
    cr_expect_eq(cgroup_apply(directory, 2, CGROUP_MEMORY, &some, &refused), -1);
    cr_expect_str_eq(refused, "memory.max");
    cr_expect_eq(cgroup_apply(directory, 1, CGROUP_MEMORY, &some, &refused), -1);
    cr_expect_str_eq(refused, "memory.limit_in_bytes");
    drop_tree(directory);
}

Test(cgroup, controllers_are_handed_on_and_taken_back)
{
    static const char *const names[] = { "cgroup.controllers", "cgroup.subtree_control", NULL };
    int directory = make_tree(names);
    cr_expect_eq(cgroup_listed(directory, "cgroup.controllers"), 0);
    fill(directory, "cgroup.controllers", "cpuset cpu io memory hugetlb rdma misc pids\n");
    cr_expect_eq(cgroup_listed(directory, "cgroup.controllers"), CGROUP_ALL);
    fill(directory, "cgroup.controllers", "cpuset io pids\n");
    cr_expect_eq(cgroup_listed(directory, "cgroup.controllers"), CGROUP_PIDS);
    cr_expect_eq(cgroup_hand_on(directory, CGROUP_ALL), 0);
    expect_file(directory, "cgroup.subtree_control", "+memory +cpu +pids");
    fill(directory, "cgroup.subtree_control", "");
    cr_expect_eq(cgroup_take_back(directory, CGROUP_MEMORY | CGROUP_PIDS), 0);
    expect_file(directory, "cgroup.subtree_control", "-memory -pids");
    drop_tree(directory);
}

Test(cgroup, a_kill_counts_if_the_limit_was_reached)
{
    static const char *const names[] = { NULL };
    int directory = make_tree(names);
    cr_expect_not(cgroup_killed(directory, 2));
    cr_expect_not(cgroup_killed(directory, 1));
    fill(directory, "memory.events", "low 0\nhigh 0\nmax 41\noom 0\noom_kill 1\noom_group_kill 0\n");
    cr_expect_not(cgroup_killed(directory, 2)); /* the machine's */
    fill(directory, "memory.events", "low 0\nhigh 0\nmax 41\noom 1\noom_kill 0\noom_group_kill 1\n");
    cr_expect_not(cgroup_killed(directory, 2));
    fill(directory, "memory.events", "low 0\nhigh 0\nmax 41\noom 1\noom_kill 1\noom_group_kill 0\n");
    cr_expect(cgroup_killed(directory, 2));
    fill(directory, "memory.oom_control", "oom_kill_disable 1\nunder_oom 1\noom_kill 0\n");
    fill(directory, "memory.limit_in_bytes", "67108864\n");
    fill(directory, "memory.max_usage_in_bytes", "67108864\n");
    cr_expect_not(cgroup_killed(directory, 1));
    fill(directory, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    cr_expect(cgroup_killed(directory, 1));
    fill(directory, "memory.max_usage_in_bytes", "33554432\n");
    cr_expect_not(cgroup_killed(directory, 1)); /* the machine's */
    drop_tree(directory);
}

Test(cgroup, controllers_have_names)
{
    char text[32];
    cgroup_names(CGROUP_ALL, text);
    cr_expect_str_eq(text, "memory, cpu and pids");
    cgroup_names(CGROUP_MEMORY | CGROUP_PIDS, text);
    cr_expect_str_eq(text, "memory and pids");
    cgroup_names(CGROUP_CPU, text);
    cr_expect_str_eq(text, "cpu");
    cgroup_names(0, text);
    cr_expect_str_eq(text, "");
}

/* ---- The kernel's own, where this process may make some ---- */

static struct cgroups *open_or_skip(void)
{
    struct cgroups *groups = NULL;
    char reason[CGROUP_REASON_MAX];
    /* On version 2 one without processes is needed: KANAL_TEST_CGROUP=/its/path. */
    if (cgroups_open(&groups, getenv("KANAL_TEST_CGROUP"), reason) != 0)
        cr_skip_test("no control group is delegated: %s", reason);
    return groups;
}

/* "memory and pids below /sys/fs/cgroup/…/kanal-7" */
static void directory_of(const struct cgroups *groups, char path[1024])
{
    char text[1024];
    cgroups_text(groups, text, sizeof text);
    snprintf(path, 1024, "%s", strchr(text, '/'));
    path[strcspn(path, ",")] = '\0';
}

static void enter(const struct cgroup *group)
{
    int fds[CGROUP_ENTRANCES_MOST], count = cgroup_open_entrances(group, fds);
    for (int i = 0; i < count; i++)
        if (write(fds[i], "0", 1) != 1)
            _exit(9);
    if (count <= 0)
        _exit(8);
}

static pid_t child_in(const struct cgroup *group, void (*run)(void))
{
    pid_t child = fork();
    if (child == 0) {
        enter(group);
        run();
        _exit(0);
    }
    return child;
}

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void nothing(void)
{
}

/* Memory that RLIMIT_DATA does not see is the integration test's; here any. */
static void hoard(void)
{
    for (int i = 0; i < 64; i++) {
        volatile unsigned char *memory = malloc(MIB); /* or a compiler sees that nobody reads it */
        for (size_t at = 0; memory && at < MIB; at += 4096)
            memory[at] = 1;
    }
}

Test(cgroup_kernel, a_process_enters_and_its_group_is_removed, .timeout = 30)
{
    struct cgroups *groups = open_or_skip();
    struct cgroup *group = NULL;
    char reason[CGROUP_REASON_MAX], path[1024];
    int status = -1;
    directory_of(groups, path);
    cr_expect_eq(access(path, F_OK), 0, "%s", path);
    cr_assert_eq(cgroup_new(&group, groups, &some, reason), 0, "%s", reason);
    pid_t child = child_in(group, nothing);
    cr_expect_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    cr_expect_not(cgroup_has_killed(group));
    cgroup_free(group);
    cgroups_close(groups);
    cr_expect_neq(access(path, F_OK), 0, "%s is left", path);
}

Test(cgroup_kernel, what_is_still_in_it_is_killed, .timeout = 30)
{
    struct cgroups *groups = open_or_skip();
    struct cgroup *group = NULL;
    char reason[CGROUP_REASON_MAX], path[1024], procs[1200], found[64] = "";
    int status = 0;
    directory_of(groups, path);
    cr_assert_eq(cgroup_new(&group, groups, &some, reason), 0, "%s", reason);
    pid_t child = child_in(group, sleep_for_ever);
    snprintf(procs, sizeof procs, "%s/1/cgroup.procs", path);
    while (strtol(found, NULL, 10) != child)
        cgroup_read(AT_FDCWD, procs, found, sizeof found);
    cgroup_free(group);
    cr_expect_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
    cgroups_close(groups);
    cr_expect_neq(access(path, F_OK), 0);
}

Test(cgroup_kernel, memory_beyond_the_limit_is_death_and_told, .timeout = 30)
{
    struct cgroups *groups = open_or_skip();
    struct cgroup *group = NULL;
    char reason[CGROUP_REASON_MAX];
    int status = 0;
    if (!(cgroups_controllers(groups) & CGROUP_MEMORY)) {
        cgroups_close(groups);
        cr_skip_test("no controller of memory is delegated");
    }
    cr_assert_eq(cgroup_new(&group, groups, &some, reason), 0, "%s", reason);
    const struct cgroup_limits less = { .memory_bytes = 16 * MIB, .processes = 7 },
                               more = { .memory_bytes = 512 * MIB, .processes = 7 };
    cr_expect_eq(cgroup_limit(group, &more, reason), 0, "%s", reason);
    pid_t child = child_in(group, hoard);
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
    cr_expect_not(cgroup_has_killed(group));
    cr_expect_eq(cgroup_limit(group, &less, reason), 0, "%s", reason);
    child = child_in(group, hoard);
    waitpid(child, &status, 0);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
    cr_expect(cgroup_has_killed(group));
    cgroup_free(group);
    cgroups_close(groups);
}

Test(cgroup_kernel, what_a_dead_gateway_left_is_removed_and_a_living_one_is_not, .timeout = 30)
{
    struct cgroups *groups = open_or_skip(), *second = NULL;
    struct cgroup *group = NULL;
    char reason[CGROUP_REASON_MAX], path[1024], dead[1024] = "";
    int pipes[2];
    directory_of(groups, path);
    cr_assert_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) { /* a gateway that is killed while it has a worker */
        if (cgroups_open(&second, getenv("KANAL_TEST_CGROUP"), reason) != 0 ||
            cgroup_new(&group, second, &some, reason) != 0)
            _exit(1); /* version 2, and the child is in its parent's leaf */
        directory_of(second, dead);
        if (access(dead, F_OK) == 0 && write(pipes[1], dead, strlen(dead) + 1) > 0)
            kill(getpid(), SIGKILL);
        _exit(2);
    }
    close(pipes[1]);
    ssize_t told = read(pipes[0], dead, sizeof dead);
    waitpid(child, NULL, 0);
    if (told <= 0) {
        cgroups_close(groups);
        cr_skip_test("a second gateway cannot be had here");
    }
    cr_assert_eq(cgroups_open(&second, getenv("KANAL_TEST_CGROUP"), reason), 0, "%s", reason);
    cr_expect_neq(access(dead, F_OK), 0, "%s is left", dead);
    cr_expect_eq(access(path, F_OK), 0, "%s is gone", path);
    cgroups_close(second);
    cr_expect_eq(access(path, F_OK), 0, "%s is gone", path);
    cgroups_close(groups);
    cr_expect_neq(access(path, F_OK), 0);
}

Test(cgroup_kernel, a_group_that_is_not_there_is_named)
{
    struct cgroups *groups = NULL;
    char reason[CGROUP_REASON_MAX] = "";
    cr_expect_neq(cgroups_open(&groups, "/there is no such group", reason), 0);
    cr_expect_null(groups);
    cr_expect(strstr(reason, "there is no such group"), "%s", reason);
    cgroups_close(NULL);
    cgroup_free(NULL);
    cr_expect_eq(cgroups_controllers(NULL), 0);
}

/* Version 2 without controllers, as it stands beside version 1. */
Test(cgroup_kernel, version_2_kills_by_its_own_file, .timeout = 30)
{
    struct cgroup_places places;
    static char mounts[65536], membership[4096];
    char name[64];
    int status = 0;
    cr_assert_eq(cgroup_read(AT_FDCWD, "/proc/self/mountinfo", mounts, sizeof mounts), 0);
    cr_assert_eq(cgroup_read(AT_FDCWD, "/proc/self/cgroup", membership, sizeof membership), 0);
    cgroup_find(&places, membership, mounts, NULL);
    size_t i = 0;
    while (i < places.count && places.list[i].version != 2)
        i++;
    int above = i < places.count ? open(places.list[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    snprintf(name, sizeof name, "kanal-test-%ld", (long)getpid());
    if (above < 0 || mkdirat(above, name, 0755) != 0)
        cr_skip_test("no group of version 2 can be made");
    int directory = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        if (cgroup_write(directory, "cgroup.procs", "0") != 0)
            _exit(9);
        sleep_for_ever();
    }
    char found[64] = "";
    while (strtol(found, NULL, 10) != child && waitpid(child, &status, WNOHANG) == 0)
        cgroup_read(directory, "cgroup.procs", found, sizeof found);
    close(directory);
    cr_expect_eq(cgroup_remove(above, name), 0);
    cr_expect_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
    cr_expect_neq(faccessat(above, name, F_OK, 0), 0);
    close(above);
}
