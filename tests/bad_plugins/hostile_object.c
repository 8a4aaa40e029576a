/* A shared object that does one act of hostile_acts.c: from its ELF constructor (-DCONSTRUCTOR="socket"), and when it is asked. */
#include "hostile_acts.h"

int run_act(const char *name);

__attribute__((visibility("default"))) int run_act(const char *name)
{
    return hostile_act(name);
}

#ifdef CONSTRUCTOR
__attribute__((visibility("default"))) extern int constructed;
int constructed = 1;

__attribute__((constructor)) static void construct(void)
{
    constructed = hostile_act(CONSTRUCTOR);
}
#endif
