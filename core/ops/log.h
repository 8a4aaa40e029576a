/* ops/log.h - JSON lines on a descriptor, one object a line.
 *
 * {"time":"…","level":"warn","area":"http","channel":"shop","message":"…", …fields}. Logging belongs to the edges: library
 * code returns statuses. Values of registered secrets are masked wherever they would appear. */
#ifndef KANAL_OPS_LOG_H
#define KANAL_OPS_LOG_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"

struct log;

struct log_field {
    const char *name;
    kanal_str text; /* a string, or … */
    int64_t number; /* … a number, if text.ptr is NULL */
};

/* format: "json", or "text" for people. min_level: KANAL_LOG_…. Thread-safe. */
int log_new(struct log **ret_log, int fd, const char *format, int min_level);
void log_free(struct log *);

/* The log masks this value from now on (at least 6 bytes long). Copied. [loop] */
void log_mask(struct log *, kanal_str secret);

/* area: a module's name; channel: its id or NULL. [any thread] */
void log_write(struct log *, int level, const char *area, const char *channel, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void log_write_fields(struct log *, int level, const char *area, const char *channel, kanal_str message,
                      const struct log_field *, size_t count);

#endif
