#include "deliver.h"

#include <stdio.h>

#include "channel.h"
#include "compose.h"
#include "kanal/sdk/batch.h"
#include "kanal/sdk/outcome.h"
#include "outcome.h"
#include "progress.h"

#define WAITING_MAX 4096u /* deliveries in this plugin's hands */
#define MARGIN_MS 1500    /* before the deadline: what has not left goes back */
#define THROTTLED_MS 1000 /* until the core's own pause holds */
#define CLASS_0 0x10      /* 3GPP TS 23.038, 4: with a message class, 0: shown at once */

enum state { WAITING, IN_FLIGHT, TAKEN, LOST, REFUSED };

struct segment {
    struct sms_delivery *delivery;
    uint32_t index;
    enum state state;
};

struct sms_delivery {
    struct sms_delivery *previous, *next;
    struct kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    char key[40];
    uint16_t reference;
    struct sms_place source, destination;
    struct sms_wish wish;
    struct sms_text text;
    struct segment *segments; /* text.count of them */
    uint32_t in_flight, taken, lost;
    int is_kept;    /* its progress is in the state */
    int is_waiting; /* for the state */
    int has_verdict;
    kanal_result verdict;
    char code[SMS_CODE_BYTES], reason[160];
    char external_id[SMS_ID_BYTES_MAX + 1]; /* of the last segment: the one whose receipt is asked for */
};

/* ---- The list ---- */

static void enlist(struct sms_delivery *delivery)
{
    struct sms_outgoing *outgoing = &delivery->channel->outgoing;
    delivery->previous = outgoing->last;
    *(outgoing->last ? &outgoing->last->next : &outgoing->first) = delivery;
    outgoing->last = delivery;
    outgoing->count++;
}

static void delivery_free(struct sms_delivery *delivery)
{
    if (!delivery)
        return;
    sms_wish_release(&delivery->wish);
    sms_text_release(&delivery->text);
    free(delivery->segments);
    free(delivery);
}

static void leave(struct sms_delivery *delivery)
{
    struct kanal_channel *channel = delivery->channel;
    struct sms_outgoing *outgoing = &channel->outgoing;
    *(delivery->previous ? &delivery->previous->next : &outgoing->first) = delivery->next;
    *(delivery->next ? &delivery->next->previous : &outgoing->last) = delivery->previous;
    outgoing->count--;
    delivery_free(delivery);
    sms_settle(channel);
}

void sms_outgoing_release(struct kanal_channel *channel)
{
    for (struct sms_delivery *delivery = channel->outgoing.first; delivery;) {
        struct sms_delivery *next = delivery->next;
        delivery_free(delivery);
        delivery = next;
    }
    memset(&channel->outgoing, 0, sizeof channel->outgoing);
}

/* ---- The end of a delivery ---- */

static void on_dropped(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)status, (void)value, (void)revision; /* what stays is overwritten some day */
    kanal_calls_let_go(user);
}

static void drop_progress(struct sms_delivery *delivery)
{
    struct kanal_channel *channel = delivery->channel;
    char place[16];
    sms_progress_place(place, kanal_str_c(delivery->key));
    if (channel->host->state_put(channel->host, kanal_str_c(place), kanal_str_of(NULL, 0), UINT64_MAX,
                                 on_dropped, &channel->calls) != 0)
        kanal_calls_hold(&channel->calls);
}

static void answer(struct sms_delivery *delivery)
{
    const kanal_host *host = delivery->channel->host;
    if (delivery->is_kept &&
        (delivery->verdict.outcome == KANAL_SENT || delivery->verdict.outcome == KANAL_FAILED))
        drop_progress(delivery);
    host->delivered(host, delivery->op, &delivery->verdict);
    leave(delivery);
}

static void on_kept(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct sms_delivery *delivery = user;
    struct kanal_channel *channel = delivery->channel;
    (void)value, (void)revision;
    if (status != KANAL_OK)
        kanal_log(channel->host, delivery->op, KANAL_LOG_WARN,
                  "which segments were taken could not be stored: another attempt submits them all",
                  kanal_str_of(NULL, 0));
    answer(delivery);
    kanal_calls_let_go(&channel->calls);
}

