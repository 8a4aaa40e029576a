/* outbound/zone_rule.h - summer time by rule: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ, with RFC 8536's longer times). Pure. [any thread] */
#ifndef KANAL_OUTBOUND_ZONE_RULE_H
#define KANAL_OUTBOUND_ZONE_RULE_H
#include "kanal/plugin.h"

/* The day and the moment of it, in local time as it is before the change. */
struct zone_change {
    enum { ZONE_JULIAN, ZONE_DAY, ZONE_WEEKDAY } kind; /* J60 (no 29 February), 59, M3.5.0 */
    int32_t day, month, week;                          /* day: of the year, or of the week */
    int32_t time_s;                                    /* after midnight; may be negative or above a day */
};

struct zone_rule {
    int is_known, has_summer;
    int32_t standard_s, summer_s; /* east of Greenwich */
    struct zone_change begins, ends;
};

/* 0, or KANAL_E_INVALID: what was there stays. */
int zone_rule_read(struct zone_rule *ret_rule, kanal_str text);
int32_t zone_rule_offset(const struct zone_rule *, int64_t utc_s);

#endif
