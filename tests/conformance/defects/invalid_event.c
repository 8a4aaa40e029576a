/* Its events hold a part that the contract does not know. */
#define TINY_PART_TYPE "smoke_signal"
#include "tiny.h"
