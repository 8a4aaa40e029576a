/* profile.h - who wrote: a message of VK names its author by number only, so the name is asked for (users.get) when
 * somebody is seen for the first time, and told as profile.observed. Nothing waits for it. */
#ifndef VK_PROFILE_H
#define VK_PROFILE_H
#include "channel.h"

/* [lane] person: a user's id; asked once while it is remembered. */
void vk_profile_see(struct kanal_channel *, int64_t person);

#endif
