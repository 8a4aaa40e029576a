/* outbound/zone.h - time zones by their IANA names: what the clock of a customer shows. [loop]
 *
 * Reads the system's tzdata (TZif, RFC 8536, versions 1 to 4) by itself: tzset() and localtime() know one zone for the whole process.
 * The rule behind the last transition (a TZ string as POSIX has it) is followed, too. */
#ifndef KANAL_OUTBOUND_ZONE_H
#define KANAL_OUTBOUND_ZONE_H
#include "kanal/plugin.h"

#define ZONE_FILE_MAX (64u * 1024)

struct zone;

/* A TZif file's bytes. 0, KANAL_E_INVALID: they are none, KANAL_E_INTERNAL: no memory. */
int zone_read(struct zone **ret_zone, const unsigned char *bytes, size_t len);
/* Always that many seconds east of Greenwich. NULL: no memory. */
struct zone *zone_fixed(int32_t offset_s);
void zone_free(struct zone *); /* NULL is fine */
/* Seconds to be added to UTC at that moment. */
int32_t zone_offset(const struct zone *, int64_t utc_s);

/* Those that were asked for lately; the files are some KiB, and read once. */
struct zones;
/* directory: "/usr/share/zoneinfo"; borrowed. NULL: no memory. */
struct zones *zones_new(const char *directory);
void zones_free(struct zones *); /* NULL is fine */
/* name: "Europe/Moscow", "UTC", "+03:00". NULL: no such zone. Borrowed until the next call. */
const struct zone *zones_find(struct zones *, kanal_str name);

#endif
