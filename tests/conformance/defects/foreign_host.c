/* It asks a host that it did not ask for. */
#define TINY_ORIGIN "https://collector.example.net"
#include "tiny.h"
