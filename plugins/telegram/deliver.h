/* deliver.h - deliver(): one canonical message or verb to Telegram, and what became of it.
 *
 * A delivery may take several calls: again to the supergroup that a group became, again as an upload when
 * Telegram could not fetch a URL. None of them is made again after an answer that may mean that the message
 * was taken. */
#ifndef TELEGRAM_DELIVER_H
#define TELEGRAM_DELIVER_H
#include "channel.h"

/* [lane] The slot of kanal_plugin. */
void tg_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);

#endif
