/* The commands to the mailbox (RFC 3501, 2177): each is sent when the one before is answered.
 *
 * A round looks into every folder, the first one last, since it is that one whose news the server tells by IDLE. Of a large folder never more than
 * UIDS_MAX numbers are remembered, and never more than a piece of one mail. */
#include "channel.h"

#include <stdio.h>

#define CHUNK_MAX 100u
#define IDLE_MS 540000u /* networks forget connections that say nothing for longer */
#define VALIDITY_MARGIN_MS 86400000

static struct folder *current(struct mailbox *m)
{
    return &m->folders[m->folder];
}

static kanal_str name_of(const struct kanal_channel *channel)
{
    return channel->settings.folders[channel->mailbox.folder];
}

/* ---- Sending ---- */

static void send_command(struct kanal_channel *channel, enum step step, kanal_str words)
{
    struct mailbox *m = &channel->mailbox;
    struct kanal_buffer line = { 0 };
    kanal_buffer_byte(&line, 'K');
    kanal_buffer_uint(&line, ++m->command);
    kanal_buffer_byte(&line, ' ');
    kanal_buffer_str(&line, words);
    kanal_buffer_text(&line, "\r\n");
    m->step = step;
    if (line.failed)
        session_drop(channel, "out of memory", kanal_str_of(NULL, 0));
    else
        session_write(channel, kanal_buffer_view(&line));
    kanal_buffer_release(&line);
}

void folder_begin(struct kanal_channel *channel)
{
    channel->mailbox.chunk_max = CHUNK_MAX;
    send_command(channel, STEP_CAPABILITY, KANAL_LIT("CAPABILITY"));
}

static void select_folder(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct kanal_buffer words = { 0 }, name = { 0 };
    m->validity = m->next_uid = m->exists = 0;
    m->has_news = 0;
    cursor_encode_name(&name, name_of(channel));
    kanal_buffer_text(&words, channel->settings.marks_seen ? "SELECT " : "EXAMINE ");
    kanal_imap_quote(&words, kanal_buffer_view(&name));
    send_command(channel, STEP_SELECT, kanal_buffer_view(&words));
    kanal_buffer_release(&words);
    kanal_buffer_release(&name);
}

void folder_round(struct kanal_channel *channel)
{
    channel->mailbox.folder = channel->settings.folder_count - 1;
    store_load(channel, select_folder);
}

static void search(struct kanal_channel *channel, enum step step)
{
    struct mailbox *m = &channel->mailbox;
    const struct cursor *cursor = &current(m)->cursor;
    struct kanal_buffer words = { 0 };
    m->uid_count = m->uid_at = 0;
    m->has_news = 0;
    kanal_buffer_text(&words, "UID SEARCH UID ");
    if (step == STEP_BASELINE) {
        kanal_buffer_byte(&words, '*');
    } else {
        kanal_buffer_uint(&words, cursor->uid + 1);
        kanal_buffer_text(&words, ":*");
        if (cursor->since_ms > 0) {
            kanal_buffer_text(&words, " SINCE ");
            cursor_write_date(&words, cursor->since_ms);
        }
    }
    send_command(channel, step, kanal_buffer_view(&words));
    kanal_buffer_release(&words);
}

static void send_set(struct kanal_channel *channel, enum step step, const char *before, const char *behind)
{
    struct mailbox *m = &channel->mailbox;
    struct kanal_buffer words = { 0 };
    kanal_buffer_text(&words, before);
    cursor_write_set(&words, m->uids + m->uid_at, m->chunk);
    kanal_buffer_text(&words, behind);
    send_command(channel, step, kanal_buffer_view(&words));
    kanal_buffer_release(&words);
}

static void fetch(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    char behind[96];
    uint32_t left = m->uid_count - m->uid_at;
    m->chunk = left < m->chunk_max ? left : m->chunk_max;
    snprintf(behind, sizeof behind, " (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.%lld>)",
             (long long)channel->settings.message_bytes_max);
    send_set(channel, STEP_FETCH, "UID FETCH ", behind);
}

/* ---- What comes next ---- */

