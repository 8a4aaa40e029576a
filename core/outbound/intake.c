/* Intake: from the stream of commands into the lanes, in the stream's order; or to their time, or to the dead letters.
 *
 * One gateway has its lease. Each command is first made in the ledger, which knows whether its id was there before, then moved. Moves
 * overlap, and each names the one before it as the stream's last (Nats-Expected-Last-Msg-Id): when one is not stored, those behind it are
 * refused, and all go again in their order. */
#include <stdio.h>

#include "broker/kv.h"
#include "kanal/sdk/time.h"
#include "outbound/cancel.h"
#include "outbound/history.h"
#include "outbound/intake.h"
#include "outbound/ledger.h"
#include "outbound/route.h"
#include "outbound/schedule.h"

#define MOVE_TIMEOUT_MS 5000u
#define RETRY_MS 1000
#define AGAIN_MS 50 /* after a refusal because of the one before */
#define SPARE_MAX 256u

static void lose(struct outbound *o);
static void begin_term(struct outbound *o, uint64_t term);

/* ---- Memory ---- */

/* A used one with its memory, if there is one. */
struct intake *intake_new(struct outbound *o)
{
    struct intake *in = o->intake.spare;
    if (!in)
        in = calloc(1, sizeof *in);
    else
        o->intake.spare = in->next;
    if (!in)
        return NULL;
    o->intake.spare_count -= o->intake.spare_count > 0;
    *in = (struct intake){ .outbound = o,
                           .subject = in->subject,
                           .payload = in->payload,
                           .command = { .address = in->command.address, .detail = in->command.detail } };
    return in;
}

static void release(struct intake *in)
{
    kanal_buffer_release(&in->subject);
    kanal_buffer_release(&in->payload);
    kanal_buffer_release(&in->command.address);
    kanal_buffer_release(&in->command.detail);
    free(in);
}

void intake_free(struct intake *in)
{
    struct outbound *o = in->outbound;
    yyjson_doc_free(in->command.document);
    in->command.document = NULL;
    route_free(in->route);
    in->route = NULL;
    if (o->intake.spare_count >= SPARE_MAX) {
        release(in);
        return;
    }
    outbound_buffer_clear(&in->subject);
    outbound_buffer_clear(&in->payload);
    outbound_buffer_clear(&in->command.address);
    outbound_buffer_clear(&in->command.detail);
    in->next = o->intake.spare;
    o->intake.spare = in;
    o->intake.spare_count++;
}

static void drop_all(struct outbound *o)
{
    for (struct intake *in = o->intake.first, *next; in; in = next) {
        next = in->next;
        in->is_orphan = 1;
        if (in->waiting == 0)
            intake_free(in);
    }
    o->intake.first = NULL;
    o->intake.last = &o->intake.first;
    o->intake.moving = 0;
    o->intake.is_broken = 0;
    o->intake.last_id[0] = 0;
}

void intake_free_all(struct outbound *o)
{
    reader_stop(&o->intake.reader);
    for (struct intake *in = o->intake.first, *next; in; in = next) {
        next = in->next;
        intake_free(in);
    }
    o->intake.first = NULL;
    for (struct intake *in = o->intake.spare, *next; in; in = next) {
        next = in->next;
        release(in);
    }
    o->intake.spare = NULL;
}

size_t intake_under_way(const struct outbound *o)
{
    size_t count = 0;
    for (const struct intake *in = o->intake.first; in; in = in->next)
        count += in->state == IN_ROUTING || in->state == IN_ACCEPTING || in->state == IN_MOVING ||
                 in->state == IN_ENDING;
    return count;
}

void intake_append(struct outbound *o, struct intake *in)
{
    *o->intake.last = in;
    o->intake.last = &in->next;
}

/* ---- The end of one ---- */

void intake_end(struct intake *in)
{
    struct outbound *o = in->outbound;
    in->state = IN_DONE;
    if (in->scheduled)
        schedule_done(o->schedule, in->scheduled);
    else
        js_settle(o->intake.reader.pull, &in->token, JS_ACK);
    while (o->intake.first && o->intake.first->state == IN_DONE) {
        struct intake *done = o->intake.first;
        o->intake.first = done->next;
        if (!o->intake.first)
            o->intake.last = &o->intake.first;
        intake_free(done);
    }
}

static int is_hopeless(kanal_status status)
{
    return status == KANAL_E_INVALID || status == KANAL_E_DENIED || status == KANAL_E_TOO_LARGE;
}

static void retry(struct outbound *o, int64_t after_ms)
{
    int64_t at = outbound_loop_ms(o) + after_ms;
    if (o->intake.next_ms < at)
        o->intake.next_ms = at;
}

