/* http/server_tcp.h - one question to the kernel. Apart, because <linux/tcp.h>, which alone has it, and the C library's header
 * of the same name, which libuv includes, exclude each other. */
#ifndef KANAL_HTTP_SERVER_TCP_H
#define KANAL_HTTP_SERVER_TCP_H
#include <stdint.h>

/* How many bytes of payload were received on a TCP connection so far (Linux 4.1); 0 if that cannot be known. */
uint64_t http_tcp_received(int fd);

#endif
