/* It says that it reports what was read. */
#define TINY_CAPS (KANAL_CAP_TEXT | KANAL_CAP_READ_RECEIPT)
#include "tiny.h"
