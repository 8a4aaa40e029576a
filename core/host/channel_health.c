/* Whether a channel works: kept, shown in the metric, and told as channel.up and channel.down. */
#include "host/channel_health.h"

#include <stdio.h>

#include "host/channel_status.h"
#include "host/host.h"

#define TELL_MS 1000u /* a channel.up or channel.down at most so often */

int health_is_good(const struct channel *channel)
{
    return channel->state == CHANNEL_UP && channel->health == KANAL_OK;
}

static void write_health(const struct channel *channel, int is_up, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "health");
    kanal_json_object(&json);
    kanal_json_member_time(&json, "since", channel->since_ms);
    if (!is_up) {
        kanal_json_key(&json, "reasons");
        kanal_json_array(&json);
        channel_write_reason(&json, channel);
        kanal_json_array_end(&json);
    }
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

static void on_health_told(void *user, kanal_status status)
{
    struct channel *channel = user;
    channel->health_untold = status != KANAL_OK;
}

void health_publish(struct channel *channel, int is_up)
{
    if (channel->is_quiet)
        return;
    channel->told = is_up ? 1 : -1;
    channel->told_ms = uv_now(channel->host->loop);
    uv_timer_stop(channel->tell_timer);
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    write_health(channel, is_up, &data);
    /* The start of this process's watch over the channel makes the count unique. */
    kanal_buffer_text(&dedupe, "health:");
    kanal_buffer_int(&dedupe, channel->since_ms);
    kanal_buffer_byte(&dedupe, ':');
    kanal_buffer_uint(&dedupe, ++channel->health_changes);
    struct envelope_source source = channel->source;
    source.is_core = 1;
    kanal_event event = { .struct_size = sizeof event,
                          .type = is_up ? KANAL_LIT("channel.up") : KANAL_LIT("channel.down"),
                          .dedupe = kanal_buffer_view(&dedupe),
                          .data = kanal_buffer_view(&data) };
    const kanal_event *events[] = { &event };
    publisher_publish(channel->host->publisher, &source, events, 1, 0, on_health_told, channel);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}

void channel_tell_health(struct channel *channel)
{
    if (channel->health_untold)
        health_publish(channel, health_is_good(channel));
}

void health_announce(struct channel *channel)
{
    int healthy = health_is_good(channel);
    uv_timer_stop(channel->tell_timer);
    if (channel->is_quiet || channel->told == (healthy ? 1 : -1))
        return;
    log_write(channel->host->log, healthy ? KANAL_LOG_INFO : KANAL_LOG_WARN, "channel", channel->id.ptr,
              "%s%s%s", healthy ? "up" : "down", healthy || !channel->reason[0] ? "" : ": ",
              healthy ? "" : channel->reason);
    health_publish(channel, healthy);
}

static void on_tell(uv_timer_t *timer)
{
    health_announce(timer->data);
}

/* The plugin may change its mind each millisecond: the state is seen at once, the log and the consumers hear the latest once a second. */
static void tell_in_time(struct channel *channel)
{
    uint64_t now = uv_now(channel->host->loop), next = channel->told ? channel->told_ms + TELL_MS : 0;
    if (now >= next)
        health_announce(channel);
    else if (!uv_is_active((uv_handle_t *)channel->tell_timer))
        uv_timer_start(channel->tell_timer, on_tell, next - now, 0);
}

int health_changed(struct channel *channel, int was_healthy)
{
    int healthy = health_is_good(channel);
    kanal_str values[] = { channel->id, channel->source.plugin };
    if (channel->is_quiet)
        return 0;
    metric_series(channel->host->channel_up, values)->value = healthy;
    if (healthy == was_healthy)
        return 0;
    channel->since_ms = host_now_ms();
    return 1;
}

void channel_set_health(struct channel *channel, kanal_status status, kanal_str reason)
{
    int was = health_is_good(channel);
    channel->health = status;
    channel->is_refused = 0;
    snprintf(channel->reason, sizeof channel->reason, "%.*s", (int)(reason.len < 255 ? reason.len : 255),
             reason.ptr ? reason.ptr : "");
    if (channel->state == CHANNEL_UP && health_changed(channel, was))
        tell_in_time(channel);
}

void channel_unquiet(struct channel *channel, int told)
{
    kanal_str values[] = { channel->id, channel->source.plugin };
    channel->is_quiet = 0;
    channel->told = told;
    metric_series(channel->host->channel_up, values)->value = health_is_good(channel);
    health_announce(channel);
}
