/* It remembers across lives what it has seen, and drops it. */
#include "kanal/sdk/sdk.h"
static unsigned seen;
#define TINY_IN_HTTP(channel, op, request)                                                                   \
    if (++seen > 3) {                                                                                        \
        respond(channel, op, 200);                                                                           \
        return;                                                                                              \
    }
#include "tiny.h"
