/* A running pull. Requests go to CONSUMER.MSG.NEXT with a count, a time to live and heartbeats; what comes to
 * our inbox are messages (with a reply subject that begins with $JS.ACK) and status messages: 100 heartbeat,
 * 404 and 408 the end of a request, 409 a refusal or the consumer's end, 503 nobody answers.
 *
 * `asked` counts what the server still owes us over all requests: the server serves waiting requests in
 * turns, so which request a message belongs to cannot be known, only the sum. The end of a request says
 * how many of its messages did not come; a server that does not say so is asked again for all (too many at
 * worst, which max_ack_pending bounds). */
#include "pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api.h"

#define EXPIRES_MS 15000u
#define HEARTBEAT_MS 5000u
#define GUARD_MS 1000u /* each second: is it still alive, is there something to try again? */
#define DEFAULT_BATCH 256u
#define DEFAULT_WINDOW 1024u

struct js_pull {
    struct broker *broker;
    struct broker_inbox *inbox;
    struct broker_listener listener;
    void (*message)(void *user, const struct js_delivered *);
    void (*error)(void *user, kanal_str reason);
    void *user;
    uv_timer_t guard;
    char subject[400], info[400]; /* of MSG.NEXT; of INFO, below $JS.API. */
    uint32_t batch, window;
    uint32_t asked, unsettled;
    int ack_none, delivering, paused, stopped, closed;
    int unsure;        /* nothing is asked for before the consumer is known to be there */
    int checking;      /* a request for its INFO is under way */
    uint64_t heard_ms; /* last sign of life of the consumer */
};

static uint64_t now_ms(const struct js_pull *p)
{
    return uv_now(p->broker->loop);
}

static void ask(struct js_pull *p, uint32_t count)
{
    char body[160];
    struct broker_out out = { .subject = kanal_str_c(p->subject) };

    out.payload = kanal_str_of(
        body, (size_t)snprintf(body, sizeof body, "{\"batch\":%u,\"expires\":%llu,\"idle_heartbeat\":%llu}",
                               count, EXPIRES_MS * 1000000ull, HEARTBEAT_MS * 1000000ull));
    if (broker_send(p->broker, &out, broker_inbox_subject(p->inbox)) == 0) {
        if (p->asked == 0)
            p->heard_ms = now_ms(p);
        p->asked += count;
    }
}

/* Asks for more when half of a batch came and as much would be taken: near a full window, each settled
 * message would otherwise cost a request of its own. at_least: 1 asks for as little. */
static void refill(struct js_pull *p, uint32_t at_least)
{
    uint32_t room = p->window > p->unsettled ? p->window - p->unsettled : 0;
    uint32_t target = room < p->batch ? room : p->batch;

    if (p->stopped || p->paused || p->unsure || broker_get_state(p->broker) != BROKER_UP ||
        p->asked > p->batch / 2 || target < p->asked + at_least)
        return;
    ask(p, target - p->asked);
}

static void trouble(struct js_pull *p, kanal_str reason)
{
    p->asked = 0;
    p->unsure = 1;
    if (p->error && !p->stopped)
        p->error(p->user, reason);
}

static void deliver(struct js_pull *p, const struct broker_in *in)
{
    struct js_delivered delivered;

    memset(&delivered, 0, offsetof(struct js_delivered, token));
    if (js_ack_parse(in->reply, &delivered) != 0) {
        /* Somebody else writes to our inbox, or names are too long to be acknowledged. */
        if (kanal_str_starts(in->reply, "$JS.ACK."))
            trouble(p, KANAL_LIT("the names of stream and consumer are too long"));
        return;
    }
    delivered.subject = in->subject;
    delivered.payload = in->payload;
    delivered.in = in;
    if (p->asked > 0)
        p->asked--;
    if (!p->ack_none)
        p->unsettled++;
    p->message(p->user, &delivered);
}

static void request_ended(struct js_pull *p, const struct broker_in *in)
{
    int64_t missing;

    if (kanal_str_int(broker_in_header(in, "Nats-Pending-Messages"), &missing) != 0 || missing < 0 ||
        missing > (int64_t)p->asked)
        missing = p->asked;
    p->asked -= (uint32_t)missing;
}

static void refused(struct js_pull *p, const struct broker_in *in)
{
    kanal_str words = broker_in_header(in, "Description");

    /* The consumer goes on elsewhere, or the request was only too long waiting. */
    if (kanal_str_starts(words, "Leadership Change") || kanal_str_starts(words, "Server Shutdown") ||
        kanal_str_starts(words, "Batch Completed") || kanal_str_starts(words, "Message Size Exceeds"))
        request_ended(p, in);
    else
        trouble(p, words.len > 0 ? words : KANAL_LIT("the server refused the pull (409)"));
}

static void on_message(void *user, const struct broker_in *in)
{
    struct js_pull *p = user;

    if (p->stopped)
        return;
    p->heard_ms = now_ms(p);
    p->delivering = 1;
    switch (in->code) {
    case 0:
        deliver(p, in);
        break;
    case 100: /* heartbeat */
        break;
    case 404:
    case 408:
        request_ended(p, in);
        break;
    case 503:
        trouble(p, KANAL_LIT("there is no such consumer"));
        break;
    default:
        refused(p, in);
    }
    p->delivering = 0;
    refill(p, (p->batch + 1) / 2);
}

