/* http/client_head.h - the header lines of an answer, gathered as libcurl hands them over.
 *
 * The bytes are the peer's. Interim answers (1xx) are dropped when the next status line comes; trailers after the final head
 * are ignored. Kept: the first HTTP_HEAD_FIELDS fields, names in lower case, values without white space around them, folded
 * lines joined by one space. All lines of one call, interim ones too, share HTTP_HEAD_BYTES. Not thread-safe. */
#ifndef KANAL_HTTP_CLIENT_HEAD_H
#define KANAL_HTTP_CLIENT_HEAD_H
#include "kanal/sdk/buffer.h"

#define HTTP_HEAD_FIELDS 64
#define HTTP_HEAD_BYTES (64u * 1024)

struct http_head_span { /* offsets, because the text may move */
    uint32_t name, name_len, value, value_len;
};

struct http_head {
    struct kanal_buffer text;
    struct http_head_span spans[HTTP_HEAD_FIELDS];
    size_t count;
    size_t seen_bytes;
    int code;      /* of the last status line */
    int complete;  /* the empty line after a final status has come */
    int last_kept; /* whether a folded line has a field to continue */
};

void http_head_init(struct http_head *);
void http_head_clear(struct http_head *);
void http_head_release(struct http_head *);
/* One line, with its line end or without. 0; KANAL_E_TOO_LARGE; KANAL_E_BUSY: out of memory. */
int http_head_line(struct http_head *, kanal_str line);
/* Views into the head, valid until it changes. */
size_t http_head_fields(const struct http_head *, kanal_field ret_fields[HTTP_HEAD_FIELDS]);

#endif
