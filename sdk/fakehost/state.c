/* The channel's durable keys, kept for the test only. */
#include "inside.h"

#define VALUE_BYTES_MAX (256u * 1024u)

void fake_fail_state(struct fake_host *host, kanal_status status)
{
    host->state_status = status;
}

static int is_key(kanal_str key)
{
    if (key.len < 1 || key.len > 128)
        return 0;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '=' || c == '-';
        int between = (c == '.' || c == '/') && i > 0 && i + 1 < key.len && key.ptr[i - 1] != '.' &&
                      key.ptr[i - 1] != '/';
        if (!plain && !between)
            return 0;
    }
    return 1;
}

static struct state_entry *find(const struct fake_host *host, kanal_str key)
{
    struct state_entry *entry = host->state;
    while (entry != NULL && !kanal_str_is(key, entry->key))
        entry = entry->next;
    return entry;
}

const char *fake_state(const struct fake_host *host, const char *key)
{
    struct state_entry *entry = find(host, kanal_str_c(key));
    return entry ? entry->value : NULL;
}

static kanal_status read_entry(struct fake_host *host, struct task *task, kanal_str key)
{
    if (!is_key(key)) {
        fake_fail(host, "state_get(): '%.*s' is no key", (int)key.len, key.ptr);
        return KANAL_E_INVALID;
    }
    if (host->state_status != KANAL_OK)
        return host->state_status;
    struct state_entry *entry = find(host, key);
    if (entry == NULL || entry->value == NULL)
        return KANAL_E_NOT_FOUND;
    task->value = fake_arena_str(&task->copies, kanal_str_of(entry->value, entry->value_len));
    task->revision = entry->revision;
    return KANAL_OK;
}

kanal_op fake_state_get(const kanal_host *table, kanal_str key, kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "state_get", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (!refused)
        fake_ready(host, task, read_entry(host, task, key));
    return task->op;
}

static kanal_status write_entry(struct fake_host *host, struct task *task, kanal_str key, kanal_str value,
                                uint64_t if_revision)
{
    if (!is_key(key)) {
        fake_fail(host, "state_put(): '%.*s' is no key", (int)key.len, key.ptr);
        return KANAL_E_INVALID;
    }
    if (value.len > VALUE_BYTES_MAX)
        return KANAL_E_TOO_LARGE;
    if (host->state_status != KANAL_OK)
        return host->state_status;
    struct state_entry *entry = find(host, key);
    uint64_t revision = entry && entry->value ? entry->revision : 0;
    if (if_revision != UINT64_MAX && if_revision != revision)
        return KANAL_E_REJECTED;
    if (entry == NULL) {
        entry = fake_arena_zeroed(&host->kept, sizeof *entry);
        entry->key = (char *)(uintptr_t)fake_arena_str(&host->kept, key).ptr;
        entry->next = host->state;
        host->state = entry;
    }
    entry->value = value.len ? (char *)(uintptr_t)fake_arena_str(&host->kept, value).ptr : NULL;
    entry->value_len = value.len;
    task->revision = entry->revision = ++host->last_revision;
    return KANAL_OK;
}

kanal_op fake_state_put(const kanal_host *table, kanal_str key, kanal_str value, uint64_t if_revision,
                        kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "state_put", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (!refused)
        fake_ready(host, task, write_entry(host, task, key, value, if_revision));
    return task->op;
}
