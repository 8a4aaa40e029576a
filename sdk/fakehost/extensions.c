/* The extensions that the fake host has: one line each. */
#include "inside.h"

static const struct fake_extension *const extensions[] = {
    &fake_extension_blob,   &fake_extension_blob2,    &fake_extension_lease,     &fake_extension_link,
    &fake_extension_stream, &fake_extension_transfer, &fake_extension_websocket,
};
#define EXTENSIONS (sizeof extensions / sizeof *extensions)

const void *fake_extension_find(const kanal_host *table, const char *id)
{
    fake_check_lane(fake_of(table), "extension");
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (strcmp(extensions[i]->id, id) == 0)
            return extensions[i]->table;
    return NULL;
}

void fake_extensions_attach(struct fake_host *host)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (extensions[i]->attach != NULL)
            extensions[i]->attach(host);
}

void fake_extensions_stop(struct fake_host *host)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (extensions[i]->stop != NULL)
            extensions[i]->stop(host);
}

void fake_extensions_check_end(struct fake_host *host)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (extensions[i]->check_end != NULL)
            extensions[i]->check_end(host);
}

void fake_extensions_release(struct fake_host *host)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (extensions[i]->release != NULL)
            extensions[i]->release(host);
}