static void maybe_free(struct js_pull *p)
{
    if (p->closed && !p->checking)
        free(p);
}

static void checked(void *user, const struct js_answer *answer)
{
    struct js_pull *p = user;

    p->checking = 0;
    if (p->stopped) {
        maybe_free(p);
    } else if (answer->status == KANAL_OK) {
        p->asked = 0;
        p->unsure = 0;
        refill(p, 1);
    } else if (answer->status == KANAL_E_REJECTED) {
        trouble(p, answer->reason);
    } else {
        p->unsure = 1; /* the broker is away: the guard tries again */
    }
}

/* A pull from a consumer that is not there gets no answer at all (the API's own subscription swallows it):
 * so it is asked whether it exists, before the first pull of a connection and whenever it is silent. */
static void check(struct js_pull *p)
{
    if (p->stopped || p->checking || broker_get_state(p->broker) != BROKER_UP)
        return;
    p->checking = 1;
    js_api(p->broker, p->info, kanal_str_of(NULL, 0), checked, p);
}

static void guard_cb(uv_timer_t *timer)
{
    struct js_pull *p = timer->data;
    /* Two heartbeats missed: it forgot us (a new leader, a restart) without a word. */
    int silent = p->asked > 0 && now_ms(p) - p->heard_ms > 2 * HEARTBEAT_MS + GUARD_MS;

    if (p->unsure || silent)
        check(p);
    else
        refill(p, 1);
}

static void state_changed(void *user, enum broker_state state)
{
    struct js_pull *p = user;

    if (state == BROKER_DOWN || state == BROKER_CLOSED) {
        p->asked = 0;
        p->unsure = 1;
    } else if (state == BROKER_UP) {
        if (p->unsure)
            check(p);
        else
            refill(p, 1);
    }
}

static void guard_closed(uv_handle_t *handle)
{
    struct js_pull *p = handle->data;

    p->closed = 1;
    maybe_free(p);
}

void js_pull_pause(struct js_pull *p)
{
    p->paused = 1;
}

void js_pull_resume(struct js_pull *p)
{
    p->paused = 0;
    refill(p, 1);
}

void js_pull_stop(struct js_pull *p)
{
    if (!p || p->stopped)
        return;
    p->stopped = 1;
    broker_unlisten(p->broker, &p->listener);
    broker_inbox_close(p->inbox);
    /* Freed when the loop has closed the timer: also if this is called out of message(). */
    uv_close((uv_handle_t *)&p->guard, guard_closed);
}

int js_pull_start(struct broker *b, const struct js_pull_options *o,
                  void (*message)(void *user, const struct js_delivered *),
                  void (*error)(void *user, kanal_str reason), void *user, struct js_pull **ret_pull)
{
    struct js_pull *p;
    int r;

    if (!js_name_valid(kanal_str_c(o->stream)) || !js_name_valid(kanal_str_c(o->durable)))
        return KANAL_E_INVALID;
    p = calloc(1, sizeof *p);
    if (!p)
        return KANAL_E_INTERNAL;
    p->broker = b;
    p->message = message;
    p->error = error;
    p->user = user;
    p->window = o->window ? o->window : DEFAULT_WINDOW;
    p->batch = o->batch ? o->batch : DEFAULT_BATCH;
    if (p->batch > p->window)
        p->batch = p->window;
    p->ack_none = o->ack_none;
    snprintf(p->subject, sizeof p->subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", o->stream, o->durable);
    snprintf(p->info, sizeof p->info, "CONSUMER.INFO.%s.%s", o->stream, o->durable);
    p->unsure = !o->known;
    r = broker_inbox_open(b, on_message, p, &p->inbox);
    if (r != 0) {
        free(p);
        return r;
    }
    p->listener.changed = state_changed;
    p->listener.user = p;
    broker_listen(b, &p->listener);
    uv_timer_init(b->loop, &p->guard);
    p->guard.data = p;
    uv_timer_start(&p->guard, guard_cb, GUARD_MS, GUARD_MS);
    if (p->unsure)
        check(p);
    else
        refill(p, 1);
    *ret_pull = p;
    return 0;
}

static void settle(struct js_pull *p, const struct js_token *token, const char *word, uint32_t count)
{
    struct broker_out out = { .subject = kanal_str_c(token->reply), .payload = kanal_str_c(word) };

    if (broker_get_state(p->broker) == BROKER_UP || broker_get_state(p->broker) == BROKER_STALLED)
        (void)broker_send(p->broker, &out, NULL);
    if (count == 0 || p->ack_none)
        return;
    p->unsettled -= p->unsettled < count ? p->unsettled : count;
    if (!p->delivering)
        refill(p, (p->batch + 1) / 2);
}

void js_settle(struct js_pull *p, const struct js_token *token, enum js_verdict verdict)
{
    static const char *const words[] = { "+ACK", "-NAK", "+TERM", "+WPI", "-NAK {\"delay\":60000000000}" };

    settle(p, token, words[verdict], verdict == JS_WORKING ? 0 : 1);
}

void js_settle_through(struct js_pull *p, const struct js_token *token, uint32_t count)
{
    settle(p, token, "+ACK", count);
}
