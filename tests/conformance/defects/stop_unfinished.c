/* stop() is never finished. */
#define TINY_FINISHES_STOP 0
#include "tiny.h"
