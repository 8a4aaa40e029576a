/* Parking: what stands in the stream. */
#include "outbound/attempts.h"
#include "outbound/parked_inside.h"

#include <stdio.h>

#define STORE_TIMEOUT_MS 5000u
#define LOADED_MAX 4096u /* jobs of all recipients; beyond, one each */

int parked_subject(const struct outbound *o, enum lane_class class, kanal_str channel, kanal_str recipient,
                   char ret_subject[PARKED_SUBJECT])
{
    struct id id;
    if (ids_event(o->host->envelope.ids, channel, KANAL_LIT("parked"), recipient, &id) != 0)
        return -1;
    snprintf(ret_subject, PARKED_SUBJECT, "%s.parked.%s%u.%s", o->prefix, class == LANE_BULK ? "b" : "",
             lane_shard(channel), id.text + 2);
    return 0;
}

void parked_subject_of(const struct parked *p, const char *suffix, char ret_subject[PARKED_SUBJECT])
{
    const struct shard_lane *lane = p->parking->lane;
    snprintf(ret_subject, PARKED_SUBJECT, "%s.parked.%s%u.%s%s", p->parking->outbound->prefix,
             lane == &lane->shard->lanes[LANE_BULK] ? "b" : "", lane->shard->index, p->hash, suffix);
}

static struct parked_point point_of(yyjson_val *entry)
{
    return (struct parked_point){ .sequence = (uint64_t)kanal_json_int_at(entry, "sequence", 0),
                                  .ms = kanal_json_int_at(entry, "time", 0) };
}

static void again_later(struct parked *p)
{
    p->due_ms = outbound_loop_ms(p->parking->outbound) + PARKED_AGAIN_MS;
}

/* Its next command may be there: it has its turn. */
static void wake(struct parked *p)
{
    struct outbound *o = p->parking->outbound;
    if (p->recipient && !p->recipient->current)
        recipient_run(o, p->recipient);
    else
        parked_go_on(p);
}

/* ---- Where it begins and ends ---- */

static void ask(struct parked *p)
{
    p->is_busy = 1;
    p->under_way++;
}

/* An answer came. 0: nobody waits for it. A failure: all is asked again. */
static int answered(struct parked *p, kanal_status status)
{
    if (!parked_answered(p))
        return 0;
    p->is_busy = 0;
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        return 1;
    again_later(p);
    return 0;
}

static void on_newest(void *user, kanal_status status, const struct js_message *m)
{
    struct parked *p = user;
    if (!answered(p, status))
        return;
    p->is_known = 1;
    p->newest = 0;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(m->payload);
        p->newest = m->sequence;
        p->last = point_of(yyjson_arr_get_last(yyjson_doc_get_root(doc)));
        yyjson_doc_free(doc);
    }
    wake(p);
}

static void on_oldest(void *user, kanal_status status, const struct js_message *m)
{
    struct parked *p = user;
    char subject[PARKED_SUBJECT];
    if (!answered(p, status))
        return;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(m->payload);
        p->first = point_of(yyjson_arr_get_first(yyjson_doc_get_root(doc)));
        if (m->sequence != p->next)
            p->next_index = 0; /* the one that it had come to is done with */
        p->next = m->sequence;
        yyjson_doc_free(doc);
    }
    parked_subject_of(p, "", subject);
    ask(p);
    js_get_last(p->parking->outbound->broker, p->parking->outbound->parked_stream, kanal_str_c(subject),
                on_newest, p);
}

static void on_progress(void *user, kanal_status status, const struct js_message *m)
{
    struct parked *p = user;
    char subject[PARKED_SUBJECT];
    if (!answered(p, status))
        return;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(m->payload);
        yyjson_val *root = yyjson_doc_get_root(doc);
        uint64_t batch = (uint64_t)kanal_json_int_at(root, "batch", 1);
        uint32_t index = (uint32_t)kanal_json_int_at(root, "done", 0);
        p->progress = m->sequence;
        if (batch > p->next || (batch == p->next && index > p->next_index)) {
            p->next = batch; /* not where we are already: what is read back counts */
            p->next_index = index;
        }
        yyjson_doc_free(doc);
    }
    parked_subject_of(p, "", subject);
    ask(p);
    js_get_next(p->parking->outbound->broker, p->parking->outbound->parked_stream, kanal_str_c(subject),
                p->next, on_oldest, p);
}

