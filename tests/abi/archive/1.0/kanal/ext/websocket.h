/* kanal/ext/websocket.h - extension "kanal.websocket/1": WebSocket server connections (RFC 6455) for a channel.
 *
 * A client asks for an upgrade on a GET route of the channel; on_http() sees it as any request (its header "upgrade" is
 * "websocket") and answers either with respond(), a refusal, or with accept(). The host speaks the protocol: handshake,
 * masking, ping and pong, fragments, UTF-8, the close handshake, limits. Idle connections are pinged each 30 s and
 * dropped when two pings stay unanswered. */
#ifndef KANAL_EXT_WEBSOCKET_H
#define KANAL_EXT_WEBSOCKET_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_WEBSOCKET "kanal.websocket/1"

#define KANAL_WS_TEXT 1u
#define KANAL_WS_BINARY 2u

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_websocket_host {
    uint64_t struct_size;
    /* [lane] Answers an on_http() op: the connection's id is that op. max_message: bytes of one incoming message, 0: 64 KiB;
     * a larger one closes with 1009. on_open() follows, or on_close() alone if the client is gone. */
    void (*accept)(const kanal_host *, kanal_op request, uint32_t max_message);
    /* [lane] Queues one message; false once the connection is closing, or when more than 1 MiB waits for a slow client,
     * who is then closed with 1013. type: KANAL_WS_… Returns 1 or 0. */
    int32_t (*send)(const kanal_host *, kanal_op connection, uint32_t type, kanal_str message);
    /* [lane] Starts the close handshake; on_close() follows. code: RFC 6455, 7.4. */
    void (*close)(const kanal_host *, kanal_op connection, uint32_t code, kanal_str reason);
} kanal_websocket_host;

/* The plugin's table: kanal_plugin.extension(). Frozen. */
typedef struct kanal_websocket_plugin {
    uint64_t struct_size;
    /* [lane] All in order; on_close() exactly once for each accept(), also at stop(). */
    void (*on_open)(kanal_channel *, kanal_op connection);
    void (*on_message)(kanal_channel *, kanal_op connection, uint32_t type, kanal_str message);
    void (*on_close)(kanal_channel *, kanal_op connection, uint32_t code, kanal_str reason);
} kanal_websocket_plugin;

#ifdef __cplusplus
}
#endif
#endif
