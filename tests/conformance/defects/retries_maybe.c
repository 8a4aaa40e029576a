/* What may have been taken is tried again: the customer gets it twice. */
#define TINY_RESULT(result)                                                                                  \
    if ((result).outcome == KANAL_UNKNOWN)                                                                   \
    (result).outcome = KANAL_RETRY
#include "tiny.h"