void parked_read_edges(struct parked *p)
{
    char subject[PARKED_SUBJECT];
    parked_subject_of(p, ".done", subject);
    ask(p);
    js_get_last(p->parking->outbound->broker, p->parking->outbound->parked_stream, kanal_str_c(subject),
                on_progress, p);
}

/* ---- Storing ---- */

static void write_entry(const struct parked *p, const struct job *job, struct kanal_json *json)
{
    const struct outbound *o = p->parking->outbound;
    char subject[200], part[12], step[12];
    snprintf(subject, sizeof subject, "%s.lanes.%s%u.%.*s.%s", o->prefix, job->class == LANE_BULK ? "b" : "",
             job->shard->index, (int)job->channel->id.len, job->channel->id.ptr, job->verb);
    kanal_json_object(json);
    kanal_json_key(json, "sequence");
    kanal_json_uint(json, job->stream_sequence);
    kanal_json_member_int(json, "time", job->stream_ms);
    kanal_json_member_text(json, "subject", subject);
    if (job->step > 0) {
        snprintf(step, sizeof step, "%u", job->step);
        kanal_json_member_text(json, "step", step);
    }
    if (job->replay[0]) {
        snprintf(part, sizeof part, "%u", job->part);
        kanal_json_member_text(json, "replay", job->replay);
        kanal_json_member_text(json, "part", part);
    }
    kanal_json_key(json, "command");
    kanal_json_value(json, job->command);
    kanal_json_object_end(json);
}

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct parked *p = user;
    (void)reason;
    if (!parked_answered(p))
        return;
    size_t count = p->storing;
    p->storing = 0;
    if (status != KANAL_OK) { /* refused, since another is the last; or nobody knows: the stream is asked */
        p->is_known = 0;
        if (status != KANAL_E_REJECTED)
            again_later(p);
        parked_go_on(p);
        return;
    }
    if (p->newest < p->next)
        p->next = ack->sequence, p->next_index = 0;
    p->newest = ack->sequence;
    for (size_t i = 0; i < count; i++) {
        struct job *job = p->aside.first;
        kanal_str values[] = { job->channel->id };
        metric_series(p->parking->outbound->parked, values)->value++;
        if (i == 0 && p->next == p->newest)
            p->first = (struct parked_point){ job->stream_sequence, job->stream_ms };
        p->last = (struct parked_point){ job->stream_sequence, job->stream_ms };
        p->aside.first = job->next_in_lane;
        p->aside.count--;
        job_settle(job, JS_ACK);
        job_discard(job);
    }
    if (!p->aside.first)
        p->aside.last = &p->aside.first;
    wake(p);
}

void parked_store(struct parked *p)
{
    struct outbound *o = p->parking->outbound;
    struct kanal_buffer payload = { 0 };
    struct kanal_json json;
    char subject[PARKED_SUBJECT];
    kanal_json_init(&json, &payload);
    kanal_json_array(&json);
    for (struct job *job = p->aside.first; job && p->storing < PARKED_ENTRIES; job = job->next_in_lane) {
        size_t before = payload.len;
        write_entry(p, job, &json);
        p->storing++;
        if (payload.len + (payload.len - before) > PARKED_BYTES)
            break; /* another like it would be too many */
    }
    kanal_json_array_end(&json);
    parked_subject_of(p, "", subject);
    struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_buffer_view(&payload) };
    p->under_way++;
    js_publish(o->broker, &out, (kanal_str){ 0 }, p->newest, STORE_TIMEOUT_MS, on_stored, p);
    kanal_buffer_release(&payload);
}

/* ---- Coming back ---- */

static void on_forgotten(void *user, kanal_status status, kanal_str reason)
{
    (void)user, (void)status, (void)reason; /* older words: the newest one counts */
}

/* A batch that is done with, until the broker has taken it out: left behind, the next holder would find it. */
struct parked_doomed {
    struct parked_doomed *next;
    struct parked *parked;
    uint64_t batch;
    int is_asked, is_gone;
};

static void on_removed(void *user, kanal_status status, kanal_str reason)
{
    struct parked_doomed *doomed = user;
    struct parked *p = doomed->parked;
    (void)reason;
    doomed->is_asked = 0;
    doomed->is_gone = status == KANAL_OK || status == KANAL_E_NOT_FOUND;
    if (!doomed->parked->parking) { /* nobody's: its words in the stream say that it is done */
        parked_doomed_free(p);
        parked_answered(p);
        return;
    }
    if (parked_answered(p) && !doomed->is_gone)
        again_later(p);
}

