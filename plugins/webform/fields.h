/* fields.h - checks what was filled in against the declared form, and writes it for the event. */
#ifndef WEBFORM_FIELDS_H
#define WEBFORM_FIELDS_H
#include "settings.h"
#include "submission.h"

/* What is wrong with a submission, for its sender: {"code", "message", "field"}, the first and all. */
struct complaints {
    struct kanal_buffer first, all; /* all: a JSON array */
    struct kanal_json list;
    size_t count;
};
void complaints_init(struct complaints *);
void complaints_release(struct complaints *);
/* code and message: literals. field: absent if it is about the whole. */
void complain(struct complaints *, const char *code, kanal_str field, const char *message);

/* Writes the array form.fields into `fields`, the array customer.identifiers into `identifiers` (nothing if there are none). What
 * is wrong goes into the complaints; then nothing of the rest is to be used. */
void fields_check(const struct settings *, const struct form *, const struct submission *,
                  struct complaints *, struct kanal_buffer *fields, struct kanal_buffer *identifiers);
/* Writes the array `consent`, nothing if it would be empty. */
void consents_check(const struct form *, const struct submission *, struct complaints *,
                    struct kanal_buffer *out);

#endif
