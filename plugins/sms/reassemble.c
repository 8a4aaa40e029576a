#include "reassemble.h"

#include <stdio.h>

#include "channel.h"
#include "event.h"

#define TRIES_MAX 6u /* of a change that other replicas were faster with */
#define SWEEP_MIN_MS 5000u
#define SWEEP_MAX_MS 300000u

enum kind { SEGMENT, SWEEP };

struct sms_job {
    struct sms_job *next;
    enum kind kind;
    uint32_t slot, tries;
    int is_fresh;   /* SWEEP: the slot was read anew */
    int is_changed; /* SWEEP: something was taken out */
    int is_told;    /* SEGMENT: the message is stored, whatever becomes of the state */
    struct sms_question question;
    struct sms_message message; /* its texts are below */
    uint64_t id;
    uint8_t total, sequence;
    size_t len;
    char source[SMS_ADDRESS_BYTES_MAX + 1], destination[SMS_ADDRESS_BYTES_MAX + 1];
    char bytes[];
};

static void run(struct kanal_channel *);

/* ---- Jobs ---- */

static void append(struct kanal_channel *channel, struct sms_job *job)
{
    struct sms_reassembly *reassembly = &channel->reassembly;
    *(reassembly->last ? &reassembly->last->next : &reassembly->first) = job;
    reassembly->last = job;
}

static void remove_first(struct sms_reassembly *reassembly)
{
    struct sms_job *job = reassembly->first;
    reassembly->first = job->next;
    if (!reassembly->first)
        reassembly->last = NULL;
    free(job);
}

/* The first job is done. The next one runs in a loop of run(), not from here. */
static void finish(struct kanal_channel *channel, uint32_t status)
{
    struct sms_job job = *channel->reassembly.first;
    remove_first(&channel->reassembly);
    if (job.kind == SEGMENT)
        sms_incoming_answer(channel, &job.question, status);
}

static void forget(struct sms_slot *slot)
{
    sms_groups_release(&slot->groups);
    slot->is_loaded = 0;
}

/* An answer of the host: the job goes on. */
static void go_on(struct kanal_channel *channel)
{
    channel->reassembly.is_busy = 0;
    run(channel);
    kanal_calls_let_go(&channel->calls);
}

static void wait_for(struct kanal_channel *channel, kanal_op op)
{
    if (op == 0) {
        forget(&channel->reassembly.slots[channel->reassembly.first->slot]);
        finish(channel, SMS_TEMPORARY);
        return;
    }
    channel->reassembly.is_busy = 1;
    kanal_calls_hold(&channel->calls);
}

static void slot_key(char out[16], uint32_t slot)
{
    snprintf(out, 16, "long-%u", (unsigned)slot);
}

/* ---- State ---- */

static void on_loaded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct sms_job *job = channel->reassembly.first;
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND) {
        forget(slot);
        slot->is_loaded = job->is_fresh = 1;
        slot->revision = status == KANAL_OK ? revision : 0;
        if (status == KANAL_OK && sms_groups_read(&slot->groups, value) != KANAL_OK)
            kanal_log(channel->host, 0, KANAL_LOG_ERROR, "stored segments cannot be read",
                      kanal_str_of(NULL, 0));
    } else {
        finish(channel, SMS_TEMPORARY);
    }
    go_on(channel);
}

static void load(struct kanal_channel *channel, uint32_t slot)
{
    char key[16];
    slot_key(key, slot);
    wait_for(channel, channel->host->state_get(channel->host, kanal_str_c(key), on_loaded, channel));
}

static void on_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct sms_job *job = channel->reassembly.first;
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    (void)value;
    if (status == KANAL_OK)
        slot->revision = revision;
    else
        forget(slot); /* what is there, only the state knows */
    if (status == KANAL_OK || job->is_told || job->kind == SWEEP)
        finish(channel, SMS_OK);
    else if (status != KANAL_E_REJECTED || ++job->tries >= TRIES_MAX)
        finish(channel, SMS_TEMPORARY);
    go_on(channel);
}

