#include "event/types.h"

#include "kanal/sdk/str.h"

#define FROM_CUSTOMER (EVENT_BY_PLUGIN | EVENT_NEEDS_ADDRESS)
#define MESSAGE (FROM_CUSTOMER | EVENT_HAS_MESSAGE)
#define STEP (EVENT_HAS_MESSAGE | EVENT_OF_COMMAND)

static const struct event_type types[] = {
    { "message.received", EVENT_STORED, MESSAGE },
    { "message.edited", EVENT_STORED, MESSAGE },
    { "message.deleted", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_MESSAGE },
    { "message.reacted", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_MESSAGE },
    { "message.accepted", EVENT_STORED, STEP },
    { "message.sent", EVENT_STORED, STEP | EVENT_BY_PLUGIN },
    { "message.delivered", EVENT_STORED, STEP | EVENT_BY_PLUGIN },
    { "message.read", EVENT_STORED, STEP | EVENT_BY_PLUGIN },
    { "message.failed", EVENT_STORED, STEP | EVENT_BY_PLUGIN },
    { "message.unknown", EVENT_STORED, STEP },
    { "message.expired", EVENT_STORED, STEP },
    { "message.cancelled", EVENT_STORED, STEP },
    { "message.rerouted", EVENT_STORED, STEP },
    { "typing.started", EVENT_LIVE, FROM_CUSTOMER },
    { "conversation.started", EVENT_STORED, FROM_CUSTOMER },
    { "conversation.assigned", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "conversation.handed_over", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "conversation.closed", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "call.started", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_CALL },
    { "call.answered", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_CALL },
    { "call.ended", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_CALL },
    { "call.missed", EVENT_STORED, EVENT_BY_PLUGIN | EVENT_HAS_CALL },
    { "form.submitted", EVENT_STORED, FROM_CUSTOMER },
    { "activity.tracked", EVENT_ACTIVITY, EVENT_BY_PLUGIN },
    { "profile.observed", EVENT_STORED, FROM_CUSTOMER },
    { "profile.updated", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "identity.claimed", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "identity.linked", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "identity.unlinked", EVENT_STORED, EVENT_NEEDS_ADDRESS },
    { "customer.forgotten", EVENT_STORED, 0 },
    { "link.refused", EVENT_STORED, 0 },
    { "consent.given", EVENT_STORED, FROM_CUSTOMER },
    { "consent.withdrawn", EVENT_STORED, FROM_CUSTOMER },
    { "channel.up", EVENT_STORED, 0 },
    { "channel.down", EVENT_STORED, 0 },
    { NULL, EVENT_STORED, 0 },
};

const struct event_type *event_types(void)
{
    return types;
}

const struct event_type *event_type_find(kanal_str name)
{
    for (const struct event_type *type = types; type->name; type++)
        if (kanal_str_is(name, type->name))
            return type;
    return NULL;
}
