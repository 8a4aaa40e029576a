/* Unknown settings are taken. */
#define TINY_SCHEMA_END "}"
#include "tiny.h"
