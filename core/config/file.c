/* config/file.c */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "kanal/plugin.h"
#include "memory.h"

#define FIRST_BYTES 16384u

/* realloc() would leave the old bytes behind. */
static int grow(struct config_file *file)
{
    size_t capacity = file->capacity ? file->capacity * 2 : FIRST_BYTES;
    char *bytes = malloc(capacity + 1);

    if (!bytes)
        return KANAL_E_INTERNAL;
    if (file->len > 0)
        memcpy(bytes, file->bytes, file->len);
    config_wipe_free(file->bytes, file->capacity);
    file->bytes = bytes;
    file->capacity = capacity;
    return 0;
}

static int read_all(struct config_file *file, int fd, size_t limit)
{
    for (;;) {
        ssize_t got;
        if (file->len > limit)
            return KANAL_E_TOO_LARGE;
        if (file->len == file->capacity && grow(file) != 0)
            return KANAL_E_INTERNAL;
        got = read(fd, file->bytes + file->len, file->capacity - file->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return KANAL_E_NOT_FOUND;
        if (got == 0)
            break;
        file->len += (size_t)got;
    }
    file->bytes[file->len] = 0;
    return 0;
}

int config_file_read(struct config_file *ret_file, const char *path, size_t limit)
{
    struct config_file file = { 0 };
    int is_stdin = strcmp(path, "-") == 0, status, saved;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return KANAL_E_NOT_FOUND;
    status = read_all(&file, fd, limit);
    saved = errno;
    if (!is_stdin)
        close(fd);
    if (status == 0)
        *ret_file = file;
    else
        config_file_release(&file);
    errno = saved;
    return status;
}

void config_file_release(struct config_file *file)
{
    config_wipe_free(file->bytes, file->capacity);
    memset(file, 0, sizeof *file);
}
