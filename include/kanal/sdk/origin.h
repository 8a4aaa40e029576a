/* kanal/sdk/origin.h - which sites' pages may use a channel: the setting `origins`. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_ORIGIN_H
#define KANAL_SDK_ORIGIN_H
#include "json.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The schema of one item of the setting: an origin, "https://" and a star in the place of the first label, or a star. */
#define KANAL_ORIGIN_SCHEMA                                                                                  \
    "{\"type\":\"string\",\"maxLength\":255,"                                                                \
    "\"pattern\":\"^([*]|https?://([*][.])?[A-Za-z0-9.-]+(:[0-9]{1,5})?)$\"}"
#define KANAL_ORIGIN_BYTES_MAX 255u

/* True if a page of this origin (the header) may use the channel. patterns: an array of strings as the schema has them; NULL allows
 * none. "https://" "*.a.example" is every name below a.example, not that name itself. "null" and what is no origin: never. */
int kanal_origin_allowed(yyjson_val *patterns, kanal_str origin);

#ifdef __cplusplus
}
#endif
#endif
