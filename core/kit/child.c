/* One test, in a process of its own: findings leave through a pipe, one a line; what ends the process is told there too. */
#include "kit/inside.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES 2048
#define ALT_STACK_BYTES 65536

/* A signal handler gets no argument of ours. Set once, in a process that runs one test and ends. */
static struct kit_run *signalled;

/* ---- Findings: "F" or "W" or "S", the step, the text; tabs between, one a line ---- */

static void put(struct kit_run *run, char kind, const char *text)
{
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line - 1, "%c\t%s\t%s", kind, run->step ? run->step : "", text);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof line - 2 ? (size_t)n : sizeof line - 2;
    for (size_t i = 2; i < len; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t')
            line[i] = ' ';
    line[len++] = '\n';
    if (write(run->out, line, len) != (ssize_t)len)
        _exit(3); /* nobody reads any more */
}

void kit_fail(struct kit_run *run, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (run->failures++ < 40) /* the fortieth of a kind tells nothing new */
        put(run, 'F', text);
}

void kit_warn(struct kit_run *run, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(run, 'W', text);
}

void kit_skip(struct kit_run *run, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run->step = "";
    run->is_skipped = 1;
    put(run, 'S', text);
}

void kit_step(struct kit_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(run->step_text, sizeof run->step_text, format, args);
    va_end(args);
    run->step = run->step_text;
}

uint64_t kit_random(struct kit_run *run, uint64_t below)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return run->random * UINT64_C(2685821657736338717) % below;
}

/* ---- What ends the process ---- */

static const char *where_now(const char **ret_guard, const char **ret_call, const void *address)
{
    const char *inside = NULL;
    for (size_t i = 0; i < sizeof signalled->hosts / sizeof *signalled->hosts; i++) {
        const struct fake_host *host = signalled->hosts[i];
        if (!host)
            continue;
        if (!inside)
            inside = fake_inside(host);
        if (address && !*ret_guard)
            *ret_guard = fake_guarded(host, address, ret_call);
    }
    return inside;
}

/* snprintf() is not for signal handlers by the book; the process ends either way, and without it nobody learns why. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    const char *guard = NULL, *call = NULL;
    char text[512];
    (void)context;
    const int is_fault = number == SIGSEGV || number == SIGBUS;
    const char *inside = where_now(&guard, &call, is_fault ? info->si_addr : NULL);
    if (number == SIGALRM)
        snprintf(text, sizeof text,
                 "%s did not return within %u s of real time: it blocks, or goes round for ever",
                 inside ? inside : "the test", signalled->options->limit_s);
    else if (guard && call && guard[0] == 'a')
        snprintf(
            text, sizeof text,
            "%s reads an argument of %s after that had returned: arguments are borrowed, copy what you keep",
            inside ? inside : "the plugin", call);
    else if (guard)
        snprintf(text, sizeof text,
                 "%s reads beyond the end of an argument of %s: a kanal_str has no NUL behind it, and a "
                 "struct ends "
                 "where its struct_size says",
                 inside ? inside : "the plugin", call ? call : "it");
    else
        snprintf(text, sizeof text, "it crashed in %s: %s%s", inside ? inside : "no call of ours",
                 strsignal(number), is_fault && info->si_addr == NULL ? " (a NULL pointer)" : "");
    put(signalled, 'F', text);
    _exit(2);
}

static void catch_signals(struct kit_run *run)
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM };
    static char stack[ALT_STACK_BYTES]; /* an overflown stack has no room to tell of it */
    const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    signalled = run;
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    alarm(run->options->limit_s);
}

/* ---- The test ---- */

static int load(struct kit_run *run)
{
    struct kanal_buffer error = { 0 };
    int status = plugin_load(&run->loaded, run->options->path, &error);
    if (status != 0)
        kit_fail(run, "the gateway refuses it: %.*s", (int)error.len, error.data ? error.data : "");
    kanal_buffer_release(&error);
    if (status == 0)
        run->plugin = &run->loaded->descriptor;
    return status;
}

static kanal_str skipped(const struct kit_run *run)
{
    return kanal_json_text_at(kanal_json_at(run->knowledge->root, "skip"), run->test->name);
}

void child_run(const struct kit_check_options *options, const struct kit_test *test,
               const struct knowledge *knowledge, kanal_str bytes, int out)
{
    struct kit_run run = { .options = options,
                           .test = test,
                           .knowledge = knowledge,
                           .bytes = bytes,
                           .seed = options->seed,
                           .random = options->seed * UINT64_C(0x9E3779B97F4A7C15) + 0x2545F491,
                           .out = out };
    const char *reason;
    catch_signals(&run);
    kanal_str why = skipped(&run);
    if (why.ptr)
        kit_skip(&run, "conformance.json says: %.*s", (int)why.len, why.ptr);
    else if (elf_read(&run.elf, bytes, &reason) != 0)
        kit_fail(&run, "%s", reason);
    else if (test->file_only || load(&run) == 0)
        test->run(&run);
    run.step = "";
    put(&run, run.wants_output ? 'O' : 'E', ""); /* the end was reached */
    _exit(0);
}