static void store(struct kanal_channel *channel, struct sms_job *job)
{
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    struct kanal_buffer text = { 0 };
    char key[16];
    slot_key(key, job->slot);
    sms_groups_write(&slot->groups, &text);
    if (text.failed) {
        forget(slot);
        finish(channel, job->is_told ? SMS_OK : SMS_TEMPORARY);
    } else {
        wait_for(channel, channel->host->state_put(channel->host, kanal_str_c(key), kanal_buffer_view(&text),
                                                   slot->revision, on_stored, channel));
    }
    kanal_buffer_release(&text);
}

/* ---- Telling ---- */

static void on_told(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;
    struct sms_job *job = channel->reassembly.first;
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    struct sms_group *group = sms_groups_find(&slot->groups, channel->reassembly.publishing);
    int is_own = job->kind == SEGMENT && job->id == channel->reassembly.publishing;
    if (status != KANAL_OK || !group) {
        kanal_count(channel->host, "messages_put_off");
        forget(slot); /* the last segment is not in the state, and comes again */
        finish(channel, SMS_TEMPORARY);
    } else if (is_own && sms_group_missing(group) == 0) {
        sms_group_finish(&slot->groups, group);
        job->is_told = 1;
    } else {
        sms_groups_drop(&slot->groups, group);
        job->is_changed = 1;
    }
    go_on(channel);
}

static void tell(struct kanal_channel *channel, struct sms_group *group)
{
    char key[SMS_KEY_BYTES];
    struct kanal_batch batch = { 0 };
    struct kanal_buffer bytes = { 0 };
    sms_group_join(group, &bytes);
    snprintf(key, sizeof key, "mo-long:%016llx:%lld:%016llx", (unsigned long long)group->id,
             (long long)group->first_ms,
             (unsigned long long)sms_hash(SMS_HASH_START, kanal_buffer_view(&bytes)));
    const struct sms_arrival arrival = { .source_ton = group->source_ton,
                                         .source = kanal_str_c(group->source),
                                         .destination_ton = group->destination_ton,
                                         .destination = kanal_str_c(group->destination),
                                         .data_coding = group->data_coding,
                                         .bytes = kanal_buffer_view(&bytes),
                                         .segments = group->total,
                                         .missing = sms_group_missing(group),
                                         .dedupe = key };
    sms_event_message(&batch, &channel->settings, &arrival);
    channel->reassembly.publishing = group->id;
    kanal_op op =
        bytes.failed ? 0
                     : kanal_batch_publish(&batch, channel->host, 0, kanal_str_of(NULL, 0), on_told, channel);
    wait_for(channel, op);
    kanal_buffer_release(&bytes);
    kanal_batch_release(&batch);
}

/* ---- Steps ---- */

/* Another message with the same reference takes the place, or room is needed: what is there is told as it is. */
static void make_room(struct kanal_channel *channel, struct sms_slot *slot, struct sms_group *group)
{
    if (group->is_done)
        sms_groups_drop(&slot->groups, group); /* run() comes back */
    else
        tell(channel, group);
}

static void step_segment(struct kanal_channel *channel, struct sms_job *job)
{
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    struct sms_group *group = sms_groups_find(&slot->groups, job->id),
                     *excess = sms_groups_excess(&slot->groups);
    if (job->is_told) {
        store(channel, job);
        return;
    }
    if (excess && excess != group) {
        make_room(channel, slot, excess);
        return;
    }
    if (!group) {
        job->message.source = kanal_str_c(job->source);
        job->message.destination = kanal_str_c(job->destination);
        group = sms_groups_add(&slot->groups, job->id, &job->message, job->total,
                               channel->host->now_ms(channel->host));
    }
    int put = group ? sms_group_put(&slot->groups, group, job->sequence, kanal_str_of(job->bytes, job->len))
                    : KANAL_E_INTERNAL;
    if (put == KANAL_E_REJECTED)
        make_room(channel, slot, group);
    else if (put == KANAL_E_INTERNAL)
        finish(channel, SMS_TEMPORARY);
    else if (put == 0)
        finish(channel, SMS_OK); /* repeated: it is in the state, or in the message */
    else if (sms_group_missing(group) == 0)
        tell(channel, group);
    else
        store(channel, job);
}

