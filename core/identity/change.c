/* A link that is made or undone: the record by compare-and-set, then the event that tells it, then the note that it is told. */
#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"
#include "identity/inside.h"
#include "kanal/sdk/str.h"

#define TRIES 8u /* others that wrote in between */

enum wanted { WANT_LINK, WANT_UNLINK, WANT_TELL };

struct change {
    struct change *next;
    struct identity *identity;
    enum wanted wanted;
    struct id id; /* of the link */
    struct graph_link edge;
    enum identity_strength strength;
    struct link_draft draft;
    uint64_t revision, seen; /* stored; told by the watch */
    unsigned tries;
    int is_waiting; /* for the watch */
    int is_told;
    kanal_status status;
    int conflict, undone;
    identity_done_fn *done;
    void *user;
};

static void ask(struct change *change);

/* ---- The end ---- */

static void change_free(struct change *change)
{
    link_draft_release(&change->draft);
    free(change);
}

static void answer(struct change *change)
{
    struct identity *identity = change->identity;
    struct identity_outcome outcome = { .status = change->status,
                                        .conflict = change->conflict,
                                        .undone = change->undone,
                                        .link = kanal_buffer_view(&change->draft.link) };
    if (change->draft.nodes[0].text[0])
        identity_customer(identity, &change->draft.nodes[0], &outcome.customer);
    outcome.customers[0] = outcome.customer;
    outcome.customer_count = 1;
    if (change->wanted == WANT_UNLINK && change->draft.nodes[1].text[0]) {
        identity_customer(identity, &change->draft.nodes[1], &outcome.customers[1]);
        outcome.customer_count += strcmp(outcome.customers[0].text, outcome.customers[1].text) != 0;
    }
    if (change->done)
        change->done(change->user, &outcome);
    change_free(change);
}

/* Answers run in a turn of their own, so that none comes inside the call that asks. */
static void on_turn(uv_timer_t *timer)
{
    struct identity *identity = timer->data;
    struct change *change = identity->ended;
    identity->ended = NULL;
    identity->last_ended = &identity->ended;
    while (change) {
        struct change *next = change->next;
        answer(change);
        change = next;
    }
}

static void end(struct change *change, kanal_status status)
{
    struct identity *identity = change->identity;
    struct change **place = &identity->first;
    while (*place != change)
        place = &(*place)->next;
    *place = change->next;
    change->next = NULL;
    change->status = status;
    *identity->last_ended = change;
    identity->last_ended = &change->next;
    uv_timer_start(identity->turn, on_turn, 0, 0);
}

/* ---- Telling ---- */

static void on_marked(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)user, (void)status, (void)value,
        (void)revision; /* if not: it is told once more, which changes nothing */
}

static void mark_told(struct change *change)
{
    struct kanal_buffer value = { 0 };
    link_draft_write(&change->draft, 1, &value);
    if (!value.failed)
        kv_put(change->identity->host->broker, change->identity->bucket, kanal_str_c(change->id.text),
               kanal_buffer_view(&value), change->revision, on_marked, NULL);
    kanal_buffer_release(&value);
}

static void on_told(void *user, kanal_status status)
{
    struct change *change = user;
    if (status == KANAL_OK)
        mark_told(change);
    end(change, status);
}

static void write_event(const struct link_draft *draft, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "link");
    kanal_json_raw(&json, kanal_buffer_view(&draft->link));
    kanal_json_key(&json, draft->state == GRAPH_LINKED ? "merged" : "split");
    kanal_json_array(&json);
    for (size_t i = 0; i < draft->customer_count; i++)
        kanal_json_str(&json, kanal_str_c(draft->customers[i].text));
    kanal_json_array_end(&json);
    if (draft->state != GRAPH_LINKED)
        kanal_json_member_nonempty(&json, "reason", kanal_buffer_view(&draft->reason));
    if (draft->agent.len > 0) {
        kanal_json_key(&json, "agent");
        kanal_json_raw(&json, kanal_buffer_view(&draft->agent));
    }
    kanal_json_object_end(&json);
}

/* Of the record alone, with an id of its own for each change: whoever tells it, and how often, it is one event. */
static void tell(struct change *change)
{
    const struct link_draft *draft = &change->draft;
    struct kanal_buffer data = { 0 };
    char dedupe[64];
    int len = snprintf(dedupe, sizeof dedupe, "%s %lld", change->id.text, (long long)draft->count);
    struct envelope_source source = { .channel = KANAL_LIT("_"),
                                      .plugin = KANAL_LIT("_"),
                                      .node = kanal_str_c(draft->nodes[0].text),
                                      .is_core = 1,
                                      .is_said_again = 1 };
    kanal_event event = { .struct_size = sizeof event,
                          .time_ms = draft->changed_ms,
                          .type = draft->state == GRAPH_LINKED ? KANAL_LIT("identity.linked")
                                                               : KANAL_LIT("identity.unlinked"),
                          .dedupe = kanal_str_of(dedupe, (size_t)len),
                          .address = kanal_buffer_view(&draft->address) };
    const kanal_event *const events[] = { &event };
    write_event(draft, &data);
    event.data = kanal_buffer_view(&data);
    publisher_publish(change->identity->host->publisher, &source, events, 1, 0, on_told, change);
    kanal_buffer_release(&data);
}

