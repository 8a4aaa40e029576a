/* api/dead.h - the endpoints dead-list, -get, -replay and -drop. [loop]
 *
 * The stream of dead letters is read by sequence, some at a time, so that no consumer is made for a look; a letter is found by its id by
 * looking from the newest on. Replaying stores the letter's command again, with headers that give the command and everything that is
 * said of it an identity of its own (outbound/internal.h), and only then takes the letter out: what fails in between leaves
 * it where it was, and doing it again is safe. */
#ifndef KANAL_API_DEAD_H
#define KANAL_API_DEAD_H
#include "api/service.h"
#include "broker/jetstream.h"
#include "kanal/sdk/json.h"

struct api_dead {
    struct broker *broker;
    char prefix[33], stream[64];
};

void api_dead_init(struct api_dead *, struct broker *, const char *prefix);

/* Handlers' user: a struct api_dead, which outlives the broker's requests. */
extern const struct api_endpoint api_dead_endpoints[];
extern const size_t api_dead_endpoint_count;

/* ---- Between the files of this part ---- */

/* Which letters are meant. Borrows from the request's document. */
struct dead_filter {
    kanal_str channel, code;   /* absent: any */
    int64_t from_ms, until_ms; /* 0: any */
};
/* 0, or KANAL_E_INVALID: a time is none. */
int dead_filter_read(yyjson_val *asked, struct dead_filter *ret_filter);
int dead_filter_matches(const struct dead_filter *, yyjson_val *letter);

/* A letter as it lies in the stream; borrowed. */
struct dead_seen {
    uint64_t sequence;
    yyjson_val *letter; /* an object with an id */
};
/* Where a look begins and ends, also as the text that a client gives back: "next" of a page. */
struct dead_cursor {
    uint64_t next, last; /* the sequence to look at next; the one that a look upwards ends at. 0: not given */
};
void dead_cursor_write(struct kanal_json *, const struct dead_cursor *);
/* 0, or KANAL_E_INVALID. */
int dead_cursor_read(kanal_str text, struct dead_cursor *ret_cursor);

struct dead_walk_options {
    int is_upwards;        /* from the oldest; else from the newest */
    struct dead_cursor at; /* or zeros: from the end */
    uint64_t most;         /* sequences looked at */
    /* 1: this one was the last that is wanted. */
    int (*seen)(void *user, const struct dead_seen *);
    /* KANAL_OK; cursor: where the next look goes on, or NULL if there is nothing more. Else the broker's failure. */
    void (*done)(void *user, kanal_status, const struct dead_cursor *);
    void *user;
};
/* Neither runs inside the call, except done() when there is no memory. */
void dead_walk(const struct api_dead *, const struct dead_walk_options *);

/* dead_change.c. The letter's command is given again from that part on (0, 1: all of it); stored() comes later. 0, or KANAL_E_INVALID: it was no command,
 * or is too late by its own word, and stored() does not come. */
int dead_give_again(const struct api_dead *, yyjson_val *letter, int64_t part, js_ack_fn *stored, void *user);
int dead_can_be_given(yyjson_val *letter);
api_handler_fn dead_replay, dead_drop;

#endif
