#include "wire.h"

#include <sys/uio.h>

#include "wire_layout.h"

/* Lengths and counts that are none. */
#define ABSENT UINT32_MAX
#define WRONG (UINT32_MAX - 1)

/* ---- Encoding ---- */

#define CUTS_MOST 8u

/* A large text that was left out. */
struct cut {
    size_t at; /* in the buffer */
    kanal_str text;
};

struct writer {
    struct kanal_buffer *out;
    struct cut *cuts; /* NULL: nothing is left out */
    unsigned count;
    size_t left_out; /* bytes */
};

static void put_32(struct writer *out, uint32_t value)
{
    unsigned char bytes[4] = { (unsigned char)value, (unsigned char)(value >> 8),
                               (unsigned char)(value >> 16), (unsigned char)(value >> 24) };
    kanal_buffer_append(out->out, bytes, sizeof bytes);
}

static void put_64(struct writer *out, uint64_t value)
{
    put_32(out, (uint32_t)value);
    put_32(out, (uint32_t)(value >> 32));
}

static void put_str(struct writer *out, kanal_str text, uint32_t most)
{
    if (!text.ptr) {
        put_32(out, text.len == 0 ? ABSENT : WRONG);
    } else if (text.len >= WRONG || (most > 0 && text.len > most)) {
        put_32(out, WRONG);
    } else {
        put_32(out, (uint32_t)text.len);
        if (out->cuts && text.len >= WIRE_LARGE && out->count < CUTS_MOST) {
            out->cuts[out->count++] = (struct cut){ out->out->len, text };
            out->left_out += text.len;
        } else {
            kanal_buffer_append(out->out, text.ptr, text.len);
        }
    }
}

static void put_members(struct writer *out, const struct wire_layout *layout, const char *from);

static void put_struct(struct writer *out, const struct wire_layout *layout, const char *from)
{
    if (layout->whole_bytes > 0) {
        uint32_t struct_size;
        memcpy(&struct_size, from, sizeof struct_size);
        put_32(out, struct_size);
        if (struct_size < layout->whole_bytes)
            return; /* what it lacks cannot be read; the other side finds it too small, too */
    }
    put_members(out, layout, from);
}

static void put_pointer(struct writer *out, const struct wire_layout *layout, const void *from)
{
    kanal_buffer_append(out->out, &(char){ from != NULL }, 1);
    if (from)
        put_struct(out, layout, from);
}

static void put_list(struct writer *out, const struct wire_field *field, const char *from)
{
    const char *items;
    size_t count;
    memcpy(&items, from + field->offset, sizeof items);
    memcpy(&count, from + field->count_offset, sizeof count);
    if (count > field->most || (count > 0 && !items)) {
        put_32(out, WRONG);
        return;
    }
    put_32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        if (field->kind == WIRE_LIST)
            put_struct(out, field->of, items + i * field->of->bytes);
        else
            put_pointer(out, field->of, ((const void *const *)(const void *)items)[i]);
    }
}

