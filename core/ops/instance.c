#include "ops/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/ids.h"

static int is_id(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz234567_") == INSTANCE_ID_LEN &&
           strncmp(text, "l_", 2) == 0;
}

/* The id in the file, or a new one that is in the file when this returns. */
static int read_or_make(struct instance *instance)
{
    ssize_t len = pread(instance->fd, instance->id, INSTANCE_ID_LEN, 0);
    instance->id[len > 0 ? len : 0] = 0;
    if (is_id(instance->id))
        return 0;
    struct id id;
    if (ids_random("l_", &id) != 0)
        return -1;
    snprintf(instance->id, sizeof instance->id, "%s", id.text);
    return ftruncate(instance->fd, 0) == 0 &&
                   pwrite(instance->fd, instance->id, INSTANCE_ID_LEN, 0) == (ssize_t)INSTANCE_ID_LEN &&
                   fsync(instance->fd) == 0
               ? 0
               : -1;
}

int instance_open(struct instance *instance, const char *data_dir)
{
    char path[4096];
    *instance = (struct instance){ .fd = -1 };
    if (mkdir(data_dir, 0700) != 0 && errno != EEXIST)
        return -1;
    if (snprintf(path, sizeof path, "%s/instance", data_dir) >= (int)sizeof path)
        return -1;
    instance->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (instance->fd >= 0 && flock(instance->fd, LOCK_EX | LOCK_NB) == 0 && read_or_make(instance) == 0)
        return 0;
    instance_close(instance);
    return -1;
}

void instance_close(struct instance *instance)
{
    if (instance->fd >= 0)
        close(instance->fd);
    *instance = (struct instance){ .fd = -1 };
}