void intake_again(struct intake *in)
{
    in->state = IN_CHECKED;
    retry(in->outbound, RETRY_MS);
}

void intake_stored(void *user, kanal_status status)
{
    struct intake *in = user;
    struct outbound *o = in->outbound;
    if (status != KANAL_OK && !is_hopeless(status))
        in->status = status;
    if (--in->waiting > 0)
        return;
    if (in->is_orphan) {
        intake_free(in);
        return;
    }
    int was_moving = in->state == IN_MOVING;
    o->intake.moving -= was_moving;
    if (in->status == KANAL_OK) {
        intake_end(in);
    } else {
        in->state = was_moving ? IN_ACCEPTED : IN_ENDING;
        o->intake.is_broken |= was_moving;
        retry(o, in->is_out_of_turn ? AGAIN_MS : RETRY_MS);
    }
    if (o->intake.moving == 0)
        intake_advance(o);
}

static void on_moved(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct intake *in = user;
    (void)ack;
    if (status == KANAL_E_REJECTED && kanal_str_starts(reason, "wrong last msg"))
        in->is_out_of_turn = 1;
    intake_stored(in, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
}

/* ---- Moving ---- */

static void write_lane_subject(const struct intake *in, struct kanal_buffer *out)
{
    const struct command *c = &in->command;
    kanal_buffer_text(out, in->outbound->prefix);
    kanal_buffer_text(out, command_class(c->root) == LANE_BULK ? ".lanes.b" : ".lanes.");
    kanal_buffer_uint(out, lane_shard(c->channel->id));
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, c->channel->id);
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, c->verb);
}

static void publish_to_lane(struct intake *in)
{
    struct outbound *o = in->outbound;
    struct kanal_buffer subject = { 0 };
    write_lane_subject(in, &subject);
    kanal_field headers[5];
    char step[12];
    size_t count = 0;
    if (o->intake.moving > 1 && o->intake.last_id[0])
        headers[count++] =
            (kanal_field){ KANAL_LIT("Nats-Expected-Last-Msg-Id"), kanal_str_c(o->intake.last_id) };
    if (in->is_again)
        headers[count++] = (kanal_field){ KANAL_LIT(AGAIN_HEADER), KANAL_LIT("1") };
    if (in->replay[0])
        headers[count++] = (kanal_field){ KANAL_LIT(REPLAY_HEADER), kanal_str_c(in->replay) };
    if (in->first_part[0])
        headers[count++] = (kanal_field){ KANAL_LIT(PART_HEADER), kanal_str_c(in->first_part) };
    if (route_step(in) > 0) {
        snprintf(step, sizeof step, "%u", route_step(in));
        headers[count++] = (kanal_field){ KANAL_LIT(STEP_HEADER), kanal_str_c(step) };
    }
    struct broker_out out = { .subject = kanal_buffer_view(&subject),
                              .payload = in->route ? route_payload(in) : in->command.payload,
                              .headers = headers,
                              .header_count = count };
    in->waiting++;
    js_publish(o->broker, &out, kanal_str_c(route_lane_id(in)), JS_ANY_SEQUENCE, MOVE_TIMEOUT_MS, on_moved,
               in);
    snprintf(o->intake.last_id, sizeof o->intake.last_id, "%s", route_lane_id(in));
    kanal_buffer_release(&subject);
}

static void move(struct intake *in)
{
    struct outbound *o = in->outbound;
    struct command *c = &in->command;
    in->state = IN_MOVING;
    in->status = KANAL_OK;
    in->is_out_of_turn = 0;
    in->waiting = 1; /* as above */
    o->intake.moving++;
    /* Published first on the one connection, so it stands in the stream before anything the lane says of the command. */
    if (kanal_str_is(c->verb, "message.send") && !in->scheduled) {
        in->waiting++;
        c->report.type = "message.accepted";
        c->report.command = c->root;
        report_event(o, &c->channel->source, &c->report, intake_stored, in);
    }
    if (in->at_ms > host_now_ms() + SCHEDULE_MS) {
        in->waiting++;
        schedule_add(o->schedule, c, in->key.text + 2, in->at_ms, intake_stored, in);
    } else {
        publish_to_lane(in);
        route_move(in);
    }
    intake_stored(in, KANAL_OK);
}

static void count(const struct intake *in, const char *result)
{
    const struct channel *channel = in->command.channel;
    kanal_str values[] = { channel ? channel->id : KANAL_LIT("_"), kanal_str_c(result) };
    metric_series(in->outbound->commands, values)->value++;
}

static void on_accepted(void *user, kanal_status status);

