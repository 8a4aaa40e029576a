/* The spool in a loop: groups, bounds, order, and its end. */
#include "inbound/spool/spool.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

static char directory[64]; /* of the test's own process, as the rest */
static uv_loop_t loop;
static struct spool *spool;
static char words[STORE_REASON_BYTES];

static void up(uint64_t max_bytes, uint64_t max_rows)
{
    struct spool_options options = { &loop, directory, max_bytes, max_rows };
    struct store_opened opened;
    cr_assert_eq(spool_new(&spool, &options, &opened, words), 0, "%s", words);
    cr_expect_str_empty(opened.aside);
}

static void down(void)
{
    spool_free(spool);
    uv_run(&loop, UV_RUN_DEFAULT);
    spool = NULL;
}

static void init(void)
{
    snprintf(directory, sizeof directory, "/tmp/kanal-spool-XXXXXX");
    cr_assert(mkdtemp(directory));
    cr_assert_eq(uv_loop_init(&loop), 0);
    spool_free(NULL);
}

static void fini(void)
{
    char command[100];
    cr_expect_eq(uv_loop_close(&loop), 0, "no handle is left");
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    cr_expect(system(command) == 0);
}

TestSuite(spool, .init = init, .fini = fini, .timeout = 60);

struct item {
    struct spool_event event, *pointer;
    char id[32];
    int calls;
    kanal_status status;
    int64_t seq;
};

static void note(void *user, kanal_status status)
{
    struct item *item = user;
    item->calls++;
    item->status = status;
    item->seq = item->event.seq;
}

static kanal_status append(struct item *item, unsigned number)
{
    *item = (struct item){
        .event = { .channel = KANAL_LIT("c"), .subject = KANAL_LIT("s"), .json = KANAL_LIT("{}") }
    };
    snprintf(item->id, sizeof item->id, "e_%u", number);
    item->event.id = kanal_str_c(item->id);
    item->event.created_ms = 1000 + number;
    item->pointer = &item->event;
    kanal_status status = spool_append(spool, &item->pointer, 1, note, item);
    cr_expect_eq(item->calls, 0, "never inside the call");
    return status;
}

struct read_note {
    int calls;
    size_t count;
    struct spool_event *events[SPOOL_READ_MOST];
};

static void note_read(void *user, kanal_status status, struct spool_event **events, size_t count,
                      size_t damaged)
{
    struct read_note *n = user;
    cr_expect_eq(status, KANAL_OK);
    cr_expect_eq(damaged, 0);
    n->calls++;
    n->count = count;
    memcpy(n->events, events, count * sizeof *events);
}

static void free_read(struct read_note *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->events[i]);
    n->count = 0;
}

static uint64_t rows(void)
{
    struct spool_state state;
    spool_state(spool, &state);
    return state.rows;
}

Test(spool, a_turn_of_the_loop_is_one_group_and_all_are_told)
{
    static struct item items[1000];
    up(1 << 20, 100000);
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(append(&items[i], i), KANAL_OK);
    /* One job: when the first is told, all are. */
    while (items[0].calls == 0)
        uv_run(&loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(items[i].calls, 1, "%u", i);
        cr_assert_eq(items[i].status, KANAL_OK);
        cr_expect(items[i].seq > 0 && (i == 0 || items[i].seq > items[i - 1].seq));
    }
    struct spool_state state;
    spool_state(spool, &state);
    cr_expect_eq(state.rows, 1000);
    cr_expect_eq(state.oldest_ms, 1000);
    cr_expect_str_empty(state.trouble);
    down();
}

Test(spool, it_is_bounded_by_rows_and_by_bytes_and_has_room_again)
{
    struct item items[6];
    up(1 << 20, 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(append(&items[i], i), KANAL_OK);
    cr_expect_eq(append(&items[3], 3), KANAL_E_BUSY, "what waits for the disk counts, too");
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(append(&items[3], 3), KANAL_E_BUSY);
    struct spool_state state;
    spool_state(spool, &state);
    cr_expect(state.is_full);
    spool_remove(spool, &items[0].event);
    cr_expect_eq(append(&items[3], 3), KANAL_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(items[3].status, KANAL_OK);
    spool_state(spool, &state);
    cr_expect_not(state.is_full);
    cr_expect_eq(state.rows, 3);
    cr_expect_eq(state.oldest_ms, 1001);
    down();
    up(store_bytes_of(&items[0].event) * 4, 100);
    cr_expect_eq(rows(), 3);
    cr_expect_eq(append(&items[4], 4), KANAL_OK);
    cr_expect_eq(append(&items[5], 5), KANAL_E_BUSY);
    uv_run(&loop, UV_RUN_DEFAULT);
    down();
}

Test(spool, the_same_id_takes_no_room)
{
    struct item a, b;
    up(1 << 20, 100);
    append(&a, 1);
    append(&b, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(a.status == KANAL_OK && b.status == KANAL_OK);
    cr_expect(a.seq > 0 && b.seq == 0);
    cr_expect_eq(rows(), 1);
    down();
}

Test(spool, oldest_first_and_what_is_removed_or_refused_does_not_come_again)
{
    struct item items[5];
    struct read_note n = { 0 };
    up(1 << 20, 100);
    for (unsigned i = 0; i < 5; i++)
        append(&items[i], i);
    uv_run(&loop, UV_RUN_DEFAULT);
    spool_read(spool, 0, note_read, &n);
    cr_expect_eq(n.calls, 0, "never inside the call");
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(n.count, 5);
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq(n.events[i]->created_ms, 1000 + i);
    free_read(&n);
    spool_remove(spool, &items[0].event);
    spool_refuse(spool, &items[1].event, "too large");
    cr_expect_eq(rows(), 3);
    spool_read(spool, 0, note_read, &n);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(n.count, 3);
    cr_expect_eq(n.events[0]->created_ms, 1002);
    free_read(&n);
    down();
    up(1 << 20, 100);
    cr_expect_eq(rows(), 3);
    down();
}

/* Whoever was promised an answer gets it from spool_free(), and the disk has what it says. */
Test(spool, its_end_finishes_what_was_begun)
{
    for (int turns = 0; turns < 3; turns++) {
        static struct item items[64];
        up(1 << 20, 1000);
        for (unsigned i = 0; i < 64; i++) {
            append(&items[i], (unsigned)turns * 64 + i);
            if (i == 31)
                for (int t = 0; t < turns; t++)
                    uv_run(&loop, UV_RUN_NOWAIT);
        }
        struct read_note n = { 0 };
        spool_read(spool, 0, note_read, &n);
        down();
        for (unsigned i = 0; i < 64; i++)
            cr_expect(items[i].calls == 1 && items[i].status == KANAL_OK, "%u", i);
        cr_expect_eq(n.calls, 0, "its reader is gone");
        up(1 << 20, 1000);
        cr_expect_eq(rows(), (uint64_t)(turns + 1) * 64);
        down();
    }
}
