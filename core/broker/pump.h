/* broker/pump.h - stands between cnats' TLS and the network, so that OpenSSL never finds half a record or a
 * full socket.
 *
 * The socket's descriptor is replaced by one end of a socket pair; a thread carries the (encrypted) bytes
 * between the other end and the real socket: outward it takes everything at once, inward it passes whole
 * TLS records only. It never decrypts. The caller bounds what it writes by broker_pump_pending(). Ends
 * when either side closes. */
#ifndef KANAL_BROKER_PUMP_H
#define KANAL_BROKER_PUMP_H
#include <stddef.h>

struct broker_pump;

/* After the handshake, before anything else is read. fd stays valid and is the socket pair from now on. 0
 * or KANAL_E_INTERNAL. [any thread] */
int broker_pump_start(struct broker_pump **ret_pump, int fd);
/* Bytes taken and not yet sent. [any thread] */
size_t broker_pump_pending(const struct broker_pump *);
/* The thread goes on until fd is closed, then it sends what it has, for a second at most. NULL is fine.
 * [any thread] */
void broker_pump_release(struct broker_pump *);

/* How many of the bytes are whole TLS records (RFC 8446, 5.1). Bytes that are no TLS count as whole:
 * OpenSSL will refuse them. */
size_t broker_pump_whole_records(const unsigned char *bytes, size_t len);

#endif
