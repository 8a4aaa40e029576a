/* parts.h - the parts of one outgoing message: which there are, and their words. Pure. */
#ifndef META_PARTS_H
#define META_PARTS_H
#include "kanal/sdk/sdk.h"

/* Why there is no call. */
struct meta_refusal {
    const char *error_code, *reason;
};

/* Says it; returns KANAL_E_REJECTED. */
kanal_status meta_refuse(struct meta_refusal *, const char *error_code, const char *reason);

#define META_CONTACTS_MAX 5
#define META_TEXTS_MAX 8

struct meta_content { /* views into the delivery's data */
    yyjson_val *media, *location, *choice, *template, *card, *carousel;
    yyjson_val *contacts[META_CONTACTS_MAX];
    yyjson_val *texts[META_TEXTS_MAX];
    size_t contact_count, text_count;
};

/* Sorts the parts of data.content. KANAL_E_REJECTED: they are more than one message can show, or of a kind that none can. */
kanal_status meta_read_content(struct meta_refusal *, struct meta_content *, yyjson_val *data);
/* Appends all words: the caption, the texts, the question of a choice. Markup is Kanal's, so its plain form is taken. */
void meta_write_words(struct kanal_buffer *out, const struct meta_content *);
/* The options of a provider's object: data.provider.<plugin>, or data.provider itself. */
yyjson_val *meta_options(yyjson_val *object, const char *plugin);
/* The name for an uploaded file: as given, else the last segment of the URL's path. */
kanal_str meta_filename(yyjson_val *media);
/* Code points of UTF-8. */
size_t meta_chars(kanal_str text);

#endif