/* Stored, and this gateway's graph has it. */
static void go_on(struct change *change)
{
    change->is_waiting = 0;
    if (change->is_told)
        end(change, KANAL_OK);
    else
        tell(change);
}

/* ---- Storing ---- */

/* The customers before they are one, or those that there will be. Between the two settings of the graph nothing else runs. */
static void name_customers(struct change *change)
{
    struct identity *identity = change->identity;
    struct link_draft *draft = &change->draft;
    int is_undoing = draft->state == GRAPH_UNDONE;
    enum graph_state before = graph_get(identity->graph, &change->edge);
    if (is_undoing && before == GRAPH_LINKED)
        (void)graph_set(identity->graph, &change->edge, GRAPH_UNDONE);
    for (int i = 0; i < 2; i++)
        identity_customer(identity, &draft->nodes[i], &draft->customers[i]);
    draft->customer_count = strcmp(draft->customers[0].text, draft->customers[1].text) == 0 ? 1 : 2;
    if (is_undoing && before == GRAPH_LINKED)
        (void)graph_set(identity->graph, &change->edge, GRAPH_LINKED);
}

static void on_put(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct change *change = user;
    (void)value;
    if (status == KANAL_E_REJECTED && ++change->tries < TRIES) {
        ask(change);
    } else if (status != KANAL_OK) {
        end(change, status == KANAL_E_REJECTED ? KANAL_E_BUSY : status);
    } else {
        change->revision = revision;
        identity_count(change->identity, change->wanted == WANT_LINK ? "linked" : "unlinked");
        change->is_waiting = change->seen < revision;
        if (!change->is_waiting)
            go_on(change);
    }
}

/* if_revision: as of kv_put(). */
static void put(struct change *change, enum graph_state state, int64_t count, uint64_t if_revision)
{
    struct kanal_buffer value = { 0 };
    change->draft.state = state;
    change->draft.count = count;
    name_customers(change);
    link_draft_write(&change->draft, 0, &value);
    if (value.failed)
        end(change, KANAL_E_INTERNAL);
    else
        kv_put(change->identity->host->broker, change->identity->bucket, kanal_str_c(change->id.text),
               kanal_buffer_view(&value), if_revision, on_put, change);
    kanal_buffer_release(&value);
}

/* It is so already: told, or to be told by us. */
static void stands(struct change *change, const struct link_record *record, uint64_t revision)
{
    int status = link_draft_take(&change->draft, record);
    if (status == 0)
        status = link_edge(record->nodes, record->kind, &change->id, &change->edge);
    change->revision = revision;
    change->is_told = record->is_told;
    change->is_waiting =
        change->seen < revision && graph_get(change->identity->graph, &change->edge) != record->state;
    if (status != 0)
        end(change, status);
    else if (!change->is_waiting)
        go_on(change);
}

static void undo(struct change *change, const struct link_record *record, uint64_t revision)
{
    struct link_draft said = change->draft; /* reason and agent */
    change->draft = (struct link_draft){ 0 };
    int status = link_draft_take(&change->draft, record);
    struct identity_agent agent = { kanal_buffer_view(&said.agent) };
    link_draft_say(&change->draft, kanal_buffer_view(&said.reason), &agent);
    change->draft.changed_ms = host_now_ms();
    link_draft_release(&said);
    if (status == 0)
        status = link_edge(record->nodes, record->kind, &change->id, &change->edge);
    if (status == 0)
        put(change, GRAPH_UNDONE, record->count + 1, revision);
    else
        end(change, status);
}

static void decide(struct change *change, const struct link_record *record, uint64_t revision)
{
    int is_linked = record->state == GRAPH_LINKED;
    if (change->wanted == WANT_TELL || is_linked == (change->wanted == WANT_LINK)) {
        stands(change, record, revision);
    } else if (change->wanted == WANT_UNLINK) {
        undo(change, record, revision);
    } else if (change->strength == IDENTITY_MANUAL) {
        put(change, GRAPH_LINKED, record->count + 1, revision);
    } else {
        change->undone = 1;
        end(change, KANAL_E_REJECTED);
    }
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct change *change = user;
    struct identity *identity = change->identity;
    struct link_record record;
    if (status == KANAL_E_NOT_FOUND && change->wanted == WANT_LINK) {
        put(change, GRAPH_LINKED, 1, 0);
    } else if (status != KANAL_OK) {
        end(change, status);
    } else if (link_record_read(&record, identity->host->envelope.ids, kanal_str_c(change->id.text), value) !=
               0) {
        log_write(identity->host->log, KANAL_LOG_ERROR, "identity", NULL,
                  "the record of %s is not understood", change->id.text);
        end(change, KANAL_E_INTERNAL);
    } else {
        decide(change, &record, revision);
        link_record_release(&record);
    }
}

