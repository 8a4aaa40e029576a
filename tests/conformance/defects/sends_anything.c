/* It takes every verb for message.send. */
#define TINY_IN_DELIVER(channel, op, delivery)                                                               \
    if (!kanal_str_is((delivery)->type, "message.send")) {                                                   \
        ask(channel, op, "POST", TINY_ORIGIN TINY_PATH, KANAL_LIT("?"), 0);                                  \
        return;                                                                                              \
    }
#include "tiny.h"
