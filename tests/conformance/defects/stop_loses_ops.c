/* stop() is finished while deliveries wait: nobody answers them any more. */
#define TINY_STOPS_AT_ONCE 1
#include "tiny.h"