void parked_remove(struct parked *p)
{
    struct outbound *o = p->parking->outbound;
    for (struct parked_doomed **link = &p->doomed, *doomed; (doomed = *link);) {
        if (doomed->is_gone) {
            *link = doomed->next;
            free(doomed);
            continue;
        }
        link = &doomed->next;
        if (doomed->is_asked)
            continue;
        doomed->is_asked = 1;
        p->under_way++;
        js_delete_sequence(o->broker, o->parked_stream, doomed->batch, on_removed, doomed);
    }
}

int parked_is_clean(const struct parked *p)
{
    for (const struct parked_doomed *doomed = p->doomed; doomed; doomed = doomed->next)
        if (!doomed->is_gone)
            return 0;
    return 1;
}

/* Those that no answer refers to. */
void parked_doomed_free(struct parked *p)
{
    for (struct parked_doomed **link = &p->doomed, *doomed; (doomed = *link);) {
        if (doomed->is_asked) {
            link = &doomed->next;
            continue;
        }
        *link = doomed->next;
        free(doomed);
    }
}

static void on_noted(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct parked *p = user;
    (void)reason;
    if (parked_answered(p) && status == KANAL_OK && ack->sequence > p->progress)
        p->progress = ack->sequence;
}

void parked_forget_progress(const struct parked *p, uint64_t before)
{
    struct outbound *o = p->parking->outbound;
    char subject[PARKED_SUBJECT];
    parked_subject_of(p, ".done", subject);
    if (p->progress > 0)
        js_purge_before(o->broker, o->parked_stream, subject, before, on_forgotten, NULL);
}

/* Fire and forget, like an acknowledgement; but the end of a batch is made sure of. */
static void note_progress(struct parked *p, uint64_t batch, uint32_t done, int is_last)
{
    struct outbound *o = p->parking->outbound;
    char subject[PARKED_SUBJECT], text[80];
    parked_subject_of(p, ".done", subject);
    snprintf(text, sizeof text, "{\"batch\":%llu,\"done\":%u}", (unsigned long long)batch, done);
    struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_str_c(text) };
    p->under_way++;
    js_publish(o->broker, &out, (kanal_str){ 0 }, JS_ANY_SEQUENCE, STORE_TIMEOUT_MS, on_noted, p);
    if (!is_last)
        return;
    parked_forget_progress(p, p->progress);
    struct parked_doomed *doomed = calloc(1, sizeof *doomed);
    if (doomed) { /* else the next holder takes it out */
        doomed->parked = p;
        doomed->batch = batch;
        doomed->next = p->doomed;
        p->doomed = doomed;
        parked_remove(p);
    }
    if (batch == p->newest)
        p->newest = 0;
}

void parked_progress(struct parked *p, const struct job *job)
{
    note_progress(p, job->place.batch, job->place.index + 1, job->place.is_last);
}

/* One whose channel is not here, for too long: it is told, and the next one has its turn. */
struct telling {
    struct parked *parked;
    uint64_t batch;
    uint32_t index;
    int is_last;
};

static void on_told(void *user, kanal_status status)
{
    struct telling *telling = user;
    struct parked *p = telling->parked;
    if (answered(p, status) && p->next == telling->batch && p->next_index == telling->index) {
        note_progress(p, telling->batch, telling->index + 1, telling->is_last);
        p->next = telling->is_last ? telling->batch + 1 : telling->batch;
        p->next_index = telling->is_last ? 0 : telling->index + 1;
        wake(p);
    }
    free(telling);
}

static void tell_stray(struct parked *p, const struct lane_message *message, yyjson_val *command, int is_last)
{
    struct outbound *o = p->parking->outbound;
    struct telling *telling = malloc(sizeof *telling);
    kanal_str verb, channel = lane_channel(o, message->subject, &verb);
    struct stray_message stray = { .channel = host_find(o->host, channel),
                                   .command = command,
                                   .subject = message->subject,
                                   .payload = message->payload,
                                   .verb = verb,
                                   .replay = message->replay };
    if (!telling) {
        again_later(p);
        return;
    }
    *telling = (struct telling){ .parked = p, .batch = p->next, .index = p->next_index, .is_last = is_last };
    ask(p);
    stray_tell(o, &stray, stray.channel ? "invalid_command" : "channel_unknown",
               stray.channel ? KANAL_LIT("what was parked is no command of this channel")
                             : KANAL_LIT("the channel is not configured any more"),
               on_told, telling);
}

