/* http/server_target.h - the target of a request line: checked, split and decoded (RFC 9112, 3.2; RFC 3986). */
#ifndef KANAL_HTTP_SERVER_TARGET_H
#define KANAL_HTTP_SERVER_TARGET_H
#include "kanal/plugin.h"

/* Splits an origin-form target at the first '?' and decodes its path. scratch: room for target.len bytes, used when the path
 * holds escapes; the results are views into scratch or target. Refused: another form (absolute, authority, asterisk), a byte
 * that is not visible ASCII, '#', a broken escape, an encoded NUL (also in the query) or control byte, an encoded slash or
 * backslash, a path that is not UTF-8, "//", and the segments "." and "..", however they are written. 0 or KANAL_E_INVALID. */
int http_target_split(kanal_str target, char *scratch, kanal_str *ret_path, kanal_str *ret_query);

#endif
