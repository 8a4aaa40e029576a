/* poll.h - long polling with getUpdates (https://core.telegram.org/bots/api#getupdates).
 *
 * Updates are stored one after another, each with one publish(); the offset that acknowledges them to
 * Telegram moves only past what is stored, so that whatever goes wrong Telegram tells the rest again. Only
 * one poll per bot works at a time: another one of the same token ends ours with 409, and then this one
 * stands by for a while. Where the host has leases (kanal/ext/lease.h), only the replica that holds the channel's
 * lease polls. */
#ifndef TELEGRAM_POLL_H
#define TELEGRAM_POLL_H
#include "channel.h"

/* [lane] Starts, or wants the lease first, and goes on until the channel stops. */
void tg_poll_start(struct kanal_channel *);
/* Ends it; what is open is cancelled. */
void tg_poll_stop(struct kanal_channel *);
/* The plugin's table of kanal.lease/1. */
extern const kanal_lease_plugin tg_poll_leases;
/* Frees what is left. */
void tg_poll_release(struct kanal_channel *);

#endif
