/* stop() answers what waits, and the cancelled calls answer again. */
#define TINY_ON_RESPONSE(job, status, response)                                                              \
    if ((status) == KANAL_E_CANCELLED && !(job)->is_start) {                                                 \
        const kanal_result early = { .struct_size = sizeof early,                                            \
                                     .outcome = KANAL_RETRY,                                                 \
                                     .code = KANAL_LIT("interrupted") };                                     \
        (job)->channel->host->delivered((job)->channel->host, (job)->op, &early);                            \
    }
#include "tiny.h"
