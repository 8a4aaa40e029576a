/* mailer.c - the core of a mail channel: reads a mailbox over a logged-in session into a blob, in bounded memory, and submits messages. POST
 * /call {"slot": "read" | "mail", …} starts one and answers when it is done. Built with the tests, never installed. */
#include <stdlib.h>

#include "kanal/ext/blob.h"
#include "kanal/ext/transfer.h"
#include "kanal/sdk/sdk.h"

struct kanal_channel {
    const kanal_host *host;
    const kanal_transfer_host *transfer;
    const kanal_stream_host *streams;
    const kanal_blob2_host *blobs;
    struct mailbox *mailbox; /* one at a time */
};

/* A conversation: each command is sent when the one before is answered. */
enum step { SELECT, SEARCH, FETCH, STORE, IDLE, LOGOUT, STEPS };

struct mailbox {
    kanal_channel *channel;
    kanal_op op; /* the request to be answered */
    kanal_op stream, blob;
    struct kanal_imap parser;
    enum step step;
    uint32_t words; /* tokens of this line */
    int is_tagged, is_untagged, is_search;
    uint64_t validity, exists, first_uid, uid, found, literal, hash, status_lines;
    uint32_t busy; /* pieces under way to the blob */
    int want_idle, failed;
    struct kanal_buffer flags, reference, said, name;
    char number[24]; /* the untagged response's */
};

static void respond(kanal_channel *channel, kanal_op op, const struct kanal_buffer *body)
{
    kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = 200,
                                     .body = kanal_buffer_view(body),
                                     .headers = &type,
                                     .header_count = 1 };
    channel->host->respond(channel->host, op, &response);
}

/* ---- The mailbox ---- */

static void mailbox_end(struct mailbox *m, kanal_status status, kanal_str reason)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    char hash[24];
    int n = snprintf(hash, sizeof hash, "%016llx", (unsigned long long)m->hash);
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "status", status);
    kanal_json_member_str(&json, "reason", reason);
    kanal_json_member_int(&json, "validity", (int64_t)m->validity);
    kanal_json_member_int(&json, "exists", (int64_t)m->exists);
    kanal_json_member_int(&json, "found", (int64_t)m->found);
    kanal_json_member_int(&json, "uid", (int64_t)m->uid);
    kanal_json_member_int(&json, "size", (int64_t)m->literal);
    kanal_json_key(&json, "hash");
    kanal_json_str(&json, kanal_str_of(hash, (size_t)n));
    kanal_json_member_str(&json, "flags", kanal_buffer_view(&m->flags));
    kanal_json_member_str(&json, "reference", kanal_buffer_view(&m->reference));
    kanal_json_member_str(&json, "said", kanal_buffer_view(&m->said));
    kanal_json_member_int(&json, "step", m->step);
    kanal_json_object_end(&json);
    respond(m->channel, m->op, &body);
    kanal_buffer_release(&body);
    m->channel->mailbox = NULL;
    if (m->blob)
        m->channel->blobs->discard(m->channel->host, m->blob);
    kanal_imap_release(&m->parser);
    struct kanal_buffer *buffers[] = { &m->flags, &m->reference, &m->said, &m->name };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        kanal_buffer_release(buffers[i]);
    free(m);
}

static void send_line(struct mailbox *m, const char *text)
{
    m->channel->streams->write(m->channel->host, m->stream, kanal_str_c(text), NULL, 0, NULL, NULL);
}

static void send_command(struct mailbox *m)
{
    struct kanal_buffer line = { 0 };
    char text[128];
    if (m->step == FETCH && m->uid == 0)
        m->step = m->want_idle ? IDLE : LOGOUT; /* nothing is new */
    if (m->step == IDLE && !m->want_idle)
        m->step = LOGOUT;
    switch (m->step) {
    case SELECT:
        kanal_buffer_text(&line, "A0 SELECT ");
        kanal_imap_quote(&line, kanal_buffer_view(&m->name));
        break;
    case SEARCH:
        snprintf(text, sizeof text, "A1 UID SEARCH UID %llu:*", (unsigned long long)m->first_uid);
        kanal_buffer_text(&line, text);
        break;
    case FETCH:
        snprintf(text, sizeof text, "A2 UID FETCH %llu (FLAGS BODY.PEEK[])", (unsigned long long)m->uid);
        kanal_buffer_text(&line, text);
        break;
    case STORE:
        snprintf(text, sizeof text, "A3 UID STORE %llu +FLAGS.SILENT (\\Seen)", (unsigned long long)m->uid);
        kanal_buffer_text(&line, text);
        break;
    case IDLE:
        kanal_buffer_text(&line, "A4 IDLE");
        break;
    default:
        kanal_buffer_text(&line, "A5 LOGOUT");
        break;
    }
    kanal_buffer_append(&line, "\r\n", 3);
    send_line(m, line.data);
    kanal_buffer_release(&line);
}

