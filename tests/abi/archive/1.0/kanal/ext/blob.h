/* kanal/ext/blob.h - extension "kanal.blob/1": bytes that the gateway keeps, for channels whose media have no provider to
 * fetch them from again (an upload to the chat on the site, an attachment of an e-mail).
 *
 * They are kept in the broker's object store (bucket <prefix>_media) under the retention `media`. The value that put()
 * brings is a reference: it goes into a media part as "ref", and is served by the gateway itself, without media(). */
#ifndef KANAL_EXT_BLOB_H
#define KANAL_EXT_BLOB_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_BLOB "kanal.blob/1"

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_blob_host {
    uint64_t struct_size;
    /* [lane] Stores bytes (at most 16 MiB) durably. The callback brings the reference ("blob:…").
     * KANAL_E_TOO_LARGE, KANAL_E_BUSY, KANAL_E_NETWORK (no broker), KANAL_E_TIMEOUT. */
    kanal_op (*put)(const kanal_host *, kanal_str content_type, kanal_str filename, kanal_str data,
                    kanal_value_fn *, void *user);
    /* [lane] As put(), and the signed public URL of a reference, valid for some hours: for showing a stored thing to its
     * own uploader. Also of other media references of this channel. The callback brings the URL. */
    kanal_op (*url)(const kanal_host *, kanal_str reference, kanal_value_fn *, void *user);
} kanal_blob_host;

#ifdef __cplusplus
}
#endif
#endif
