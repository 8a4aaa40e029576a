/* A mail's bytes through the reader; its files go to the store in pieces, so that no more than one piece of one file is held. */
#include "channel.h"

#include "kanal/sdk/member.h"

#define PIECE_BYTES (192u * 1024u)
#define BUSY_MS 100u

static void hand_over(struct kanal_channel *);

void intake_clear(struct kanal_channel *channel)
{
    struct intake *in = &channel->mailbox.intake;
    if (in->blob != 0 && channel->blobs)
        channel->blobs->discard(channel->host, in->blob);
    reader_release(&in->reader);
    mail_release(&in->mail);
    kanal_buffer_release(&in->quoted);
    kanal_buffer_release(&in->piece);
    memset(in, 0, sizeof *in);
}

void intake_begin(struct kanal_channel *channel, uint64_t bytes)
{
    struct mailbox *m = &channel->mailbox;
    struct intake *in = &m->intake;
    mail_init(&in->mail, &channel->settings, channel->settings.folders[m->folder]);
    in->left = bytes;
    in->is_on = in->is_reading = 1;
    if (bytes == 0)
        reader_finish(&in->reader);
}

void intake_feed(struct kanal_channel *channel, kanal_str bytes)
{
    struct intake *in = &channel->mailbox.intake;
    in->left -= bytes.len < in->left ? bytes.len : in->left;
    reader_feed(&in->reader, bytes);
    in->is_reading = 1;
    if (in->left == 0)
        reader_finish(&in->reader);
}

void intake_quoted(struct kanal_channel *channel, kanal_str body)
{
    struct intake *in = &channel->mailbox.intake;
    intake_begin(channel, body.len);
    kanal_buffer_str(&in->quoted, body); /* the token ends before the reader does */
    intake_feed(channel, kanal_buffer_view(&in->quoted));
}

/* ---- The store ---- */

static void file_failed(struct kanal_channel *channel, const char *why)
{
    struct intake *in = &channel->mailbox.intake;
    if (in->blob != 0 && channel->blobs)
        channel->blobs->discard(channel->host, in->blob);
    in->blob = 0;
    if (in->file)
        in->file->unavailable = why;
    in->file = NULL;
    in->is_ending_file = 0;
    in->role = MAIL_SKIP;
    kanal_buffer_clear(&in->piece);
}

/* The store was busy. If it takes nothing now either, the file is given up, and nobody else would go on with the rest. */
static void again(struct kanal_channel *channel)
{
    hand_over(channel);
    if (channel->mailbox.pending == 0)
        session_run(channel);
}

/* What a call of the store ended with, if not well: it is tried again, or the file is given up, or the connection is. */
static void on_trouble(struct kanal_channel *channel, kanal_status status)
{
    if (status == KANAL_E_BUSY) {
        timer_set(channel, &channel->mailbox.timer, BUSY_MS, again);
        return;
    }
    if (status == KANAL_E_TOO_LARGE || status == KANAL_E_INVALID || status == KANAL_E_DENIED ||
        status == KANAL_E_REJECTED) {
        file_failed(channel, status == KANAL_E_TOO_LARGE ? "too_large" : "failed");
        session_run(channel);
        return;
    }
    kanal_count(channel->host, "store_errors");
    session_drop(channel, "an attachment could not be stored; the mail is read again", kanal_str_of(NULL, 0));
    session_run(channel);
}

static void on_appended(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    m->pending = 0;
    if (m->is_dropped || channel->stopping != 0) {
        session_run(channel);
    } else if (status != KANAL_OK) {
        on_trouble(channel, status);
    } else {
        kanal_buffer_clear(&m->intake.piece);
        if (m->intake.is_ending_file)
            hand_over(channel);
        if (m->pending == 0)
            session_run(channel);
    }
}

static void on_stored(void *user, kanal_status status, kanal_str reference, uint64_t revision)
{
    struct kanal_channel *channel = user;
    struct mailbox *m = &channel->mailbox;
    (void)revision;
    m->pending = 0;
    if (m->is_dropped || channel->stopping != 0) {
        session_run(channel);
    } else if (status != KANAL_OK) {
        on_trouble(channel, status);
    } else {
        m->intake.blob = 0;
        m->intake.file->reference = kanal_str_dup(reference);
        m->intake.file = NULL;
        m->intake.is_ending_file = 0;
        kanal_buffer_clear(&m->intake.piece);
        session_run(channel);
    }
}

static kanal_str content_type(const struct mail_file *file)
{
    return kanal_str_c(file->mime ? file->mime : "application/octet-stream");
}