/* 1: the answer follows when it is written down what the next attempt need not submit. */
static int keep_progress(struct sms_delivery *delivery)
{
    struct kanal_channel *channel = delivery->channel;
    struct sms_progress progress = { .count = delivery->text.count };
    struct kanal_buffer text = { 0 };
    char place[16];
    if (delivery->text.count < 2 || delivery->taken == 0 || delivery->verdict.outcome == KANAL_FAILED ||
        delivery->verdict.outcome == KANAL_SENT)
        return 0;
    for (uint32_t i = 0; i < progress.count; i++)
        progress.taken[i] = delivery->segments[i].state == TAKEN;
    snprintf(progress.external_id, sizeof progress.external_id, "%s", delivery->external_id);
    sms_progress_write(&text, kanal_str_c(delivery->key), &progress);
    sms_progress_place(place, kanal_str_c(delivery->key));
    int is_kept =
        !text.failed && channel->host->state_put(channel->host, kanal_str_c(place), kanal_buffer_view(&text),
                                                 UINT64_MAX, on_kept, delivery) != 0;
    kanal_buffer_release(&text);
    if (is_kept) {
        delivery->is_waiting = 1;
        kanal_calls_hold(&channel->calls);
    }
    return is_kept;
}

static void say_how_far(struct sms_delivery *delivery)
{
    kanal_result *verdict = &delivery->verdict;
    if (delivery->text.count < 2 || verdict->outcome == KANAL_SENT || delivery->taken == 0)
        return;
    snprintf(delivery->reason, sizeof delivery->reason, "%.*s; %u of %u segments were taken",
             (int)verdict->reason.len, verdict->reason.ptr, (unsigned)delivery->taken,
             (unsigned)delivery->text.count);
    verdict->reason = kanal_str_c(delivery->reason);
}

/* 1: it is over, and the delivery may be gone. */
static int conclude(struct sms_delivery *delivery)
{
    if (delivery->in_flight > 0 || delivery->is_waiting)
        return 0;
    if (delivery->taken == delivery->text.count) {
        kanal_result_set(&delivery->verdict, KANAL_SENT, 0, NULL);
        delivery->verdict.external_id = kanal_str_c(delivery->external_id[0] ? delivery->external_id : NULL);
    } else if (delivery->lost > 0) {
        kanal_result_set(&delivery->verdict, KANAL_UNKNOWN, 0,
                         delivery->channel->calls.stopping != 0 ? "interrupted" : "timeout");
        delivery->verdict.reason = KANAL_LIT("a submit_sm was sent, and no answer came");
    } else if (!delivery->has_verdict) {
        return 0;
    }
    say_how_far(delivery);
    if (!keep_progress(delivery))
        answer(delivery);
    return 1;
}

/* Nothing more is submitted of it. */
static void judge(struct sms_delivery *delivery, int32_t outcome, int32_t scope, const char *code,
                  const char *reason)
{
    if (delivery->has_verdict)
        return;
    delivery->has_verdict = 1;
    kanal_result_set(&delivery->verdict, outcome, scope, code);
    delivery->verdict.reason = kanal_str_c(reason);
}

/* ---- Segments ---- */

static void take_refusal(struct sms_delivery *delivery, uint32_t status)
{
    struct kanal_channel *channel = delivery->channel;
    const struct sms_settings *settings = &channel->settings;
    if (!delivery->has_verdict)
        sms_result_of_status(&delivery->verdict, status, settings->retried, settings->retried_count,
                             delivery->code);
    delivery->has_verdict = 1;
    if (delivery->verdict.outcome == KANAL_RETRY && delivery->verdict.scope == KANAL_SCOPE_CHANNEL)
        channel->outgoing.resume_ms = channel->host->now_ms(channel->host) + THROTTLED_MS;
    if (status == SMS_NOT_BOUND || status == SMS_ALREADY_BOUND)
        sms_link_close(channel, KANAL_E_REJECTED, "the SMS centre says that this bind is none to submit on");
}

