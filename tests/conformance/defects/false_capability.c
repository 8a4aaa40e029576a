/* It says that it can show locations. */
#define TINY_CAPS (KANAL_CAP_TEXT | KANAL_CAP_LOCATION)
#include "tiny.h"
