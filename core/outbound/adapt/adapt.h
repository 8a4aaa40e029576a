/* outbound/adapt/adapt.h - from a command's content to what a channel can show. Pure functions: no I/O, no clock, no state.
 *
 * The same content, capabilities and limits always make the same parts, so a retry and another replica send what the first would have
 * sent. What a customer will not see as it was asked for is a loss, with the index of the content part that it happens to. Content is what the
 * contract's content_out allows; it is borrowed until the adapted one is released. */
#ifndef KANAL_ADAPT_ADAPT_H
#define KANAL_ADAPT_ADAPT_H
#include "kanal/sdk/json.h"

#define ADAPT_PARTS_MAX 256u  /* messages of one command */
#define ADAPT_LOSSES_MAX 256u /* as the contract's plan_channel allows */

struct adapt_target {
    kanal_caps caps;
    const kanal_limits *limits; /* NULL: none are known */
    kanal_str channel, plugin;  /* ids: whose variants are taken */
    kanal_str
        when; /* "outside_window", "inside_window"; absent: nobody knows, and such variants are passed over */
};

enum adapt_change { ADAPT_SPLIT, ADAPT_CONVERTED, ADAPT_LINKED, ADAPT_SHORTENED, ADAPT_DROPPED };
const char *adapt_change_name(enum adapt_change); /* as the contract's plan_loss says it */

struct adapt_loss {
    uint32_t index; /* in content */
    kanal_str type; /* of that part */
    enum adapt_change change;
    const char *detail; /* static */
};

struct adapt_part { /* one provider message: bytes of json, a JSON array of content parts */
    uint32_t first, end;
};

struct adapted {
    struct kanal_buffer json;
    struct adapt_part *parts;
    struct adapt_loss *losses;
    uint32_t part_count, part_room, loss_count, loss_room;
    /* Options that the customer may answer in words: JSON objects {"n": number shown, "text": as shown, "payload", "full": as
     * asked for, if shortened}, with commas between. */
    struct kanal_buffer offer;
    uint32_t offer_part; /* the first message that shows one, from 1; 0: nothing is offered so */
    int offer_stays;     /* it is to be answered more than once */
    /* Members TOKEN: PAYLOAD of a JSON object: payloads that were too long for the channel. */
    struct kanal_buffer tokens;
    const char *error;    /* an error code of the contract: it cannot be shown there; else NULL */
    kanal_str error_type; /* of the content part that cannot, with unsupported_content */
    int failed;           /* no memory */
};

/* The content for that channel: the first variant that fits, else the command's own. ret_variant: its index, or -1. */
yyjson_val *adapt_content(yyjson_val *command, const struct adapt_target *, int *ret_variant);
/* 1: nothing has to be changed; allocates nothing. */
int adapt_fits(yyjson_val *content, const struct adapt_target *);

/* Which content parts make one provider message, where nothing has to be changed: [first, end) of the array for each. A choice belongs to
 * the part before it, where the channel can show both together. At most 64, as the contract allows content parts. */
struct adapt_range {
    uint32_t first, end;
};
#define ADAPT_RANGES_MAX 64u
uint32_t adapt_ranges(yyjson_val *content, kanal_caps, struct adapt_range ret_ranges[ADAPT_RANGES_MAX]);

/* Makes the parts, also where nothing has to be changed. */
void adapt(struct adapted *, yyjson_val *content, const struct adapt_target *);
void adapted_release(struct adapted *);

/* The token for a payload that is longer than a channel takes, of at most `bytes` bytes. */
#define ADAPT_TOKEN_LEN 28u
#define ADAPT_TOKEN_MIN 12u
kanal_str adapt_token(kanal_str payload, size_t bytes, char ret_text[ADAPT_TOKEN_LEN + 1]);

#endif
