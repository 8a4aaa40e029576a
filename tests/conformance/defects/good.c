#include "tiny.h"