/* Taken long ago, by a gateway that was killed before it said so: was it moved? */
static void on_history(void *user, kanal_status status, const struct history *history)
{
    struct intake *in = user;
    in->is_again = 1;
    on_accepted(in, status == KANAL_OK && !history_is_open(history) ? KANAL_E_REJECTED : status);
}

static void on_accepted(void *user, kanal_status status)
{
    struct intake *in = user;
    struct outbound *o = in->outbound;
    if (status == KANAL_E_MAYBE && !in->is_orphan) {
        history_read(o, in->command.report.command_id, &in->key, on_history, in);
        return;
    }
    in->waiting--;
    if (in->is_orphan) {
        intake_free(in);
        return;
    }
    if (status == KANAL_E_REJECTED) {
        count(in, "duplicate");
        intake_end(in);
    } else if (status == KANAL_OK || is_hopeless(status)) {
        count(in, "accepted");
        if (in->route)
            route_accepted(in);
        else
            in->state = IN_ACCEPTED;
    } else {
        if (in->route) /* it is asked for anew */
            in->command.report.code = NULL;
        in->state = IN_CHECKED;
        retry(o, RETRY_MS);
    }
    intake_advance(o);
}

void intake_record(struct intake *in)
{
    struct ledger_command c = { &in->command, &in->key, in->sequence };
    in->state = IN_ACCEPTING;
    in->waiting = 1;
    ledger_accept(in->outbound, &c, on_accepted, in);
}

/* Moves what can be: in order, and nothing past one that cannot yet. */
void intake_advance(struct outbound *o)
{
    if (outbound_loop_ms(o) < o->intake.next_ms || (o->intake.is_broken && o->intake.moving > 0))
        return;
    if (o->intake.moving == 0)
        o->intake.is_broken = 0;
    for (struct intake *in = o->intake.first, *next; in && !o->intake.is_broken; in = next) {
        next = in->next;
        if (in->state == IN_ACCEPTED)
            move(in);
        else if (in->state <= IN_ACCEPTING)
            break;
    }
}

/* ---- From the stream ---- */

static int is_link(const struct intake *in)
{
    return kanal_str_is(in->command.verb, "link.create");
}

static int is_cancel(const struct intake *in)
{
    return kanal_str_is(in->command.verb, "message.cancel");
}

/* (Again) begins with what its state says. */
static void begin(struct intake *in)
{
    if (route_is_due(in))
        route_resume(in);
    else if (in->command.report.code)
        intake_tell(in);
    else if (is_link(in))
        intake_link(in);
    else if (is_cancel(in))
        intake_cancel(in);
    else if (in->command.is_routed)
        route_begin(in);
    else if (cancels_have(in->outbound->cancels, in->key.text + 2))
        intake_tell(in);
    else if (in->scheduled || kanal_str_is(in->command.verb, "typing.start"))
        in->state = IN_ACCEPTED;
    else
        intake_record(in);
}

/* The headers are what a sender says, too: they are read as such. */
static void read_replay(struct intake *in, const struct broker_in *message)
{
    kanal_str part = broker_in_header(message, PART_HEADER);
    int64_t number = 0;
    replay_read(message, in->replay);
    in->command.report.replay = kanal_str_of(in->replay[0] ? in->replay : NULL, strlen(in->replay));
    if (in->replay[0] && kanal_str_int(part, &number) == 0 && number > 1 && number <= ADAPT_PARTS_MAX)
        snprintf(in->first_part, sizeof in->first_part, "%d", (int)number);
}

/* Reads the command, and says its key. */
static void examine(struct intake *in)
{
    struct command *c = &in->command;
    c->subject = kanal_buffer_view(&in->subject);
    c->payload = kanal_buffer_view(&in->payload);
    command_examine(in->outbound, c);
    if (!c->report.code && (c->channel || c->is_routed))
        ledger_command_key(in->outbound, c->channel ? c->channel->id : (kanal_str){ 0 }, c->verb,
                           c->report.command_id, c->report.replay, &in->key);
}

void intake_examine(struct intake *in, kanal_str replay)
{
    kanal_str_keep(in->replay, sizeof in->replay, replay);
    in->command.report.replay = kanal_str_of(in->replay[0] ? in->replay : NULL, strlen(in->replay));
    examine(in);
}

/* message: with its headers; NULL: of one that was scheduled. */
static struct intake *take(struct outbound *o, kanal_str subject, kanal_str payload,
                           const struct broker_in *message)
{
    struct intake *in = intake_new(o);
    if (!in)
        return NULL;
    if (message)
        read_replay(in, message);
    kanal_buffer_str(&in->subject, subject);
    kanal_buffer_str(&in->payload, payload);
    examine(in);
    if (!in->command.report.code)
        kanal_time_parse_rfc3339(kanal_json_text_at(in->command.root, "at"), &in->at_ms);
    intake_append(o, in);
    return in;
}

