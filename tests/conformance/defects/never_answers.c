/* A delivery is never answered. */
#define TINY_ANSWERS 0
#include "tiny.h"
