/* The result's code is none of the contract's. */
#define TINY_RESULT(result)                                                                                  \
    if ((result).outcome != KANAL_SENT)                                                                      \
    (result).code = KANAL_LIT("oops")
#include "tiny.h"
