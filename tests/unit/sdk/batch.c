#include "expect.h"
#include "kanal/sdk/batch.h"

struct taken { /* what a stand-in of the host was given */
    kanal_host host;
    size_t count;
    kanal_op cause;
    char types[512], raw[64];
};

static kanal_op take(const kanal_host *host, kanal_op cause, const kanal_event *const *events, size_t count,
                     kanal_done_fn *done, void *user)
{
    struct taken *taken = host->impl;
    struct kanal_buffer types = { 0 };
    (void)done, (void)user;
    for (size_t i = 0; i < count; i++)
        kanal_buffer_str(&types, events[i]->dedupe);
    memcpy(taken->types, types.data, types.len);
    kanal_batch_text(taken->raw, sizeof taken->raw, events[0]->raw);
    kanal_buffer_release(&types);
    taken->count = count;
    taken->cause = cause;
    return 7;
}

static void add(struct kanal_batch *batch, kanal_str dedupe)
{
    struct kanal_batch_item *item = kanal_batch_begin(batch, "message.received");
    cr_assert_not_null(item);
    cr_assert(kanal_batch_text(item->dedupe, sizeof item->dedupe, dedupe));
    kanal_json_member_int(&item->json, "n", batch->count);
    kanal_batch_end(batch, item);
}

Test(batch, what_is_written_is_published)
{
    struct taken taken = { .host = { .struct_size = sizeof taken.host, .publish = take } };
    struct kanal_batch batch = { 0 };
    taken.host.impl = &taken;
    cr_expect_eq(kanal_batch_publish(&batch, &taken.host, 5, KANAL_LIT("r"), NULL, NULL), 0, "nothing");
    for (int i = 0; i < 12; i++) /* more than stand on the stack */
        add(&batch, kanal_str_of("abcdefghijkl" + i, 1));
    EXPECT_STR(batch.items[11]->event.data, "{\"n\":12}");
    EXPECT_STR(batch.items[11]->event.type, "message.received");
    cr_expect_null(batch.items[11]->event.chat.ptr, "what is empty is absent");
    cr_expect_eq(kanal_batch_publish(&batch, &taken.host, 5, KANAL_LIT("r"), NULL, NULL), 7);
    cr_expect_eq(taken.count, 12);
    cr_expect_eq(taken.cause, 5);
    cr_expect_str_eq(taken.types, "abcdefghijkl");
    cr_expect_str_eq(taken.raw, "r");
    kanal_batch_clear(&batch);
    cr_expect_eq(batch.count, 0);
    add(&batch, KANAL_LIT("again"));
    kanal_batch_release(&batch);
    kanal_batch_release(&batch);
}

Test(batch, more_than_it_may_hold_fails_as_a_whole)
{
    struct taken taken = { .host = { .struct_size = sizeof taken.host, .publish = take } };
    struct kanal_batch batch = { 0 };
    taken.host.impl = &taken;
    for (uint32_t i = 0; i < KANAL_BATCH_MAX; i++)
        add(&batch, KANAL_LIT("x"));
    cr_expect_null(kanal_batch_begin(&batch, "message.received"));
    cr_expect_eq(kanal_batch_publish(&batch, &taken.host, 5, KANAL_LIT("r"), NULL, NULL), 0);
    cr_expect_eq(taken.count, 0);
    kanal_batch_release(&batch);
}

Test(batch, a_text_that_does_not_fit_is_none)
{
    char out[4] = "xyz";
    cr_expect(kanal_batch_text(out, sizeof out, KANAL_LIT("abc")));
    cr_expect_str_eq(out, "abc");
    cr_expect_not(kanal_batch_text(out, sizeof out, KANAL_LIT("abcd")));
    cr_expect_str_eq(out, "");
    cr_expect_not(kanal_batch_text(out, sizeof out, kanal_str_of(NULL, 0)));
}
