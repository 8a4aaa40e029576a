/* email - one mailbox, one channel: IMAP in, SMTP out. README.md tells how it is set up and what is known of it. */
#include "channel.h"
#include "kanal/sdk/link.h"
#include "kanal/sdk/url.h"

#define VERSION "1.0.0"
#define DRAIN_MS 5000u

/* ---- Timers ---- */

struct tick { /* one timer of the host; it outlives the wait that it was for */
    struct kanal_channel *channel;
    struct timer *timer; /* NULL: nobody waits any more */
    kanal_op op;
    void (*fired)(struct kanal_channel *);
};

static void on_tick(void *user, kanal_status status)
{
    struct tick *tick = user;
    struct kanal_channel *channel = tick->channel;
    void (*fired)(struct kanal_channel *) = status == KANAL_OK && tick->timer ? tick->fired : NULL;
    if (tick->timer)
        tick->timer->tick = NULL;
    free(tick);
    channel->ticks--;
    if (fired)
        fired(channel);
    settle(channel);
}

void timer_clear(struct timer *timer)
{
    struct tick *tick = timer->tick;
    if (!tick)
        return;
    timer->tick = NULL;
    tick->timer = NULL;
    tick->channel->host->cancel(tick->channel->host, tick->op);
}

void timer_set(struct kanal_channel *channel, struct timer *timer, uint32_t delay_ms,
               void (*fired)(struct kanal_channel *))
{
    timer_clear(timer);
    struct tick *tick = malloc(sizeof *tick);
    if (!tick)
        return;
    *tick = (struct tick){ channel, timer, 0, fired };
    tick->op = channel->host->timer(channel->host, delay_ms, on_tick, tick);
    if (tick->op == 0) {
        free(tick);
        return;
    }
    timer->tick = tick;
    channel->ticks++;
}

/* ---- Life ---- */

void settle(struct kanal_channel *channel)
{
    const struct mailbox *m = &channel->mailbox;
    kanal_op op = channel->stopping;
    if (op == 0 || channel->deliveries || m->stream != 0 || m->pending != 0 || m->puts != 0)
        return;
    if (channel->stop_timer.tick) /* nothing is left that it would have to cut off */
        timer_clear(&channel->stop_timer);
    if (channel->ticks > 0)
        return;
    channel->stopping = 0;
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static const void *extension(kanal_channel *channel, const char *id)
{
    (void)channel;
    return strcmp(id, KANAL_EXT_LEASE) == 0    ? (const void *)&email_leases
           : strcmp(id, KANAL_EXT_STREAM) == 0 ? (const void *)&email_streams
                                               : NULL;
}

static void destroy(kanal_channel *channel)
{
    if (!channel)
        return;
    session_release(channel);
    settings_release(&channel->settings);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->host = host;
        kanal_health_init(&channel->health, host);
        if (settings_read(&channel->settings, config->settings, &error) == KANAL_OK) {
            channel->mailbox.folders =
                calloc(channel->settings.folder_count, sizeof *channel->mailbox.folders);
            if (channel->mailbox.folders)
                return channel;
            error = "out of memory";
        }
    }
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

/* RFC 6068: the subject of the customer's mail brings the reference. */
static void offer_link(const kanal_channel *channel)
{
    kanal_str address = channel->settings.address;
    struct kanal_buffer text = { 0 };
    size_t local = address.len;
    while (local > 0 && address.ptr[local - 1] != '@')
        local--;
    if (local < 2)
        return;
    kanal_buffer_text(&text, "mailto:");
    kanal_url_encode(&text, kanal_str_of(address.ptr, local - 1));
    kanal_buffer_byte(&text, '@');
    kanal_url_encode(&text, kanal_str_from(address, local));
    kanal_buffer_text(&text, "?subject={text}");
    kanal_link_offer_template(channel->host, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

static void start(kanal_channel *channel, kanal_op op)
{
    const kanal_host *host = channel->host;
    channel->transfer = host->extension(host, KANAL_EXT_TRANSFER);
    channel->streams = host->extension(host, KANAL_EXT_STREAM);
    channel->blobs = host->extension(host, KANAL_EXT_BLOB_2);
    if (!channel->transfer || !channel->streams) {
        host->finish(host, op, KANAL_E_DENIED,
                     KANAL_LIT("this host has no mail (kanal.transfer/1, kanal.stream/1)"));
        return;
    }
    if (channel->settings.imap_url.len > 0) { /* else nobody reads what comes */
        offer_link(channel);
        session_start(channel);
    }
    host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* Reading ends at once; deliveries under way get some seconds to hear whether they arrived. */
static void stop(kanal_channel *channel, kanal_op op)
{
    channel->stopping = op;
    if (channel->deliveries)
        timer_set(channel, &channel->stop_timer, DRAIN_MS, deliver_cut_off);
    session_stop(channel);
    settle(channel);
}

/* ---- The descriptor ---- */

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_bytes = 200u * 1024u,
    .media_bytes = 36u * 1024u * 1024u, /* as base64 48 MB; most providers take 25 */
};

const kanal_plugin *kanal_plugin_v1(void)
{
    static const char *const egress[] = { "${setting:imap_url}", "${setting:smtp_url}", NULL };
    static const kanal_secret secrets[] = {
        { "password",
          "the mailbox's password (of providers with two factors an app password), or with auth: token an "
          "OAuth 2.0 access token",
          0 },
        { "smtp_password", "smtp_login: own: the password for sending", 0 },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "email",
        .name = "E-mail",
        .version = VERSION,
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
                KANAL_CAP_FILE | KANAL_CAP_CAPTION | KANAL_CAP_MIXED | KANAL_CAP_MARKUP_HTML |
                KANAL_CAP_REPLY | KANAL_CAP_TO_MAILTO,
        .limits = &limits,
        .egress = egress,
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof *secrets,
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
        .extension = extension,
    };
    return &plugin;
}
