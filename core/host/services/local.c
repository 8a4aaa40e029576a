/* What the host answers at once: log, wake, clock, random, counters, health, cancel. */
#include <math.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define LOG_TEXT_MAX 1024u
#define LOG_LINES_PER_SECOND 50u
#define METRIC_SERIES_PER_CHANNEL 64u
#define METRIC_LABELS_MAX 4u

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* At most 50 lines a second and channel; how many were over is told in the next second that has a line. Runs on any thread: when two
 * meet at the turn of a second, one of them begins it. */
static int log_allowed(struct channel *channel)
{
    int64_t now = monotonic_ms(), since = __atomic_load_n(&channel->log_refill_ms, __ATOMIC_RELAXED);
    if (now - since >= 1000 && __atomic_compare_exchange_n(&channel->log_refill_ms, &since, now, 0,
                                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        uint32_t lines = __atomic_exchange_n(&channel->log_lines, 0, __ATOMIC_RELAXED);
        uint32_t dropped = __atomic_exchange_n(&channel->log_dropped, 0, __ATOMIC_RELAXED);
        dropped += lines > LOG_LINES_PER_SECOND ? lines - LOG_LINES_PER_SECOND : 0;
        if (dropped > 0)
            log_write(channel->host->log, KANAL_LOG_WARN, "plugin", channel->id.ptr,
                      "%u lines of the plugin were dropped: over %u a second", dropped, LOG_LINES_PER_SECOND);
    }
    return __atomic_add_fetch(&channel->log_lines, 1, __ATOMIC_RELAXED) <= LOG_LINES_PER_SECOND;
}

void service_log(const kanal_host *host, kanal_op cause, int32_t level, kanal_str text)
{
    struct channel *channel = host->impl;
    (void)cause;
    if (!text_valid(text) || !log_allowed(channel))
        return;
    if (text.len > LOG_TEXT_MAX)
        text.len = LOG_TEXT_MAX;
    level = level < KANAL_LOG_DEBUG ? KANAL_LOG_DEBUG : level > KANAL_LOG_ERROR ? KANAL_LOG_ERROR : level;
    struct log_field field = { .name = "plugin", .text = channel->source.plugin };
    log_write_fields(channel->host->log, level, "plugin", channel->id.ptr, text, &field, 1);
}

void service_wake(const kanal_host *host)
{
    struct channel *channel = host->impl;
    /* Hosted in this process a plugin may wake its lane from a thread of its own: only the flag and the loop's own wake-up are touched. */
    if (!__atomic_exchange_n(&channel->wake_pending, 1, __ATOMIC_ACQ_REL))
        uv_async_send(&channel->host->wake);
}

int64_t service_now_ms(const kanal_host *host)
{
    (void)host;
    return host_now_ms();
}

void service_random(const kanal_host *host, void *out, size_t len)
{
    (void)host;
    if (out && len > 0 && len <= INT32_MAX && RAND_bytes(out, (int)len) != 1)
        memset(out, 0, len); /* OpenSSL without entropy does not occur on Linux once the system is up */
}

void service_metric_add(const kanal_host *host, kanal_str name, double by, const kanal_field *labels,
                        size_t count)
{
    struct channel *channel = host->impl;
    struct kanal_buffer joined = { 0 };
    if (!name.ptr || name.len == 0 || name.len > 64 || !(by >= 0) || !isfinite(by) ||
        !fields_valid(labels, count, METRIC_LABELS_MAX))
        return;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            kanal_buffer_byte(&joined, ',');
        kanal_buffer_append(&joined, labels[i].name.ptr, labels[i].name.len < 64 ? labels[i].name.len : 64);
        kanal_buffer_byte(&joined, '=');
        kanal_buffer_append(&joined, labels[i].value.ptr,
                            labels[i].value.len < 64 ? labels[i].value.len : 64);
    }
    kanal_str values[] = { channel->id, name, kanal_buffer_view(&joined) };
    /* The number of series is the channel's, not the plugin's: what a customer sends must not make new ones without end. */
    if (channel->metric_series < METRIC_SERIES_PER_CHANNEL ||
        metric_known(channel->host->plugin_counters, values)) {
        channel->metric_series += !metric_known(channel->host->plugin_counters, values);
        metric_series(channel->host->plugin_counters, values)->value += by;
    } else {
        metric_series(channel->host->plugin_dropped, &channel->id)->value++;
    }
    kanal_buffer_release(&joined);
}

void service_health(const kanal_host *host, kanal_status status, kanal_str reason)
{
    channel_set_health(host->impl, status, text_valid(reason) ? reason : (kanal_str){ 0 });
}

void service_cancel(const kanal_host *host, kanal_op id)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, id);
    if (!op || op->kind < OP_DONE || op->completed)
        return;
    if (op->cancel)
        op->cancel(op);
    op_complete(op, KANAL_E_CANCELLED);
}
