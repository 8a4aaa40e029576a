#include "inside.h"
#include <sys/mman.h>

/* What is handed to the plugin is overwritten with this before it goes. */
#define DEAD_BYTE 0xDB

struct fake_arena_block {
    struct fake_arena_block *next;
    size_t size;
    max_align_t bytes[];
};

/* ---- Memory whose end and whose life are guarded by the processor ---- */

void *fake_guard_alloc(struct fake_guard *guard, size_t size, size_t alignment, const char *origin)
{
    const size_t page = guard->page_bytes;
    size_t room = (size + page - 1) / page * page;
    room = room ? room : page;
    struct fake_region *region = calloc(1, sizeof *region);
    char *base = mmap(NULL, room + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == NULL || base == MAP_FAILED || mprotect(base, room, PROT_READ | PROT_WRITE) != 0)
        abort(); /* a test without memory has nothing to say */
    *region = (struct fake_region){
        .next = guard->regions, .base = base, .room = room, .total = room + page, .origin = origin
    };
    guard->regions = region;
    return base + (room - size) / alignment * alignment;
}

void fake_guard_close(struct fake_guard *guard, const void *inside)
{
    for (struct fake_region *region = guard->regions; region != NULL; region = region->next) {
        if ((const char *)inside < region->base || (const char *)inside > region->base + region->room)
            continue;
        mprotect(region->base, region->room, PROT_NONE);
        region->closed = 1;
        return;
    }
}

void fake_guard_release(struct fake_guard *guard)
{
    while (guard->regions != NULL) {
        struct fake_region *region = guard->regions;
        guard->regions = region->next;
        munmap(region->base, region->total);
        free(region);
    }
}

const char *fake_guard_find(const struct fake_guard *guard, const void *address, const char **ret_origin)
{
    const char *at = address;
    for (const struct fake_region *region = guard->regions; region != NULL; region = region->next) {
        if (at < region->base || at >= region->base + region->total)
            continue;
        *ret_origin = region->origin;
        return at >= region->base + region->room ? "beyond the end of" : "after it had returned:";
    }
    return NULL;
}

/* ---- Copies that are freed together ---- */

void fake_arena_release(struct fake_arena *arena)
{
    while (arena->first != NULL) {
        struct fake_arena_block *block = arena->first;
        arena->first = block->next;
        memset(block->bytes, DEAD_BYTE, block->size);
        free(block);
    }
    for (size_t i = 0; i < arena->guarded_count; i++)
        fake_guard_close(arena->guard, arena->guarded[i]);
    free(arena->guarded);
    arena->guarded = NULL;
    arena->guarded_count = 0;
}

static void *guarded(struct fake_arena *arena, size_t bytes, size_t alignment)
{
    void **grown = realloc(arena->guarded, (arena->guarded_count + 1) * sizeof *grown);
    if (grown == NULL)
        abort();
    arena->guarded = grown;
    return grown[arena->guarded_count++] = fake_guard_alloc(arena->guard, bytes, alignment, arena->origin);
}

void *fake_arena_zeroed(struct fake_arena *arena, size_t bytes)
{
    if (arena->guard != NULL)
        return guarded(arena, bytes, 8);
    struct fake_arena_block *block = calloc(1, sizeof *block + bytes + 1);
    if (block == NULL)
        abort();
    block->next = arena->first;
    block->size = bytes;
    arena->first = block;
    return block->bytes;
}

kanal_str fake_arena_str(struct fake_arena *arena, kanal_str s)
{
    if (s.ptr == NULL)
        return s;
    char *copy = arena->guard != NULL ? guarded(arena, s.len, 1) : fake_arena_zeroed(arena, s.len + 1);
    memcpy(copy, s.ptr, s.len);
    return kanal_str_of(copy, s.len);
}

/* The part of the struct that both sides know. */
static void copy_known(void *to, const void *from, size_t size, uint32_t struct_size)
{
    memset(to, 0, size);
    memcpy(to, from, struct_size < size ? struct_size : size);
}