static void on_answer(void *user, kanal_status status, const struct sms_header *header, kanal_str body)
{
    struct segment *segment = user;
    struct sms_delivery *delivery = segment->delivery;
    struct kanal_channel *channel = delivery->channel;
    int is_nack = status == KANAL_OK && header->command == (SMS_GENERIC_NACK | SMS_RESPONSE);
    delivery->in_flight--;
    if (status == KANAL_OK && header->status == SMS_OK && !is_nack) {
        segment->state = TAKEN;
        delivery->taken++;
        if (segment->index + 1 == delivery->text.count)
            sms_id_write(delivery->external_id, channel->settings.ids, SMS_ID_OF_SUBMIT,
                         sms_response_text(body, SMS_ID_BYTES_MAX));
    } else if (status == KANAL_OK) {
        segment->state = REFUSED;
        take_refusal(delivery, header->status);
    } else if (status == KANAL_E_TIMEOUT || status == KANAL_E_MAYBE) {
        segment->state = LOST;
        delivery->lost++;
    } else {
        segment->state = WAITING;
        judge(delivery, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network", "the connection ended before it left");
    }
    conclude(delivery);
    sms_outgoing_pump(channel);
}

static void fill(const struct sms_delivery *delivery, const struct segment *segment,
                 struct sms_message *message)
{
    const struct sms_settings *settings = &delivery->channel->settings;
    const struct sms_place *source = &delivery->source, *destination = &delivery->destination;
    memset(message, 0, sizeof *message);
    message->source = kanal_str_c(source->number);
    message->source_ton = (uint8_t)(settings->source_ton >= 0 ? settings->source_ton : source->ton);
    message->source_npi = (uint8_t)(settings->source_npi >= 0 ? settings->source_npi : source->npi);
    message->destination = kanal_str_c(destination->number);
    message->destination_ton =
        (uint8_t)(settings->destination_ton >= 0 ? settings->destination_ton : destination->ton);
    message->destination_npi =
        (uint8_t)(settings->destination_npi >= 0 ? settings->destination_npi : destination->npi);
    message->priority = delivery->wish.priority;
    message->validity = kanal_str_c(delivery->wish.validity);
    /* One receipt speaks for the message: the last segment's, whose id is the message's. */
    message->registered_delivery = settings->receipts && segment->index + 1 == delivery->text.count;
}

/* 0, or -1: the delivery has a verdict. */
static int submit(struct sms_delivery *delivery, struct segment *segment)
{
    struct kanal_channel *channel = delivery->channel;
    struct sms_message message;
    struct kanal_buffer pdu = { 0 };
    char scratch[SMS_TEXT_BYTES_MAX];
    uint32_t sequence = sms_link_sequence(channel);
    fill(delivery, segment, &message);
    sms_text_segment(&delivery->text, segment->index, channel->settings.join, delivery->reference, &message,
                     scratch);
    if (delivery->wish.flash)
        message.data_coding |= CLASS_0;
    kanal_status status = sms_message_write(&pdu, SMS_SUBMIT_SM, sequence, &message);
    if (status == KANAL_E_INVALID) {
        judge(delivery, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content",
              "a field is too long for its place");
    } else {
        uint32_t timeout_ms =
            kanal_call_timeout_ms(channel->host, delivery->deadline_ms, channel->settings.response_ms);
        status =
            sms_link_ask(channel, kanal_buffer_view(&pdu), sequence, timeout_ms, NULL, on_answer, segment);
        if (status != KANAL_OK)
            judge(delivery, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "internal", "out of memory");
    }
    kanal_buffer_release(&pdu);
    if (status != KANAL_OK)
        return -1;
    segment->state = IN_FLIGHT;
    delivery->in_flight++;
    return 0;
}

/* The next one that may go. The first that is taken proves the recipient; until then one goes at a time. */
static struct segment *next_segment(struct sms_delivery *delivery)
{
    if (delivery->is_waiting || delivery->has_verdict || delivery->lost > 0 ||
        (delivery->taken == 0 && delivery->in_flight > 0))
        return NULL;
    for (uint32_t i = 0; i < delivery->text.count; i++) {
        if (delivery->segments[i].state == WAITING)
            return &delivery->segments[i];
    }
    return NULL;
}

void sms_outgoing_pump(struct kanal_channel *channel)
{
    struct sms_delivery *next;
    if (channel->host->now_ms(channel->host) < channel->outgoing.resume_ms)
        return; /* the link's tick comes back to it */
    for (struct sms_delivery *delivery = channel->outgoing.first; delivery && sms_link_room(channel) > 0;
         delivery = next) {
        struct segment *segment;
        next = delivery->next;
        while (sms_link_room(channel) > 0 && (segment = next_segment(delivery)) != NULL) {
            if (submit(delivery, segment) != 0)
                break;
        }
        if (delivery->has_verdict)
            conclude(delivery);
    }
}

void sms_outgoing_expire(struct kanal_channel *channel)
{
    struct sms_delivery *next;
    int64_t limit = channel->host->now_ms(channel->host) + MARGIN_MS;
    for (struct sms_delivery *delivery = channel->outgoing.first; delivery; delivery = next) {
        next = delivery->next;
        if (delivery->deadline_ms == 0 || delivery->deadline_ms > limit || delivery->in_flight > 0)
            continue;
        judge(delivery, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable",
              "the window was full until the deadline");
        conclude(delivery);
    }
}

void sms_outgoing_give_back(struct kanal_channel *channel, const char *words)
{
    struct sms_delivery *next;
    for (struct sms_delivery *delivery = channel->outgoing.first; delivery; delivery = next) {
        next = delivery->next;
        judge(delivery, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network", words);
        conclude(delivery);
    }
}

/* ---- The slot ---- */

static void on_loaded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct sms_delivery *delivery = user;
    struct kanal_channel *channel = delivery->channel;
    struct sms_progress progress;
    (void)revision;
    delivery->is_waiting = 0;
    if (status == KANAL_OK &&
        sms_progress_read(&progress, kanal_str_c(delivery->key), delivery->text.count, value) == KANAL_OK) {
        delivery->is_kept = 1;
        for (uint32_t i = 0; i < progress.count; i++) {
            delivery->segments[i].state = progress.taken[i] ? TAKEN : WAITING;
            delivery->taken += progress.taken[i];
        }
        snprintf(delivery->external_id, sizeof delivery->external_id, "%s", progress.external_id);
    }
    if (!conclude(delivery))
        sms_outgoing_pump(channel);
    kanal_calls_let_go(&channel->calls);
}

/* 1: on_loaded() follows. */
static int load_progress(struct sms_delivery *delivery)
{
    struct kanal_channel *channel = delivery->channel;
    char place[16];
    sms_progress_place(place, kanal_str_c(delivery->key));
    if (channel->host->state_get(channel->host, kanal_str_c(place), on_loaded, delivery) == 0)
        return 0;
    delivery->is_waiting = 1;
    kanal_calls_hold(&channel->calls);
    return 1;
}

static const char *why_not_now(const struct kanal_channel *channel)
{
    if (channel->calls.stopping != 0)
        return "the channel is being stopped";
    if (!sms_link_is_bound(channel))
        return "there is no bind to the SMS centre";
    return channel->outgoing.count >= WAITING_MAX ? "too much is under way" : NULL;
}

/* 0; KANAL_E_REJECTED with the wish's error_code and reason; KANAL_E_INTERNAL. */
static kanal_status prepare(struct sms_delivery *delivery, const kanal_delivery *wanted)
{
    struct kanal_channel *channel = delivery->channel;
    const struct sms_settings *settings = &channel->settings;
    struct sms_wish *wish = &delivery->wish;
    yyjson_doc *document = kanal_json_parse(wanted->data);
    kanal_status status = sms_compose(wish, yyjson_doc_get_root(document),
                                      channel->host->now_ms(channel->host), settings->validity_ms);
    yyjson_doc_free(document);
    if (status == KANAL_OK) /* with a class, data_coding has no place for other alphabets */
        status = sms_text_encode(&delivery->text, kanal_buffer_view(&wish->text),
                                 wish->flash ? SMS_DEFAULT_GSM7 : settings->alphabet,
                                 settings->latin1 && !wish->flash, settings->join);
    if (status == KANAL_E_TOO_LARGE ||
        (status == KANAL_OK && delivery->text.count > settings->max_segments)) {
        wish->error_code = "payload_too_large";
        wish->reason = "the text takes more segments than max_segments allows";
        return KANAL_E_REJECTED;
    }
    if (status != KANAL_OK)
        return status;
    delivery->segments = calloc(delivery->text.count, sizeof *delivery->segments);
    for (uint32_t i = 0; delivery->segments && i < delivery->text.count; i++)
        delivery->segments[i] = (struct segment){ delivery, i, WAITING };
    delivery->source = wish->sender.number[0] ? wish->sender : settings->sender;
    return delivery->segments ? KANAL_OK : KANAL_E_INTERNAL;
}

static void refuse(const kanal_host *host, kanal_op op, int32_t outcome, int32_t scope, const char *code,
                   const char *reason)
{
    kanal_result result;
    kanal_result_set(&result, outcome, scope, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

static struct sms_delivery *delivery_new(struct kanal_channel *channel, kanal_op op,
                                         const kanal_delivery *wanted)
{
    struct sms_delivery *delivery = malloc(sizeof *delivery);
    if (!delivery)
        return NULL;
    *delivery = (struct sms_delivery){ .channel = channel,
                                       .op = op,
                                       .deadline_ms = wanted->deadline_ms,
                                       .reference = sms_progress_reference(wanted->idempotency_key) };
    kanal_batch_text(delivery->key, sizeof delivery->key, wanted->idempotency_key);
    return delivery;
}

static void begin(struct sms_delivery *delivery, uint32_t attempt)
{
    struct kanal_channel *channel = delivery->channel;
    enlist(delivery);
    if (attempt < 2 || delivery->text.count < 2 || !load_progress(delivery))
        sms_outgoing_pump(channel);
}

/* What is wrong for good is said whether there is a bind or not. */
static kanal_status check(struct sms_delivery *delivery, const kanal_delivery *wanted, int32_t *ret_scope)
{
    kanal_status status = prepare(delivery, wanted);
    *ret_scope = KANAL_SCOPE_MESSAGE;
    if (status != KANAL_OK)
        return status;
    if (sms_destination(&delivery->destination, wanted->address,
                        kanal_str_c(delivery->channel->settings.region)) == KANAL_OK)
        return KANAL_OK;
    *ret_scope = KANAL_SCOPE_RECIPIENT;
    delivery->wish.error_code = "recipient_unknown";
    delivery->wish.reason = "the address is no telephone number";
    return KANAL_E_REJECTED;
}

void sms_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    const kanal_host *host = channel->host;
    int32_t scope;
    if (!kanal_str_is(wanted->type, "message.send")) {
        refuse(host, op, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_verb", "an SMS can only be sent");
        return;
    }
    struct sms_delivery *delivery = delivery_new(channel, op, wanted);
    kanal_status status = delivery ? check(delivery, wanted, &scope) : KANAL_E_INTERNAL;
    const char *later = why_not_now(channel);
    if (status == KANAL_E_REJECTED)
        refuse(host, op, KANAL_FAILED, scope, delivery->wish.error_code, delivery->wish.reason);
    else if (status != KANAL_OK)
        refuse(host, op, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "internal", "out of memory");
    else if (later)
        refuse(host, op, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable", later);
    else {
        begin(delivery, wanted->attempt);
        return;
    }
    delivery_free(delivery);
}
