/* Extension kanal.blob/1: references are numbers, the bytes are thrown away. */
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
