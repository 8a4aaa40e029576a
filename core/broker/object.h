/* broker/object.h - the meta message of an object (ADR-20), written and read. Private to core/broker. */
#ifndef KANAL_BROKER_OBJECT_H
#define KANAL_BROKER_OBJECT_H
#include "api.h"
#include "kv.h"

#define OBJECT_CHUNK 131072u
#define OBJECT_NUID 22u
#define OBJECT_DIGEST 53u /* "SHA-256=" and base64 of 32 bytes, with the NUL */

struct object_meta {
    kanal_str name, content_type, filename, nuid, digest;
    uint64_t size, chunks;
    int deleted, is_link;
};

/* "$O.<bucket>.M.<base64url of the name>" and "$O.<bucket>.C.<nuid>", appended. */
void object_meta_subject(struct kanal_buffer *out, const char *bucket, kanal_str name);
void object_chunk_subject(struct kanal_buffer *out, const char *bucket, kanal_str nuid);
void object_meta_write(struct kanal_buffer *out, const char *bucket, const struct object_meta *);
/* Borrows from *ret_doc, which yyjson_doc_free() releases. 0 or KANAL_E_INVALID. */
int object_meta_parse(kanal_str json, yyjson_doc **ret_doc, struct object_meta *ret_meta);
/* A name for its chunks that nobody else has. 0 or -1. */
int object_nuid(char out[OBJECT_NUID + 1]);
void object_digest(const unsigned char sha256[32], char out[OBJECT_DIGEST]);

#endif
