/* callback.h - biz_opaque_callback_data: what we tell WhatsApp of a message, and every status of it brings back. So a status names
 * its command even where nobody remembers the message's id. "kanal:<part>/<parts>:<command id>". */
#ifndef WHATSAPP_CALLBACK_H
#define WHATSAPP_CALLBACK_H
#include "kanal/sdk/sdk.h"

#define WA_CALLBACK_MAX 512 /* characters that WhatsApp keeps */

struct wa_callback {
    int64_t part, parts;  /* 0: not one of ours */
    kanal_str command_id; /* a view into what was read */
};

/* Appends it; nothing if it would be too long. */
void wa_callback_write(struct kanal_buffer *out, uint32_t part, uint32_t parts, kanal_str command_id);
void wa_callback_read(struct wa_callback *, kanal_str data);

/* "delivered", or "delivered:<participant>" of a group, into out: what makes a status unique among those of its message. */
void wa_status_suffix(char *out, size_t size, kanal_str status, kanal_str participant);

#endif
