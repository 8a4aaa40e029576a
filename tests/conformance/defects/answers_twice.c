/* A delivery is answered a second time. */
#define TINY_AFTER_ANSWER(job, result)                                                                       \
    (job)->channel->host->delivered((job)->channel->host, (job)->op, &(result))
#include "tiny.h"
