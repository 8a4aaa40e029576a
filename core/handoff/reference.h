/* handoff/reference.h - which events bring a reference of a hand-off link, and where it stands in them. Pure.
 *
 * conversation.started and message.received: in the payload of their referral, as the channel tells it, or, of a message, in its subject or a text of
 * it. Not in what was forwarded, and not in groups. What the core itself said of an arrival (referral.link) brings nothing any more. */
#ifndef KANAL_HANDOFF_REFERENCE_H
#define KANAL_HANDOFF_REFERENCE_H
#include "handoff/token.h"
#include "project/projector.h"

/* ret_found borrows from the event. Most events bring nothing, and cost some look-ups in their members. */
enum token_kind reference_find(const struct projected *, struct token_found *ret_found);

#endif
