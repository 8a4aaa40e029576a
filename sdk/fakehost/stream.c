/* Extension kanal.stream/1, without a network: the test is the peer. */
#include "inside.h"

#define CREDIT_DEFAULT (64u * 1024u)
#define CREDIT_MAX (1024u * 1024u)

enum stream_event { STREAM_OPEN, STREAM_DATA, STREAM_END, STREAM_CLOSE };
static void run(struct fake_host *, struct task *);

static struct stream *find(const struct fake_host *host, kanal_op op)
{
    struct stream *s = host->streams;
    while (s != NULL && s->seen.op != op)
        s = s->next;
    return s;
}

size_t fake_stream_count(const struct fake_host *host)
{
    return host->stream_count;
}

const struct fake_stream *fake_stream_at(const struct fake_host *host, size_t index)
{
    struct stream *s = host->streams; /* the newest first */
    for (size_t i = host->stream_count; s != NULL && i > index + 1; i--)
        s = s->next;
    return s ? &s->seen : NULL;
}

static void queue(struct fake_host *host, struct stream *s, enum stream_event event, kanal_status status,
                  kanal_str bytes)
{
    struct task *task = fake_extension_task(host, run, (int)event, s->seen.op);
    task->value = fake_arena_str(&task->copies, bytes);
    fake_ready(host, task, status);
}

kanal_op fake_stream_begin(struct fake_host *host, const char *slot, const kanal_stream_target *target,
                           int is_login)
{
    fake_check_lane(host, slot);
    if (host->stopped)
        return 0;
    if (host->creating)
        fake_fail(host, "create() may only log and ask for extensions, and calls %s()", slot);
    if (host->stream_plugin == NULL)
        fake_fail(host, "a stream, but the plugin has no table " KANAL_EXT_STREAM);
    struct stream *s = fake_arena_zeroed(&host->kept, sizeof *s);
    s->seen.op = fake_next_op(host);
    s->seen.target = *target;
    s->seen.target.host = fake_arena_str(&host->kept, target->host);
    s->seen.credit = target->credit ? target->credit : CREDIT_DEFAULT;
    s->seen.secured = is_login || (target->flags & KANAL_STREAM_TLS) != 0;
    s->is_login = is_login;
    s->next = host->streams;
    host->streams = s;
    host->stream_count++;
    return s->seen.op;
}

/* ---- What the plugin calls ---- */

static kanal_op connect(const kanal_host *table, const kanal_stream_target *target)
{
    struct fake_host *host = fake_of(table);
    if (target->host.len == 0 || target->port == 0 || target->port > 65535)
        fake_fail(host, "connect(): host or port");
    return fake_stream_begin(host, "stream connect", target, 0);
}

static kanal_op start_tls(const kanal_host *table, kanal_op op, kanal_done_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "stream start_tls", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    if (refused)
        return task->op;
    struct stream *s = find(host, op);
    kanal_status status = s == NULL || !s->seen.open ? KANAL_E_NOT_FOUND
                          : s->seen.secured          ? KANAL_E_INVALID
                          : s->waiting.len > 0       ? KANAL_E_REJECTED
                                                     : KANAL_OK;
    if (status == KANAL_OK)
        s->seen.secured = 1;
    fake_ready(host, task, status);
    return task->op;
}

static kanal_str secret_value(const struct fake_host *host, kanal_str name)
{
    for (size_t i = 0; i < host->secret_count; i++)
        if (kanal_str_is(name, host->secrets[i][0]))
            return kanal_str_c(host->secrets[i][1]);
    return kanal_str_of(NULL, 0);
}

static void add_length(unsigned char *at, uint32_t width, size_t more)
{
    for (uint32_t i = width; i-- > 0; more >>= 8) {
        more += at[i];
        at[i] = (unsigned char)(more & 0xff);
    }
}

/* data with its secrets in place, appended. */
static kanal_status compose(struct fake_host *host, struct stream *s, kanal_str data,
                            const kanal_stream_secret *secrets, size_t count)
{
    size_t base = s->written.len;
    for (size_t i = 0; i < count; i++) {
        const kanal_stream_secret *use = &secrets[i];
        if (use->position > data.len || (uint64_t)use->length_position + use->length_bytes > data.len ||
            (i > 0 && use->position < secrets[i - 1].position)) {
            fake_fail(host, "write(): a secret's position");
            return KANAL_E_INVALID;
        }
        if (secret_value(host, use->secret).len == 0)
            return KANAL_E_NOT_FOUND;
    }
    kanal_buffer_str(&s->written, data);
    for (size_t i = 0; i < count; i++)
        add_length((unsigned char *)s->written.data + base + secrets[i].length_position,
                   secrets[i].length_bytes, secret_value(host, secrets[i].secret).len);
    for (size_t i = count; i-- > 0;) {
        kanal_str value = secret_value(host, secrets[i].secret);
        size_t at = base + secrets[i].position, tail = s->written.len - at;
        kanal_buffer_str(&s->written, value);
        memmove(s->written.data + at + value.len, s->written.data + at, tail);
        memcpy(s->written.data + at, value.ptr, value.len);
    }
    return KANAL_OK;
}

static kanal_op write_bytes(const kanal_host *table, kanal_op op, kanal_str data,
                            const kanal_stream_secret *secrets, size_t count, kanal_done_fn *callback,
                            void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "stream write", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    if (refused)
        return task->op;
    struct stream *s = find(host, op);
    if (s != NULL && s->is_login && count > 0)
        fake_fail(host, "write(): a secret in a session");
    kanal_status status = s == NULL || !s->seen.open || s->seen.ended
                              ? KANAL_E_NOT_FOUND
                              : compose(host, s, data, secrets, count);
    fake_ready(host, task, status);
    return task->op;
}

