/* project/facts.h - events again without content, names and addresses, for consumers that may not see persons. [loop]
 *
 * A fact is written member by member from a list of what may be told ($defs/fact), never by taking things away: what an event has that is
 * not on the list is not told. Words of closed lists are told only if they are on them. Said on <prefix>.facts.<plugin>.<channel>.<object>.
 * <verb>.<bucket>, with the event's id as Nats-Msg-Id; whoever takes over looks at the facts said last, so that none is said twice,
 * however long nobody projected. */
#ifndef KANAL_PROJECT_FACTS_H
#define KANAL_PROJECT_FACTS_H
#include "kanal/sdk/buffer.h"
#include "project/projector.h"

/* Appends both. Pure. 0, or KANAL_E_INTERNAL: no memory. */
int fact_write(const struct projected *, kanal_str prefix, struct kanal_buffer *subject,
               struct kanal_buffer *json);

struct facts;

/* 0, or KANAL_E_INTERNAL. */
int facts_new(struct facts **ret_facts, struct host *, const char *prefix);
struct projection *facts_projection(struct facts *);
/* After broker_shut(). NULL is fine. */
void facts_free(struct facts *);

#endif
