/* inbound/range.h - a client's Range, and a provider's Content-Range (RFC 9110, 14). [any thread] */
#ifndef KANAL_INBOUND_RANGE_H
#define KANAL_INBOUND_RANGE_H
#include <stdint.h>
#include "kanal/plugin.h"

#define RANGE_TEXT_BYTES 80u

/* Of both ends one may be open: "bytes=500-", "bytes=-500". */
struct range {
    int64_t first; /* -1: the last `last` bytes */
    int64_t last;  /* -1: to the end */
};

/* 0; -1: none, several, or malformed: such a header is to be ignored. */
int range_parse(kanal_str header, struct range *ret_range);
/* The bytes [*ret_from, *ret_end) of so many; -1: none of them is there (416). */
int range_of(const struct range *, uint64_t size, uint64_t *ret_from, uint64_t *ret_end);
/* "bytes=0-499", as it was understood. */
kanal_str range_write(const struct range *, char text[RANGE_TEXT_BYTES]);
/* "bytes 0-499/1234", the size may be an asterisk: 0 and how many bytes the part has. Of a 416, an asterisk instead of the part: 0 and no byte.
 * -1: malformed. */
int range_content_parse(kanal_str header, uint64_t *ret_bytes);

#endif
