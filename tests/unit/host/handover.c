/* Another instance in a channel's place, with plugins of this process that do what a test tells them. */
#include "host/handover.h"
#include "rig.h"

/* An instance of either plugin; the last that each made is known by what it serves. */
struct kanal_channel {
    const kanal_host *host;
    const struct script *script;
};

/* What a plugin does, and what it was asked. */
struct script {
    int refuses, start_fails, start_hangs, keeps;
    int created, started, stopped, destroyed, served;
    kanal_op kept; /* a request that it has not answered */
    struct kanal_channel instance;
};

static struct script old_script, next_script;

static kanal_channel *make(const kanal_host *host, struct script *script)
{
    script->created++;
    script->instance = (struct kanal_channel){ host, script };
    return script->refuses ? NULL : &script->instance;
}

static kanal_channel *create_old(const kanal_host *host, const kanal_config *config)
{
    (void)config;
    return make(host, &old_script);
}

static kanal_channel *create_next(const kanal_host *host, const kanal_config *config)
{
    (void)config;
    return make(host, &next_script);
}

static struct script *of(kanal_channel *channel)
{
    return channel == &old_script.instance ? &old_script : &next_script;
}

static void start(kanal_channel *channel, kanal_op op)
{
    of(channel)->started++;
    if (!of(channel)->start_hangs)
        channel->host->finish(channel->host, op, of(channel)->start_fails ? KANAL_E_NETWORK : KANAL_OK,
                              KANAL_LIT("told to fail"));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    of(channel)->stopped++;
    channel->host->finish(channel->host, op, KANAL_OK, (kanal_str){ 0 });
}

static void destroy(kanal_channel *channel)
{
    of(channel)->destroyed++;
}

static void answer(kanal_channel *channel, kanal_op op)
{
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = 200,
                                     .body = channel == &old_script.instance ? KANAL_LIT("old")
                                                                             : KANAL_LIT("next") };
    channel->host->respond(channel->host, op, &response);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    of(channel)->served++;
    if (of(channel)->keeps)
        of(channel)->kept = op;
    else
        answer(channel, op);
}

#define PLUGIN(make)                                                                                         \
    {                                                                                                        \
        .descriptor = {                                                                                      \
            .struct_size = sizeof(kanal_plugin),                                                             \
            .id = "fake",                                                                                    \
            .create = make,                                                                                  \
            .start = start,                                                                                  \
            .stop = stop,                                                                                    \
            .destroy = destroy,                                                                              \
            .on_http = on_http                                                                               \
        }                                                                                                    \
    }

static struct plugin old_plugin = PLUGIN(create_old), next_plugin = PLUGIN(create_next);
static struct config_channel config = { .id = "shop", .plugin = "fake" };
static struct rig rig;

static struct {
    int count;
    struct channel *channel;
    kanal_status status;
    char reason[256];
} done;

static void on_done(void *user, struct channel *channel, kanal_status status, kanal_str reason)
{
    (void)user;
    done.count++;
    done.channel = channel;
    done.status = status;
    snprintf(done.reason, sizeof done.reason, "%.*s", (int)reason.len, reason.ptr ? reason.ptr : "");
}

/* Requests: what each was answered with, by its number. */
static struct {
    int code;
    char body[16];
} answers[4];
static const kanal_http_request request = { .struct_size = sizeof request };

static void on_answered(struct op *op, const void *value)
{
    const kanal_http_response *response = value;
    size_t i = (size_t)(uintptr_t)op->owner - 1;
    answers[i].code = response ? response->code : 503;
    if (response)
        snprintf(answers[i].body, sizeof answers[i].body, "%.*s", (int)response->body.len,
                 response->body.ptr);
}

static struct op *ask(size_t number)
{
    return channel_http(host_find(rig.host, KANAL_LIT("shop")), &request, NULL, on_answered,
                        (void *)(uintptr_t)(number + 1));
}

static struct channel *begin(void)
{
    rig_init(&rig);
    struct channel *channel = host_add(rig.host, &config, &old_plugin);
    channel_start(channel);
    RUN_UNTIL(&rig, channel->state == CHANNEL_UP);
    return channel;
}

static void begin_handover(struct channel *channel)
{
    cr_assert_eq(handover_begin(channel, &config, &next_plugin, on_done, NULL), 0);
    cr_assert_eq(handover_begin(channel, &config, &next_plugin, on_done, NULL), KANAL_E_BUSY,
                 "one at a time");
}

static void on_stopped(struct channel *channel, void *user)
{
    (void)channel;
    *(int *)user = 1;
}

static void end(void)
{
    int is_stopped = 0;
    channel_stop(host_find(rig.host, KANAL_LIT("shop")), on_stopped, &is_stopped);
    RUN_UNTIL(&rig, is_stopped);
    rig_release(&rig);
}

Test(handover, the_next_takes_the_place_and_what_was_held)
{
    struct channel *old = begin();
    old_script.keeps = 1;
    ask(0);
    RUN_UNTIL(&rig, old_script.kept != 0);
    begin_handover(old);
    RUN_FOR(&rig, 30);
    cr_assert_eq(next_script.created, 1);
    cr_expect_eq(next_script.started, 0, "while the old one has something under way");
    cr_assert_not_null(ask(1));
    RUN_FOR(&rig, 20);
    cr_expect_eq(old_script.served, 1, "the second request is held");
    answer(&old_script.instance, old_script.kept);
    RUN_UNTIL(&rig, done.count == 1 && answers[1].code != 0);
    cr_expect_eq(done.status, KANAL_OK);
    cr_expect_eq(done.channel, host_find(rig.host, KANAL_LIT("shop")));
    cr_expect_neq(done.channel, old);
    cr_expect(answers[0].code == 200 && strcmp(answers[0].body, "old") == 0);
    cr_expect(answers[1].code == 200 && strcmp(answers[1].body, "next") == 0);
    cr_expect(old_script.stopped == 1 && old_script.destroyed == 1 && next_script.started == 1);
    end();
    cr_expect_eq(next_script.destroyed, 1);
}