/* Its channel is not here, or no memory. */
static void cannot_read(struct parked *p, const struct lane_message *message, yyjson_val *command,
                        int is_stray, int is_last)
{
    if (is_stray && p->tries + 1 >= PARKED_ABSENT_TRIES) {
        tell_stray(p, message, command, is_last);
        return;
    }
    p->tries += (uint32_t)is_stray;
    if (p->unended == 0)
        parked_let_go(p, is_stray ? PARKED_ABSENT_MS : PARKED_AGAIN_MS);
}

/* 1: it is a job now, and waits. */
static int make_job(struct parked *p, yyjson_val *entry, int is_last)
{
    struct shard *shard = p->parking->lane->shard;
    struct kanal_buffer payload = { 0 };
    struct kanal_json json;
    yyjson_val *command = kanal_json_at(entry, "command");
    int is_stray = 0;
    kanal_json_init(&json, &payload);
    kanal_json_value(&json, command);
    struct lane_message message = { .subject = kanal_json_text_at(entry, "subject"),
                                    .payload = kanal_buffer_view(&payload),
                                    .replay = kanal_json_text_at(entry, "replay"),
                                    .part = kanal_json_text_at(entry, "part"),
                                    .step = kanal_json_text_at(entry, "step") };
    struct job *job = lane_read(shard, &message, &is_stray);
    struct recipient *recipient = job ? job->recipient : NULL;
    if (job && parked_attach(p, recipient) != 0) {
        job_free(job);
        job = NULL;
        is_stray = 1;
    }
    if (!job) {
        cannot_read(p, &message, command, is_stray, is_last);
        kanal_buffer_release(&payload);
        return 0;
    }
    kanal_buffer_release(&payload);
    p->tries = 0;
    p->unended++;
    job->class = (enum lane_class)(p->parking->lane - shard->lanes);
    job->term = shard->term;
    job->parked = p;
    job->place.batch = p->next;
    job->place.index = p->next_index;
    job->place.is_last = is_last;
    attempts_recall(shard->attempts, job);
    job_link(job);
    recipient_push(recipient, job);
    return 1;
}

static void make_jobs(struct parked *p, yyjson_val *batch)
{
    const struct outbound *o = p->parking->outbound;
    size_t count = yyjson_arr_size(batch);
    size_t most = o->unparked_jobs < LOADED_MAX ? PARKED_LOADED : 1;
    for (size_t i = 0; i < most && p->next_index < count; i++) {
        if (!make_job(p, yyjson_arr_get(batch, p->next_index), p->next_index + 1 == count))
            return;
        p->next_index++;
    }
    if (p->next_index >= count) {
        p->next++;
        p->next_index = 0;
    }
}

static void on_batch(void *user, kanal_status status, const struct js_message *m)
{
    struct parked *p = user;
    if (!answered(p, status))
        return;
    if (status == KANAL_E_NOT_FOUND) { /* it was taken out by hand */
        p->next = p->newest + 1;
        p->next_index = 0;
        wake(p);
        return;
    }
    yyjson_doc *doc = kanal_json_parse(m->payload);
    yyjson_val *batch = yyjson_doc_get_root(doc);
    if (m->sequence != p->next)
        p->next_index = 0;
    p->next = m->sequence;
    jobs_free_spent(p->parking->outbound);
    if (p->next_index < yyjson_arr_size(batch)) {
        make_jobs(p, batch);
    } else { /* no batch of ours, or one that was done with when its last word came */
        note_progress(p, p->next, (uint32_t)yyjson_arr_size(batch), 1);
        p->next++;
        p->next_index = 0;
    }
    yyjson_doc_free(doc);
    if (!p->is_busy)
        wake(p);
}

void parked_load(struct parked *p)
{
    struct outbound *o = p->parking->outbound;
    char subject[PARKED_SUBJECT];
    parked_subject_of(p, "", subject);
    ask(p);
    js_get_next(o->broker, o->parked_stream, kanal_str_c(subject), p->next, on_batch, p);
}
