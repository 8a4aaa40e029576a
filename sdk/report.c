#include "kanal/sdk/report.h"
#include "kanal/sdk/buffer.h"

#define DETAIL_BYTES_MAX 512u

void kanal_log(const kanal_host *host, kanal_op cause, int32_t level, const char *text, kanal_str detail)
{
    struct kanal_buffer line = { 0 };
    kanal_buffer_text(&line, text);
    if (detail.len > 0)
        kanal_buffer_text(&line, ": ");
    kanal_buffer_append(&line, detail.ptr, detail.len < DETAIL_BYTES_MAX ? detail.len : DETAIL_BYTES_MAX);
    if (!line.failed)
        host->log(host, cause, level, kanal_buffer_view(&line));
    kanal_buffer_release(&line);
}

void kanal_count(const kanal_host *host, const char *metric)
{
    host->metric_add(host, kanal_str_c(metric), 1, NULL, 0);
}

void kanal_health_init(struct kanal_health *health, const kanal_host *host)
{
    memset(health, 0, sizeof *health);
    health->host = host;
}

void kanal_health_set(struct kanal_health *health, uint32_t ills, kanal_status status, kanal_str reason)
{
    uint32_t before = health->ills;
    health->ills = status == KANAL_OK ? before & ~ills : before | ills;
    if (health->ills == before || (health->ills != 0 && status == KANAL_OK))
        return;
    health->host->health(health->host, status, reason);
}
