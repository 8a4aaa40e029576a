/* cli/filter.h - filters over the subjects of events: what they can match, and which of them overlap. Pure functions.
 *
 * Source of the subject space: proto/subjects.md. Matching is NATS': '*' is one token, '>' is one or more at the end. */
#ifndef KANAL_CLI_FILTER_H
#define KANAL_CLI_FILTER_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

enum filter_branch { FILTER_EVENTS, FILTER_ACTIVITY, FILTER_FACTS, FILTER_LIVE };
#define FILTER_STREAMS 3 /* the first ones are kept in streams */

/* "events" … */
const char *filter_branch_name(enum filter_branch);
/* The stream's name after the prefix, "EVENTS"; NULL: plain NATS, nothing is kept. */
const char *filter_branch_stream(enum filter_branch);

/* True if the subject (no wildcards) or all that the narrower filter matches is matched by filter. */
int filter_covers(kanal_str filter, kanal_str subject);
/* True if there is a subject that both match. */
int filter_overlaps(kanal_str a, kanal_str b);

/* Can it match an event of the prefix, <prefix>.<branch>.<plugin>.<channel>.<object>.<verb>.<node or bucket>? 0, or KANAL_E_INVALID
 * and what is wrong with it appended to error, for a person. */
int filter_check(kanal_str prefix, kanal_str filter, enum filter_branch *ret_branch,
                 struct kanal_buffer *error);
/* Of a checked filter: it names a node or bucket behind wildcards. On a large stream such a consumer costs the broker seconds
 * and a gigabyte (a million messages), so no durable is made of it. */
int filter_is_slow(kanal_str filter);

#endif
