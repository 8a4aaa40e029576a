/* host/services/place.h - where a connection goes to: scheme, host and port of a URL that is not of HTTP. [any thread] */
#ifndef KANAL_HOST_PLACE_H
#define KANAL_HOST_PLACE_H
#include "kanal/plugin.h"

struct place {
    char scheme[8];
    char host[256]; /* without brackets */
    uint32_t port;  /* never 0 */
};

/* "imaps://mail.example.com", "smpp://10.0.0.5:2775", "tcp://[::1]:7": imap imaps smtp smtps smpp smpps mqtt mqtts with their default
 * ports, tcp and tls without one; nothing after host and port but a slash. 0 or KANAL_E_INVALID. */
int place_parse(kanal_str url, struct place *ret_place);

#endif