static void rest(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    uint32_t pause_ms = channel->settings.poll_s * 1000;
    m->failures = 0;
    m->step = STEP_NONE;
    kanal_health_set(&channel->health, EMAIL_ILL_READING, KANAL_OK, kanal_str_of(NULL, 0));
    if (m->has_idle && channel->settings.uses_idle) {
        if (m->has_news) {
            search(channel, STEP_SEARCH);
            return;
        }
        if (channel->settings.folder_count == 1 || pause_ms > IDLE_MS)
            pause_ms = IDLE_MS;
        m->is_idling = 1;
        send_command(channel, STEP_IDLE, KANAL_LIT("IDLE"));
    }
    timer_set(channel, &m->timer, pause_ms, folder_wake);
}

void folder_wake(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    if (!m->is_open || m->is_dropped)
        return;
    if (!session_is_ours(channel)) {
        session_drop(channel, NULL, kanal_str_of(NULL, 0));
        return;
    }
    if (m->step == STEP_IDLE && m->is_idling) {
        m->is_idling = 0; /* the answer to IDLE goes on */
        session_write(channel, KANAL_LIT("DONE\r\n"));
    } else if (m->step == STEP_NONE) {
        folder_round(channel);
    }
}

static void folder_done(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    if (m->folder == 0) {
        rest(channel);
        return;
    }
    m->folder--;
    store_load(channel, select_folder);
}

/* The cursor says that nothing older than this needs a search any more. */
static void folder_settled(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct cursor *cursor = &current(m)->cursor;
    if (cursor->since_ms > 0) {
        uint64_t uid = m->next_uid > 0 && m->next_uid - 1 > cursor->uid ? m->next_uid - 1 : cursor->uid;
        cursor->since_ms = 0;
        store_flush(channel, uid, folder_done);
        return;
    }
    folder_done(channel);
}

static void begin_reading(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct cursor *cursor = &current(m)->cursor;
    if (m->next_uid > 0 && cursor->uid + 1 >= m->next_uid)
        folder_settled(channel);
    else
        search(channel, STEP_SEARCH);
}

/* Everything is numbered anew: what came to the mailbox after the last mail that was stored, less a margin, is read again, and the keys of the
 * last ones tell which were known. */
static void renumbered(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct cursor *cursor = &current(m)->cursor;
    kanal_log(channel->host, 0, KANAL_LOG_WARN,
              "the folder was numbered anew (UIDVALIDITY); its last days are read again", name_of(channel));
    kanal_count(channel->host, "uidvalidity_changes");
    cursor->validity = m->validity;
    cursor->uid = 0;
    cursor->since_ms = cursor->last_ms > VALIDITY_MARGIN_MS ? cursor->last_ms - VALIDITY_MARGIN_MS : 0;
    if (cursor->since_ms == 0 && !channel->settings.reads_all)
        cursor->since_ms = channel->host->now_ms(channel->host) - VALIDITY_MARGIN_MS;
    begin_reading(channel);
}

static void selected(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct cursor *cursor = &current(m)->cursor;
    if (m->validity == 0)
        m->validity = 1; /* a server without lasting numbers */
    if (cursor->validity == 0) {
        cursor->validity = m->validity;
        if (channel->settings.reads_all)
            begin_reading(channel);
        else if (m->next_uid > 0)
            store_flush(channel, m->next_uid - 1, folder_done);
        else
            search(channel, STEP_BASELINE);
    } else if (cursor->validity != m->validity) {
        renumbered(channel);
    } else {
        begin_reading(channel);
    }
}

static void next_chunk(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    m->uid_at += m->chunk;
    m->chunk = 0;
    if (m->uid_at < m->uid_count)
        fetch(channel);
    else if (m->uid_count == UIDS_MAX || m->has_news)
        search(channel, STEP_SEARCH);
    else
        folder_settled(channel);
}

static void chunk_stored(struct kanal_channel *channel)
{
    if (channel->settings.marks_seen)
        send_set(channel, STEP_SEEN, "UID STORE ", " +FLAGS.SILENT (\\Seen)");
    else
        next_chunk(channel);
}