static void step_sweep(struct kanal_channel *channel, struct sms_job *job)
{
    struct sms_slot *slot = &channel->reassembly.slots[job->slot];
    int64_t limit = channel->host->now_ms(channel->host) - channel->settings.reassembly_ms;
    struct sms_group *group = slot->groups.first;
    while (group && group->first_ms > limit)
        group = group->next;
    if (group && group->is_done) {
        sms_groups_drop(&slot->groups, group);
        job->is_changed = 1;
    } else if (group) {
        kanal_count(channel->host, "messages_incomplete");
        tell(channel, group);
    } else if (job->is_changed) {
        store(channel, job);
    } else {
        finish(channel, SMS_OK);
    }
}

/* Goes on until a job waits for the host. */
static void run(struct kanal_channel *channel)
{
    struct sms_reassembly *reassembly = &channel->reassembly;
    while (reassembly->first && !reassembly->is_busy) {
        struct sms_job *job = reassembly->first;
        if (channel->calls.stopping != 0 && (job->kind == SWEEP || channel->link.stream == 0))
            finish(channel, SMS_TEMPORARY); /* nobody waits for it any more */
        else if (!reassembly->slots[job->slot].is_loaded || (job->kind == SWEEP && !job->is_fresh))
            load(channel, job->slot);
        else if (job->kind == SEGMENT)
            step_segment(channel, job);
        else
            step_sweep(channel, job);
    }
}

/* ---- The interface ---- */

void sms_reassembly_take(struct kanal_channel *channel, const struct sms_message *message,
                         const struct sms_part *part, const struct sms_question *question)
{
    struct sms_job *job = calloc(1, sizeof *job + part->bytes.len);
    if (!job) {
        sms_link_respond(channel, question->session, question->command, SMS_TEMPORARY, question->sequence);
        return;
    }
    job->kind = SEGMENT;
    job->question = *question;
    job->message = (struct sms_message){ .source_ton = message->source_ton,
                                         .destination_ton = message->destination_ton,
                                         .data_coding = message->data_coding };
    job->id = sms_group_id(message, part);
    job->slot = (uint32_t)(job->id % SMS_SLOTS);
    job->total = part->total;
    job->sequence = part->sequence;
    job->len = part->bytes.len;
    if (part->bytes.len > 0)
        memcpy(job->bytes, part->bytes.ptr, part->bytes.len);
    snprintf(job->source, sizeof job->source, "%.*s", (int)message->source.len, message->source.ptr);
    snprintf(job->destination, sizeof job->destination, "%.*s", (int)message->destination.len,
             message->destination.ptr);
    sms_incoming_begin(channel);
    append(channel, job);
    run(channel);
}

static void sweep(void *user)
{
    struct kanal_channel *channel = user;
    uint32_t period_ms = channel->settings.reassembly_ms / 4;
    for (uint32_t i = 0; i < SMS_SLOTS; i++) {
        struct sms_job *job = calloc(1, sizeof *job);
        if (!job)
            break; /* the next time */
        job->kind = SWEEP;
        job->slot = i;
        append(channel, job);
    }
    run(channel);
    kanal_timer_set(&channel->reassembly.sweep, &channel->calls,
                    period_ms < SWEEP_MIN_MS   ? SWEEP_MIN_MS
                    : period_ms > SWEEP_MAX_MS ? SWEEP_MAX_MS
                                               : period_ms,
                    sweep, channel);
}

void sms_reassembly_start(struct kanal_channel *channel)
{
    sweep(channel);
}

void sms_reassembly_stop(struct kanal_channel *channel)
{
    kanal_timer_cancel(&channel->reassembly.sweep);
    run(channel);
}

void sms_reassembly_release(struct kanal_channel *channel)
{
    struct sms_reassembly *reassembly = &channel->reassembly;
    while (reassembly->first)
        remove_first(reassembly);
    for (uint32_t i = 0; i < SMS_SLOTS; i++)
        sms_groups_release(&reassembly->slots[i].groups);
}
