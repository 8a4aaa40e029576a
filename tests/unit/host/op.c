#include <criterion/criterion.h>

#include "host/op.h"

static struct op_table *table;
static struct channel *const one = (struct channel *)16, *const two =
                                                             (struct channel *)32; /* never followed */

static void begin(void)
{
    cr_assert_eq(op_table_new(&table), 0);
}

static void end(void)
{
    op_table_free(table);
}

TestSuite(op, .init = begin, .fini = end);

Test(op, is_found_by_its_channel_only)
{
    struct op *op = op_new(table, one, OP_DONE);
    cr_assert_neq(op->id, 0);
    cr_assert_eq(op_find(table, one, op->id), op);
    cr_assert_null(op_find(table, two, op->id));
    cr_assert_null(op_find(table, one, 0));
    cr_assert_null(op_find(table, one, UINT64_MAX));
    cr_assert_null(op_find(table, one, op->id + (1u << 20)));
}

Test(op, a_number_is_never_valid_twice)
{
    struct op *first = op_new(table, one, OP_DONE);
    kanal_op id = first->id;
    op_free(table, first);
    struct op *second = op_new(table, one, OP_DONE);
    cr_assert_eq(first, second); /* the place is used again … */
    cr_assert_neq(second->id, id);
    cr_assert_null(op_find(table, one, id)); /* … the number is not */
}

Test(op, freeing_twice_does_nothing)
{
    struct op *op = op_new(table, one, OP_DONE);
    op_free(table, op);
    op_free(table, op);
    op_free(table, NULL);
    cr_assert_neq(op_new(table, one, OP_DONE), op_new(table, one, OP_DONE));
}

Test(op, many_are_kept_apart)
{
    kanal_op ids[1000];
    for (size_t i = 0; i < 1000; i++)
        ids[i] = op_new(table, i % 2 ? one : two, OP_VALUE)->id;
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(op_find(table, i % 2 ? one : two, ids[i])->id, ids[i]);
}

static void free_it(void *user, struct op *op)
{
    size_t *count = user;
    ++*count;
    op_free(table, op);
}

Test(op, each_of_a_channel)
{
    size_t count = 0;
    for (size_t i = 0; i < 600; i++)
        op_new(table, i % 3 ? one : two, OP_DONE);
    op_each(table, one, free_it, &count);
    cr_assert_eq(count, 400);
    op_each(table, NULL, free_it, &count);
    cr_assert_eq(count, 600);
}

Test(op, a_link_brings_the_op_once_and_only_while_it_waits)
{
    struct op *op = op_new(table, one, OP_VALUE);
    struct op_link *link = op_link_new(table, op), *late = op_link_new(table, op),
                   *gone = op_link_new(table, op);
    cr_assert_eq(op_link_take(link), op);
    op->completed = 1;
    cr_assert_null(op_link_take(late));
    op_free(table, op);
    cr_assert_null(op_link_take(gone));
}