/* The server cannot give one of these: one by one, then, and the one that it is stays behind. */
static void fetch_refused(struct kanal_channel *channel, kanal_str words)
{
    struct mailbox *m = &channel->mailbox;
    if (m->chunk > 1) {
        m->chunk_max = 1;
        m->chunk = 0;
        fetch(channel);
        return;
    }
    kanal_log(channel->host, 0, KANAL_LOG_ERROR, "the mail server cannot give a mail; it is left out", words);
    kanal_count(channel->host, "mails_unreadable");
    store_flush(channel, m->uids[m->uid_at], next_chunk);
}

static void searched(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    if (m->step == STEP_BASELINE)
        store_flush(channel, m->uid_count > 0 ? m->uids[m->uid_count - 1] : 0, folder_done);
    else if (m->uid_count == 0)
        folder_settled(channel);
    else
        fetch(channel);
}

static void command_ok(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    switch (m->step) {
    case STEP_CAPABILITY:
        folder_round(channel);
        break;
    case STEP_SELECT:
        selected(channel);
        break;
    case STEP_BASELINE:
    case STEP_SEARCH:
        searched(channel);
        break;
    case STEP_FETCH:
        store_flush(channel, m->uids[m->uid_at + m->chunk - 1], chunk_stored);
        break;
    case STEP_SEEN:
        next_chunk(channel);
        break;
    case STEP_IDLE:
        m->is_idling = 0;
        timer_clear(&m->timer);
        if (m->has_news)
            search(channel, STEP_SEARCH);
        else
            folder_round(channel);
        break;
    case STEP_NONE:
        break;
    }
}

static void command_failed(struct kanal_channel *channel, kanal_str words)
{
    struct mailbox *m = &channel->mailbox;
    switch (m->step) {
    case STEP_SELECT:
        kanal_log(channel->host, 0, KANAL_LOG_ERROR, "a folder cannot be opened", name_of(channel));
        kanal_count(channel->host, "folders_refused");
        if (m->folder > 0)
            folder_done(channel);
        else
            session_drop(channel, "the first folder is needed", words);
        break;
    case STEP_FETCH:
        fetch_refused(channel, words);
        break;
    case STEP_SEEN:
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "mails cannot be marked as read", words);
        next_chunk(channel);
        break;
    case STEP_IDLE:
        m->has_idle = m->is_idling = 0; /* it does not, after all */
        rest(channel);
        break;
    default:
        session_drop(channel, "the mail server refuses a command", words);
        break;
    }
}

/* ---- What the server says ---- */

/* The smallest that are not stored yet, in order. */
static void take_uid(struct mailbox *m, uint64_t uid)
{
    if (m->step == STEP_SEARCH && uid <= current(m)->cursor.uid)
        return; /* "n:*" names the last one even if it is older */
    uint32_t at = m->uid_count;
    while (at > 0 && m->uids[at - 1] > uid)
        at--;
    if (at == UIDS_MAX || (at > 0 && m->uids[at - 1] == uid))
        return;
    uint32_t moved = (m->uid_count < UIDS_MAX ? m->uid_count : UIDS_MAX - 1) - at;
    memmove(&m->uids[at + 1], &m->uids[at], moved * sizeof m->uids[0]);
    m->uids[at] = uid;
    if (m->uid_count < UIDS_MAX)
        m->uid_count++;
}

static void take_exists(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    int64_t number = 0;
    kanal_str_int(kanal_str_c(m->answer.number), &number);
    if (m->step != STEP_SELECT && (uint64_t)number > m->exists) {
        m->has_news = 1;
        if (m->is_idling)
            folder_wake(channel);
    }
    m->exists = number > 0 ? (uint64_t)number : 0;
}

static void take_fetch_item(struct mailbox *m, kanal_str text)
{
    struct answer *a = &m->answer;
    int64_t number = 0;
    if (kanal_str_is(kanal_str_c(a->item), "UID") && kanal_str_int(text, &number) == 0 && number > 0)
        a->uid = (uint64_t)number;
    else if (kanal_str_is(kanal_str_c(a->item), "RFC822.SIZE") && kanal_str_int(text, &number) == 0 &&
             number >= 0)
        a->size = (uint64_t)number;
    kanal_batch_text(a->item, sizeof a->item, text);
}

