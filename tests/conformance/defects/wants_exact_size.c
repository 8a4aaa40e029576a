/* It refuses what is larger than it knows. */
#define TINY_IN_DELIVER(channel, op, delivery)                                                               \
    if ((delivery)->struct_size != sizeof *(delivery)) {                                                     \
        refuse(channel, op, KANAL_LIT("internal"));                                                          \
        return;                                                                                              \
    }
#define TINY_IN_HTTP(channel, op, request)                                                                   \
    if ((request)->struct_size != sizeof *(request)) {                                                       \
        respond(channel, op, 400);                                                                           \
        return;                                                                                              \
    }
#include "tiny.h"
