/* deliver.h - deliver(): one canonical message or verb to VK, and what became of it.
 *
 * Files are uploaded first, one after another; then one call. Nothing that the recipient sees has happened before the
 * last call, so what fails earlier is tried again or failed, never unknown. */
#ifndef VK_DELIVER_H
#define VK_DELIVER_H
#include "channel.h"

/* [lane] The slot of kanal_plugin. */
void vk_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);

#endif