Test(handover, create_refused_changes_nothing)
{
    struct channel *old = begin();
    next_script.refuses = 1;
    begin_handover(old);
    RUN_UNTIL(&rig, done.count == 1);
    cr_expect_eq(done.status, KANAL_E_INVALID);
    cr_expect_not_null(strstr(done.reason, "refused"));
    cr_expect(done.channel == old && old->state == CHANNEL_UP && !old->handover);
    cr_expect_eq(old_script.stopped, 0);
    ask(0);
    RUN_UNTIL(&rig, answers[0].code == 200);
    end();
}

Test(handover, a_start_that_fails_is_undone_with_what_was_held)
{
    struct channel *old = begin();
    next_script.start_fails = 1;
    old_script.keeps = 1;
    ask(0);
    RUN_UNTIL(&rig, old_script.kept != 0);
    begin_handover(old);
    RUN_FOR(&rig, 30);
    ask(1);
    old_script.keeps = 0;
    answer(&old_script.instance, old_script.kept);
    RUN_UNTIL(&rig, done.count == 1 && answers[1].code != 0);
    cr_expect_eq(done.status, KANAL_E_NETWORK);
    cr_expect_not_null(strstr(done.reason, "told to fail"));
    cr_expect(done.channel == old && old->state == CHANNEL_UP);
    cr_expect(old_script.started == 2 && old_script.created == 2 && old_script.stopped == 1);
    cr_expect(next_script.started == 1 && next_script.stopped == 1 && next_script.destroyed == 1);
    cr_expect_str_eq(answers[1].body, "old");
    end();
}

Test(handover, what_does_not_end_is_waited_for_5_s, .timeout = 20)
{
    struct channel *old = begin();
    old_script.keeps = 1;
    ask(0);
    RUN_UNTIL(&rig, old_script.kept != 0);
    begin_handover(old);
    RUN_FOR(&rig, 4500);
    cr_expect_eq(old_script.stopped, 0);
    ask(1);
    RUN_UNTIL_MS(&rig, done.count == 1 && answers[1].code != 0, 3000);
    cr_expect_eq(done.status, KANAL_OK);
    cr_expect_eq(answers[0].code, 503, "it was cut off");
    cr_expect_str_eq(answers[1].body, "next");
    end();
}

Test(handover, a_held_request_whose_client_is_gone_is_forgotten)
{
    struct channel *old = begin();
    old_script.keeps = 1;
    ask(0);
    RUN_UNTIL(&rig, old_script.kept != 0);
    begin_handover(old);
    RUN_FOR(&rig, 30);
    struct op *first = ask(1), *second = ask(2), *third = ask(3);
    channel_http_forget(second);
    channel_http_forget(third);
    (void)first;
    answer(&old_script.instance, old_script.kept);
    RUN_UNTIL(&rig, done.count == 1 && answers[1].code != 0);
    cr_expect_eq(next_script.served, 1);
    cr_expect(answers[2].code == 0 && answers[3].code == 0);
    cr_expect_eq(done.channel->http, 0);
    end();
}

Test(handover, the_gateway_ends_meanwhile)
{
    struct channel *old = begin();
    old_script.keeps = 1;
    ask(0);
    RUN_UNTIL(&rig, old_script.kept != 0);
    begin_handover(old);
    RUN_FOR(&rig, 30);
    ask(1);
    struct channel *next = handover_abort(old->handover);
    cr_assert_not_null(next);
    cr_expect_null(old->handover);
    RUN_UNTIL(&rig, old_script.served == 2);
    int is_stopped = 0;
    channel_stop(next, on_stopped, &is_stopped);
    RUN_UNTIL(&rig, is_stopped);
    channel_free(next);
    cr_expect_eq(done.count, 0, "nobody is told");
    end();
    cr_expect(answers[0].code == 503 && answers[1].code == 503);
}

Test(handover, requests_are_held_for_10_s_at_most, .timeout = 20)
{
    struct channel *old = begin();
    next_script.start_hangs = 1;
    begin_handover(old);
    RUN_UNTIL(&rig, next_script.started == 1);
    ask(0);
    RUN_FOR(&rig, 9000);
    cr_expect_eq(answers[0].code, 0);
    RUN_UNTIL_MS(&rig, answers[0].code == 503, 2000);
    struct channel *next = handover_abort(old->handover);
    int is_stopped = 0;
    channel_stop(next, on_stopped, &is_stopped);
    RUN_UNTIL(&rig, is_stopped);
    channel_free(next);
    end();
}

Test(handover, a_pause_goes_over_to_the_next)
{
    struct channel *old = begin();
    old->pause = (struct channel_pause){ .directions = CHANNEL_PAUSE_IN };
    begin_handover(old);
    RUN_UNTIL(&rig, done.count == 1);
    cr_expect(done.status == KANAL_OK && done.channel != old &&
              channel_is_paused(done.channel, CHANNEL_PAUSE_IN));
    cr_expect_not(channel_is_paused(done.channel, CHANNEL_PAUSE_OUT));
    end();
}