static void on_committed(void *user, kanal_status status, kanal_str reference, uint64_t revision)
{
    kanal_channel *channel = user;
    struct mailbox *m = channel->mailbox;
    (void)revision;
    if (!m)
        return;
    kanal_buffer_str(&m->reference, reference);
    m->failed |= status != KANAL_OK;
    m->step = STORE;
    send_command(m);
}

struct piece {
    kanal_channel *channel;
    kanal_op stream;
    uint32_t len;
};

/* The piece is on its way to the store: as many bytes more may come. */
static void on_appended(void *user, kanal_status status)
{
    struct piece *piece = user;
    struct mailbox *m = piece->channel->mailbox;
    if (m && m->stream == piece->stream) {
        m->failed |= status != KANAL_OK;
        m->channel->streams->credit(m->channel->host, m->stream, piece->len);
    }
    free(piece);
}

static void take_piece(struct mailbox *m, kanal_str bytes)
{
    struct piece *piece = malloc(sizeof *piece);
    if (!piece)
        abort();
    *piece = (struct piece){ m->channel, m->stream, (uint32_t)bytes.len };
    for (size_t i = 0; i < bytes.len; i++)
        m->hash = (m->hash ^ (unsigned char)bytes.ptr[i]) * 1099511628211u;
    m->channel->blobs->append(m->channel->host, m->blob, bytes, on_appended, piece);
}

static void end_of_line(struct mailbox *m)
{
    if (m->is_tagged && m->step == FETCH && m->blob) {
        kanal_op blob = m->blob;
        m->blob = 0;
        m->channel->blobs->commit(m->channel->host, blob, on_committed, m->channel);
    } else if (m->is_tagged && m->step < LOGOUT) {
        m->step++;
        send_command(m);
    }
    m->words = 0;
    m->is_tagged = m->is_untagged = m->is_search = 0;
}

static void take_atom(struct mailbox *m, const struct kanal_imap_token *t)
{
    int64_t number = 0;
    if (m->words == 1) {
        m->is_untagged = kanal_str_is(t->text, "*");
        m->is_tagged = t->text.len == 2 && t->text.ptr[0] == 'A';
    } else if (m->words == 2) {
        m->is_search = m->is_untagged && kanal_str_is(t->text, "SEARCH");
        snprintf(m->number, sizeof m->number, "%.*s", (int)(t->text.len < 20 ? t->text.len : 20),
                 t->text.ptr);
        if (m->is_tagged && !kanal_str_is(t->text, "OK"))
            m->failed = 1;
    } else if (m->is_search && kanal_str_int(t->text, &number) == 0) {
        if ((uint64_t)number >= m->first_uid) { /* "n:*" names the last one even if it is older */
            m->found++;
            m->uid = (uint64_t)number;
        }
    } else if (m->words == 3 && kanal_str_is(t->text, "EXISTS") &&
               kanal_str_int(kanal_str_c(m->number), &number) == 0) {
        if (m->step == IDLE && m->exists > 0 && (uint64_t)number > m->exists)
            send_line(m, "DONE\r\n");
        m->exists = (uint64_t)number;
    } else if (t->depth == 2 && m->step == FETCH) {
        kanal_buffer_str(&m->flags, t->text);
        kanal_buffer_byte(&m->flags, ' ');
    }
}

