/* The spool's file: what it was given is there after whatever happened, or was refused. */
#include "inbound/spool/store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

static char directory[64]; /* of the test's own process */
static char words[STORE_REASON_BYTES];

static void make_directory(void)
{
    snprintf(directory, sizeof directory, "/tmp/kanal-spool-XXXXXX");
    cr_assert(mkdtemp(directory));
}

static void remove_directory(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    cr_expect(system(command) == 0);
}

TestSuite(store, .init = make_directory, .fini = remove_directory, .timeout = 60);

static struct store *open_store(struct store_opened *opened)
{
    struct store *store = NULL;
    struct store_opened own;
    cr_assert_eq(store_open(&store, directory, 0, opened ? opened : &own, words), 0, "%s", words);
    return store;
}

struct sample {
    struct spool_event event;
    char id[32], subject[80], json[200];
};

static struct spool_event *sample(struct sample *s, unsigned number)
{
    snprintf(s->id, sizeof s->id, "e_%026u", number);
    snprintf(s->subject, sizeof s->subject, "kanal.events.webform.form.form.submitted.a_%026u", number % 7);
    snprintf(s->json, sizeof s->json, "{\"number\":%u,\"text\":\"Здравствуйте\"}", number);
    s->event = (struct spool_event){ .id = kanal_str_c(s->id),
                                     .channel = KANAL_LIT("form"),
                                     .subject = kanal_str_c(s->subject),
                                     .json = kanal_str_c(s->json),
                                     .raw = number % 2 ? KANAL_LIT("raw\0bytes") : (kanal_str){ 0 },
                                     .created_ms = 1000 + number,
                                     .since_ms = number,
                                     .keys = { number % 7 + 1, UINT64_MAX - number },
                                     .class = 0,
                                     .is_late = number % 3 == 0 };
    return &s->event;
}

static int add(struct store *store, unsigned number)
{
    struct sample s;
    struct spool_event *event = sample(&s, number);
    return store_add(store, &event, 1, words);
}

static size_t read_all(struct store *store, struct spool_event **events, size_t most)
{
    size_t count = 0, damaged = 0;
    cr_assert_eq(store_read(store, 0, most, SIZE_MAX, events, &count, &damaged, words), 0, "%s", words);
    return count;
}

static void free_all(struct spool_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(events[i]);
}

static void expect_same(const struct spool_event *a, const struct spool_event *b)
{
    cr_expect(kanal_str_equal(a->id, b->id));
    cr_expect(kanal_str_equal(a->channel, b->channel));
    cr_expect(kanal_str_equal(a->subject, b->subject));
    cr_expect(kanal_str_equal(a->json, b->json));
    cr_expect(kanal_str_equal(a->raw, b->raw));
    cr_expect_eq(!a->raw.ptr, !b->raw.ptr);
    cr_expect_eq(a->created_ms, b->created_ms);
    cr_expect_eq(a->since_ms, b->since_ms);
    cr_expect_eq(a->keys[0], b->keys[0]);
    cr_expect_eq(a->keys[1], b->keys[1]);
    cr_expect_eq(a->is_late, b->is_late);
}

Test(store, keeps_everything_in_order_across_a_restart)
{
    struct store *store = open_store(NULL);
    for (unsigned i = 0; i < 50; i++)
        cr_assert_eq(add(store, i), 0, "%s", words);
    store_close(store);
    struct store_opened opened;
    store = open_store(&opened);
    cr_expect_eq(opened.size.rows, 50);
    cr_expect_eq(opened.size.oldest_ms, 1000);
    cr_expect_str_empty(opened.aside);
    struct spool_event *events[64];
    size_t count = read_all(store, events, 64);
    cr_assert_eq(count, 50);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        struct sample s;
        expect_same(events[i], sample(&s, i));
        cr_expect(i == 0 || events[i]->seq > events[i - 1]->seq);
        bytes += store_bytes_of(events[i]);
    }
    cr_expect_eq(opened.size.bytes, bytes);
    free_all(events, count);
    store_close(store);
}

Test(store, the_same_id_is_kept_once)
{
    struct store *store = open_store(NULL);
    struct sample a, b;
    struct spool_event *both[] = { sample(&a, 1), sample(&b, 1) };
    cr_assert_eq(store_add(store, both, 2, words), 0);
    cr_expect_neq(both[0]->seq, 0);
    cr_expect_eq(both[1]->seq, 0);
    struct store_size size;
    cr_assert_eq(store_measure(store, &size, words), 0);
    cr_expect_eq(size.rows, 1);
    store_close(store);
}

Test(store, numbers_are_never_used_again)
{
    struct store *store = open_store(NULL);
    struct sample s;
    struct spool_event *event = sample(&s, 1);
    cr_assert_eq(store_add(store, &event, 1, words), 0);
    int64_t first = event->seq;
    cr_assert_eq(store_remove(store, &first, 1, words), 0);
    event = sample(&s, 2);
    cr_assert_eq(store_add(store, &event, 1, words), 0);
    cr_expect_gt(event->seq, first, "a reader's place would hide it");
    store_close(store);
}