static void put_c_strings(struct writer *out, const char *const *texts, uint32_t most)
{
    uint32_t count = 0;
    while (texts && texts[count] && count < most)
        count++;
    put_32(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_str(out, (kanal_str){ texts[i], strlen(texts[i]) }, 0);
}

static void put_member(struct writer *out, const struct wire_field *field, const char *from)
{
    const char *at = from + field->offset;
    uint32_t number;
    uint64_t large;
    kanal_str text;
    const void *pointer;
    switch (field->kind) {
    case WIRE_U32:
        memcpy(&number, at, sizeof number);
        put_32(out, number);
        break;
    case WIRE_U64:
        memcpy(&large, at, sizeof large);
        put_64(out, large);
        break;
    case WIRE_STR:
        memcpy(&text, at, sizeof text);
        put_str(out, text, field->most);
        break;
    case WIRE_C_STRING:
        memcpy(&pointer, at, sizeof pointer);
        put_str(out, (kanal_str){ pointer, pointer ? strlen(pointer) : 0 }, 0);
        break;
    case WIRE_C_STRINGS:
        memcpy(&pointer, at, sizeof pointer);
        put_c_strings(out, pointer, field->most);
        break;
    case WIRE_LIST:
    case WIRE_POINTERS:
        put_list(out, field, from);
        break;
    case WIRE_POINTER:
        memcpy(&pointer, at, sizeof pointer);
        put_pointer(out, field->of, pointer);
        break;
    }
}

static void put_members(struct writer *out, const struct wire_layout *layout, const char *from)
{
    for (uint32_t i = 0; i < layout->count; i++)
        put_member(out, &layout->fields[i], from);
}

static void put_header(struct writer *out, uint32_t bytes, uint32_t type, uint32_t channel)
{
    put_32(out, bytes);
    put_32(out, type);
    put_32(out, channel);
}

/* The body that begins there, with what was left out of it, into a piece of the area. 1; 0: it has no room for so much. */
static int put_aside(const struct writer *w, struct area *area, size_t begin, size_t bytes, uint32_t *ret_at)
{
    struct iovec parts[2 * CUTS_MOST + 1];
    size_t from = begin;
    int count = 0;
    for (unsigned i = 0; i < w->count; i++) {
        parts[count++] = (struct iovec){ w->out->data + from, w->cuts[i].at - from };
        parts[count++] = (struct iovec){ (void *)(uintptr_t)w->cuts[i].text.ptr, w->cuts[i].text.len };
        from = w->cuts[i].at;
    }
    parts[count++] = (struct iovec){ w->out->data + from, w->out->len - from };
    return area_put(area, parts, count, bytes, ret_at) == 0;
}

int wire_put_large(struct kanal_buffer *out, struct area *area, enum wire_type type, uint32_t channel,
                   const void *value)
{
    const struct wire_descriptor *descriptor = wire_descriptor(type);
    struct cut cuts[CUTS_MOST];
    struct writer writer = { .out = out, .cuts = area && area->bytes > 0 ? cuts : NULL };
    size_t begin = out->len;
    uint32_t at;
    put_header(&writer, 0, (uint32_t)type, channel); /* the upper half of the type is zero */
    if (descriptor->layout)
        put_members(&writer, descriptor->layout, value);
    if (out->failed)
        return KANAL_E_INTERNAL;
    size_t bytes = out->len - begin - WIRE_HEADER_BYTES + writer.left_out;
    if (bytes > descriptor->most) {
        out->len = begin;
        return KANAL_E_TOO_LARGE;
    }
    if (writer.count > 0) {
        int is_aside = put_aside(&writer, area, begin + WIRE_HEADER_BYTES, bytes, &at);
        out->len = begin;
        if (!is_aside)
            return wire_put_large(out, NULL, type, channel, value);
        put_header(&writer, WIRE_ASIDE_BYTES, (uint32_t)type | WIRE_ASIDE, channel);
        put_32(&writer, at);
        put_32(&writer, (uint32_t)bytes);
        return out->failed ? KANAL_E_INTERNAL : 0;
    }
    unsigned char length[4] = { (unsigned char)bytes, (unsigned char)(bytes >> 8),
                                (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 24) };
    memcpy(out->data + begin, length, sizeof length);
    return 0;
}

/* ---- Scratch ---- */

#define BLOCK_BYTES 8192u

struct wire_block {
    struct wire_block *next;
    size_t used, bytes;
    _Alignas(16) char data[];
};

static void *scratch_get(struct wire_scratch *scratch, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct wire_block *block = scratch->last;
    if (!block || block->bytes - block->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct wire_block *more = malloc(sizeof *more + room);
        if (!more)
            return NULL;
        *more = (struct wire_block){ .bytes = room };
        if (block)
            block->next = more;
        else
            scratch->first = more;
        scratch->last = block = more;
    }
    void *here = block->data + block->used;
    block->used += bytes;
    return here;
}

static void free_blocks(struct wire_block *block)
{
    while (block) {
        struct wire_block *next = block->next;
        free(block);
        block = next;
    }
}

void wire_scratch_clear(struct wire_scratch *scratch)
{
    if (!scratch->first)
        return;
    free_blocks(scratch->first->next);
    scratch->first->next = NULL;
    scratch->first->used = 0;
    scratch->last = scratch->first;
}

void wire_scratch_release(struct wire_scratch *scratch)
{
    free_blocks(scratch->first);
    *scratch = (struct wire_scratch){ 0 };
}

/* ---- Decoding ---- */

/* What is left of a frame. failed: the first that was wrong; nothing is read any more. */
struct reader {
    const unsigned char *at;
    size_t left;
    int failed;
    struct wire_scratch *scratch;
};

static uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static const unsigned char *take(struct reader *r, size_t bytes)
{
    const unsigned char *here = r->at;
    if (r->failed || bytes > r->left) {
        r->failed = r->failed ? r->failed : KANAL_E_INVALID;
        return NULL;
    }
    r->at += bytes;
    r->left -= bytes;
    return here;
}

static uint32_t get_32(struct reader *r)
{
    const unsigned char *at = take(r, 4);
    return at ? read_32(at) : 0;
}

static uint64_t get_64(struct reader *r)
{
    const unsigned char *at = take(r, 8);
    return at ? (uint64_t)read_32(at) | (uint64_t)read_32(at + 4) << 32 : 0;
}

static kanal_str get_str(struct reader *r, uint32_t most)
{
    uint32_t length = get_32(r);
    if (r->failed || length == ABSENT)
        return (kanal_str){ 0 };
    if (length == WRONG)
        return (kanal_str){ NULL, 1 };
    if (most > 0 && length > most)
        r->failed = KANAL_E_INVALID;
    const unsigned char *bytes = take(r, length);
    return bytes ? (kanal_str){ (const char *)bytes, length } : (kanal_str){ 0 };
}

static void *get_memory(struct reader *r, size_t bytes)
{
    void *memory = r->failed ? NULL : scratch_get(r->scratch, bytes);
    if (!memory && !r->failed)
        r->failed = KANAL_E_INTERNAL;
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

/* A text with NUL in it is none for C. */
static const char *get_c_string(struct reader *r)
{
    kanal_str text = get_str(r, 0);
    if (!text.ptr && text.len > 0)
        r->failed = KANAL_E_INVALID;
    if (!text.ptr || r->failed)
        return NULL;
    if (memchr(text.ptr, 0, text.len)) {
        r->failed = KANAL_E_INVALID;
        return NULL;
    }
    char *copy = get_memory(r, text.len + 1);
    if (copy && text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

static const char *const *get_c_strings(struct reader *r, uint32_t most)
{
    uint32_t count = get_32(r);
    if (count > most || count > r->left / 4)
        r->failed = KANAL_E_INVALID;
    const char **texts = r->failed ? NULL : get_memory(r, (count + 1) * sizeof *texts);
    for (uint32_t i = 0; texts && i < count; i++) {
        texts[i] = get_c_string(r);
        if (!texts[i] && !r->failed)
            r->failed = KANAL_E_INVALID; /* it would end the list early */
    }
    return texts;
}

static void get_members(struct reader *r, const struct wire_layout *layout, char *to);

static void get_struct(struct reader *r, const struct wire_layout *layout, char *to)
{
    if (layout->whole_bytes > 0) {
        uint32_t struct_size = get_32(r);
        if (struct_size > layout->bytes) /* of a newer minor: what we do not know was not sent */
            struct_size = layout->bytes;
        memcpy(to, &struct_size, sizeof struct_size);
        if (struct_size < layout->whole_bytes)
            return;
    }
    get_members(r, layout, to);
}

static void *get_pointer(struct reader *r, const struct wire_layout *layout)
{
    const unsigned char *there = take(r, 1);
    if (there && *there > 1)
        r->failed = KANAL_E_INVALID;
    if (!there || *there != 1)
        return NULL;
    char *to = get_memory(r, layout->bytes);
    if (to)
        get_struct(r, layout, to);
    return to;
}

static void get_list(struct reader *r, const struct wire_field *field, char *to)
{
    uint32_t count = get_32(r);
    size_t item_bytes = field->kind == WIRE_LIST ? field->of->bytes : sizeof(void *);
    size_t number = count;
    char *items = NULL;
    if (count == WRONG) {
        number = SIZE_MAX; /* more than anybody takes, and no array */
    } else if (count > field->most || count > r->left / (field->kind == WIRE_LIST ? field->of->least : 1)) {
        r->failed = KANAL_E_INVALID;
        return;
    } else if (count > 0 && !(items = get_memory(r, count * item_bytes))) {
        return;
    }
    for (uint32_t i = 0; items && i < count && !r->failed; i++) {
        if (field->kind == WIRE_LIST)
            get_struct(r, field->of, items + i * item_bytes);
        else
            ((const void **)(void *)items)[i] = get_pointer(r, field->of);
    }
    memcpy(to + field->offset, &items, sizeof items);
    memcpy(to + field->count_offset, &number, sizeof number);
}

static void get_member(struct reader *r, const struct wire_field *field, char *to)
{
    char *at = to + field->offset;
    uint32_t number;
    uint64_t large;
    kanal_str text;
    const void *pointer;
    switch (field->kind) {
    case WIRE_U32:
        number = get_32(r);
        memcpy(at, &number, sizeof number);
        break;
    case WIRE_U64:
        large = get_64(r);
        memcpy(at, &large, sizeof large);
        break;
    case WIRE_STR:
        text = get_str(r, field->most);
        memcpy(at, &text, sizeof text);
        break;
    case WIRE_C_STRING:
        pointer = get_c_string(r);
        memcpy(at, &pointer, sizeof pointer);
        break;
    case WIRE_C_STRINGS:
        pointer = get_c_strings(r, field->most);
        memcpy(at, &pointer, sizeof pointer);
        break;
    case WIRE_LIST:
    case WIRE_POINTERS:
        get_list(r, field, to);
        break;
    case WIRE_POINTER:
        pointer = get_pointer(r, field->of);
        memcpy(at, &pointer, sizeof pointer);
        break;
    }
}

static void get_members(struct reader *r, const struct wire_layout *layout, char *to)
{
    for (uint32_t i = 0; i < layout->count && !r->failed; i++)
        get_member(r, &layout->fields[i], to);
}

int wire_next(kanal_str bytes, enum wire_side from, struct wire_frame *ret_frame, size_t *ret_bytes)
{
    if (bytes.len < WIRE_HEADER_BYTES) {
        *ret_bytes = WIRE_HEADER_BYTES;
        return 0;
    }
    const unsigned char *header = (const unsigned char *)bytes.ptr;
    uint32_t length = read_32(header), type = read_32(header + 4) & ~WIRE_ASIDE;
    int is_aside = (read_32(header + 4) & WIRE_ASIDE) != 0;
    const struct wire_descriptor *descriptor = wire_descriptor(type);
    if (!descriptor || !(descriptor->sides & (uint32_t)from) || (is_aside && length != WIRE_ASIDE_BYTES) ||
        (!is_aside && length > descriptor->most))
        return KANAL_E_INVALID;
    *ret_bytes = WIRE_HEADER_BYTES + (size_t)length;
    if (bytes.len < *ret_bytes)
        return 0;
    struct wire_frame frame = { .type = (enum wire_type)type,
                                .channel = read_32(header + 8),
                                .body = { bytes.ptr + WIRE_HEADER_BYTES, length },
                                .is_aside = is_aside };
    if (is_aside) {
        frame.at = read_32(header + WIRE_HEADER_BYTES);
        frame.body = (kanal_str){ NULL, read_32(header + WIRE_HEADER_BYTES + 4) };
        if (frame.body.len < WIRE_LARGE || frame.body.len > descriptor->most)
            return KANAL_E_INVALID;
    }
    *ret_frame = frame;
    return 1;
}

int wire_get(const struct wire_frame *frame, struct wire_scratch *scratch, void *ret_value)
{
    const struct wire_descriptor *descriptor = wire_descriptor(frame->type);
    struct reader r = { (const unsigned char *)frame->body.ptr, frame->body.len, 0, scratch };
    if (frame->is_aside && !frame->body.ptr)
        return KANAL_E_INVALID; /* nobody has looked it up */
    if (descriptor->layout) {
        memset(ret_value, 0, descriptor->layout->bytes);
        get_members(&r, descriptor->layout, ret_value);
    }
    if (!r.failed && r.left > 0)
        r.failed = KANAL_E_INVALID;
    return r.failed;
}