static void take(struct mailbox *m, const struct kanal_imap_token *t)
{
    m->words++;
    switch (t->kind) {
    case KANAL_IMAP_ATOM:
        take_atom(m, t);
        break;
    case KANAL_IMAP_TEXT:
        kanal_imap_code(t->text, "UIDVALIDITY", &m->validity);
        if (m->failed && m->said.len == 0)
            kanal_buffer_str(&m->said, t->text);
        break;
    case KANAL_IMAP_LITERAL:
        if (m->step == FETCH && !m->blob) {
            m->literal = t->size;
            m->blob =
                m->channel->blobs->open(m->channel->host, KANAL_LIT("message/rfc822"), kanal_str_of(NULL, 0));
        }
        break;
    case KANAL_IMAP_PIECE:
        if (m->blob)
            take_piece(m, t->text);
        break;
    case KANAL_IMAP_END:
        end_of_line(m);
        break;
    default:
        break;
    }
}

/* ---- The stream ---- */

static void on_open(kanal_channel *channel, kanal_op stream)
{
    struct mailbox *m = channel->mailbox;
    if (m && m->stream == stream)
        send_command(m);
}

static void on_data(kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    struct mailbox *m = channel->mailbox;
    struct kanal_imap_token token;
    size_t in_pieces = 0;
    if (!m || m->stream != stream)
        return;
    kanal_imap_feed(&m->parser, bytes);
    while (kanal_imap_next(&m->parser, &token) != KANAL_IMAP_MORE) {
        if (token.kind == KANAL_IMAP_BROKEN) {
            channel->streams->close(channel->host, stream);
            return;
        }
        if (token.kind == KANAL_IMAP_PIECE && m->blob)
            in_pieces += token.text.len;
        take(m, &token);
    }
    /* What went into the blob is credited when it is stored. */
    channel->streams->credit(channel->host, stream, (uint32_t)(bytes.len - in_pieces));
}

static void on_end(kanal_channel *channel, kanal_op stream)
{
    channel->streams->close(channel->host, stream);
}

static void on_close(kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    struct mailbox *m = channel->mailbox;
    if (m && m->stream == stream)
        mailbox_end(m, m->step == LOGOUT && !m->failed ? KANAL_OK : status, reason);
}

static kanal_login login_of(yyjson_val *arguments)
{
    return (kanal_login){ .flags = (uint32_t)kanal_json_int_at(arguments, "flags", 0),
                          .connect_timeout_ms = (uint32_t)kanal_json_int_at(arguments, "connect_ms", 0),
                          .url = kanal_json_text_at(arguments, "url"),
                          .user = kanal_json_text_at(arguments, "user"),
                          .secret = kanal_json_text_at(arguments, "secret"),
                          .token = kanal_json_text_at(arguments, "token") };
}

static void slot_read(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct mailbox *m = calloc(1, sizeof *m);
    if (!m || channel->mailbox)
        abort();
    kanal_login login = login_of(arguments);
    m->channel = channel;
    m->op = op;
    m->hash = 14695981039346656037u;
    m->first_uid = (uint64_t)kanal_json_int_at(arguments, "from_uid", 1);
    m->want_idle = yyjson_is_true(kanal_json_at(arguments, "idle"));
    kanal_buffer_str(&m->name, kanal_json_text_at(arguments, "mailbox"));
    channel->mailbox = m;
    m->stream = channel->transfer->login(channel->host, &login,
                                         (uint32_t)kanal_json_int_at(arguments, "idle_ms", 20000),
                                         (uint32_t)kanal_json_int_at(arguments, "credit", 0));
}

/* ---- Mail out ---- */

struct sending {
    kanal_channel *channel;
    kanal_op op;
};

static void on_mailed(void *user, kanal_status status, const kanal_mail_result *result)
{
    struct sending *s = user;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "status", status);
    kanal_json_member_int(&json, "code", result->reply.code);
    kanal_json_member_str(&json, "text", result->reply.text);
    kanal_json_member_int(&json, "accepted", result->accepted);
    kanal_json_key(&json, "recipients");
    kanal_json_array(&json);
    for (size_t i = 0; i < result->recipient_count; i++) {
        kanal_json_object(&json);
        kanal_json_member_int(&json, "code", result->recipients[i].code);
        kanal_json_member_str(&json, "text", result->recipients[i].text);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    respond(s->channel, s->op, &body);
    kanal_buffer_release(&body);
    free(s);
}