Test(store, reads_on_from_a_place_and_within_bytes)
{
    struct store *store = open_store(NULL);
    struct spool_event *events[8];
    size_t count = 0, damaged = 0;
    for (unsigned i = 0; i < 8; i++)
        add(store, i);
    cr_assert_eq(store_read(store, 0, 3, SIZE_MAX, events, &count, &damaged, words), 0);
    cr_assert_eq(count, 3);
    int64_t place = events[2]->seq;
    free_all(events, count);
    cr_assert_eq(store_read(store, place, 8, 1, events, &count, &damaged, words), 0);
    cr_expect_eq(count, 1, "one at least, however large it is");
    cr_expect_gt(events[0]->seq, place);
    free_all(events, count);
    store_close(store);
}

Test(store, what_is_refused_stays_and_is_not_read)
{
    struct store *store = open_store(NULL);
    struct spool_event *events[4];
    add(store, 1);
    add(store, 2);
    size_t count = read_all(store, events, 4);
    cr_assert_eq(store_refuse(store, events[0]->seq, "too large", words), 0);
    free_all(events, count);
    count = read_all(store, events, 4);
    cr_assert_eq(count, 1);
    cr_expect_eq(events[0]->created_ms, 1002);
    free_all(events, count);
    struct store_size size;
    cr_assert_eq(store_measure(store, &size, words), 0);
    cr_expect_eq(size.rows, 1);
    store_close(store);
}

Test(store, a_second_process_is_refused_clearly)
{
    struct store *store = open_store(NULL), *other = NULL;
    struct store_opened opened;
    pid_t child = fork();
    if (child == 0)
        _exit(store_open(&other, directory, 0, &opened, words) == KANAL_E_REJECTED &&
                      strstr(words, "another kanal runs")
                  ? 0
                  : 1);
    int how = -1;
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect_eq(how, 0);
    store_close(store);
}

/* ---- kill -9 ---- */

/* Writes groups, and tells each number only after its group was said to be on disk. */
static void write_without_end(int told)
{
    struct store *store = open_store(NULL);
    enum { GROUP = 8 };
    struct sample samples[GROUP];
    struct spool_event *events[GROUP];
    for (unsigned n = 0;; n += GROUP) {
        for (unsigned i = 0; i < GROUP; i++)
            events[i] = sample(&samples[i], n + i);
        if (store_add(store, events, GROUP, words) != 0)
            _exit(1);
        unsigned end = n + GROUP;
        if (write(told, &end, sizeof end) != sizeof end)
            _exit(2);
    }
}

Test(store, what_was_acknowledged_is_there_after_kill_9)
{
    static struct spool_event *events[200000];
    for (int round = 0; round < 5; round++) {
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            write_without_end(ends[1]);
        close(ends[1]);
        unsigned told = 0, last = 0;
        /* In the middle of something, each time elsewhere. */
        for (int i = 0; i < 40 + 17 * round && read(ends[0], &told, sizeof told) == sizeof told; i++)
            last = told;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &told, sizeof told) == sizeof told)
            last = told;
        close(ends[0]);
        struct store_opened opened;
        struct store *store = open_store(&opened);
        cr_expect_str_empty(opened.aside, "a crash is no damage");
        size_t count = read_all(store, events, 200000);
        cr_expect_geq(count, last, "%u were acknowledged", last);
        cr_expect_eq(count % 8, 0, "a group is there whole or not at all");
        for (unsigned i = 0; i < count; i++) {
            struct sample s;
            expect_same(events[i], sample(&s, i));
        }
        free_all(events, count);
        store_close(store);
        remove_directory();
        mkdir(directory, 0700);
    }
}

/* ---- A full disk ---- */

/* Fills it, sees each refused or stored, makes room and goes on. limit() makes the disk small, in this process only. */
static void fill(uint64_t max_bytes)
{
    struct store *store = NULL;
    struct store_opened opened;
    cr_assert_eq(store_open(&store, directory, max_bytes, &opened, words), 0, "%s", words);
    static struct spool_event *events[20000];
    static char large[4000];
    memset(large, 'x', sizeof large);
    unsigned stored = 0;
    int status = 0;
    for (unsigned i = 0; i < 20000 && status == 0; i++) {
        struct sample a, b;
        struct spool_event *pair[] = { sample(&a, 2 * i), sample(&b, 2 * i + 1) };
        pair[0]->raw = pair[1]->raw = kanal_str_of(large, sizeof large);
        status = store_add(store, pair, 2, words);
        stored += status == 0 ? 2 : 0;
        cr_expect(status == 0 || (pair[0]->seq == 0 && pair[1]->seq == 0));
    }
    cr_expect_eq(status, KANAL_E_BUSY, "%d %s", status, words);
    cr_expect_gt(stored, 50);
    cr_expect_eq(read_all(store, events, 20000), stored, "nothing is there by halves");
    int64_t seqs[40];
    for (size_t i = 0; i < 40; i++)
        seqs[i] = events[i]->seq;
    free_all(events, stored);
    /* Where there is room, what was drained makes some. */
    if (max_bytes > 0) {
        cr_expect_eq(store_remove(store, seqs, 40, words), 0, "%s", words);
        cr_expect_eq(add(store, 1000000), 0, "%s", words);
    }
    store_close(store);
    store = open_store(&opened);
    cr_expect_str_empty(opened.aside);
    cr_expect_eq(opened.size.rows, max_bytes > 0 ? stored - 39 : stored);
    store_close(store);
}

