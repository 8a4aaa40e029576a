/* media.h - media(): somebody fetches a file that an event referred to.
 *
 * Two steps: getFile tells the path of the file (valid for an hour), and the host fetches it from
 * <api_url>/file/bot<token>/<path>. That URL contains the token, so it exists only inside of the host. */
#ifndef TELEGRAM_MEDIA_H
#define TELEGRAM_MEDIA_H
#include "channel.h"

/* [lane] The slot of kanal_plugin; reference: a file_id. */
void tg_media(struct kanal_channel *, kanal_op, kanal_str reference);
/* Appends "/file/<path>", percent-encoded; -1: not a path below the bot's folder. */
int tg_file_path(struct kanal_buffer *out, kanal_str path);

#endif
