/* It uses a secret that the operator could not have configured. */
#define TINY_SECRET "password"
#include "tiny.h"
