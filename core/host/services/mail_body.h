/* host/services/mail_body.h - the bytes of a message that is sent: pieces of memory, of blobs and of URLs, one after the other. [loop] */
#ifndef KANAL_HOST_MAIL_BODY_H
#define KANAL_HOST_MAIL_BODY_H
#include "host/channel.h"

struct mail_body;

/* Copies the pieces. ready(): mail_body_read() that had to wait has something to say; never inside of it. 0; KANAL_E_INVALID,
 * KANAL_E_DENIED (a URL), KANAL_E_TOO_LARGE (over 16 MiB in memory), KANAL_E_BUSY. */
int mail_body_new(struct mail_body **ret_body, struct channel *, kanal_op cause, const kanal_piece *,
                  size_t count, void (*ready)(void *user), void *user);
/* As mail_message.read. */
ssize_t mail_body_read(void *body, char *into, size_t len);
/* Why the read was broken. */
kanal_status mail_body_status(const struct mail_body *);
/* NULL is fine. Not inside mail_body_read(). */
void mail_body_free(struct mail_body *);

#endif
