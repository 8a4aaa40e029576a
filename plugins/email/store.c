/* What was read is stored: the events, then what threads need, and the cursor last, so that nothing that it has passed can be missing. */
#include "channel.h"

#include <stdio.h>

#define BATCH_BYTES_MAX (256u * 1024u)
#define THREAD_AGE_MS                                                                                        \
    (INT64_C(45) * 86400000) /* older mails are hardly answered: a large old mailbox leaves no records */

static void publish(struct kanal_channel *);
static void put_threads(struct kanal_channel *);

static struct cursor *cursor_of(struct mailbox *m)
{
    return &m->folders[m->folder].cursor;
}

void store_clear(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    kanal_batch_clear(&m->batch);
    kanal_batch_clear(&m->spare);
    for (uint32_t i = 0; i < m->thread_count; i++)
        mail_thread_release(&m->threads[i]);
    m->thread_count = m->mails = m->single = 0;
    m->is_single = m->is_spare = 0;
    m->batch_bytes = 0;
}

/* ---- The batch ---- */

static uint64_t number_of_key(const char *key)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 16 && key[i]; i++)
        number = number << 4 | (uint64_t)(key[i] <= '9' ? key[i] - '0' : key[i] - 'a' + 10);
    return number;
}

static int is_in_batch(const struct mailbox *m, uint64_t key)
{
    for (uint32_t i = 0; i < m->mails; i++)
        if (m->keys[i] == key)
            return 1;
    return 0;
}

static void add_events(struct kanal_channel *channel, struct mail *mail, uint64_t key)
{
    struct mailbox *m = &channel->mailbox;
    struct mail_thread thread;
    uint32_t before = m->batch.count;
    if (!mail_write(mail, &m->batch, &thread)) {
        kanal_count(channel->host, "mails_own");
        return;
    }
    for (uint32_t i = before; i < m->batch.count; i++)
        m->batch_bytes += m->batch.items[i]->data.len;
    m->keys[m->mails++] = key;
    int64_t now = channel->host->now_ms(channel->host);
    if (thread.chat[0] && (mail->received_ms == 0 || mail->received_ms > now - THREAD_AGE_MS))
        m->threads[m->thread_count++] = thread;
    else
        mail_thread_release(&thread);
}

/* The cursor stays where it is: of the mails that the server is giving, others may still come. */
static void resume(struct kanal_channel *channel)
{
    session_run(channel);
}

int store_add(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct mail *mail = &m->intake.mail;
    struct cursor *cursor = cursor_of(m);
    uint64_t key = number_of_key(mail->key);
    if (mail->received_ms > cursor->last_ms)
        cursor->last_ms = mail->received_ms;
    if (cursor_has_key(cursor, key) || is_in_batch(m, key))
        kanal_count(channel->host, "mails_known");
    else
        add_events(channel, mail, key);
    intake_clear(channel);
    if (m->batch.failed) {
        session_drop(channel, "out of memory", kanal_str_of(NULL, 0));
        return 0;
    }
    if (m->mails < BATCH_MAILS_MAX && m->batch_bytes < BATCH_BYTES_MAX &&
        m->batch.count + 24 < KANAL_BATCH_MAX)
        return 1;
    store_flush(channel, cursor->uid, resume);
    return 0;
}

/* ---- The cursor ---- */

static void state_key(char out[THREAD_KEY_BYTES + 8], const struct kanal_channel *channel)
{
    char hash[MAIL_KEY_BYTES], user[256], folder[256];
    const char *const texts[] = { user, folder };
    kanal_batch_text(user, sizeof user, channel->settings.user);
    kanal_batch_text(folder, sizeof folder, channel->settings.folders[channel->mailbox.folder]);
    mail_hash(hash, texts, 2);
    snprintf(out, THREAD_KEY_BYTES + 8, "cursor/%s", hash);
}

static void finish(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    store_clear(channel);
    m->stored(channel);
    session_run(channel);
}

