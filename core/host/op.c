#include "host/op.h"

#include "host/channel.h"
#include "host/exchange.h"

#include <stdlib.h>

#define CHUNK_OPS 256u
#define CHUNKS_MAX 4096u /* a million ops */
#define PLACE_BITS 20u
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

struct slot {
    struct op op; /* first: an op is its slot */
    uint32_t place;
    struct slot *next_free;
};

struct op_table {
    struct slot *chunks[CHUNKS_MAX];
    size_t chunk_count;
    struct slot *free;
    uint64_t uses; /* numbers given out: the high bits of the next id */
};

int op_table_new(struct op_table **ret_table)
{
    struct op_table *table = calloc(1, sizeof *table);
    if (!table)
        return KANAL_E_INTERNAL;
    *ret_table = table;
    return 0;
}

static void op_clear(struct op *op)
{
    kanal_buffer_release(&op->value);
    free(op->response);
    free(op->mail);
    exchanges_free(op->exchanges);
    op->exchanges = NULL;
    op->response = NULL;
    op->mail = NULL;
    op->id = 0;
    op->kind = OP_FREE;
}

void op_table_free(struct op_table *table)
{
    if (!table)
        return;
    for (size_t c = 0; c < table->chunk_count; c++) {
        for (size_t i = 0; i < CHUNK_OPS; i++)
            op_clear(&table->chunks[c][i].op);
        free(table->chunks[c]);
    }
    free(table);
}

static int grow(struct op_table *table)
{
    struct slot *chunk = table->chunk_count < CHUNKS_MAX ? calloc(CHUNK_OPS, sizeof *chunk) : NULL;
    if (!chunk)
        return -1;
    for (size_t i = CHUNK_OPS; i-- > 0;) {
        chunk[i].place = (uint32_t)(table->chunk_count * CHUNK_OPS + i);
        chunk[i].next_free = table->free;
        table->free = &chunk[i];
    }
    table->chunks[table->chunk_count++] = chunk;
    return 0;
}

struct op *op_new(struct op_table *table, struct channel *channel, enum op_kind kind)
{
    if (!table->free && grow(table) != 0)
        return NULL;
    struct slot *slot = table->free;
    table->free = slot->next_free;
    struct op *op = &slot->op;
    if (kind == OP_DELIVER || kind == OP_MEDIA)
        channel->calls++;
    *op = (struct op){ .id = ++table->uses << PLACE_BITS | slot->place, .channel = channel, .kind = kind };
    return op;
}

void op_free(struct op_table *table, struct op *op)
{
    if (!op || op->id == 0)
        return;
    struct slot *slot = (struct slot *)op;
    if (op->kind == OP_DELIVER || op->kind == OP_MEDIA)
        op->channel->calls--;
    op_clear(op);
    slot->next_free = table->free;
    table->free = slot;
}

struct op *op_find(struct op_table *table, const struct channel *channel, kanal_op id)
{
    size_t place = id & PLACE_MASK;
    if (id == 0 || place / CHUNK_OPS >= table->chunk_count)
        return NULL;
    struct op *op = &table->chunks[place / CHUNK_OPS][place % CHUNK_OPS].op;
    return op->id == id && op->channel == channel ? op : NULL;
}

void op_each(struct op_table *table, const struct channel *channel, void (*fn)(void *, struct op *),
             void *user)
{
    for (size_t c = 0; c < table->chunk_count; c++)
        for (size_t i = 0; i < CHUNK_OPS; i++) {
            struct op *op = &table->chunks[c][i].op;
            if (op->id != 0 && (!channel || op->channel == channel))
                fn(user, op);
        }
}

struct op_link {
    struct op_table *table;
    const struct channel *channel;
    kanal_op id;
};

struct op_link *op_link_new(struct op_table *table, const struct op *op)
{
    struct op_link *link = malloc(sizeof *link);
    if (link)
        *link = (struct op_link){ .table = table, .channel = op->channel, .id = op->id };
    return link;
}

struct op *op_link_take(struct op_link *link)
{
    struct op *op = op_find(link->table, link->channel, link->id);
    free(link);
    return op && !op->completed ? op : NULL;
}
