/* It ends the process when it does not know what to do. */
#include <stdlib.h>
#define TINY_IN_HTTP(channel, op, request)                                                                   \
    if ((request)->body.len == 0)                                                                            \
    exit(1)
#include "tiny.h"
