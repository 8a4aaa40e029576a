/* Parking: is a command there? Every gateway can say. */
#include "outbound/parked.h"

#include <stdio.h>

#define BATCHES_MAX 1000u /* that are looked at */

struct finding {
    struct outbound *outbound;
    published_fn *done;
    void *user;
    char subjects[LANE_CLASSES][PARKED_SUBJECT], id[129];
    int class;
    uint64_t sequence;   /* of the batch to look at, or before it */
    uint64_t done_batch; /* that far it is carried out */
    size_t done_entries;
    size_t near; /* entries that may have been read back already: these are not parked any more */
    uint32_t looked_at;
};

static void look(struct finding *f);
static void begin(struct finding *f);

static void finish(struct finding *f, kanal_status status)
{
    f->done(f->user, status);
    free(f);
}

static int has(struct finding *f, const struct js_message *m)
{
    yyjson_doc *doc = kanal_json_parse(m->payload);
    yyjson_val *root = yyjson_doc_get_root(doc), *entry;
    size_t i, max;
    int found = 0;
    yyjson_arr_foreach (root, i, max, entry) {
        if (m->sequence == f->done_batch && i < f->done_entries)
            continue;
        if (f->near > 0)
            f->near--;
        else
            found |= kanal_str_is(kanal_json_text_at(kanal_json_at(entry, "command"), "id"), f->id);
    }
    yyjson_doc_free(doc);
    return found;
}

static void on_batch(void *user, kanal_status status, const struct js_message *m)
{
    struct finding *f = user;
    if (status == KANAL_OK && has(f, m)) {
        finish(f, KANAL_OK);
    } else if (status == KANAL_OK && ++f->looked_at < BATCHES_MAX) {
        f->sequence = m->sequence + 1;
        look(f);
    } else if (status == KANAL_E_NOT_FOUND && ++f->class < LANE_CLASSES) {
        begin(f);
    } else {
        finish(f, status == KANAL_OK ? KANAL_E_NOT_FOUND : status);
    }
}

static void look(struct finding *f)
{
    struct outbound *o = f->outbound;
    js_get_next(o->broker, o->parked_stream, kanal_str_c(f->subjects[f->class]), f->sequence, on_batch, f);
}

static void on_progress(void *user, kanal_status status, const struct js_message *m)
{
    struct finding *f = user;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(m->payload);
        f->done_batch = f->sequence = (uint64_t)kanal_json_int_at(yyjson_doc_get_root(doc), "batch", 1);
        f->done_entries = (size_t)kanal_json_int_at(yyjson_doc_get_root(doc), "done", 0);
        yyjson_doc_free(doc);
    }
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        look(f);
    else
        finish(f, status);
}

static void begin(struct finding *f)
{
    struct outbound *o = f->outbound;
    char subject[PARKED_SUBJECT + 8];
    f->sequence = 1;
    f->done_batch = f->done_entries = 0;
    f->near = PARKED_LOADED + 1;
    snprintf(subject, sizeof subject, "%s.done", f->subjects[f->class]);
    js_get_last(o->broker, o->parked_stream, kanal_str_c(subject), on_progress, f);
}

void parked_find(struct outbound *o, const struct parked_wanted *wanted, published_fn *done, void *user)
{
    struct finding *f = calloc(1, sizeof *f);
    int is_made = f != NULL;
    for (int i = 0; is_made && i < LANE_CLASSES; i++)
        is_made =
            parked_subject(o, (enum lane_class)i, wanted->channel, wanted->recipient, f->subjects[i]) == 0;
    if (!is_made) {
        free(f);
        done(user, KANAL_E_BUSY);
        return;
    }
    f->outbound = o;
    f->done = done;
    f->user = user;
    snprintf(f->id, sizeof f->id, "%.*s", (int)(wanted->command_id.len < 128 ? wanted->command_id.len : 128),
             wanted->command_id.ptr);
    begin(f);
}