/* {"text"} or {"size"} of lines, or {"source"}; {"base64":true}. */
static void piece_of(yyjson_val *value, kanal_piece *piece, struct kanal_buffer *scratch)
{
    int64_t size = kanal_json_int_at(value, "size", 0);
    *piece =
        (kanal_piece){ .data = kanal_json_text_at(value, "text"),
                       .source = kanal_json_text_at(value, "source"),
                       .encoding = yyjson_is_true(kanal_json_at(value, "base64")) ? KANAL_PIECE_BASE64 : 0,
                       .max_bytes = (uint32_t)kanal_json_int_at(value, "max", 0) };
    while ((int64_t)scratch->len < size)
        kanal_buffer_text(scratch, ".a line that begins with a dot, as the protocol does not like it\r\n");
    if (size > 0)
        piece->data = kanal_buffer_view(scratch);
}

static void slot_mail(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    kanal_str recipients[128] = { { 0 } };
    kanal_piece pieces[70];
    struct kanal_buffer scratch[70] = { { 0 } };
    struct sending *s = malloc(sizeof *s);
    size_t recipient_count = 0, piece_count = 0, index, most;
    yyjson_val *one;
    if (!s)
        abort();
    *s = (struct sending){ channel, op };
    yyjson_arr_foreach (kanal_json_at(arguments, "to"), index, most, one)
        if (recipient_count < 128)
            recipients[recipient_count++] = kanal_str_of(yyjson_get_str(one), yyjson_get_len(one));
    yyjson_arr_foreach (kanal_json_at(arguments, "pieces"), index, most, one)
        if (piece_count < 70) {
            piece_of(one, &pieces[piece_count], &scratch[piece_count]);
            piece_count++;
        }
    kanal_mail mail = { .struct_size = sizeof mail,
                        .timeout_ms = (uint32_t)kanal_json_int_at(arguments, "timeout_ms", 0),
                        .login = login_of(arguments),
                        .from = kanal_json_text_at(arguments, "from"),
                        .recipients = recipients,
                        .recipient_count = recipient_count,
                        .pieces = pieces,
                        .piece_count = piece_count };
    kanal_op pending = channel->transfer->mail(channel->host, 0, &mail, on_mailed, s);
    if (yyjson_is_true(kanal_json_at(arguments, "cancel")))
        channel->host->cancel(channel->host, pending);
    for (size_t i = 0; i < piece_count; i++)
        kanal_buffer_release(&scratch[i]);
}

/* ---- The channel ---- */

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body);
    if (kanal_str_is(kanal_json_text_at(yyjson_doc_get_root(doc), "slot"), "read"))
        slot_read(channel, op, yyjson_doc_get_root(doc));
    else
        slot_mail(channel, op, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    (void)config;
    if (!channel)
        abort();
    channel->host = host;
    channel->transfer = host->extension(host, KANAL_EXT_TRANSFER);
    channel->streams = host->extension(host, KANAL_EXT_STREAM);
    channel->blobs = host->extension(host, KANAL_EXT_BLOB_2);
    return channel;
}

static void start(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    if (channel->mailbox)
        channel->streams->close(channel->host, channel->mailbox->stream);
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void destroy(kanal_channel *channel)
{
    if (channel->mailbox)
        mailbox_end(channel->mailbox, KANAL_E_CANCELLED, kanal_str_of(NULL, 0));
    free(channel);
}

static const void *extension(kanal_channel *channel, const char *id)
{
    static const kanal_stream_plugin streams = { .struct_size = sizeof streams,
                                                 .on_open = on_open,
                                                 .on_data = on_data,
                                                 .on_end = on_end,
                                                 .on_close = on_close };
    (void)channel;
    return strcmp(id, KANAL_EXT_STREAM) == 0 ? &streams : NULL;
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const char *const egress[] = { "${setting:imap_url}", "${setting:smtp_url}", NULL };
    static const kanal_secret secrets[] = { { "password", "the mailbox's password", 0 },
                                            { "wrong", "another one", 0 } };
    static const kanal_route routes[] = {
        { .method = "POST", .path = "/call", .max_body = 4 * 1024 * 1024 }
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "mailer",
        .name = "Mailer",
        .version = "1.0.0",
        .egress = egress,
        .routes = routes,
        .route_count = 1,
        .secrets = secrets,
        .secret_count = 2,
        .settings_schema = "{\"type\":\"object\",\"properties\":{\"imap_url\":{\"type\":\"string\"},"
                           "\"smtp_url\":{\"type\":\"string\"}}}",
        .create = create,
        .start = start,
        .on_http = on_http,
        .stop = stop,
        .destroy = destroy,
        .extension = extension,
    };
    return &plugin;
}
