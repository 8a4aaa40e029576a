/* No connection is taken for a refusal: the message is lost. */
#define TINY_RESULT(result)                                                                                  \
    if (status == KANAL_E_NETWORK)                                                                           \
    (result).outcome = KANAL_FAILED
#include "tiny.h"
