/* reaction.h - VK's reactions have numbers; its clients draw emoji for them (messages.getReactionsAssets). */
#ifndef VK_REACTION_H
#define VK_REACTION_H
#include "kanal/sdk/str.h"

/* The emoji of a number, or NULL. */
const char *vk_reaction_emoji(int64_t number);
/* The number of an emoji, with or without variation selector; 0: VK has none. */
int64_t vk_reaction_number(kanal_str emoji);

#endif
