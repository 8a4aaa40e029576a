/* The connection to the mailbox: one at a time, and only where the lease is. */
#include "channel.h"

#include "kanal/sdk/calls.h"

#define ILL_AFTER 2u /* failures in a row: one lost connection is nothing */
#define CREDIT_BYTES (128u * 1024u)
#define IDLE_TIMEOUT_MS 900000u /* longer than any pause that is made */
#define BACKOFF_MIN_MS 2000u
#define BACKOFF_MAX_MS 300000u
#define REFUSED_MS 300000u /* a wrong password is not tried again and again: accounts get locked */

static void connect_now(struct kanal_channel *);

int session_is_ours(const struct kanal_channel *channel)
{
    return !channel->leases || channel->leases->held(channel->host, channel->mailbox.lease);
}

static uint32_t backoff_ms(const struct kanal_channel *channel)
{
    return kanal_backoff_ms(channel->host, channel->mailbox.failures, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
}

/* ---- The end of a connection ---- */

static void clear(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    intake_clear(channel);
    store_clear(channel);
    kanal_imap_release(&m->parser);
    memset(&m->parser, 0, sizeof m->parser);
    kanal_buffer_release(&m->in);
    kanal_buffer_release(&m->later);
    memset(&m->answer, 0, sizeof m->answer);
    m->is_open = m->is_dropped = m->is_idling = m->has_news = 0;
    m->step = STEP_NONE;
}

/* When neither the connection nor a call of the host is open: a new one, after a while. */
static void connect_later(struct kanal_channel *channel, uint32_t delay_ms)
{
    clear(channel);
    if (channel->stopping == 0 && session_is_ours(channel))
        timer_set(channel, &channel->mailbox.timer, delay_ms, connect_now);
    settle(channel);
}

void session_drop(struct kanal_channel *channel, const char *words, kanal_str detail)
{
    struct mailbox *m = &channel->mailbox;
    if (words)
        kanal_log(channel->host, 0, KANAL_LOG_WARN, words, detail);
    if (words && m->failures >= ILL_AFTER && channel->stopping == 0 && session_is_ours(channel))
        kanal_health_set(&channel->health, EMAIL_ILL_READING, KANAL_E_REJECTED, kanal_str_c(words));
    m->is_dropped = 1;
    timer_clear(&m->timer);
    if (m->stream != 0)
        channel->streams->close(channel->host, m->stream);
}

/* ---- Bytes ---- */

/* The parser has looked at everything that it was given: as much may come again. */
static int next_input(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct kanal_buffer done = m->in;
    if (done.len > 0)
        channel->streams->credit(channel->host, m->stream, (uint32_t)done.len);
    kanal_buffer_clear(&done);
    m->in = m->later;
    m->later = done;
    kanal_imap_feed(&m->parser, kanal_buffer_view(&m->in));
    return m->in.len > 0;
}

void session_run(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct kanal_imap_token token;
    while (m->is_open && !m->is_dropped && m->pending == 0 && m->puts == 0) {
        if (m->intake.is_on && !intake_run(channel))
            return;
        switch (kanal_imap_next(&m->parser, &token)) {
        case KANAL_IMAP_MORE:
            if (!next_input(channel))
                return;
            break;
        case KANAL_IMAP_BROKEN:
            session_drop(channel, "the server says what is no IMAP", kanal_str_of(NULL, 0));
            return;
        default:
            folder_take(channel, &token);
            break;
        }
    }
    if (m->is_dropped && m->stream == 0 && m->pending == 0 && m->puts == 0)
        connect_later(channel, backoff_ms(channel));
}

void session_write(struct kanal_channel *channel, kanal_str line)
{
    channel->streams->write(channel->host, channel->mailbox.stream, line, NULL, 0, NULL, NULL);
}

/* ---- The stream ---- */

static void on_open(kanal_channel *channel, kanal_op stream)
{
    struct mailbox *m = &channel->mailbox;
    if (stream != m->stream)
        return;
    m->is_open = 1;
    if (!session_is_ours(channel) || channel->stopping != 0)
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
    else
        folder_begin(channel);
}

static void on_data(kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    struct mailbox *m = &channel->mailbox;
    if (stream != m->stream || m->is_dropped)
        return;
    kanal_buffer_str(&m->later, bytes);
    if (m->later.failed)
        session_drop(channel, "out of memory", kanal_str_of(NULL, 0));
    else
        session_run(channel);
}

static void on_end(kanal_channel *channel, kanal_op stream)
{
    if (stream == channel->mailbox.stream)
        channel->streams->close(channel->host, stream);
}

static void on_close(kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    struct mailbox *m = &channel->mailbox;
    if (stream != m->stream)
        return;
    int is_refused = !m->is_open && (status == KANAL_E_REJECTED || status == KANAL_E_NOT_FOUND ||
                                     status == KANAL_E_DENIED || status == KANAL_E_INVALID);
    m->stream = 0;
    m->is_open = 0;
    timer_clear(&m->timer);
    if (channel->stopping == 0 && status != KANAL_E_CANCELLED) {
        kanal_log(channel->host, 0, is_refused ? KANAL_LOG_ERROR : KANAL_LOG_WARN,
                  is_refused ? "the mailbox cannot be opened" : "the mailbox's connection has ended", reason);
        kanal_count(channel->host, "imap_errors");
        if ((is_refused || m->failures >= ILL_AFTER) && session_is_ours(channel))
            kanal_health_set(
                &channel->health, EMAIL_ILL_READING, status == KANAL_OK ? KANAL_E_NETWORK : status,
                is_refused ? KANAL_LIT("the mail server refuses the log-in or its certificate is wrong")
                           : KANAL_LIT("the mail server cannot be reached"));
    }
    uint32_t delay_ms = is_refused ? REFUSED_MS : backoff_ms(channel);
    m->failures++;
    m->is_dropped = 1;
    if (m->pending == 0 && m->puts == 0)
        connect_later(channel, delay_ms);
}

const kanal_stream_plugin email_streams = { .struct_size = sizeof email_streams,
                                            .on_open = on_open,
                                            .on_data = on_data,
                                            .on_end = on_end,
                                            .on_close = on_close };

static void connect_now(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    const struct settings *s = &channel->settings;
    if (channel->stopping != 0 || m->stream != 0 || m->pending != 0 || m->puts != 0 ||
        !session_is_ours(channel))
        return;
    clear(channel);
    const kanal_login login = { .flags = s->is_token ? KANAL_LOGIN_BEARER : 0,
                                .url = s->imap_url,
                                .user = s->user,
                                .secret = KANAL_LIT("password") };
    m->stream = channel->transfer->login(channel->host, &login, IDLE_TIMEOUT_MS, CREDIT_BYTES);
    if (m->stream == 0)
        connect_later(channel, backoff_ms(channel));
}

/* ---- The lease ---- */

static void on_held(kanal_channel *channel, kanal_op lease)
{
    if (lease == channel->mailbox.lease && !channel->mailbox.timer.tick)
        connect_now(channel);
}

static void on_lost(kanal_channel *channel, kanal_op lease)
{
    if (lease != channel->mailbox.lease)
        return;
    session_drop(channel, NULL, kanal_str_of(NULL, 0));
    kanal_log(channel->host, 0, KANAL_LOG_INFO,
              "the lease is lost: this replica does not read until it is back", kanal_str_of(NULL, 0));
    /* Who stands by reads nothing that could show it well again. */
    kanal_health_set(&channel->health, EMAIL_ILL_READING, KANAL_OK, kanal_str_of(NULL, 0));
    for (uint32_t i = 0; i < channel->settings.folder_count; i++)
        channel->mailbox.folders[i].is_loaded = 0; /* somebody else moves the cursors now */
}

const kanal_lease_plugin email_leases = { .struct_size = sizeof email_leases,
                                          .on_held = on_held,
                                          .on_lost = on_lost };

void session_start(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    channel->leases = channel->host->extension(channel->host, KANAL_EXT_LEASE);
    if (channel->leases)
        m->lease = channel->leases->acquire(channel->host, KANAL_LIT("imap"), 0);
    if (m->lease == 0) {
        channel->leases = NULL;
        connect_now(channel);
    }
}

void session_stop(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    session_drop(channel, NULL, kanal_str_of(NULL, 0));
    if (m->pending != 0)
        channel->host->cancel(channel->host, m->pending);
}

void session_release(struct kanal_channel *channel)
{
    channel->mailbox.intake.blob = 0; /* the host keeps no blobs of a channel that is gone */
    clear(channel);
    kanal_batch_release(&channel->mailbox.batch);
    kanal_batch_release(&channel->mailbox.spare);
    free(channel->mailbox.folders);
}
