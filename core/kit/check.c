/* The parent: a child a test, its findings, its end. */
#include "kit/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit/report.h"

#define GRACE_S 2 /* for a child that blocks its own alarm */
#define OUTPUT_TAIL 400
#define HUNG_MAX 4 /* so many hung tests, and the others are not waited for */

struct child {
    pid_t pid;
    int findings, output; /* a pipe; what it wrote to stdout and stderr */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int child_start(struct child *child, const struct kit_check_options *options,
                       const struct kit_test *test, const struct knowledge *knowledge, kanal_str bytes)
{
    int ends[2];
    child->output = memfd_create("output", MFD_CLOEXEC);
    if (child->output < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        if (child->output >= 0)
            close(child->output);
        return -1;
    }
    fflush(stdout);
    child->pid = fork();
    if (child->pid == 0) {
        dup2(child->output, STDOUT_FILENO);
        dup2(child->output, STDERR_FILENO);
        close(ends[0]);
        child_run(options, test, knowledge, bytes, ends[1]);
    }
    close(ends[1]);
    child->findings = ends[0];
    if (child->pid > 0)
        return 0;
    close(ends[0]);
    close(child->output);
    return -1;
}

/* Takes the lines until the pipe ends. 1: the test reached its end; 0: it did not; -1: it had to be killed. */
static int child_read(struct child *child, uint32_t limit_s, struct outcome *outcome)
{
    const int64_t until_ms = now_ms() + (int64_t)(limit_s + GRACE_S) * 1000;
    struct kanal_buffer text = { 0 };
    char chunk[4096];
    int ended = 0;
    for (;;) {
        struct pollfd wait = { .fd = child->findings, .events = POLLIN };
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) == 0) {
            kill(child->pid, SIGKILL);
            ended = -1;
            break;
        }
        ssize_t n = read(child->findings, chunk, sizeof chunk);
        if (n <= 0 || text.len > 1024u * 1024)
            break;
        kanal_buffer_append(&text, chunk, (size_t)n);
    }
    kanal_str rest = kanal_buffer_view(&text);
    for (const char *end; ended >= 0 && rest.len > 0 && (end = memchr(rest.ptr, '\n', rest.len));) {
        size_t len = (size_t)(end - rest.ptr);
        ended |= report_line(outcome, kanal_str_of(rest.ptr, len));
        rest = kanal_str_from(rest, len + 1);
    }
    kanal_buffer_release(&text);
    return ended;
}

/* The last words of a child that died, or the line in which a sanitizer says why. */
static void tell_output(const struct child *child, struct outcome *outcome)
{
    char text[8192];
    ssize_t n = pread(child->output, text, sizeof text - 1, 0);
    if (n <= 0)
        return;
    text[n] = 0;
    char *at = strstr(text, "ERROR: ");
    at = at ? at : strstr(text, "runtime error");
    at = at ? at : (n > OUTPUT_TAIL ? text + n - OUTPUT_TAIL : text);
    at[strnlen(at, OUTPUT_TAIL)] = 0;
    report_finding(outcome, 'W', KANAL_LIT("its output"), kanal_str_c(at));
}

static void tell_end(const struct child *child, int ended, int state, uint32_t limit_s,
                     struct outcome *outcome)
{
    char text[160] = "";
    if (ended < 0)
        snprintf(text, sizeof text, "it was killed after %u s: it hangs and blocks signals",
                 limit_s + GRACE_S);
    else if (WIFSIGNALED(state))
        snprintf(text, sizeof text, "it was killed by signal %d (%s)", WTERMSIG(state),
                 strsignal(WTERMSIG(state)));
    else if (!ended && outcome->failures == 0)
        snprintf(text, sizeof text, "it ended the process with exit code %d", WEXITSTATUS(state));
    if (text[0])
        report_finding(outcome, 'F', KANAL_LIT(""), kanal_str_c(text));
    if (text[0] || ended != 1)
        tell_output(child, outcome);
}

static int run_test(struct report *report, const struct kit_test *test, const struct knowledge *knowledge,
                    kanal_str bytes)
{
    struct child child;
    const int64_t began_ms = now_ms();
    const uint32_t limit_s = report->options->limit_s;
    int state = 0;
    struct outcome *outcome = report_add(report, test);
    if (!outcome || child_start(&child, report->options, test, knowledge, bytes) != 0)
        return KANAL_E_INTERNAL;
    int ended = child_read(&child, limit_s, outcome);
    while (waitpid(child.pid, &state, 0) < 0 && errno == EINTR)
        ;
    tell_end(&child, ended, state, limit_s, outcome);
    close(child.findings);
    close(child.output);
    outcome->took_ms = now_ms() - began_ms;
    if (!report->options->json)
        report_print(report, outcome);
    return 0;
}

static int is_wanted(const char *only, const char *name)
{
    size_t len = only ? strlen(only) : 0;
    return len == 0 || (strncmp(name, only, len) == 0 && (name[len] == '\0' || name[len] == '.'));
}

