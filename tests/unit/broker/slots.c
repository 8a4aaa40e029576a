#include <criterion/criterion.h>
#include "broker/slots.h"
#include "kanal/sdk/str.h"

static struct broker_slots slots;
static uint64_t tokens[70000];

static struct broker_asker asker(uintptr_t number)
{
    struct broker_asker a = { NULL, NULL, (void *)number };

    return a;
}

static uint64_t take(uintptr_t number, uint64_t deadline_ms)
{
    struct broker_asker a = asker(number);
    uint64_t token = 0;

    cr_assert_eq(broker_slots_take(&slots, &a, deadline_ms, &token), 0);
    return token;
}

static uintptr_t give(uint64_t token)
{
    struct broker_asker a = asker(0);

    return broker_slots_give(&slots, token, &a) == 0 ? (uintptr_t)a.user : 0;
}

static int unanswered(uintptr_t out[], int most)
{
    struct broker_asker a;
    uint32_t cursor = 0;
    int n = 0;

    while (n < most && broker_slots_unanswered(&slots, &cursor, &a))
        out[n++] = (uintptr_t)a.user;
    return n;
}

Test(slots, a_token_is_good_for_one_answer)
{
    uint64_t first, second;

    broker_slots_init(&slots, 1000, 0);
    first = take(1, 100);
    cr_assert_eq(give(first), 1);
    cr_assert_eq(give(first), 0);
    second = take(2, 100); /* the same slot, another generation */
    cr_assert_neq(first, second);
    cr_assert_eq(give(first), 0);
    cr_assert_eq(give(second), 2);
    cr_assert_eq(give(0xfff0), 0);
    cr_assert_eq(give(UINT64_MAX), 0);
    broker_slots_release(&slots);
}

Test(slots, the_window_is_the_limit)
{
    struct broker_asker a = asker(1);
    uint64_t token;

    broker_slots_init(&slots, 1000, 0);
    for (uintptr_t i = 0; i < 1000; i++)
        tokens[i] = take(i + 1, 1000);
    cr_assert_eq(broker_slots_take(&slots, &a, 1000, &token), KANAL_E_BUSY);
    cr_assert_eq(give(tokens[500]), 501);
    cr_assert_eq(broker_slots_take(&slots, &a, 1000, &token), 0);
    cr_assert_eq(slots.used, 1000);
    broker_slots_release(&slots);
}

Test(slots, deadlines_are_never_early_and_at_most_two_ticks_late)
{
    struct broker_asker a;
    uint64_t deadlines[2000];
    int left = 2000;

    broker_slots_init(&slots, 2000, 12345);
    for (uintptr_t i = 0; i < 2000; i++) {
        deadlines[i] = 12345 + (i * 37) % 30000; /* several turns of the wheel */
        take(i, deadlines[i]);
    }
    for (uint64_t now = 12345; left > 0 && now < 60000; now += 10)
        while (broker_slots_expired(&slots, now, &a)) {
            uint64_t deadline = deadlines[(uintptr_t)a.user];

            cr_assert(now > deadline && now <= deadline + 2 * BROKER_WHEEL_TICK_MS + 10, "%d %d", (int)now,
                      (int)deadline);
            left--;
        }
    cr_assert_eq(left, 0);
    broker_slots_release(&slots);
}

Test(slots, a_long_sleep_expires_everything)
{
    struct broker_asker a;
    int n = 0;

    broker_slots_init(&slots, 100, 0);
    for (uintptr_t i = 0; i < 100; i++)
        take(i, i * 1000);
    while (broker_slots_expired(&slots, 3600000, &a))
        n++;
    cr_assert_eq(n, 100);
    take(1, 3600000 + 100);
    cr_assert_eq(broker_slots_expired(&slots, 3600000 + 50, &a), 0);
    cr_assert_eq(broker_slots_expired(&slots, 3600000 + 200, &a), 1);
    broker_slots_release(&slots);
}

Test(slots, one_alone_without_a_responder)
{
    uintptr_t out[4];

    broker_slots_init(&slots, 100, 0);
    take(7, 1000);
    broker_slots_nobody(&slots);
    cr_assert_eq(unanswered(out, 4), 1);
    cr_assert_eq(out[0], 7);
    cr_assert_eq(slots.nobody_count, 0);
    broker_slots_nobody(&slots); /* of a request that has gone already: nothing to blame */
    cr_assert_eq(unanswered(out, 4), 0);
    take(8, 1000);
    cr_assert_eq(unanswered(out, 4), 0);
    broker_slots_release(&slots);
}