/* What is held goes to the store: a small file whole, a large one as pieces. */
static void hand_over(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct intake *in = &m->intake;
    const kanal_host *host = channel->host;
    kanal_str piece = kanal_buffer_view(&in->piece), name = kanal_str_c(in->file->name);
    if (in->piece.failed) {
        file_failed(channel, "failed");
        return;
    }
    if (in->is_ending_file && in->blob == 0) {
        m->pending = channel->blobs->put(host, content_type(in->file), name, piece, on_stored, channel);
    } else if (in->is_ending_file && piece.len == 0) {
        m->pending = channel->blobs->commit(host, in->blob, on_stored, channel);
    } else {
        if (in->blob == 0)
            in->blob = channel->blobs->open(host, content_type(in->file), name);
        if (in->blob != 0)
            m->pending = channel->blobs->append(host, in->blob, piece, on_appended, channel);
    }
    if (m->pending == 0)
        file_failed(channel, "failed");
}

/* ---- Tokens ---- */

static void begin_file(struct kanal_channel *channel, struct mail_file *file)
{
    struct intake *in = &channel->mailbox.intake;
    in->file = file;
    in->role = MAIL_FILE;
    kanal_buffer_clear(&in->piece);
    if (!channel->blobs)
        file_failed(channel, "failed");
}

static void take_file(struct kanal_channel *channel, kanal_str data)
{
    struct intake *in = &channel->mailbox.intake;
    in->file->size += data.len;
    kanal_buffer_str(&in->piece, data);
    if (in->piece.len >= PIECE_BYTES || in->piece.failed)
        hand_over(channel);
}

static void take_data(struct kanal_channel *channel, kanal_str data)
{
    struct intake *in = &channel->mailbox.intake;
    kanal_str begun;
    if (in->role == MAIL_FILE) {
        take_file(channel, data);
        return;
    }
    if (in->role != MAIL_COLLECT || mail_data(&in->mail, data))
        return;
    /* mail_data() kept what had room: the file begins with that, and the rest follows. */
    struct mail_file *file = mail_overflow(&in->mail, &begun);
    in->role = MAIL_SKIP;
    if (!file)
        return;
    begin_file(channel, file);
    if (in->role != MAIL_FILE)
        return;
    kanal_buffer_str(&in->piece, begun);
    file->size = begun.len;
    take_file(channel, kanal_str_from(data, in->mail.taken));
}

static void end_part(struct kanal_channel *channel)
{
    struct intake *in = &channel->mailbox.intake;
    enum mail_role role = in->role;
    kanal_str whole;
    in->role = MAIL_SKIP;
    if (role == MAIL_COLLECT) {
        mail_part_end(&in->mail);
        struct mail_file *kept = mail_kept(&in->mail, &whole);
        if (!kept)
            return;
        begin_file(channel, kept);
        if (in->role != MAIL_FILE)
            return;
        in->role = MAIL_SKIP;
        kept->size = whole.len;
        kanal_buffer_str(&in->piece, whole);
    } else if (role != MAIL_FILE) {
        return;
    }
    if (in->file->size == 0) { /* nothing is there to be stored */
        file_failed(channel, "not_found");
        return;
    }
    in->is_ending_file = 1;
    hand_over(channel);
}

static void take(struct kanal_channel *channel, const struct reader_token *t)
{
    struct intake *in = &channel->mailbox.intake;
    struct mail_file *file = NULL;
    switch (t->kind) {
    case READER_HEAD:
        mail_head(&in->mail, t->data);
        break;
    case READER_PART:
        in->role = mail_part(&in->mail, t->part, &file);
        if (in->role == MAIL_FILE)
            begin_file(channel, file);
        break;
    case READER_DATA:
        take_data(channel, t->data);
        break;
    case READER_PART_END:
        end_part(channel);
        break;
    default:
        break;
    }
}

int intake_run(struct kanal_channel *channel)
{
    struct mailbox *m = &channel->mailbox;
    struct intake *in = &m->intake;
    struct reader_token token;
    while (in->is_reading && !in->is_ended) {
        if (m->pending != 0 || m->timer.tick != NULL) /* the timer: the store was busy */
            return 0;
        switch (reader_next(&in->reader, &token)) {
        case READER_MORE:
            in->is_reading = 0;
            break;
        case READER_END:
            in->is_ended = 1;
            in->mail.is_cut |= in->reader.is_cut;
            break;
        default:
            take(channel, &token);
            break;
        }
    }
    return m->pending == 0 && m->timer.tick == NULL;
}
