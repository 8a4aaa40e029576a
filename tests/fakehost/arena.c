#include "inside.h"

struct arena_block {
    struct arena_block *next;
    max_align_t bytes[];
};

void arena_release(struct arena *arena)
{
    while (arena->first != NULL) {
        struct arena_block *block = arena->first;
        arena->first = block->next;
        free(block);
    }
}

void *arena_zeroed(struct arena *arena, size_t bytes)
{
    struct arena_block *block = calloc(1, sizeof *block + bytes + 1);
    if (block == NULL)
        abort(); /* a test without memory has nothing to say */
    block->next = arena->first;
    arena->first = block;
    return block->bytes;
}

kanal_str arena_str(struct arena *arena, kanal_str s)
{
    if (s.ptr == NULL)
        return s;
    char *copy = arena_zeroed(arena, s.len + 1);
    memcpy(copy, s.ptr, s.len);
    return kanal_str_of(copy, s.len);
}

/* The part of the struct that both sides know. */
static void copy_known(void *to, const void *from, size_t size, uint32_t struct_size)
{
    memset(to, 0, size);
    memcpy(to, from, struct_size < size ? struct_size : size);
}

void arena_event(struct arena *arena, kanal_event *to, const kanal_event *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    kanal_str *const texts[] = { &to->type,    &to->dedupe, &to->external_id, &to->command_id,
                                 &to->address, &to->chat,   &to->data,        &to->raw };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = arena_str(arena, *texts[i]);
}

void arena_delivery(struct arena *arena, kanal_delivery *to, const kanal_delivery *from)
{
    *to = *from;
    kanal_str *const texts[] = { &to->type, &to->command_id, &to->idempotency_key,   &to->address,
                                 &to->chat, &to->data,       &to->target_external_id };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = arena_str(arena, *texts[i]);
}

void arena_result(struct arena *arena, kanal_result *to, const kanal_result *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    to->external_id = arena_str(arena, to->external_id);
    to->code = arena_str(arena, to->code);
    to->provider_code = arena_str(arena, to->provider_code);
    to->reason = arena_str(arena, to->reason);
}

static const kanal_field *copy_fields(struct arena *arena, const kanal_field *from, size_t count)
{
    kanal_field *fields = arena_zeroed(arena, count * sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        fields[i].name = arena_str(arena, from[i].name);
        fields[i].value = arena_str(arena, from[i].value);
    }
    return fields;
}

static const kanal_secret_use *copy_secrets(struct arena *arena, const kanal_secret_use *from, size_t count)
{
    kanal_secret_use *uses = arena_zeroed(arena, count * sizeof *uses);
    for (size_t i = 0; i < count; i++) {
        uses[i] = from[i];
        uses[i].name = arena_str(arena, from[i].name);
        uses[i].prefix = arena_str(arena, from[i].prefix);
        uses[i].secret = arena_str(arena, from[i].secret);
    }
    return uses;
}

static const kanal_part *copy_parts(struct arena *arena, const kanal_part *from, size_t count)
{
    kanal_part *parts = arena_zeroed(arena, count * sizeof *parts);
    for (size_t i = 0; i < count; i++) {
        parts[i].name = arena_str(arena, from[i].name);
        parts[i].filename = arena_str(arena, from[i].filename);
        parts[i].content_type = arena_str(arena, from[i].content_type);
        parts[i].data = arena_str(arena, from[i].data);
        parts[i].source_url = arena_str(arena, from[i].source_url);
    }
    return parts;
}

void arena_request(struct arena *arena, kanal_http_request *to, const kanal_http_request *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    kanal_str *const texts[] = { &to->method, &to->url, &to->path, &to->query, &to->remote, &to->body };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = arena_str(arena, *texts[i]);
    to->headers = copy_fields(arena, to->headers, to->header_count);
    to->secrets = copy_secrets(arena, to->secrets, to->secret_count);
    to->parts = copy_parts(arena, to->parts, to->part_count);
}

void arena_response(struct arena *arena, kanal_http_response *to, const kanal_http_response *from)
{
    copy_known(to, from, sizeof *to, from->struct_size);
    to->body = arena_str(arena, to->body);
    to->headers = copy_fields(arena, to->headers, to->header_count);
}
