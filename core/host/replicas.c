#include "host/replicas.h"

#include <string.h>

#include "kanal/sdk/str.h"

static struct replica *find(struct replicas *r, kanal_str name)
{
    for (size_t i = 0; i < r->count; i++)
        if (kanal_str_is(name, r->list[i].name))
            return &r->list[i];
    return NULL;
}

/* A place for a new one: what is known of one that went is forgotten last. */
static struct replica *place(struct replicas *r)
{
    struct replica *oldest = NULL;
    if (r->count < REPLICAS_MAX)
        return &r->list[r->count++];
    for (size_t i = 0; i < r->count; i++)
        if (!r->list[i].is_there && (!oldest || r->list[i].heard_ms < oldest->heard_ms))
            oldest = &r->list[i];
    return oldest;
}

struct replica *replicas_heard(struct replicas *r, kanal_str name, uint32_t ttl_ms, uint64_t now_ms)
{
    struct replica *one = find(r, name);
    if (!one) {
        if (name.len == 0 || name.len > REPLICA_NAME_MAX || memchr(name.ptr, 0, name.len) ||
            !(one = place(r)))
            return NULL;
        memset(one, 0, sizeof *one);
        memcpy(one->name, name.ptr, name.len);
    }
    if (!one->is_there)
        one->since_ms = now_ms;
    else if (now_ms - one->since_ms > REPLICA_FORGIVEN_MS)
        one->losses = 0;
    one->is_there = 1;
    one->heard_ms = now_ms;
    one->ttl_ms = ttl_ms;
    return one;
}

void replicas_left(struct replicas *r, kanal_str name)
{
    struct replica *one = find(r, name);
    if (one)
        one->is_there = 0;
}

static void lose(struct replica *one)
{
    one->losses += one->is_there;
    one->is_there = 0;
}

void replicas_lost(struct replicas *r, kanal_str name)
{
    struct replica *one = find(r, name);
    if (one)
        lose(one);
}

void replicas_expire(struct replicas *r, uint64_t now_ms)
{
    for (size_t i = 0; i < r->count; i++)
        if (now_ms >= r->list[i].heard_ms + r->list[i].ttl_ms)
            lose(&r->list[i]);
}

void replicas_deaf(struct replicas *r, uint64_t ms)
{
    for (size_t i = 0; i < r->count; i++)
        r->list[i].heard_ms += ms;
}

struct replica *replicas_find(struct replicas *r, kanal_str name)
{
    struct replica *one = find(r, name);
    return one && one->is_there ? one : NULL;
}

size_t replicas_there(const struct replicas *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += (size_t)r->list[i].is_there;
    return count;
}

int replica_is_steady(const struct replica *one, uint64_t now_ms)
{
    uint64_t needed = one->losses < 8 ? (uint64_t)REPLICA_STEADY_MS << one->losses : REPLICA_STEADY_MAX_MS;
    if (needed > REPLICA_STEADY_MAX_MS)
        needed = REPLICA_STEADY_MAX_MS;
    return one->is_there && now_ms >= one->since_ms + needed;
}

uint32_t replicas_share(const struct replicas *r, uint32_t total)
{
    uint32_t there = (uint32_t)replicas_there(r);
    return there > 0 ? (total + there - 1) / there : total;
}

/* Of two that have as much, the name decides: everywhere the same one. */
static int is_before(const struct replica *one, const struct replica *other)
{
    return strcmp(one->name, other->name) < 0;
}

int replicas_move(const struct replicas *r, uint64_t now_ms, const struct replica **ret_from,
                  const struct replica **ret_to)
{
    const struct replica *most = NULL, *least = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct replica *one = &r->list[i];
        if (!one->is_there)
            continue;
        if (!most || one->load > most->load || (one->load == most->load && is_before(one, most)))
            most = one;
        if (replica_is_steady(one, now_ms) &&
            (!least || one->load < least->load || (one->load == least->load && is_before(one, least))))
            least = one;
    }
    if (!most || !least || most->load < least->load + 2)
        return 0;
    *ret_from = most;
    *ret_to = least;
    return 1;
}
