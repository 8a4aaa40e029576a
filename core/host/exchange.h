/* host/exchange.h - what a provider was asked and answered for one delivery, kept in memory until its outcome says whether it is stored. [loop]
 *
 * A request of a plugin names the delivery that it is made for as its cause; what is noted of it is what the plugin said, so the secrets
 * that the host puts into a request never are, and of each text only the beginning. The rest of what must not be kept is masked when it is written
 * (redact.h). The notes belong to the delivery's op and go with it unless they are taken. */
#ifndef KANAL_HOST_EXCHANGE_H
#define KANAL_HOST_EXCHANGE_H
#include "host/channel.h"
#include "kanal/sdk/json.h"

#define EXCHANGES_MAX 16u       /* of a delivery; more are counted */
#define EXCHANGE_TEXT_MAX 2048u /* bytes of a body that are kept */

struct exchanges;

/* Notes a request, unless the cause is no delivery of a channel that keeps a log; no memory: it is left out. */
void exchange_asked_http(struct channel *, kanal_op cause, kanal_op request, const kanal_http_request *);
void exchange_asked_mail(struct channel *, kanal_op cause, kanal_op request, const kanal_mail *);
/* And how it ended. code: HTTP's or SMTP's, or 0. */
void exchange_answered(struct channel *, kanal_op cause, kanal_op request, kanal_status, int code,
                       kanal_str text);

/* NULL: none; else the caller's. */
struct exchanges *exchanges_take(struct op *);
void exchanges_free(struct exchanges *); /* NULL is fine */
/* As members of an array of the contract's log_entry. replica may be NULL. */
void exchanges_write(const struct exchanges *, const struct channel *, uint32_t part, uint32_t attempt,
                     const char *replica, struct kanal_json *);

#endif
