/* outbound/parts.h - the provider messages that a command becomes on a channel. [loop]
 *
 * Most content fits as it is: then the parts are ranges of it, and nothing is allocated. The rest is adapted (adapt/). */
#ifndef KANAL_OUTBOUND_PARTS_H
#define KANAL_OUTBOUND_PARTS_H
#include "outbound/adapt/adapt.h"

struct parts {
    uint32_t count;      /* messages; 0: the command has no content */
    int variant;         /* whose content it is; -1: the command's own */
    yyjson_val *content; /* of the command or variant; borrowed */
    int is_adapted;      /* adapted says the messages, else the ranges of content */
    struct adapt_range ranges[ADAPT_RANGES_MAX];
    struct adapted adapted;
    int is_mixed;      /* one message of all of it, whatever it was split into */
    const char *error; /* an error code of the contract: it is not to be sent; or NULL */
};

/* verb: "message.send"; an edit must stay one message. Whatever was there is overwritten. */
void parts_make(struct parts *, yyjson_val *command, kanal_str verb, const struct adapt_target *);
void parts_release(struct parts *);
/* With error set: every place that cannot be shown as asked, in words. */
void parts_explain(const struct parts *, struct kanal_buffer *out);
/* The data of the delivery of a part, from 1: {"content":[…], …the command's own members}. command: NULL for the
 * content alone. */
void parts_write(const struct parts *, uint32_t part, yyjson_val *command, struct kanal_buffer *out);

#endif