static void on_moved(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    (void)value;
    m->pending = 0;
    if (status == KANAL_OK) {
        m->folders[m->folder].revision = revision;
    } else {
        m->folders[m->folder].is_loaded = 0;
        if (!m->is_dropped && channel->stopping == 0)
            session_drop(channel,
                         status == KANAL_E_REJECTED ? "somebody else reads this mailbox"
                                                    : "the cursor could not be stored",
                         kanal_str_of(NULL, 0));
    }
    if (m->is_dropped || channel->stopping != 0)
        session_run(channel);
    else
        finish(channel);
}

static void move_cursor(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct cursor *cursor = cursor_of(m);
    struct kanal_buffer json = { 0 };
    char key[THREAD_KEY_BYTES + 8];
    for (uint32_t i = 0; i < m->mails; i++)
        cursor_add_key(cursor, m->keys[i]);
    cursor->uid = m->batch_uid;
    cursor_write(cursor, &json);
    state_key(key, channel);
    m->pending = channel->host->state_put(channel->host, kanal_str_c(key), kanal_buffer_view(&json),
                                          m->folders[m->folder].revision, on_moved, channel);
    kanal_buffer_release(&json);
    if (m->pending == 0)
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
}

static void on_loaded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    struct folder *folder = &m->folders[m->folder];
    m->pending = 0;
    if (m->is_dropped || channel->stopping != 0) {
        session_run(channel);
        return;
    }
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        session_drop(channel, "the cursor could not be read", kanal_str_of(NULL, 0));
        session_run(channel);
        return;
    }
    memset(folder, 0, sizeof *folder);
    if (status == KANAL_OK) {
        cursor_read(&folder->cursor, value);
        folder->revision = revision;
    }
    folder->is_loaded = 1;
    m->stored(channel);
    session_run(channel);
}

void store_load(struct kanal_channel *channel, void (*then)(struct kanal_channel *))
{
    struct mailbox *m = &channel->mailbox;
    char key[THREAD_KEY_BYTES + 8];
    if (m->folders[m->folder].is_loaded) {
        then(channel);
        return;
    }
    m->stored = then;
    state_key(key, channel);
    m->pending = channel->host->state_get(channel->host, kanal_str_c(key), on_loaded, channel);
    if (m->pending == 0)
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
}

/* ---- Threads ---- */

void store_thread_key(char out[THREAD_KEY_BYTES], const char *chat)
{
    char hash[MAIL_KEY_BYTES];
    mail_hash(hash, &chat, 1);
    snprintf(out, THREAD_KEY_BYTES, "thread/%s", hash);
}

static void on_thread(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    (void)value;
    (void)revision;
    m->puts--;
    if (status != KANAL_OK) /* an answer then goes to the sender, with a subject of its own */
        kanal_log(channel->host, 0, KANAL_LOG_DEBUG, "a thread could not be remembered",
                  kanal_str_of(NULL, 0));
    if (m->puts > 0)
        return;
    if (m->is_dropped || channel->stopping != 0)
        session_run(channel);
    else
        move_cursor(channel);
}

static void write_thread(struct kanal_buffer *out, const struct mail_thread *thread)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "last", thread->last);
    kanal_json_member_text(&json, "subject", thread->subject);
    kanal_json_member_text(&json, "sender", thread->sender);
    kanal_json_member_text(&json, "reply_to", thread->reply_address);
    if (thread->is_auto)
        kanal_json_member_bool(&json, "auto", 1);
    kanal_json_object_end(&json);
}

static void put_threads(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    for (uint32_t i = 0; i < m->thread_count; i++) {
        struct kanal_buffer json = { 0 };
        char key[THREAD_KEY_BYTES];
        write_thread(&json, &m->threads[i]);
        store_thread_key(key, m->threads[i].chat);
        if (channel->host->state_put(channel->host, kanal_str_c(key), kanal_buffer_view(&json), UINT64_MAX,
                                     on_thread, channel) != 0)
            m->puts++;
        kanal_buffer_release(&json);
    }
    if (m->puts == 0)
        move_cursor(channel);
}

