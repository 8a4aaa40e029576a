/* net/tls.h - a socket as a transport of net/stream.h: plain, and TLS once net_stream_secure() asks for it. [loop] */
#ifndef KANAL_NET_TLS_H
#define KANAL_NET_TLS_H
#include "net/stream.h"

/* What all TLS connections of the process share: the authorities, the versions. */
struct net_tls;
/* ca_file: authorities beside the system's, or NULL. KANAL_E_INVALID: the file cannot be used. */
int net_tls_new(struct net_tls **ret_tls, const char *ca_file);
void net_tls_free(struct net_tls *); /* NULL is fine */

struct net_socket; /* the transport's impl */
extern const struct net_transport net_socket_transport;
/* Takes the connected descriptor over; host (a name or an address, copied) is what a certificate must be for. NULL: no memory; the
 * descriptor is still the caller's. tls may be NULL: then net_stream_secure() fails. */
struct net_socket *net_socket_new(int fd, const char *host, struct net_tls *tls);

#endif
