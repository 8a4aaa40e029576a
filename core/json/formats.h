/* json/formats.h - the formats that schemas may name. [any thread]
 *
 * Sources: RFC 3339 (date-time, date, time, duration: appendix A), RFC 3986 (uri), RFC 5321 (email: Dot-string at a host
 * name; no quoted local parts), RFC 1123 (hostname), RFC 2673 and 4291 (ipv4, ipv6), RFC 4122 (uuid). */
#ifndef KANAL_JSON_FORMATS_H
#define KANAL_JSON_FORMATS_H
#include "kanal/plugin.h"

/* A number above 0 for a known name, else 0. */
uint32_t json_format_find(kanal_str name);
/* 1 or 0. */
int json_format_check(uint32_t format, kanal_str text);
/* "a URI", "an e-mail address". */
const char *json_format_words(uint32_t format);

/* Also of use elsewhere. */
int json_format_hostname(kanal_str);

#endif
