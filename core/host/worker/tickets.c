/* Numbers of a worker's calls, and the core's own numbers of them. The worker's are hostile: found by value, never an index. */
#include "host/worker/worker.h"

static struct ticket **slot_of(const struct worker *worker, uint64_t number)
{
    size_t hash = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    return &worker->tickets[hash & (worker->ticket_room - 1)];
}

static int grow(struct worker *worker)
{
    if (worker->ticket_count < worker->ticket_room)
        return 0;
    size_t room = worker->ticket_room ? worker->ticket_room * 2 : 64, old_room = worker->ticket_room;
    struct ticket **table = calloc(room, sizeof *table), **old = worker->tickets;
    if (!table)
        return -1;
    worker->tickets = table;
    worker->ticket_room = room;
    for (size_t i = 0; i < old_room; i++)
        for (struct ticket *ticket = old[i], *next; ticket; ticket = next) {
            struct ticket **slot = slot_of(worker, ticket->number);
            next = ticket->next_in_slot;
            ticket->next_in_slot = *slot;
            *slot = ticket;
        }
    free(old);
    return 0;
}

static struct ticket *find(const struct worker *worker, uint64_t number)
{
    struct ticket *ticket = worker->ticket_room > 0 ? *slot_of(worker, number) : NULL;
    while (ticket && ticket->number != number)
        ticket = ticket->next_in_slot;
    return ticket;
}

struct ticket *ticket_find(const struct kanal_channel *instance, uint64_t number)
{
    struct ticket *ticket = find(instance->worker, number);
    return ticket && ticket->instance == instance ? ticket : NULL;
}

struct ticket *ticket_new(struct kanal_channel *instance, uint64_t number)
{
    struct worker *worker = instance->worker;
    if (find(worker, number) || grow(worker) != 0)
        return NULL;
    struct ticket *ticket = malloc(sizeof *ticket);
    if (!ticket)
        return NULL;
    struct ticket **slot = slot_of(worker, number);
    *ticket = (struct ticket){
        .next_in_slot = *slot, .next = instance->tickets, .instance = instance, .number = number
    };
    *slot = ticket;
    if (instance->tickets)
        instance->tickets->previous = ticket;
    instance->tickets = ticket;
    worker->ticket_count++;
    return ticket;
}

void ticket_free(struct ticket *ticket)
{
    struct kanal_channel *instance = ticket->instance;
    struct ticket **link = slot_of(instance->worker, ticket->number);
    while (*link != ticket)
        link = &(*link)->next_in_slot;
    *link = ticket->next_in_slot;
    if (ticket->previous)
        ticket->previous->next = ticket->next;
    else
        instance->tickets = ticket->next;
    if (ticket->next)
        ticket->next->previous = ticket->previous;
    instance->worker->ticket_count--;
    free(ticket);
}

void tickets_drop(struct kanal_channel *instance)
{
    for (struct ticket *ticket = instance->tickets, *next; ticket; ticket = next) {
        next = ticket->next;
        ticket_free(ticket);
    }
}
