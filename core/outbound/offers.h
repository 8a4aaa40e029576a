/* outbound/offers.h - what customers were offered in words, and what their answers mean. [loop]
 *
 * Where a channel has no buttons, options are sent as numbered lines (adapt/), and the customer answers "2", or the option's words. Then the
 * message.received says what the option's button would have: an `answer` part with the payload, and reply_to the message that
 * offered it. Payloads that were too long for a channel went out as tokens, and are put back here.
 *
 * The newest offer to a recipient counts, for 7 days. One answer closes it, unless the choice was `persistent`: what a customer writes later is a text
 * again. An event that comes twice means the same both times.
 *
 * Offers live in the bucket <prefix>_offers, which every gateway watches into memory: at most OFFERS_MAX of them and OFFERS_BYTES_MAX bytes,
 * the oldest go first. Events of channels without open offers are not looked at. */
#ifndef KANAL_OUTBOUND_OFFERS_H
#define KANAL_OUTBOUND_OFFERS_H
#include "host/host.h"
#include "outbound/adapt/adapt.h"

#define OFFERS_MAX 100000u
#define OFFERS_BYTES_MAX (64u * 1024 * 1024)
#define OFFER_LIFE_MS (7 * 24 * INT64_C(3600000))

struct offers;

/* Answers the host's envelopes from now on. NULL: no memory. */
struct offers *offers_new(struct host *, const char *prefix);
/* The bucket is there: it is watched. */
void offers_start(struct offers *);
/* The loop must run once more. NULL is fine. */
void offers_free(struct offers *);

/* To whom: the address in its normal form, or else the chat. */
struct offer_to {
    kanal_str channel, address, chat;
};
/* That part of the message is about to be sent. Returns at once; it is stored by the time that the part leaves, or tried again. */
void offers_remember(struct offers *, const struct offer_to *, kanal_str command_id, const struct adapted *,
                     uint32_t part);

/* For tests: takes a record as the bucket has it; value absent: it is gone. */
void offers_take(struct offers *, kanal_str key, kanal_str value);
size_t offers_count(const struct offers *);

/* offer_answer.c. Does the text choose one of these options? Returns it, or NULL. By its number as shown ("2", "2.", "2)"), or by its words, whatever their
 * case; words that two options share choose none. */
yyjson_val *offer_match(yyjson_val *options, kanal_str text);
/* The data of a message.received, with the answer instead of its text. */
void offer_write_answer(yyjson_val *data, yyjson_val *option, kanal_str command_id, kanal_str typed,
                        struct kanal_buffer *out);
/* The text, if that is all the message says; else absent. */
kanal_str offer_typed(yyjson_val *data);

#endif
