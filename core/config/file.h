/* config/file.h - a whole file in memory, up to a limit. Its content may be secret. [any thread] */
#ifndef KANAL_CONFIG_FILE_H
#define KANAL_CONFIG_FILE_H
#include <stddef.h>

struct config_file {
    char *bytes; /* NUL-ended */
    size_t len, capacity;
};

/* path "-": standard input. 0; KANAL_E_NOT_FOUND: it cannot be read, errno says why; KANAL_E_TOO_LARGE; KANAL_E_INTERNAL: no memory. */
int config_file_read(struct config_file *ret_file, const char *path, size_t limit);
/* Overwrites and frees. */
void config_file_release(struct config_file *);

#endif
