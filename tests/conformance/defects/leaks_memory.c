/* Twenty bytes of each message are forgotten. */
#define TINY_MEMBERS void *kept;
#define TINY_IN_HTTP(channel, op, request) (channel)->kept = malloc(20)
#define TINY_IN_DESTROY(channel) (channel)->kept = NULL
#include "tiny.h"
