/* who.h - whom an event is about, and the members customer, chat and author.
 *
 * WhatsApp names a person by telephone (wa_id: proved by WhatsApp itself) and, since 2026, by a business-scoped user id (BSUID,
 * "US.13491208655302741918"), which is all there is of people who chose a username. The address is the telephone where it is told,
 * else "whatsapp:<BSUID>"; the other one stands beside it as a verified identifier, so that both become one customer.
 * Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids. */
#ifndef WHATSAPP_WHO_H
#define WHATSAPP_WHO_H
#include "../meta/batch.h"

#define WA_PHONE_MAX 24

struct wa_who {
    kanal_str phone;                               /* as told: "16505551234" */
    kanal_str bsuid, parent;                       /* absent: not told */
    yyjson_val *contact;                           /* of value.contacts; NULL: not told */
    kanal_str own_phone;                           /* proved by a card that is the sender's own */
    kanal_str next_phone, next_bsuid, next_parent; /* that the person has from now on */
};

/* A telephone number as E.164 ("+79161234567") in out; absent if it is not clearly one. */
kanal_str wa_phone(kanal_str as_told, char out[WA_PHONE_MAX]);
/* True if the text has the form of a BSUID: a country, a dot, letters and digits. */
int wa_is_bsuid(kanal_str text);
/* True if a message of contacts is the sender's own card, sent at our request. */
int wa_is_own_contact(yyjson_val *message);

/* The address into out; empty: nobody is named. */
void wa_address(char out[META_ADDRESS_MAX], const struct wa_who *);
/* The private chat with the person: the telephone or BSUID as told. */
kanal_str wa_chat(const struct wa_who *);

void wa_write_customer(struct kanal_json *, const struct wa_who *);
/* group: absent: the private chat. window_until_ms: 0: not known. */
void wa_write_chat(struct kanal_json *, kanal_str group, int64_t window_until_ms);
/* Who spoke, where several may. */
void wa_write_author(struct kanal_json *, const struct wa_who *);

#endif
