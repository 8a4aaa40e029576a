/* It uses the network by itself. */
#include <sys/socket.h>
#include <unistd.h>
#define TINY_IN_START(channel)                                                                               \
    if ((channel)->stop)                                                                                     \
    close(socket(AF_INET, SOCK_STREAM, 0))
#include "tiny.h"
