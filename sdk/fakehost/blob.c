/* Extensions kanal.blob/1 and /2: references are numbers, the bytes are thrown away. */
#include "inside.h"
#include "kanal/sdk/base64.h"

#define BLOB_BYTES_MAX (16u * 1024u * 1024u)

void fake_fail_blob(struct fake_host *host, kanal_status status)
{
    host->blob_status = status;
}

static kanal_op put(const kanal_host *table, kanal_str content_type, kanal_str filename, kanal_str data,
                    kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "blob put", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (refused)
        return task->op;
    if (content_type.len == 0 || !kanal_str_utf8(content_type) || !kanal_str_utf8(filename))
        fake_fail(host, "blob put(): content type or filename");
    kanal_status status = data.len > BLOB_BYTES_MAX ? KANAL_E_TOO_LARGE : host->blob_status;
    if (status == KANAL_OK) {
        struct kanal_buffer reference = { 0 };
        kanal_buffer_text(&reference, "blob:");
        kanal_buffer_uint(&reference, ++host->blob_count);
        task->value = fake_arena_str(&task->copies, kanal_buffer_view(&reference));
        kanal_buffer_release(&reference);
    }
    fake_ready(host, task, status);
    return task->op;
}

static kanal_op url(const kanal_host *table, kanal_str reference, kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "blob url", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (refused)
        return task->op;
    kanal_status status = reference.len == 0 ? KANAL_E_INVALID : host->blob_status;
    if (status == KANAL_OK) {
        struct kanal_buffer text = { 0 };
        kanal_buffer_text(&text, FAKE_ORIGIN "/m/");
        kanal_buffer_text(&text, host->channel_id);
        kanal_buffer_byte(&text, '/');
        kanal_base64_encode(&text, reference, KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
        task->value = fake_arena_str(&task->copies, kanal_buffer_view(&text));
        kanal_buffer_release(&text);
    }
    fake_ready(host, task, status);
    return task->op;
}

static const kanal_blob_host table_of_host = { .struct_size = sizeof table_of_host, .put = put, .url = url };
const struct fake_extension fake_extension_blob = { .id = KANAL_EXT_BLOB, .table = &table_of_host };

/* ---- Piece by piece ---- */

#define PIECE_MAX (1024u * 1024u)
#define PIECES_BYTES_MAX (64u * 1024u * 1024u)

static struct writing *find(struct fake_host *host, kanal_op op)
{
    struct writing *w = host->writings;
    while (w != NULL && w->op != op)
        w = w->next;
    return w;
}

static void forget(struct fake_host *host, kanal_op op)
{
    struct writing **at = &host->writings;
    while (*at != NULL && (*at)->op != op)
        at = &(*at)->next;
    if (*at != NULL)
        *at = (*at)->next;
}

static kanal_op open_blob(const kanal_host *table, kanal_str content_type, kanal_str filename)
{
    struct fake_host *host = fake_of(table);
    size_t count = 0;
    fake_check_lane(host, "blob open");
    for (const struct writing *w = host->writings; w != NULL; w = w->next)
        count++;
    if (content_type.len == 0 || !kanal_str_utf8(content_type) || !kanal_str_utf8(filename))
        fake_fail(host, "blob open(): content type or filename");
    if (host->stopped || count >= 8)
        return 0;
    struct writing *w = fake_arena_zeroed(&host->kept, sizeof *w);
    w->op = fake_next_op(host);
    w->next = host->writings;
    host->writings = w;
    return w->op;
}

static kanal_op append(const kanal_host *table, kanal_op blob, kanal_str piece, kanal_done_fn *callback,
                       void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "blob append", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    if (refused)
        return task->op;
    struct writing *w = find(host, blob);
    kanal_status status = w == NULL                                 ? KANAL_E_NOT_FOUND
                          : piece.len == 0 || piece.len > PIECE_MAX ? KANAL_E_INVALID
                          : w->size + piece.len > PIECES_BYTES_MAX  ? KANAL_E_TOO_LARGE
                                                                    : host->blob_status;
    if (status == KANAL_OK)
        w->size += piece.len;
    fake_ready(host, task, status);
    return task->op;
}

static kanal_op commit(const kanal_host *table, kanal_op blob, kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "blob commit", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (refused)
        return task->op;
    kanal_status status = find(host, blob) == NULL ? KANAL_E_NOT_FOUND : host->blob_status;
    forget(host, blob);
    if (status == KANAL_OK) {
        struct kanal_buffer reference = { 0 };
        kanal_buffer_text(&reference, "blob:");
        kanal_buffer_uint(&reference, ++host->blob_count);
        task->value = fake_arena_str(&task->copies, kanal_buffer_view(&reference));
        kanal_buffer_release(&reference);
    }
    fake_ready(host, task, status);
    return task->op;
}

static void discard(const kanal_host *table, kanal_op blob)
{
    forget(fake_of(table), blob);
}

static const kanal_blob2_host table_of_host2 = { .struct_size = sizeof table_of_host2,
                                                 .put = put,
                                                 .url = url,
                                                 .open = open_blob,
                                                 .append = append,
                                                 .commit = commit,
                                                 .discard = discard };
const struct fake_extension fake_extension_blob2 = { .id = KANAL_EXT_BLOB_2, .table = &table_of_host2 };
