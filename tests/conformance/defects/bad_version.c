/* No semantic version. */
#define TINY_VERSION "v1"
#include "tiny.h"
