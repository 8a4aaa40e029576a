/* The reader of a lease's holder, against a broker that the test plays. */
#include "outbound/reader.h"

#include <criterion/criterion.h>

#include "kanal/sdk/str.h"
#include "ops/log.h"

static struct {
    int deletions, makings, pulls, stops;
    js_result_fn *answer; /* of the request under way; NULL: none */
    void *user;
    void (*message)(void *user, const struct js_delivered *);
    void (*gone)(void *user);
    void *reader;
    int is_paused;
} broker; /* of the test's own process */

void js_consumer_delete(struct broker *b, const char *stream, const char *durable, js_result_fn *fn,
                        void *user)
{
    (void)b, (void)stream, (void)durable;
    cr_assert_null(broker.answer, "one request at a time");
    broker.deletions++;
    broker.answer = fn;
    broker.user = user;
}

void js_consumer_ensure(struct broker *b, const struct js_consumer *consumer, int recreate, js_result_fn *fn,
                        void *user)
{
    (void)b, (void)consumer;
    cr_assert_null(broker.answer, "one request at a time");
    cr_expect_not(recreate, "it has been deleted");
    broker.makings++;
    broker.answer = fn;
    broker.user = user;
}

int js_pull_start(struct broker *b, const struct js_pull_options *options,
                  void (*message)(void *user, const struct js_delivered *),
                  void (*error)(void *user, kanal_str reason), void *user, struct js_pull **ret_pull)
{
    (void)b, (void)error;
    broker.pulls++;
    broker.message = message;
    broker.gone = options->gone;
    broker.reader = user;
    broker.is_paused = 0;
    *ret_pull = (struct js_pull *)&broker;
    return 0;
}

void js_pull_stop(struct js_pull *pull)
{
    broker.stops += pull != NULL;
}

void js_pull_pause(struct js_pull *pull)
{
    (void)pull;
    broker.is_paused = 1;
}

void js_pull_resume(struct js_pull *pull)
{
    (void)pull;
    broker.is_paused = 0;
}

void log_write(struct log *log, int level, const char *area, const char *channel, const char *format, ...)
{
    (void)log, (void)level, (void)area, (void)channel, (void)format;
}

static void reply(kanal_status status)
{
    js_result_fn *answer = broker.answer;
    cr_assert_not_null(answer, "nothing was asked");
    broker.answer = NULL;
    answer(broker.user, status, KANAL_LIT(""));
}

static int messages, breaks;
static struct reader reader;

static void on_message(void *user, const struct js_delivered *delivered)
{
    (void)user, (void)delivered;
    messages++;
}

static void on_broken(void *user)
{
    (void)user;
    breaks++;
    reader_start(&reader);
}

static void start(void)
{
    reader = (struct reader){ .area = "test",
                              .message = on_message,
                              .broken = on_broken,
                              .window = 8,
                              .consumer = { .stream = "LANES", .durable = "lane-0" } };
    reader_start(&reader);
}

static void come(uint64_t sequence)
{
    struct js_delivered delivered = { .consumer_sequence = sequence };
    broker.message(broker.reader, &delivered);
}

Test(reader, deletes_makes_and_pulls)
{
    start();
    cr_expect_eq(broker.deletions, 1);
    reply(KANAL_E_NOT_FOUND);
    cr_expect_eq(broker.makings, 1);
    cr_expect_eq(broker.pulls, 0, "not before it is there");
    reply(KANAL_OK);
    cr_expect_eq(broker.pulls, 1);
    come(1);
    come(2);
    cr_expect_eq(messages, 2);
    cr_expect_eq(breaks, 0);
}

/* A cluster that chooses a leader for the new consumer needs longer than an answer is waited for. To delete it again would begin that anew, again and
 * again. */
Test(reader, a_making_that_was_not_answered_is_not_undone)
{
    start();
    reply(KANAL_OK);
    for (int i = 0; i < 5; i++) {
        reply(i % 2 ? KANAL_E_BUSY : KANAL_E_TIMEOUT);
        reader_tick(&reader);
    }
    cr_expect_eq(broker.deletions, 1, "%d", broker.deletions);
    cr_expect_eq(broker.makings, 6, "%d", broker.makings);
    reply(KANAL_OK);
    cr_expect_eq(broker.pulls, 1);
}

Test(reader, a_deletion_that_was_not_answered_is_asked_for_again)
{
    start();
    reply(KANAL_E_TIMEOUT);
    cr_expect_null(broker.answer);
    reader_tick(&reader);
    reader_tick(&reader);
    cr_expect_eq(broker.deletions, 2);
    cr_expect_eq(broker.makings, 0, "what is there may be the former holder's");
    reply(KANAL_OK);
    reply(KANAL_E_REJECTED); /* another one of that name came between */
    reader_tick(&reader);
    cr_expect_eq(broker.deletions, 3);
}

Test(reader, a_new_term_waits_for_the_answer_to_the_former_one)
{
    start();
    reader_stop(&reader);
    reader_start(&reader);
    cr_expect_eq(broker.deletions, 1);
    reply(KANAL_OK);
    cr_expect_eq(broker.deletions, 2, "from the beginning: what the first answer says was asked before");
    reader_stop(&reader);
    reply(KANAL_OK);
    cr_expect_null(broker.answer, "nobody wants it any more");
    cr_expect_eq(broker.pulls, 0);
}

Test(reader, a_gap_and_a_consumer_that_is_gone_begin_anew)
{
    start();
    reply(KANAL_OK);
    reply(KANAL_OK);
    come(1);
    come(3);
    cr_expect_eq(messages, 1, "what came out of turn comes again");
    cr_expect_eq(breaks, 1);
    cr_expect_eq(broker.stops, 1);
    cr_expect_eq(broker.deletions, 2);
    reply(KANAL_OK);
    reply(KANAL_OK);
    come(1);
    broker.gone(broker.reader);
    cr_expect_eq(breaks, 2);
    cr_expect_eq(broker.deletions, 3);
}

Test(reader, paused_before_it_is_there)
{
    start();
    reader_pause(&reader, 1);
    reply(KANAL_OK);
    reply(KANAL_OK);
    cr_expect(broker.is_paused);
    reader_pause(&reader, 0);
    cr_expect_not(broker.is_paused);
}
