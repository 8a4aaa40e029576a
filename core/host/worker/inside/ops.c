/* Host calls that the plugin waits for. A number is a place and the count of its use, so none is ever valid twice; its highest bit keeps it
 * apart from the numbers that the core gives. */
#include "inside.h"

#define PLACE_BITS 20u
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)
#define OURS (UINT64_C(1) << 63)

static struct inside_op *new_place(struct inside *in)
{
    struct inside_op *op = calloc(1, sizeof *op);
    if (!op || in->place_room > PLACE_MASK)
        goto fail;
    if ((in->place_room & (in->place_room - 1)) == 0) { /* 0 and the powers of two: it is full */
        size_t room = in->place_room ? in->place_room * 2 : 1;
        struct inside_op **places = realloc(in->places, room * sizeof(struct inside_op *));
        if (!places)
            goto fail;
        in->places = places;
    }
    op->place = (uint32_t)in->place_room;
    in->places[in->place_room++] = op;
    return op;
fail:
    free(op);
    return NULL;
}

static size_t *count_of(struct inside_channel *channel, enum inside_kind kind)
{
    return kind == INSIDE_STREAM  ? &channel->stream_count
           : kind == INSIDE_LEASE ? &channel->lease_count
           : kind == INSIDE_BLOB  ? &channel->blob_count
                                  : &channel->op_count;
}

struct inside_op *inside_op_new(struct inside_channel *channel, enum inside_kind kind)
{
    struct inside *in = channel->inside;
    struct inside_op *op = in->free_ops;
    if (op)
        in->free_ops = op->next;
    else if (!(op = new_place(in)))
        return NULL;
    *op = (struct inside_op){ .number = OURS | ++in->uses << PLACE_BITS | op->place,
                              .place = op->place,
                              .kind = kind,
                              .channel = channel,
                              .next = channel->ops };
    if (channel->ops)
        channel->ops->previous = op;
    channel->ops = op;
    ++*count_of(channel, kind);
    return op;
}

struct inside_op *inside_op_find(const struct inside *in, const struct inside_channel *channel,
                                 kanal_op number)
{
    size_t place = number & PLACE_MASK;
    struct inside_op *op = place < in->place_room ? in->places[place] : NULL;
    return op && number != 0 && op->number == number && op->channel == channel ? op : NULL;
}

void inside_op_free(struct inside_op *op)
{
    struct inside_channel *channel = op->channel;
    struct inside *in = channel->inside;
    if (op->previous)
        op->previous->next = op->next;
    else
        channel->ops = op->next;
    if (op->next)
        op->next->previous = op->previous;
    --*count_of(channel, op->kind);
    free(op->name);
    op->name = NULL;
    op->number = 0;
    op->channel = NULL;
    op->next = in->free_ops;
    in->free_ops = op;
}

static void forget_local(struct inside *in, const struct inside_channel *channel)
{
    struct inside_op **link = &in->local;
    while (*link) {
        if ((*link)->channel == channel)
            *link = (*link)->next_local;
        else
            link = &(*link)->next_local;
    }
    in->last_local = link;
}

void inside_ops_drop(struct inside_channel *channel)
{
    forget_local(channel->inside, channel);
    for (struct inside_op *op = channel->ops, *next; op; op = next) {
        next = op->next;
        inside_op_free(op);
    }
}

void inside_op_end(struct inside_op *op, kanal_status status)
{
    struct inside *in = op->channel->inside;
    op->local_status = status;
    op->next_local = NULL;
    if (!in->local)
        in->last_local = &in->local;
    *in->last_local = op;
    in->last_local = &op->next_local;
}

void inside_run_local(struct inside *in)
{
    /* Those that come meanwhile have the next turn, so that a plugin that asks again at once holds nobody up. */
    struct inside_op *last = NULL;
    for (struct inside_op *op = in->local; op; op = op->next_local)
        last = op;
    while (in->local && last) {
        struct inside_op *op = in->local;
        struct inside_op copy = *op;
        int is_last = op == last;
        in->local = op->next_local;
        inside_op_free(op);
        if (copy.kind == INSIDE_VALUE && copy.blob != 0)
            inside_blob_commit_ended(copy.channel, &copy);
        inside_enter(copy.channel, WIRE_DONE);
        if (copy.kind == INSIDE_DONE && copy.callback.done)
            copy.callback.done(copy.user, copy.local_status);
        else if (copy.kind == INSIDE_VALUE && copy.callback.value)
            copy.callback.value(copy.user, copy.local_status, (kanal_str){ 0 }, 0);
        else if (copy.kind == INSIDE_RESPONSE && copy.callback.response)
            copy.callback.response(copy.user, copy.local_status, NULL);
        else if (copy.kind == INSIDE_MAIL && copy.callback.mail)
            copy.callback.mail(copy.user, copy.local_status, inside_mail_result(NULL));
        else if (copy.kind == INSIDE_STREAM)
            inside_stream_refused(copy.channel, copy.number, copy.local_status);
        inside_leave(copy.channel, WIRE_DONE);
        if (is_last)
            break;
    }
}

void inside_ops_release(struct inside *in)
{
    for (size_t i = 0; i < in->place_room; i++)
        free(in->places[i]);
    free(in->places);
}