static void on_command(void *user, const struct js_delivered *delivered)
{
    struct outbound *o = user;
    if (o->intake.is_yielding)
        return; /* comes to who has intake next, or when it begins anew */
    struct intake *in = take(o, delivered->subject, delivered->payload, delivered->in);
    if (!in) {
        js_settle(o->intake.reader.pull, &delivered->token, JS_NAK);
        return;
    }
    in->token = delivered->token;
    in->sequence = delivered->stream_sequence;
    if (in->command.report.code)
        count(in, in->command.report.code);
    begin(in);
    intake_advance(o);
}

int intake_scheduled(struct outbound *o, kanal_str subject, kanal_str payload, uint64_t sequence)
{
    struct intake *in = take(o, subject, payload, NULL);
    if (!in)
        return KANAL_E_BUSY;
    in->scheduled = sequence;
    in->at_ms = 0;
    begin(in);
    intake_advance(o);
    return 0;
}

/* ---- The lease ---- */

static void lose(struct outbound *o)
{
    o->intake.term = 0;
    o->intake.is_yielding = 0;
    reader_stop(&o->intake.reader);
    drop_all(o);
    schedule_stop(o->schedule);
}

static void begin_term(struct outbound *o, uint64_t term)
{
    o->intake.term = term;
    reader_start(&o->intake.reader);
    reader_pause(&o->intake.reader, o->draining);
    schedule_start(o->schedule);
}

/* What was taken and not moved comes once more, too. */
static void begin_anew(void *outbound)
{
    struct outbound *o = outbound;
    uint64_t term = o->intake.term;
    lose(o);
    begin_term(o, term);
}

static void on_lease(struct lease_member *member)
{
    struct outbound *o = (struct outbound *)((char *)member - offsetof(struct outbound, intake.lease));
    uint64_t term = lease_term(member);
    if (term == o->intake.term || o->draining)
        return;
    if (o->intake.term)
        lose(o);
    if (term)
        begin_term(o, term);
}

/* Another gateway is to have it: what was taken is moved, no more is taken. If it stays after all, it begins with what was not taken. */
static void on_yield(struct lease_member *member, int is_asked)
{
    struct outbound *o = (struct outbound *)((char *)member - offsetof(struct outbound, intake.lease));
    if (is_asked && o->intake.term) {
        o->intake.is_yielding = 1;
        reader_pause(&o->intake.reader, 1);
    } else if (o->intake.is_yielding && o->intake.term) {
        begin_anew(o);
    }
}

static int is_quiet(const struct lease_member *member)
{
    const struct outbound *o =
        (const struct outbound *)((const char *)member - offsetof(struct outbound, intake.lease));
    return !o->intake.reader.is_asking && (!o->intake.term || !o->intake.first);
}

void intake_start(struct outbound *o)
{
    o->intake.last = &o->intake.first;
    o->intake.reader = (struct reader){ .broker = o->broker,
                                        .log = o->host->log,
                                        .area = "intake",
                                        .consumer = { .stream = o->commands_stream,
                                                      .durable = "intake",
                                                      .ack_wait_ms = 30000,
                                                      .max_ack_pending = 4096 },
                                        .window = 1024,
                                        .user = o,
                                        .message = on_command,
                                        .broken = begin_anew };
    o->intake.lease.changed = on_lease;
    o->intake.lease.yield = on_yield;
    o->intake.lease.is_quiet = is_quiet;
    o->intake.lease.ttl_ms = LEASE_TTL_DEFAULT_MS;
    lease_join_named(o->host, "_.intake", &o->intake.lease);
    on_lease(&o->intake.lease);
}

void intake_tick(struct outbound *o)
{
    if (!o->intake.term)
        return;
    if (o->ticks % 5 == 0)
        reader_tick(&o->intake.reader);
    if (outbound_loop_ms(o) < o->intake.next_ms || o->draining)
        return;
    for (struct intake *in = o->intake.first, *next; in; in = next) {
        next = in->next;
        if (in->state == IN_CHECKED || (in->state == IN_ENDING && in->waiting == 0))
            begin(in);
    }
    intake_advance(o);
    if (!o->intake.is_yielding)
        schedule_tick(o->schedule);
}

void intake_leave(struct outbound *o)
{
    if (o->intake.term)
        lose(o);
    lease_leave(&o->intake.lease);
}
