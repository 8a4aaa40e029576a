/* Any two texts with a zero between them: no more places than there can be, each whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/worker/cgroup_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const char *membership, const char *mounts, const char *group)
{
    static struct cgroup_places places;
    cgroup_find(&places, membership, mounts, group);
    if (places.count > CGROUP_PLACES)
        abort();
    for (size_t i = 0; i < places.count; i++) {
        const struct cgroup_place *place = &places.list[i];
        if (!memchr(place->path, 0, sizeof place->path) || (place->version == 1) != (place->controllers != 0))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    const char *mounts = text + strnlen(text, size) + 1;
    find(text, mounts, NULL);
    find(text, mounts, "/a/b");
    free(text);
    return 0;
}
