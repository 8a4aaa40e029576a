/* event/trace.h - the attribute traceparent, by which what belongs together is found again.
 *
 * Source: W3C Trace Context (w3.org/TR/trace-context), 3.2; CloudEvents' distributed tracing extension. Every event of a command has the command's; a
 * command that brings none has one that follows from its id, so that each replica and each try begin the same. Every event of
 * a request has the request's. The flags of what is begun here are 00: nobody records anything because of it. */
#ifndef KANAL_EVENT_TRACE_H
#define KANAL_EVENT_TRACE_H
#include "event/ids.h"

struct trace {
    char text[56]; /* "00-" 32 hex "-" 16 hex "-" 2 hex and NUL; "": none */
};

/* Reads a header or member of any version known or to come, written anew as version 00. 0, or KANAL_E_INVALID: it is none (*ret_trace is
 * not touched). */
int trace_read(kanal_str text, struct trace *ret_trace);
/* The one that follows from a command's id. */
void trace_of_command(struct ids *, kanal_str command_id, struct trace *ret_trace);

/* Random ones. Not secret, and no secrets: from a generator that is seeded once. */
struct trace_source {
    uint64_t state[4];
};
void trace_source_init(struct trace_source *);
void trace_begin(struct trace_source *, struct trace *ret_trace);

#endif
