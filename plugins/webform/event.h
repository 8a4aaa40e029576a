/* event.h - the data of form.submitted. */
#ifndef WEBFORM_EVENT_H
#define WEBFORM_EVENT_H
#include "fields.h"

struct event_parts {
    const struct form *form;
    const struct submission *submission;
    kanal_str fields, identifiers, consents; /* JSON arrays; absent: none */
    kanal_str user_agent, ip;                /* absent: not told */
};

void event_write(struct kanal_buffer *out, const struct event_parts *);

#endif
