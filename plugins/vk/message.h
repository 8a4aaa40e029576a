/* message.h - the members customer, chat, author and message of an event, from VK's messages.
 *
 * VK numbers the messages of a conversation, so the provider's id of a message is "<peer_id>/<conversation_message_id>"
 * everywhere: it is the only number that a message in a group chat has. */
#ifndef VK_MESSAGE_H
#define VK_MESSAGE_H
#include "callback.h"

#define VK_ID_MAX 64

/* Who did what where. */
struct vk_place {
    int64_t person; /* a user, or a community (negative); 0: nobody */
    int64_t peer;   /* the conversation; 0: nowhere known */
};

static inline int vk_is_group_chat(int64_t peer)
{
    return peer > VK_CHAT_BASE;
}

/* "<peer>/<cmid>" into out of VK_ID_MAX; empty if it is not known. */
void vk_external_id(char *out, int64_t peer, int64_t cmid);
/* The members customer, chat and, in a group chat, author. client: client_info, may be NULL. */
void vk_write_people(struct kanal_json *, const struct vk_place *, yyjson_val *client, int with_author);
/* The member "message" of message.received and message.edited. */
void vk_write_message(struct kanal_json *, const struct vk_us *, yyjson_val *message);
/* The member "message" of message.sent: what somebody else than Kanal wrote to the customer in our name. */
void vk_write_sent(struct kanal_json *, yyjson_val *message);

#endif
