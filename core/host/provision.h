/* host/provision.h - registration at the provider: once a configuration in the whole cluster. [loop]
 *
 * What was done stands in the bucket <prefix>_channels under "provision.<channel-id>": {"fingerprint", "state": "doing"|"done", "at"}. Who
 * writes "doing" (by compare-and-set) does it; a "doing" older than a minute is that of a replica that died, and is taken over. */
#ifndef KANAL_HOST_PROVISION_H
#define KANAL_HOST_PROVISION_H

struct channel;

/* Looks whether it is to be done, and does it; tries again by itself. The channel is up. Nothing happens for a plugin without
 * provision(). */
void provision_begin(struct channel *);

#endif
