/* config/errors.h - everything that is wrong, collected, put in the file's order and told. */
#ifndef KANAL_CONFIG_ERRORS_H
#define KANAL_CONFIG_ERRORS_H
#include "config.h"
#include "positions.h"

#define CONFIG_ERRORS 200u /* kept; more are counted */

struct config_error {
    uint32_t line, column, order;
    struct kanal_buffer text;
};

/* Zeroed but for file and positions. */
struct config_errors {
    const char *file; /* shown */
    const struct config_positions *positions;
    int placeless; /* it was no file: lines and columns would mean nothing */
    struct config_error list[CONFIG_ERRORS];
    struct kanal_buffer surplus; /* a place to write what is not kept */
    size_t count;                /* all of them */
};

/* 1: something was said at the value's place already; a second complaint would only repeat it. */
int config_error_known(const struct config_errors *, const yyjson_mut_val *);
/* The buffer for one more message. */
struct kanal_buffer *config_error_at(struct config_errors *, uint32_t line, uint32_t column);
/* At a value of the tree, with its path: "channels[0].id: ". */
struct kanal_buffer *config_error_of(struct config_errors *, const yyjson_mut_val *);
/* A whole message at a value. */
void config_error_say(struct config_errors *, const yyjson_mut_val *, const char *words);
/* "channels[0].id: WORDS, found VALUE"; the value is not shown if it is NULL. */
void config_error_found(struct config_errors *, const yyjson_mut_val *, const char *words,
                        const kanal_str *found);
/* Tells all in the order of the file, and forgets them. Returns how many there were. */
size_t config_errors_tell(struct config_errors *, config_error_fn *, void *user);

#endif