/* Hands over what the plugin has credit for. */
static void hand_over(struct fake_host *host, struct stream *s)
{
    while (s->waiting.len > 0 && s->seen.credit > 0 && s->seen.open) {
        size_t n = s->waiting.len < s->seen.credit ? s->waiting.len : s->seen.credit;
        n = n < 65536 ? n : 65536;
        queue(host, s, STREAM_DATA, KANAL_OK, kanal_str_of(s->waiting.data, n));
        s->seen.credit -= (uint32_t)n;
        memmove(s->waiting.data, s->waiting.data + n, s->waiting.len - n);
        s->waiting.len -= n;
    }
}

static void credit(const kanal_host *table, kanal_op op, uint32_t bytes)
{
    struct fake_host *host = fake_of(table);
    struct stream *s = find(host, op);
    if (s == NULL || !s->seen.open)
        return;
    s->seen.credit = bytes < CREDIT_MAX - s->seen.credit ? s->seen.credit + bytes : CREDIT_MAX;
    hand_over(host, s);
}

static void shutdown_writing(const kanal_host *table, kanal_op op)
{
    struct stream *s = find(fake_of(table), op);
    if (s != NULL && s->is_login)
        fake_fail(fake_of(table), "shutdown() of a session");
    else if (s != NULL)
        s->seen.ended = 1;
}

static void begin_close(struct fake_host *host, struct stream *s, kanal_status status)
{
    if (s->closing)
        return;
    s->closing = 1;
    s->seen.open = 0;
    queue(host, s, STREAM_CLOSE, status, KANAL_LIT("as the test wants it"));
}

static void close_stream(const kanal_host *table, kanal_op op)
{
    struct fake_host *host = fake_of(table);
    struct stream *s = find(host, op);
    if (s != NULL)
        begin_close(host, s, KANAL_E_CANCELLED);
}

static const kanal_stream_host table_of_host = { .struct_size = sizeof table_of_host,
                                                 .connect = connect,
                                                 .start_tls = start_tls,
                                                 .write = write_bytes,
                                                 .credit = credit,
                                                 .shutdown = shutdown_writing,
                                                 .close = close_stream };

/* ---- What the plugin is told ---- */

static void run(struct fake_host *host, struct task *task)
{
    static const char *const names[] = { "stream on_open()", "stream on_data()", "stream on_end()",
                                         "stream on_close()" };
    struct stream *s = find(host, task->op);
    const kanal_stream_plugin *plugin = host->stream_plugin;
    if (plugin == NULL || s == NULL || s->seen.closed || (s->closing && task->kind_of_run != STREAM_CLOSE))
        return;
    host->where = names[task->kind_of_run];
    struct fake_arena arguments = fake_arguments(host);
    kanal_str value = fake_arena_str(&arguments, task->value);
    switch ((enum stream_event)task->kind_of_run) {
    case STREAM_OPEN:
        s->seen.open = 1;
        plugin->on_open(host->channel, task->op);
        break;
    case STREAM_DATA:
        plugin->on_data(host->channel, task->op, value);
        break;
    case STREAM_END:
        plugin->on_end(host->channel, task->op);
        break;
    case STREAM_CLOSE:
        s->seen.closed = 1;
        s->seen.status = task->status;
        plugin->on_close(host->channel, task->op, task->status, value);
        break;
    }
    fake_arena_release(&arguments);
}

static void attach(struct fake_host *host)
{
    if (host->plugin->extension != NULL)
        host->stream_plugin = host->plugin->extension(host->channel, KANAL_EXT_STREAM);
}

static void release(struct fake_host *host)
{
    for (struct stream *s = host->streams; s != NULL; s = s->next) {
        kanal_buffer_release(&s->written);
        kanal_buffer_release(&s->waiting);
    }
}

const struct fake_extension fake_extension_stream = {
    .id = KANAL_EXT_STREAM, .table = &table_of_host, .attach = attach, .release = release
};

/* ---- What the test does ---- */

static struct stream *of_test(struct fake_host *host, kanal_op op)
{
    struct stream *s = find(host, op);
    if (s == NULL || s->closing) {
        fake_fail(host, "the test uses a stream that is not there, or closed");
        return NULL;
    }
    return s;
}

void fake_stream_open(struct fake_host *host, kanal_op op)
{
    struct stream *s = of_test(host, op);
    if (s != NULL)
        queue(host, s, STREAM_OPEN, KANAL_OK, kanal_str_of(NULL, 0));
    fake_run(host);
}

void fake_stream_receive(struct fake_host *host, kanal_op op, const void *bytes, size_t len)
{
    struct stream *s = of_test(host, op);
    if (s != NULL) {
        kanal_buffer_append(&s->waiting, bytes, len);
        hand_over(host, s);
    }
    fake_run(host);
}

void fake_stream_end(struct fake_host *host, kanal_op op)
{
    struct stream *s = of_test(host, op);
    if (s != NULL)
        queue(host, s, STREAM_END, KANAL_OK, kanal_str_of(NULL, 0));
    fake_run(host);
}

void fake_stream_close(struct fake_host *host, kanal_op op, kanal_status status)
{
    struct stream *s = of_test(host, op);
    if (s != NULL)
        begin_close(host, s, status);
    fake_run(host);
}

kanal_str fake_stream_take(struct fake_host *host, kanal_op op)
{
    struct stream *s = find(host, op);
    if (s == NULL)
        return kanal_str_of(NULL, 0);
    kanal_str copy = fake_arena_str(&host->kept, kanal_buffer_view(&s->written));
    kanal_buffer_clear(&s->written);
    return copy;
}