Test(slots, found_when_the_others_are_answered)
{
    uintptr_t out[4];

    broker_slots_init(&slots, 100, 0);
    for (uintptr_t i = 1; i <= 5; i++)
        tokens[i] = take(i, 1000);
    broker_slots_nobody(&slots);
    for (uintptr_t i = 6; i <= 9; i++) /* sent later: not suspected */
        tokens[i] = take(i, 1000);
    broker_slots_nobody(&slots);
    cr_assert_eq(unanswered(out, 4), 0);
    give(tokens[1]);
    give(tokens[2]);
    give(tokens[4]);
    cr_assert_eq(unanswered(out, 4), 0);
    give(tokens[5]);
    cr_assert_eq(unanswered(out, 4), 1);
    cr_assert_eq(out[0], 3);
    give(tokens[6]);
    give(tokens[7]);
    cr_assert_eq(unanswered(out, 4), 0);
    give(tokens[9]);
    cr_assert_eq(unanswered(out, 4), 1);
    cr_assert_eq(out[0], 8);
    broker_slots_release(&slots);
}

Test(slots, a_timeout_never_puts_the_blame_on_another)
{
    struct broker_asker a;
    uintptr_t out[4];

    broker_slots_init(&slots, 100, 0);
    take(1, 100);
    tokens[2] = take(2, 60000);
    broker_slots_nobody(&slots);
    cr_assert_eq(broker_slots_expired(&slots, 300, &a), 1); /* it may have been this one */
    cr_assert_eq(unanswered(out, 4), 0);
    cr_assert_eq(give(tokens[2]), 2);
    broker_slots_release(&slots);
}

/* Against a model: each request is answered, unanswerable or silent; whoever is called unanswered is. */
Test(slots, a_model)
{
    static int kind[70000]; /* 0 gone, 1 will be answered, 2 nobody */
    uint64_t random = 88172645463325252u;
    uintptr_t out[600], next = 1, first = 1;
    int found = 0, nobodies = 0;

    broker_slots_init(&slots, 500, 0);
    for (int step = 0; step < 60000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (random % 3 != 0 && slots.used < 400) {
            kind[next] = random % 7 == 0 ? 2 : 1;
            tokens[next] = take(next, 1000000);
            if (kind[next] == 2) {
                nobodies++;
                broker_slots_nobody(&slots);
            }
            next++;
        } else if (first < next) {
            uintptr_t pick = first + random / 16 % (next - first);

            if (kind[pick] == 1) {
                cr_assert_eq(give(tokens[pick]), pick);
                kind[pick] = 0;
            }
        }
        for (int n = unanswered(out, 600), i = 0; i < n; i++) {
            cr_assert_eq(kind[out[i]], 2, "%d was to be answered", (int)out[i]);
            kind[out[i]] = 0;
            found++;
        }
        while (first < next && kind[first] == 0)
            first++;
    }
    for (uintptr_t i = first; i < next; i++)
        if (kind[i] == 1)
            give(tokens[i]);
    found += unanswered(out, 600);
    cr_assert(found == nobodies && nobodies > 1000, "%d of %d", found, nobodies);
    cr_assert_eq(slots.used, 0);
    broker_slots_release(&slots);
}

Test(slots, pop_takes_all)
{
    struct broker_asker a;
    uint32_t cursor = 0;
    int n = 0;

    broker_slots_init(&slots, 65535, 0);
    for (uintptr_t i = 0; i < 65535; i++)
        take(i, 1000);
    while (broker_slots_pop(&slots, &cursor, &a))
        n++;
    cr_assert_eq(n, 65535);
    broker_slots_release(&slots);
}

Test(slots, tokens_as_text)
{
    static const uint64_t numbers[] = { 0, 1, 15, 16, 0xdeadbeef, UINT64_MAX };
    char text[BROKER_TOKEN_BYTES];
    uint64_t back;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t len = broker_token_format(numbers[i], text);

        cr_assert_eq(len, strlen(text));
        cr_assert_eq(broker_token_parse(kanal_str_c(text), &back), 0);
        cr_assert_eq(back, numbers[i]);
    }
    cr_assert_neq(broker_token_parse(kanal_str_c(""), &back), 0);
    cr_assert_neq(broker_token_parse(kanal_str_c("12G"), &back), 0);
    cr_assert_neq(broker_token_parse(kanal_str_c("AB"), &back), 0);
    cr_assert_neq(broker_token_parse(kanal_str_c("11112222333344445"), &back), 0);
}
