/* parts.h - the parts of one outgoing message: which there are, their words, their attachments. For compose.c. */
#ifndef VK_PARTS_H
#define VK_PARTS_H
#include "compose.h"

struct vk_content { /* the parts of one message */
    yyjson_val *media[VK_FILES_MAX];
    size_t media_count;
    yyjson_val *location, *choice, *card, *carousel;
    yyjson_val *texts[VK_TEXTS_MAX];
    size_t text_count;
};

/* Sorts the parts of data.content. KANAL_E_REJECTED: they are more than one message of VK can show. */
kanal_status vk_read_content(struct vk_outgoing *, struct vk_content *, yyjson_val *data);
/* All words of the message as the field "message": texts, captions, the card's, the question of a choice. 1: there
 * are some. */
int vk_write_words(struct kanal_buffer *form, const struct vk_content *);
/* The field "attachment": what was uploaded, and what is named. 1: there is some. */
int vk_write_attachments(struct kanal_buffer *form, const struct vk_wish *, const struct vk_content *);
/* The sticker of VK's own that the message is, or absent. */
kanal_str vk_sticker_of(const struct vk_content *, char scratch[24]);

#endif
