/* kanal/sdk/report.h - what a channel tells its operator: lines of the log, counters, its health. Part of the static helpers, not of
 * the ABI. Everything runs in the channel's lane. */
#ifndef KANAL_SDK_REPORT_H
#define KANAL_SDK_REPORT_H
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A line of the log, in pieces: text, then detail (may be absent; its first 512 bytes). */
void kanal_log(const kanal_host *, kanal_op cause, int32_t level, const char *text, kanal_str detail);
/* Counts one. */
void kanal_count(const kanal_host *, const char *metric);

/* Several things may be wrong with a channel at once, a bit each; it is well when nothing is. Lives in the channel. */
struct kanal_health {
    const kanal_host *host; /* borrowed */
    uint32_t ills, reserved;
};

void kanal_health_init(struct kanal_health *, const kanal_host *);
/* These are wrong (status and why), or are not any more (KANAL_OK). The host hears of changes. */
void kanal_health_set(struct kanal_health *, uint32_t ills, kanal_status, kanal_str reason);

#ifdef __cplusplus
}
#endif
#endif
