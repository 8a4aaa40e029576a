/* What a channel leaves behind, and whether a run can be repeated. */
#include "kit/inside.h"

#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sys/resource.h>

#include "kit/caps.h"

#define WARM_UP 4 /* lives until what is made once is made */
#define ROUNDS 8
#define WINDOWS 6

static size_t entries(const char *directory)
{
    size_t count = 0;
    DIR *dir = opendir(directory);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static void live_once(struct kit_run *run)
{
    play_forget(run);
    struct fake_host *host = play_begin(run, 0);
    if (host)
        play_all(run, host);
    play_end(run, host);
}

/* By how much the heap grew in some lives: also by what malloc only keeps for later. */
static long grown_by(struct kit_run *run)
{
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < ROUNDS; i++)
        live_once(run);
    return (long)mallinfo2().uordblks - (long)before;
}

static void check_leaks(struct kit_run *run)
{
    int (*leaks)(void) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check");
    memcpy(&leaks, &symbol, sizeof leaks);
    for (int i = 0; i < WARM_UP; i++)
        live_once(run);
    if (leaks) {
        run->wants_output = leaks() != 0;
        if (run->wants_output)
            kit_fail(run, "the leak sanitizer finds memory that nobody holds any more; its report follows");
        return;
    }
    /* A leak grows every time, the rest only now and then. */
    long least = grown_by(run);
    for (int i = 1; i < WINDOWS && least > 0; i++) {
        long now = grown_by(run);
        least = now < least ? now : least;
    }
    if (least >= (long)(ROUNDS * sizeof(void *)))
        kit_fail(run,
                 "each life of a channel leaves %ld bytes behind; build it with -fsanitize=address and check "
                 "again "
                 "to see where they come from",
                 least / ROUNDS);
}

static void check_descriptors(struct kit_run *run)
{
    live_once(run);
    const size_t files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    for (int i = 0; i < 4; i++)
        live_once(run);
    if (entries("/proc/self/fd") > files)
        kit_fail(run, "%zu open files are left after four lives", entries("/proc/self/fd") - files);
    if (entries("/proc/self/task") > threads)
        kit_fail(run, "%zu threads are left after four lives", entries("/proc/self/task") - threads);
}

/* ---- Repeatable ---- */

static void add(struct kanal_buffer *out, kanal_str text)
{
    kanal_buffer_str(out, text);
    kanal_buffer_byte(out, '\n');
}

/* Everything that left the channel in one life. */
static void record(struct kit_run *run, struct kanal_buffer *out)
{
    play_forget(run);
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    play_webhooks(run, host, 0);
    play_learn(run, host);
    for (size_t i = 0; i < cap_name_count; i++) {
        if (!(run->plugin->caps & cap_names[i].cap))
            continue;
        kanal_op op = play_sample(run, host, cap_names[i].name, kanal_str_of(NULL, 0));
        if (op)
            add(out, fake_answer(host, op)->result.external_id);
    }
    for (size_t i = 0; i < fake_event_count(host); i++) {
        const kanal_event *event = &fake_event_at(host, i)->event;
        add(out, event->type);
        add(out, event->dedupe);
        add(out, event->address);
        add(out, event->data);
    }
    play_end(run, host);
}

static void check_repeatable(struct kit_run *run)
{
    struct kanal_buffer first = { 0 }, second = { 0 };
    record(run, &first);
    record(run, &second);
    kanal_str a = kanal_buffer_view(&first), b = kanal_buffer_view(&second);
    if (!kanal_str_equal(a, b)) {
        size_t at = 0;
        while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
            at++;
        while (at > 0 && a.ptr[at - 1] != '\n')
            at--;
        kit_fail(run, "two lives with the same clock and the same random() differ: %.80s / %.80s",
                 at < a.len ? a.ptr + at : "", at < b.len ? b.ptr + at : "");
    }
    kanal_buffer_release(&first);
    kanal_buffer_release(&second);
}

const struct kit_test memory_tests[] = {
    { .name = "memory.leaks",
      .what = "a life leaves no memory behind",
      .advice =
          "free in destroy() what create() made, and in each callback what the call made, also on errors",
      .run = check_leaks },
    { .name = "memory.descriptors",
      .what = "a life leaves no open file and no thread behind",
      .advice = "close in destroy() what was opened, join what was started",
      .run = check_descriptors },
    { .name = "run.repeatable",
      .what = "the same clock and the same chance give the same events",
      .advice = "take time from now_ms() and chance from random(); read no uninitialised memory",
      .run = check_repeatable },
    { 0 },
};
