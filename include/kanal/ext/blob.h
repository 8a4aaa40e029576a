/* kanal/ext/blob.h - extensions "kanal.blob/1" and "kanal.blob/2": bytes that the gateway keeps, for channels whose media have no provider to
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
#define KANAL_EXT_BLOB_2 "kanal.blob/2" /* also writes piece by piece */

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

/* The host's table of "kanal.blob/2". Frozen. put() and url() are those above. The rest is for what is too large to be held
 * whole: an attachment of 20 MB passes through in pieces. */
typedef struct kanal_blob2_host {
    uint64_t struct_size;
    kanal_op (*put)(const kanal_host *, kanal_str content_type, kanal_str filename, kanal_str data,
                    kanal_value_fn *, void *user);
    kanal_op (*url)(const kanal_host *, kanal_str reference, kanal_value_fn *, void *user);
    /* [lane] Begins a blob: its number until commit() or discard(). 0: over 8 in the channel, a malformed argument, or after finish() of
     * stop(). One that is left alone for 10 minutes is discarded. */
    kanal_op (*open)(const kanal_host *, kanal_str content_type, kanal_str filename);
    /* [lane] The next piece, 1 byte to 1 MiB. The callback asks for the next one: KANAL_E_BUSY, with nothing kept, while 2 MiB wait to
     * be stored. KANAL_E_TOO_LARGE: over 64 MiB in all; after this, KANAL_E_NETWORK and KANAL_E_TIMEOUT the blob is lost, and
     * only discard() is left. KANAL_E_NOT_FOUND: no such blob. */
    kanal_op (*append)(const kanal_host *, kanal_op blob, kanal_str piece, kanal_done_fn *, void *user);
    /* [lane] Ends it: durable, and the number is used up, when the callback brings the reference. Errors as of put(). */
    kanal_op (*commit)(const kanal_host *, kanal_op blob, kanal_value_fn *, void *user);
    /* [lane] Throws it away. */
    void (*discard)(const kanal_host *, kanal_op blob);
} kanal_blob2_host;

#ifdef __cplusplus
}
#endif
#endif
