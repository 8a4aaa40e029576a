/* frame.h - one frame of a client (PROTOCOL.md), read and checked. Nothing here knows a connection. */
#ifndef WEBCHAT_FRAME_H
#define WEBCHAT_FRAME_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/json.h"

#define FRAME_VERSION 1
#define FRAME_TEXT_CHARS 4000
#define FRAME_ID_MIN 8
#define FRAME_ID_MAX 64
#define FRAME_REFERENCE_BYTES 64

enum frame_type {
    FRAME_HELLO,
    FRAME_SYNC,
    FRAME_MESSAGE,
    FRAME_TYPING,
    FRAME_DELIVERED,
    FRAME_READ,
    FRAME_LINK,
    FRAME_PING
};

/* Views into the parsed document. Which members are set depends on the type; absent ones are {NULL, 0}. */
struct frame {
    enum frame_type type;
    yyjson_val *root;
    int64_t version;                                      /* hello */
    kanal_str token, locale;                              /* hello; locale only if it is a language tag */
    kanal_str id;                                         /* message, link */
    kanal_str text, file, answer_message, answer_payload; /* message */
    kanal_str up_to;                                      /* delivered, read */
    uint32_t part;                                        /* link */
};

/* 0, or KANAL_E_INVALID with *ret_error: what was wrong, static text. frame->id is set where the frame has a usable one,
 * also then. */
kanal_status frame_read(yyjson_val *root, struct frame *ret_frame, const char **ret_error);

/* What a hello tells of the page and of how the visitor came, as canonical JSON objects; a buffer stays empty where there is
 * nothing. Members that are malformed or too long are left out. */
void frame_page(yyjson_val *hello, struct kanal_buffer *out);
/* hello.ref: empty if there is none, or no reference. */
void frame_reference(yyjson_val *hello, char ret_reference[FRAME_REFERENCE_BYTES + 1]);
void frame_attribution(yyjson_val *hello, struct kanal_buffer *out);

/* Code points of valid UTF-8. */
size_t frame_chars(kanal_str text);

#endif
