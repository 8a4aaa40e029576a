/* Whatever the provider answers, it was sent. */
#define TINY_RESULT(result)                                                                                  \
    if (status == KANAL_OK)                                                                                  \
        (result) = (kanal_result)                                                                            \
        {                                                                                                    \
            .struct_size = sizeof(result), .outcome = KANAL_SENT                                             \
        }
#include "tiny.h"
