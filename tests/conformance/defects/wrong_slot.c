/* A delivery is answered as if it were start(). */
#define TINY_ANSWERS 0
#define TINY_AFTER_ANSWER(job, result)                                                                       \
    (job)->channel->host->finish((job)->channel->host, (job)->op, (result).outcome - 1, kanal_str_of(NULL, 0))
#include "tiny.h"