Test(store, a_full_file_refuses_and_goes_on)
{
    fill(1 << 20);
}

Test(store, a_limit_on_files_is_a_full_disk)
{
    struct rlimit limit = { 1 << 20, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill(0);
}

Test(store, a_full_disk_refuses_and_loses_nothing)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", directory, "tmpfs", 0, "size=1m") != 0)
        cr_skip_test("no right to mount here");
    fill(0);
    cr_expect_eq(umount2(directory, MNT_DETACH), 0);
}

/* ---- Damage ---- */

static void scribble(const char *name, long at, size_t bytes)
{
    char path[100], noise[8192];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY);
    cr_assert_geq(fd, 0);
    memset(noise, 0xa5, sizeof noise);
    cr_assert_eq(pwrite(fd, noise, bytes, at), (ssize_t)bytes);
    close(fd);
}

static void expect_set_aside(void)
{
    struct store_opened opened;
    struct store *store = open_store(&opened);
    cr_expect(strstr(opened.aside, "spool.db.corrupt-20"), "'%s'", opened.aside);
    cr_expect_eq(access(opened.aside, F_OK), 0, "it is kept for a person");
    cr_expect_str_not_empty(opened.aside_reason);
    cr_expect_eq(opened.size.rows, 0);
    cr_expect_eq(add(store, 7), 0, "the new one works");
    store_close(store);
    store = open_store(&opened);
    cr_expect_str_empty(opened.aside, "once is enough");
    cr_expect_eq(opened.size.rows, 1);
    store_close(store);
}

static void fill_and_close(unsigned count)
{
    struct store *store = open_store(NULL);
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(add(store, i), 0);
    store_close(store);
}

Test(store, a_damaged_header_is_set_aside)
{
    fill_and_close(200);
    scribble("spool.db", 0, 100);
    expect_set_aside();
}

Test(store, a_damaged_page_is_set_aside)
{
    fill_and_close(200);
    scribble("spool.db", 8192, 8192);
    expect_set_aside();
}

Test(store, a_short_file_is_set_aside)
{
    char path[100];
    fill_and_close(200);
    snprintf(path, sizeof path, "%s/spool.db", directory);
    cr_assert_eq(truncate(path, 10000), 0);
    expect_set_aside();
}

Test(store, something_else_is_set_aside)
{
    char path[100];
    snprintf(path, sizeof path, "%s/spool.db", directory);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 2000; i++)
        fprintf(f, "this is no database\n");
    fclose(f);
    expect_set_aside();
}

Test(store, a_changed_text_is_refused_the_rest_goes_on)
{
    fill_and_close(3);
    char path[100];
    snprintf(path, sizeof path, "%s/spool.db", directory);
    static char file[65536];
    int fd = open(path, O_RDWR);
    ssize_t len = read(fd, file, sizeof file);
    char *text = len > 0 ? memmem(file, (size_t)len, "{\"number\":1,", 12) : NULL;
    cr_assert(text);
    cr_assert_eq(pwrite(fd, "9", 1, text - file + 10), 1);
    close(fd);
    struct store_opened opened;
    struct store *store = open_store(&opened);
    cr_expect_str_empty(opened.aside, "no page is damaged");
    struct spool_event *events[4];
    size_t count = 0, damaged = 0;
    cr_assert_eq(store_read(store, 0, 4, SIZE_MAX, events, &count, &damaged, words), 0);
    cr_expect_eq(count, 2);
    cr_expect_eq(damaged, 1);
    free_all(events, count);
    store_close(store);
}

Test(store, a_folder_that_cannot_be_written_is_told)
{
    struct store *store = NULL;
    struct store_opened opened;
    cr_expect_eq(store_open(&store, "/proc/kanal/spool", 0, &opened, words), KANAL_E_INTERNAL);
    cr_expect(strstr(words, "/proc/kanal/spool"), "%s", words);
    cr_expect_null(store);
}

Test(store, what_was_drained_leaves_no_text_behind)
{
    struct store *store = open_store(NULL);
    struct spool_event *events[300];
    for (unsigned i = 0; i < 300; i++)
        add(store, i);
    size_t count = read_all(store, events, 300);
    int64_t seqs[300];
    for (size_t i = 0; i < count; i++)
        seqs[i] = events[i]->seq;
    free_all(events, count);
    cr_assert_eq(store_remove(store, seqs, count, words), 0);
    store_trim(store);
    char command[200];
    snprintf(command, sizeof command, "grep -rqs 'number' '%s'", directory);
    cr_expect_neq(system(command), 0);
    store_close(store);
}
