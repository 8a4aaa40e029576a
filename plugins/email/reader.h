/* reader.h - the parts of a mail (RFC 5322, 2045 to 2047, 2231), token by token, in bounded memory: bytes go in as they come, and a mail of 20
 * MB passes as pieces of its parts. GMime reads each header block, and decodes base64 and quoted-printable; finding the lines that separate
 * parts is done here, since GMime's own parser wants the whole mail at once.
 *
 * Pure: no host. Nothing is refused: what is broken is read as far as it can be. */
#ifndef EMAIL_READER_H
#define EMAIL_READER_H
#include <gmime/gmime.h>

#include "kanal/sdk/buffer.h"

#define READER_HEAD_MAX (128u * 1024u) /* bytes of one header block; what is beyond is left out */
#define READER_DEPTH_MAX 24u           /* multiparts in multiparts; a deeper one is a part without parts */
#define READER_PARTS_MAX 256u          /* what comes after so many parts is left out */
#define READER_BOUNDARY_MAX 250u
#define READER_LINE_MAX (READER_BOUNDARY_MAX + 64u)

enum reader_kind {
    READER_MORE, /* give more bytes */
    READER_HEAD, /* the mail's own header block: data */
    READER_PART, /* a part without parts begins */
    READER_DATA, /* of it, decoded */
    READER_PART_END,
    READER_END /* after reader_finish() */
};

struct reader_part {
    GMimeObject *object;  /* of its header block; valid until the next part begins */
    char type[64];        /* "text", in lower case */
    char subtype[64];     /* "plain" */
    uint32_t alternative; /* the multipart/alternative that is the nearest around it, by number; 0: none */
    int32_t in_report;    /* somewhere in a multipart/report */
};

struct reader_token {
    enum reader_kind kind;
    kanal_str data; /* valid until the next call */
    const struct reader_part *part;
};

struct reader_level { /* an open multipart */
    char boundary[READER_BOUNDARY_MAX + 1];
    uint32_t length, alternative;
    int32_t in_report, is_digest;
};

struct reader {     /* zeroed: before the first byte */
    kanal_str rest; /* what was fed and not looked at; borrowed */
    struct kanal_buffer head, out;
    struct reader_level levels[READER_DEPTH_MAX];
    uint32_t depth, parts, alternatives;
    struct reader_part part;
    GMimeEncoding decoder;
    char line[READER_LINE_MAX]; /* the beginning of a line that may separate parts */
    uint32_t line_len, head_line;
    char held[2]; /* a line's end, which belongs to what separates parts if that comes next */
    uint32_t held_len;
    int32_t in_body, at_line_start, is_leaf, is_finished, has_ended, has_head;
    int32_t emit_head, emit_part, emit_data, emit_end; /* tokens that wait */
    int32_t is_cut; /* over READER_PARTS_MAX, or a header block over READER_HEAD_MAX */
};

void reader_release(struct reader *);
/* Bytes as they come; borrowed until reader_next() said MORE. */
void reader_feed(struct reader *, kanal_str bytes);
/* There are no more. */
void reader_finish(struct reader *);
enum reader_kind reader_next(struct reader *, struct reader_token *ret_token);

/* A header block as GMime reads it, with the options that are used throughout. To be unreferenced; NULL: there is nothing. */
GMimeMessage *reader_message(kanal_str head, const char *charset);

#endif
