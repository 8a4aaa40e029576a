/* http/websocket_handshake.h - the opening handshake of RFC 6455, section 4.2: what makes a request an upgrade, and the
 * answer's key. */
#ifndef KANAL_HTTP_WEBSOCKET_HANDSHAKE_H
#define KANAL_HTTP_WEBSOCKET_HANDSHAKE_H
#include "kanal/plugin.h"

#define WEBSOCKET_ACCEPT_SIZE 29 /* 28 characters and a NUL */

enum websocket_handshake {
    WEBSOCKET_NONE, /* an ordinary request */
    WEBSOCKET_GOOD,
    WEBSOCKET_VERSION, /* another version than 13: 426 */
    WEBSOCKET_BAD      /* 400 */
};

/* Does a comma-separated header value hold this token (lower case), in any case? RFC 9110, 5.6.1 */
int websocket_has_token(kanal_str list, const char *token);
/* method and http_minor (of HTTP/1.x) as sent; headers with names in lower case. GOOD: *ret_key is a view of the key. */
enum websocket_handshake websocket_check(kanal_str method, int http_minor, const kanal_field *headers,
                                         size_t count, kanal_str *ret_key);
/* Sec-WebSocket-Accept of a checked key. */
void websocket_accept(kanal_str key, char ret_accept[WEBSOCKET_ACCEPT_SIZE]);

#endif
