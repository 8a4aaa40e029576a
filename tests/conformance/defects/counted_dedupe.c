/* The dedupe key is a counter of this process: another order, other keys. */
#include <stdio.h>
#include "kanal/sdk/sdk.h"
static kanal_str counted(unsigned *count, kanal_str id, char key[96])
{
    return kanal_str_of(key, (size_t)snprintf(key, 96, "%u", ++*count % 3 + (unsigned)id.len));
}
#define TINY_MEMBERS                                                                                         \
    unsigned count;                                                                                          \
    char key[96];
#define TINY_DEDUPE(channel, id) counted(&(channel)->count, id, (channel)->key)
#include "tiny.h"