static int run_tests(struct report *report, const struct knowledge *knowledge, kanal_str bytes)
{
    size_t hung = 0;
    for (const struct kit_test *const *group = kit_groups; *group; group++) {
        for (const struct kit_test *test = *group; test->name; test++) {
            if (!is_wanted(report->options->only, test->name))
                continue;
            if (hung >= HUNG_MAX) {
                struct outcome *outcome = report_add(report, test);
                if (outcome)
                    report_finding(outcome, 'S', KANAL_LIT(""),
                                   KANAL_LIT("not run: too many tests hung before"));
                continue;
            }
            if (run_test(report, test, knowledge, bytes) != 0)
                return KANAL_E_INTERNAL;
            hung += report->outcomes[report->count - 1].took_ms >= (int64_t)report->options->limit_s * 1000;
        }
    }
    return report->count > 0 ? 0 : KANAL_E_NOT_FOUND;
}

/* ---- The process that the children are copies of ---- */

/* A plugin built with AddressSanitizer needs its runtime in the process from the start. 1: the environment was changed. */
static int bring_sanitizer(kanal_str bytes)
{
    struct elf_file elf;
    const char *reason;
    kanal_str name;
    char library[64];
    if (elf_read(&elf, bytes, &reason) != 0 || !elf_needs(&elf, "libasan.so", &name) ||
        getenv("LD_PRELOAD") || name.len >= sizeof library || memchr(name.ptr, '/', name.len))
        return 0;
    memcpy(library, name.ptr, name.len);
    library[name.len] = 0;
    return setenv("LD_PRELOAD", library, 1) == 0;
}

/* glibc counts what a thread's cache holds as used; without caches every leak shows, and nothing else does. */
static int calm_malloc(void)
{
    static const char wanted[] = "glibc.malloc.tcache_count=0";
    const char *tunables = getenv("GLIBC_TUNABLES");
    char text[512];
    if (tunables && strstr(tunables, wanted))
        return 0;
    int n = snprintf(text, sizeof text, "%s%s%s", tunables ? tunables : "", tunables ? ":" : "", wanted);
    return n > 0 && (size_t)n < sizeof text && setenv("GLIBC_TUNABLES", text, 1) == 0;
}

/* Begins again with the same words in a changed environment; comes back only where that is not possible. */
static void begin_again(void)
{
    char *arguments[256] = { 0 };
    struct kanal_buffer line = { 0 };
    size_t count = 0;
    if (kit_read_file("/proc/self/cmdline", KIT_JSON_MAX, &line) == 0 && line.len > 0 &&
        line.data[line.len - 1] == 0)
        for (size_t at = 0; at < line.len && count < 255; at += strlen(line.data + at) + 1)
            arguments[count++] = line.data + at;
    fflush(stdout);
    if (count > 0)
        execv("/proc/self/exe", arguments);
    kanal_buffer_release(&line);
}

/* Read by a child: the parent loads no foreign code. */
static void read_title(struct report *report)
{
    int ends[2];
    snprintf(report->title, sizeof report->title, "not loadable");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        struct plugin *plugin = NULL;
        struct kanal_buffer error = { 0 };
        int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(quiet, STDOUT_FILENO);
        dup2(quiet, STDERR_FILENO);
        alarm(report->options->limit_s);
        if (plugin_load(&plugin, report->options->path, &error) == 0)
            dprintf(ends[1], "%.32s %.40s, ABI %u.%u", plugin->descriptor.id, plugin->descriptor.version,
                    KANAL_ABI_MAJOR, plugin->descriptor.abi_minor);
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = pid > 0 ? read(ends[0], report->title, sizeof report->title - 1) : 0;
    if (n > 0)
        report->title[n] = 0;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

int kit_check(const struct kit_check_options *options, struct kanal_buffer *error)
{
    struct report report = { .options = options, .use_colour = isatty(STDOUT_FILENO) };
    struct knowledge knowledge = { 0 };
    struct kanal_buffer bytes = { 0 };
    /* dlopen() looks for a name without a slash elsewhere */
    char *path = realpath(options->file, NULL);
    struct kit_check_options absolute = *options;
    int result = KANAL_E_INVALID;
    absolute.path = path;
    report.options = options = &absolute;
    if (!path || kit_read_file(path, KIT_PLUGIN_MAX, &bytes) != 0) {
        kanal_buffer_text(error, options->file);
        kanal_buffer_text(error, " cannot be read: ");
        kanal_buffer_text(error, strerror(errno));
    } else if (knowledge_load(&knowledge, options, error) == 0) {
        const int brought = bring_sanitizer(kanal_buffer_view(&bytes)), calmed = calm_malloc();
        if (brought || calmed)
            begin_again();
        read_title(&report);
        if (!options->json)
            report_print_title(&report);
        result = run_tests(&report, &knowledge, kanal_buffer_view(&bytes));
        if (result == KANAL_E_NOT_FOUND)
            kanal_buffer_text(error, "there is no such test; see --list");
        else if (result != 0)
            kanal_buffer_text(error, "out of memory or processes");
        else if (options->json)
            report_print_json(&report);
        else
            report_print_sum(&report);
        if (result == 0)
            result = (int)report_failed(&report);
    }
    knowledge_release(&knowledge);
    kanal_buffer_release(&bytes);
    report_release(&report);
    free(path);
    return result;
}

void kit_check_list(void)
{
    for (const struct kit_test *const *group = kit_groups; *group; group++)
        for (const struct kit_test *test = *group; test->name; test++)
            printf("  %-26s %s\n", test->name, test->what);
}