void *fake_arena_struct(struct fake_arena *arena, const struct fake_host *host, const void *from, size_t size,
                        size_t least)
{
    const int is_newer = (host->flags & FAKE_NEWER_MINOR) != 0;
    const size_t known = host->flags & FAKE_OLDEST_MINOR ? least : size;
    const uint32_t told = (uint32_t)(known + (is_newer ? FAKE_NEWER_BYTES : 0));
    char *copy = fake_arena_zeroed(arena, told);
    memcpy(copy, from, known);
    memset(copy + known, FAKE_NEWER_BYTE, told - known);
    memcpy(copy, &told, sizeof told); /* struct_size is the first member of every growing struct */
    return copy;
}

void fake_arena_event(struct fake_arena *arena, kanal_event *to, const kanal_event *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    kanal_str *const texts[] = { &to->type,    &to->dedupe, &to->external_id, &to->command_id,
                                 &to->address, &to->chat,   &to->data,        &to->raw };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = fake_arena_str(arena, *texts[i]);
}

void fake_arena_delivery(struct fake_arena *arena, kanal_delivery *to, const kanal_delivery *from)
{
    *to = *from;
    kanal_str *const texts[] = { &to->type, &to->command_id, &to->idempotency_key,   &to->address,
                                 &to->chat, &to->data,       &to->target_external_id };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = fake_arena_str(arena, *texts[i]);
}

void fake_arena_result(struct fake_arena *arena, kanal_result *to, const kanal_result *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    to->external_id = fake_arena_str(arena, to->external_id);
    to->code = fake_arena_str(arena, to->code);
    to->provider_code = fake_arena_str(arena, to->provider_code);
    to->reason = fake_arena_str(arena, to->reason);
}

static const kanal_field *copy_fields(struct fake_arena *arena, const kanal_field *from, size_t count)
{
    kanal_field *fields = fake_arena_zeroed(arena, count * sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        fields[i].name = fake_arena_str(arena, from[i].name);
        fields[i].value = fake_arena_str(arena, from[i].value);
    }
    return fields;
}

static const kanal_secret_use *copy_secrets(struct fake_arena *arena, const kanal_secret_use *from,
                                            size_t count)
{
    kanal_secret_use *uses = fake_arena_zeroed(arena, count * sizeof *uses);
    for (size_t i = 0; i < count; i++) {
        uses[i] = from[i];
        uses[i].name = fake_arena_str(arena, from[i].name);
        uses[i].prefix = fake_arena_str(arena, from[i].prefix);
        uses[i].secret = fake_arena_str(arena, from[i].secret);
    }
    return uses;
}

static const kanal_part *copy_parts(struct fake_arena *arena, const kanal_part *from, size_t count)
{
    kanal_part *parts = fake_arena_zeroed(arena, count * sizeof *parts);
    for (size_t i = 0; i < count; i++) {
        parts[i].name = fake_arena_str(arena, from[i].name);
        parts[i].filename = fake_arena_str(arena, from[i].filename);
        parts[i].content_type = fake_arena_str(arena, from[i].content_type);
        parts[i].data = fake_arena_str(arena, from[i].data);
        parts[i].source_url = fake_arena_str(arena, from[i].source_url);
    }
    return parts;
}

void fake_arena_request(struct fake_arena *arena, kanal_http_request *to, const kanal_http_request *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    kanal_str *const texts[] = { &to->method, &to->url, &to->path, &to->query, &to->remote, &to->body };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = fake_arena_str(arena, *texts[i]);
    to->headers = copy_fields(arena, to->headers, to->header_count);
    to->secrets = copy_secrets(arena, to->secrets, to->secret_count);
    to->parts = copy_parts(arena, to->parts, to->part_count);
}

void fake_arena_response(struct fake_arena *arena, kanal_http_response *to, const kanal_http_response *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    to->body = fake_arena_str(arena, to->body);
    to->headers = copy_fields(arena, to->headers, to->header_count);
}
