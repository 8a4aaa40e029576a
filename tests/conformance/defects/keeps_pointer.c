/* It keeps a borrowed text, and reads it later. */
#define TINY_MEMBERS                                                                                         \
    kanal_str last;                                                                                          \
    int sum;
#define TINY_IN_DELIVER(channel, op, delivery) (channel)->last = (delivery)->address
#define TINY_ON_RESPONSE(job, status, response)                                                              \
    if ((job)->channel->last.len > 0)                                                                        \
    (job)->channel->sum += ((const volatile char *)(job)->channel->last.ptr)[0]
#include "tiny.h"
