/* config/duration.h - durations and sizes as operators write them. [any thread] */
#ifndef KANAL_CONFIG_DURATION_H
#define KANAL_CONFIG_DURATION_H
#include "kanal/plugin.h"

/* A whole number and a unit, ms, s, m, h, d or w ("90s", "400d"), or an ISO 8601 duration of weeks, days, hours, minutes and
 * seconds ("PT10M"). A number alone is refused: it does not say of what. 0 or KANAL_E_INVALID (also when it is more than
 * INT64_MAX milliseconds). */
int config_duration_parse(kanal_str text, int64_t *ret_ms);

/* A whole number of bytes, or of K, M, G, T (also KiB, MiB, GiB, TiB), which are powers of 1024 ("64M", "1MiB"). Decimal units
 * (kB, MB) are refused. 0 or KANAL_E_INVALID. */
int config_size_parse(kanal_str text, int64_t *ret_bytes);

#endif
