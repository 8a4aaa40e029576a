/* A helper is exported too. */
#include "tiny.h"
KANAL_EXPORT int tiny_helper(void);
int tiny_helper(void)
{
    return 7;
}
