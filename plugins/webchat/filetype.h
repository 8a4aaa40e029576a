/* filetype.h - what an upload says it is, checked against what it looks like, and a file name that is safe to show. */
#ifndef WEBCHAT_FILETYPE_H
#define WEBCHAT_FILETYPE_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

#define FILETYPE_NAME_BYTES 200
#define FILETYPE_MIME_BYTES 127

/* The media type of a Content-Type header: without parameters, in lower case, NUL-ended. ret_mime: FILETYPE_MIME_BYTES + 1
 * bytes. 0, or KANAL_E_INVALID: it is none. */
kanal_status filetype_mime(kanal_str content_type, char *ret_mime);
/* False if the bytes do not begin as files of that type do. True for types whose beginning is not known here. */
int filetype_matches(kanal_str mime, kanal_str bytes);
/* The percent-encoded name without folders, control characters and direction overrides, cut to FILETYPE_NAME_BYTES;
 * "file" if nothing is left. */
void filetype_name(kanal_str encoded, struct kanal_buffer *out);

#endif
