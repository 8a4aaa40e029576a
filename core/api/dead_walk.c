/* Looking through the dead letters by sequence: some at once, handed on in order. */
#include <stdlib.h>

#include "api/dead.h"
#include "broker/jetstream.h"

#define AT_ONCE 32u

struct walk;

struct place {
    struct walk *walk;
    uint64_t sequence;
    yyjson_doc *document; /* NULL: nothing lies there */
};

struct walk {
    const struct api_dead *api;
    struct dead_walk_options options;
    uint64_t first, last, next, looked_at;
    int is_over; /* next is none any more */
    kanal_status status;
    struct place places[AT_ONCE];
    size_t count, waiting;
};

void dead_cursor_write(struct kanal_json *json, const struct dead_cursor *cursor)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_uint(&text, cursor->next);
    kanal_buffer_byte(&text, '.');
    kanal_buffer_uint(&text, cursor->last);
    kanal_json_member_str(json, "next", kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

int dead_cursor_read(kanal_str text, struct dead_cursor *ret_cursor)
{
    const char *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    int64_t next = 0, last = 0;
    if (!dot || kanal_str_int(kanal_str_of(text.ptr, (size_t)(dot - text.ptr)), &next) != 0 ||
        kanal_str_int(kanal_str_from(text, (size_t)(dot - text.ptr) + 1), &last) != 0 || next < 1 || last < 0)
        return KANAL_E_INVALID;
    *ret_cursor = (struct dead_cursor){ (uint64_t)next, (uint64_t)last };
    return 0;
}

static void end(struct walk *walk, kanal_status status)
{
    struct dead_cursor cursor = { walk->next, walk->options.is_upwards ? walk->last : 0 };
    int has_more = status == KANAL_OK && !walk->is_over;
    for (size_t i = 0; i < walk->count; i++)
        yyjson_doc_free(walk->places[i].document);
    walk->options.done(walk->options.user, status, has_more ? &cursor : NULL);
    free(walk);
}

static void set_next(struct walk *walk, uint64_t sequence)
{
    int is_up = walk->options.is_upwards;
    walk->is_over = is_up ? sequence >= walk->last : sequence <= walk->first;
    walk->next = is_up ? sequence + 1 : sequence - 1;
}

static void look(struct walk *walk);

/* Whoever asks for fewer goes on behind the last one that was handed over. */
static void hand_on(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct place *place = &walk->places[i];
        yyjson_val *letter = yyjson_doc_get_root(place->document);
        if (kanal_json_text_at(letter, "id").len == 0)
            continue; /* a gap, or something that is none of ours */
        struct dead_seen seen = { place->sequence, letter };
        if (!walk->options.seen(walk->options.user, &seen))
            continue;
        set_next(walk, place->sequence);
        end(walk, KANAL_OK);
        return;
    }
    look(walk);
}

static void step_done(struct walk *walk)
{
    if (--walk->waiting > 0)
        return;
    if (walk->status != KANAL_OK)
        end(walk, walk->status);
    else
        hand_on(walk);
}

static void on_message(void *user, kanal_status status, const struct js_message *message)
{
    struct place *place = user;
    struct walk *walk = place->walk;
    if (status == KANAL_OK)
        place->document = kanal_json_parse(message->payload);
    else if (status != KANAL_E_NOT_FOUND)
        walk->status = status;
    step_done(walk);
}

static void look(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        yyjson_doc_free(walk->places[i].document);
    walk->count = 0;
    if (walk->is_over || walk->looked_at >= walk->options.most) {
        end(walk, KANAL_OK);
        return;
    }
    while (walk->count < AT_ONCE && !walk->is_over && walk->looked_at < walk->options.most) {
        walk->places[walk->count++] = (struct place){ .walk = walk, .sequence = walk->next };
        set_next(walk, walk->next);
        walk->looked_at++;
    }
    walk->waiting = walk->count;
    for (size_t i = 0, count = walk->count; i < count; i++)
        js_get_sequence(walk->api->broker, walk->api->stream, walk->places[i].sequence, on_message,
                        &walk->places[i]);
}

static void on_state(void *user, kanal_status status, const struct js_state *state)
{
    struct walk *walk = user;
    const struct dead_cursor *at = &walk->options.at;
    if (status != KANAL_OK) {
        end(walk, status);
        return;
    }
    walk->first = state->first_sequence;
    walk->last = state->last_sequence;
    if (walk->options.is_upwards && at->last > 0 && at->last < walk->last)
        walk->last = at->last;
    walk->next = walk->options.is_upwards ? walk->first : walk->last;
    if (at->next > 0 && (walk->options.is_upwards ? at->next > walk->next : at->next < walk->next))
        walk->next = at->next;
    walk->is_over = state->messages == 0 || walk->next < walk->first || walk->next > walk->last;
    look(walk);
}

void dead_walk(const struct api_dead *api, const struct dead_walk_options *options)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk) {
        options->done(options->user, KANAL_E_BUSY, NULL);
        return;
    }
    walk->api = api;
    walk->options = *options;
    js_stream_state(api->broker, api->stream, on_state, walk);
}