/* ---- Events ---- */

static int is_for_good(kanal_status status)
{
    return status == KANAL_E_INVALID || status == KANAL_E_TOO_LARGE || status == KANAL_E_REJECTED;
}

/* Instead of an event that the host will never take: one that says that there was something. 0: none can. */
static int make_spare(struct mailbox *m)
{
    const struct kanal_batch_item *refused = m->batch.items[m->single];
    kanal_batch_clear(&m->spare);
    struct kanal_batch_item *item = kanal_str_is(refused->event.type, "message.received")
                                        ? kanal_batch_begin(&m->spare, "message.received")
                                        : NULL;
    if (!item)
        return 0;
    memcpy(item->dedupe, refused->dedupe, sizeof item->dedupe);
    memcpy(item->address, refused->address, sizeof item->address);
    memcpy(item->external_id, refused->external_id, sizeof item->external_id);
    item->event.time_ms = refused->event.time_ms;
    kanal_json_key(&item->json, "message");
    kanal_json_object(&item->json);
    kanal_json_key(&item->json, "content");
    kanal_json_array(&item->json);
    kanal_json_object(&item->json);
    kanal_json_member_text(&item->json, "type", "unsupported");
    kanal_json_member_text(&item->json, "kind", "mail");
    kanal_json_object_end(&item->json);
    kanal_json_array_end(&item->json);
    kanal_json_object_end(&item->json);
    kanal_batch_end(&m->spare, item);
    return !m->spare.failed;
}

/* The host refuses something of the batch for good. */
static void refused(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    if (!m->is_single) {
        m->is_single = 1;
        m->single = 0;
    } else if (!m->is_spare && make_spare(m)) {
        kanal_log(channel->host, 0, KANAL_LOG_ERROR,
                  "the host refuses the event of a mail; it is told as unsupported",
                  kanal_str_c(m->batch.items[m->single]->external_id));
        m->is_spare = 1;
    } else {
        kanal_log(channel->host, 0, KANAL_LOG_ERROR, "an event of a mail is left out: the host refuses it",
                  kanal_str_c(m->batch.items[m->single]->external_id));
        kanal_count(channel->host, "events_refused");
        m->is_spare = 0;
        m->single++;
    }
    publish(channel);
}

static void on_published(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    m->pending = 0;
    if (m->is_dropped || channel->stopping != 0) {
        session_run(channel);
    } else if (is_for_good(status)) {
        refused(channel);
    } else if (status != KANAL_OK) { /* the mailbox keeps it until it is stored */
        kanal_count(channel->host, "store_errors");
        session_drop(channel, "mails could not be stored; they are read again", kanal_str_of(NULL, 0));
        session_run(channel);
    } else if (m->is_single) {
        m->is_spare = 0;
        m->single++;
        publish(channel);
    } else {
        put_threads(channel);
    }
}

static void publish(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    const kanal_host *host = channel->host;
    if (m->batch.count == 0 || (m->is_single && m->single >= m->batch.count)) {
        put_threads(channel);
        return;
    }
    if (m->is_single) {
        const kanal_event *event =
            m->is_spare ? &m->spare.items[0]->event : &m->batch.items[m->single]->event;
        m->pending = host->publish(host, 0, &event, 1, on_published, channel);
    } else {
        m->pending = kanal_batch_publish(&m->batch, host, 0, kanal_str_of(NULL, 0), on_published, channel);
    }
    if (m->pending == 0)
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
}

void store_flush(struct kanal_channel *channel, uint64_t uid, void (*then)(struct kanal_channel *))
{
    struct mailbox *m = &channel->mailbox;
    m->batch_uid = uid;
    m->stored = then;
    if (session_is_ours(channel))
        publish(channel);
    else
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
}
