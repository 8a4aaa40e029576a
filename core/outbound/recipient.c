/* Recipients: by channel and key, as long as there is something for them. */
#include "outbound/job.h"

static struct recipient **recipient_slot(struct outbound *o, const struct channel *channel, kanal_str key)
{
    /* By id: another instance may take the channel's place. */
    uint64_t hash = 14695981039346656037u ^ lane_hash(channel->id);
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    struct recipient **slot = &o->recipients[hash & (o->recipient_slots - 1)];
    while (*slot && (!kanal_str_equal((*slot)->channel->id, channel->id) || !kanal_str_is(key, (*slot)->key)))
        slot = &(*slot)->next;
    return slot;
}

struct recipient *recipient_get(struct outbound *o, struct channel *channel, kanal_str key)
{
    struct recipient **slot = recipient_slot(o, channel, key);
    if (*slot)
        return *slot;
    struct recipient *recipient = calloc(1, sizeof *recipient);
    if (!recipient || !(recipient->key = kanal_str_dup(key))) {
        free(recipient);
        return NULL;
    }
    recipient->channel = channel;
    recipient->last = &recipient->first;
    o->recipient_count++;
    return *slot = recipient;
}

void recipient_drop(struct outbound *o, struct recipient *recipient)
{
    *recipient_slot(o, recipient->channel, kanal_str_c(recipient->key)) = recipient->next;
    o->recipient_count--;
    free(recipient->key);
    free(recipient);
}

void recipients_grow(struct outbound *o)
{
    if (o->recipients && o->recipient_count < o->recipient_slots)
        return;
    size_t slots = o->recipient_slots ? o->recipient_slots * 2 : 1024;
    struct recipient **table = calloc(slots, sizeof *table), **old = o->recipients;
    size_t old_slots = o->recipient_slots;
    if (!table)
        return;
    o->recipients = table;
    o->recipient_slots = slots;
    for (size_t i = 0; old && i < old_slots; i++)
        while (old[i]) {
            struct recipient *recipient = old[i];
            old[i] = recipient->next;
            recipient->next = NULL;
            *recipient_slot(o, recipient->channel, kanal_str_c(recipient->key)) = recipient;
        }
    free(old);
}

void recipients_move(struct outbound *o, const struct channel *from, struct channel *to)
{
    for (size_t i = 0; i < o->recipient_slots; i++)
        for (struct recipient *recipient = o->recipients[i]; recipient; recipient = recipient->next)
            if (recipient->channel == from)
                recipient->channel = to;
}

void recipients_free(struct outbound *o)
{
    for (size_t i = 0; i < o->recipient_slots; i++)
        while (o->recipients[i]) {
            struct recipient *recipient = o->recipients[i];
            o->recipients[i] = recipient->next;
            free(recipient->key);
            free(recipient);
        }
    free(o->recipients);
    o->recipients = NULL;
    o->recipient_slots = 0;
}