static void ask(struct change *change)
{
    kv_get(change->identity->host->broker, change->identity->bucket, kanal_str_c(change->id.text), on_record,
           change);
}

void changes_seen(struct identity *identity, kanal_str key, uint64_t revision)
{
    for (struct change *change = identity->first, *next; change; change = next) {
        next = change->next;
        if (!kanal_str_is(key, change->id.text) || revision <= change->seen)
            continue;
        change->seen = revision;
        if (change->is_waiting && change->seen >= change->revision)
            go_on(change);
    }
}

/* ---- The beginning ---- */

/* NULL: no memory. */
static struct change *change_new(struct identity *identity, enum wanted wanted, identity_done_fn *done,
                                 void *user)
{
    struct change *change = calloc(1, sizeof *change);
    if (!change)
        return NULL;
    change->identity = identity;
    change->wanted = wanted;
    change->done = done;
    change->user = user;
    change->next = identity->first;
    identity->first = change;
    return change;
}

/* No memory even for the answer's turn: told at once, which nobody can wait for any longer. */
static void no_memory(identity_done_fn *done, void *user)
{
    struct identity_outcome outcome = { .status = KANAL_E_BUSY };
    done(user, &outcome);
}

static struct change *link_begin(struct identity *identity, const struct identity_link *link,
                                 identity_done_fn *done, void *user)
{
    struct change *change = change_new(identity, WANT_LINK, done, user);
    if (!change) {
        no_memory(done, user);
        return NULL;
    }
    change->strength = link->strength;
    if (link_draft_init(&change->draft, identity->host->envelope.ids, link, host_now_ms(), &change->id) !=
            0 ||
        link_edge(link->nodes, link->evidence.kind, &change->id, &change->edge) != 0)
        end(change, KANAL_E_INVALID);
    else if (!identity->is_ready)
        end(change, KANAL_E_BUSY);
    else
        return change;
    return NULL;
}

static void link_go(struct change *change)
{
    if (graph_get(change->identity->graph, &change->edge) == GRAPH_ABSENT)
        put(change, GRAPH_LINKED, 1,
            0); /* nearly always right; if not, the answer is a look at what stands there */
    else
        ask(change);
}

void change_link(struct identity *identity, const struct identity_link *link, identity_done_fn *done,
                 void *user)
{
    struct change *change = link_begin(identity, link, done, user);
    if (change)
        link_go(change);
}

static void on_conflict_told(void *user, kanal_status status)
{
    struct change *change = user;
    end(change, status == KANAL_OK ? KANAL_E_REJECTED : status);
}

static void refuse(struct change *change, const struct identity_link *link)
{
    struct identity *identity = change->identity;
    const struct channel *channel = host_find(identity->host, link->evidence.channel);
    struct claim claim = { .channel = channel ? channel->id : KANAL_LIT("_"),
                           .plugin = channel ? kanal_str_c(channel->config->plugin) : KANAL_LIT("kanal"),
                           .nodes = { link->nodes[0], link->nodes[1] },
                           .addresses = { link->addresses[0], link->addresses[1] },
                           .evidence = link->evidence,
                           .conflict = 1,
                           .time_ms = link->time_ms };
    change->conflict = 1;
    /* A claim is about an address; without one only the answer tells. */
    if (claim.addresses[0].len > 0 && claim.addresses[1].len > 0)
        claim_tell(identity, &claim, on_conflict_told, change);
    else
        end(change, KANAL_E_REJECTED);
}

void identity_link(struct identity *identity, const struct identity_link *link, identity_done_fn *done,
                   void *user)
{
    struct change *change = link_begin(identity, link, done, user);
    struct named named = { link->nodes, 2 };
    if (!change)
        return;
    if (link->strength != IDENTITY_MANUAL && identity_contradicts(identity, link, &named))
        refuse(change, link);
    else
        link_go(change);
}

void identity_unlink(struct identity *identity, kanal_str link_id, kanal_str reason,
                     const struct identity_agent *agent, identity_done_fn *done, void *user)
{
    unsigned char bytes[16];
    struct change *change = change_new(identity, WANT_UNLINK, done, user);
    if (!change) {
        no_memory(done, user);
        return;
    }
    link_draft_say(&change->draft, reason, agent);
    if (ids_bytes(link_id, bytes) != 0 || link_id.ptr[0] != 'l') {
        end(change, KANAL_E_NOT_FOUND);
    } else if (!identity->is_ready) {
        end(change, KANAL_E_BUSY);
    } else {
        ids_text("l_", bytes, &change->id);
        ask(change);
    }
}

void change_tell(struct identity *identity, const struct id *link_id, identity_done_fn *done, void *user)
{
    struct change *change = change_new(identity, WANT_TELL, done, user);
    if (!change) {
        no_memory(done, user);
        return;
    }
    change->id = *link_id;
    ask(change);
}

void changes_free(struct identity *identity)
{
    struct change *lists[2] = { identity->first, identity->ended };
    for (int i = 0; i < 2; i++)
        for (struct change *change = lists[i], *next; change; change = next) {
            next = change->next;
            change_free(change);
        }
}
