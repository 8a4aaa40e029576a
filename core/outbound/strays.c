/* Messages in the lanes that cannot be delivered here: their channel is not configured, or they are no commands. */
#include "kanal/sdk/json.h"
#include "outbound/internal.h"

#define DELIVERIES_MAX                                                                                       \
    10u /* of a message whose channel is not here: about ten minutes, so that a rolling change has time */

kanal_str lane_channel(const struct outbound *o, kanal_str subject, kanal_str *ret_verb)
{
    kanal_str rest = kanal_str_from(subject, strlen(o->prefix) + strlen(".lanes."));
    const char *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
    rest = dot ? kanal_str_from(rest, (size_t)(dot - rest.ptr) + 1) : (kanal_str){ 0 };
    dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
    kanal_str channel = dot ? kanal_str_of(rest.ptr, (size_t)(dot - rest.ptr)) : rest;
    *ret_verb = dot ? kanal_str_from(rest, channel.len + 1) : (kanal_str){ 0 };
    return channel;
}

/* One that is being told. */
struct stray {
    published_fn *done;
    void *user;
    size_t storing;
    kanal_status status;
};

static void on_stray_stored(void *user, kanal_status status)
{
    struct stray *stray = user;
    int hopeless = status == KANAL_E_INVALID || status == KANAL_E_DENIED || status == KANAL_E_TOO_LARGE;
    if (status != KANAL_OK && !hopeless)
        stray->status = status;
    if (--stray->storing > 0)
        return;
    stray->done(stray->user, stray->status);
    free(stray);
}

void stray_tell(struct outbound *o, const struct stray_message *m, const char *code, kanal_str detail,
                published_fn *done, void *user)
{
    struct stray *stray = malloc(sizeof *stray);
    if (!stray) {
        done(user, KANAL_E_BUSY);
        return;
    }
    kanal_str id = kanal_json_text_at(m->command, "id");
    struct envelope_source nobody = { .channel = KANAL_LIT("_"), .plugin = KANAL_LIT("kanal") };
    struct report report = { .type = "message.failed",
                             .command_id = id,
                             .replay = m->replay,
                             .reference = kanal_json_text_at(m->command, "reference"),
                             .traceparent = kanal_json_text_at(m->command, "traceparent"),
                             .code = code,
                             .scope = KANAL_SCOPE_CHANNEL,
                             .detail = detail };
    struct dead_letter dead = { .channel = m->channel ? m->channel->id : (kanal_str){ 0 },
                                .subject = m->subject,
                                .verb = m->verb,
                                .payload = m->payload,
                                .command = yyjson_is_obj(m->command) ? m->command : NULL,
                                .report = &report };
    *stray = (struct stray){ .done = done, .user = user, .storing = 2 };
    report_dead(o, &dead, on_stray_stored, stray);
    if (id.len > 0)
        report_event(o, &nobody, &report, on_stray_stored, stray);
    else
        on_stray_stored(stray, KANAL_OK);
}

/* One of a lane. */
struct lane_stray {
    struct shard_lane *lane;
    struct js_token token;
};

static void on_told(void *user, kanal_status status)
{
    struct lane_stray *stray = user;
    js_settle(stray->lane->pull, &stray->token, status == KANAL_OK ? JS_ACK : JS_LATER);
    free(stray);
}

static void tell(struct shard_lane *lane, const struct channel *channel, yyjson_val *command,
                 const struct js_delivered *delivered, const char *code, kanal_str detail)
{
    struct lane_stray *stray = malloc(sizeof *stray);
    if (!stray) {
        js_settle(lane->pull, &delivered->token, JS_LATER);
        return;
    }
    char replay[REPLAY_ID];
    replay_read(delivered->in, replay);
    struct stray_message message = { .channel = channel,
                                     .command = command,
                                     .subject = delivered->subject,
                                     .payload = delivered->payload,
                                     .verb = broker_in_header(delivered->in, "Kanal-Type"),
                                     .replay = kanal_str_c(replay) };
    *stray = (struct lane_stray){ .lane = lane, .token = delivered->token };
    stray_tell(lane->shard->outbound, &message, code, detail, on_told, stray);
}

/* It cannot be delivered here. The channel may be one that only the other gateways have, in the middle of a change: so it is left for some
 * deliveries, and then told, since enough such messages would hold up the whole shard. */
void stray_end(struct shard_lane *lane, const struct channel *channel, yyjson_val *command,
               const struct js_delivered *delivered)
{
    struct outbound *o = lane->shard->outbound;
    if (channel) {
        tell(lane, channel, command, delivered, "invalid_command",
             KANAL_LIT("the message in the lane is no command of this channel"));
    } else if (delivered->deliveries >= DELIVERIES_MAX) {
        tell(lane, channel, command, delivered, "channel_unknown",
             KANAL_LIT("the channel is not configured any more"));
    } else {
        js_settle(lane->pull, &delivered->token, JS_LATER);
        kanal_str verb, id = lane_channel(o, delivered->subject, &verb);
        if (delivered->deliveries == 1)
            log_write(o->host->log, KANAL_LOG_WARN, "lanes", NULL,
                      "a command waits for channel '%.*s', which is not configured here; after %u tries it "
                      "is a dead letter",
                      (int)(id.len < 64 ? id.len : 64), id.ptr, DELIVERIES_MAX);
    }
}