static void take_atom(struct kanal_channel *channel, const struct kanal_imap_token *t)
{
    struct mailbox *m = &channel->mailbox;
    struct answer *a = &m->answer;
    int64_t number = 0;
    if (a->words == 1) {
        a->is_untagged = kanal_str_is(t->text, "*");
        a->is_tagged = t->text.len > 1 && t->text.ptr[0] == 'K' &&
                       kanal_str_int(kanal_str_from(t->text, 1), &number) == 0 && number == m->command;
    } else if (a->words == 2) {
        a->is_ok = kanal_str_equal_nocase(t->text, KANAL_LIT("OK"));
        kanal_batch_text(a->number, sizeof a->number, t->text);
    } else if (!a->is_untagged) {
        return;
    } else if (kanal_str_is(kanal_str_c(a->number), "CAPABILITY")) {
        m->has_idle |= kanal_str_equal_nocase(t->text, KANAL_LIT("IDLE"));
    } else if (kanal_str_is(kanal_str_c(a->number), "SEARCH")) {
        if ((m->step == STEP_SEARCH || m->step == STEP_BASELINE) && kanal_str_int(t->text, &number) == 0 &&
            number > 0)
            take_uid(m, (uint64_t)number);
    } else if (a->words == 3 && kanal_str_equal_nocase(t->text, KANAL_LIT("EXISTS"))) {
        take_exists(channel);
    } else if (t->depth == 1 && m->step == STEP_FETCH) {
        take_fetch_item(m, t->text);
    }
}

static int is_body(const struct mailbox *m)
{
    return m->step == STEP_FETCH && m->answer.is_untagged && strncmp(m->answer.item, "BODY[]", 6) == 0 &&
           !m->intake.is_on;
}

static void take_string(struct kanal_channel *channel, const struct kanal_imap_token *t)
{
    struct mailbox *m = &channel->mailbox;
    if (t->depth == 1 && strcmp(m->answer.item, "INTERNALDATE") == 0)
        m->answer.received_ms = cursor_parse_date(t->text);
    else if (t->depth == 1 && is_body(m))
        intake_quoted(channel, t->text);
}

static void take_text(struct mailbox *m, kanal_str text)
{
    uint64_t number = 0;
    if (m->step != STEP_SELECT)
        return;
    if (kanal_imap_code(text, "UIDVALIDITY", &number) == KANAL_OK)
        m->validity = number;
    if (kanal_imap_code(text, "UIDNEXT", &number) == KANAL_OK)
        m->next_uid = number;
}

static void end_of_line(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct answer line = m->answer;
    memset(&m->answer, 0, sizeof m->answer);
    if (m->intake.is_on) { /* a mail is whole; it keeps what the line said of it */
        m->intake.mail.uid = line.uid;
        m->intake.mail.size = line.size;
        m->intake.mail.received_ms = line.received_ms;
        if (line.size > (uint64_t)channel->settings.message_bytes_max)
            m->intake.mail.is_cut = 1;
        store_add(channel);
    } else if (line.is_tagged && line.is_ok) {
        command_ok(channel);
    } else if (line.is_tagged) {
        command_failed(channel, kanal_str_c(line.number));
    }
}

void folder_take(struct kanal_channel *channel, const struct kanal_imap_token *t)
{
    struct mailbox *m = &channel->mailbox;
    m->answer.words++;
    switch (t->kind) {
    case KANAL_IMAP_ATOM:
        take_atom(channel, t);
        break;
    case KANAL_IMAP_STRING:
        take_string(channel, t);
        break;
    case KANAL_IMAP_LITERAL:
        if (t->depth == 1 && is_body(m))
            intake_begin(channel, t->size);
        break;
    case KANAL_IMAP_PIECE:
        if (m->intake.is_on)
            intake_feed(channel, t->text);
        break;
    case KANAL_IMAP_TEXT:
        take_text(m, t->text);
        break;
    case KANAL_IMAP_END:
        end_of_line(channel);
        break;
    default:
        break;
    }
}
