/* A file stays open. */
#include <fcntl.h>
#define TINY_MEMBERS int file;
#define TINY_IN_CREATE(channel, config) (channel)->file = open("/dev/null", O_RDONLY)
#include "tiny.h"
