/* parts.h - the parts of one outgoing message: which there are, their words, their media. For compose.c. */
#ifndef TELEGRAM_PARTS_H
#define TELEGRAM_PARTS_H
#include "compose.h"

struct tg_content { /* the parts of one message */
    yyjson_val *media, *location, *contact, *choice;
    yyjson_val *texts[8];
    size_t text_count;
};

/* Sorts the parts of data.content. KANAL_E_REJECTED: they are more than one Telegram message can show. */
kanal_status tg_read_content(struct tg_outgoing *, struct tg_content *, yyjson_val *data);
/* All words of the message as the member `key`, and its parse_mode: the media's caption, the texts, the
 * question of a choice. 1: there are some. */
int tg_write_words(struct kanal_json *, const char *key, const struct tg_content *);
/* The member link_preview_options, if one is asked for. */
void tg_write_preview(struct kanal_json *, const struct tg_content *, yyjson_val *options);
/* The media as parameters of their send method, which is set. */
kanal_status tg_write_media(struct tg_outgoing *, struct kanal_json *, const struct tg_wish *,
                            const struct tg_content *);
/* The media as the InputMedia of editMessageMedia, which is set. */
kanal_status tg_write_input_media(struct tg_outgoing *, struct kanal_json *, const struct tg_wish *,
                                  const struct tg_content *);

#endif
