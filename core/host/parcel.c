#include "host/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "kanal/sdk/str.h"

struct parcel *parcel_new(const struct envelope_source *source, size_t capacity)
{
    struct parcel *parcel = calloc(1, sizeof *parcel + capacity * sizeof *parcel->events);
    if (!parcel)
        return NULL;
    parcel->is_core = source->is_core;
    parcel->is_said_again = source->is_said_again;
    parcel->may_spool = source->spools;
    parcel->capacity = capacity;
    return parcel;
}

void parcel_free(struct parcel *parcel)
{
    for (size_t i = 0; parcel && i < parcel->count; i++)
        free(parcel->events[i]);
    free(parcel);
}

static kanal_str put(char **at, kanal_str text)
{
    char *here = *at;
    if (!text.ptr)
        return text;
    if (text.len > 0)
        memcpy(here, text.ptr, text.len);
    *at += text.len;
    return kanal_str_of(here, text.len);
}

int parcel_add(struct parcel *parcel, const struct envelope *envelope, const struct envelope_source *source,
               const kanal_event *event, int keep_raw)
{
    kanal_str raw = keep_raw && event->raw.len > 0 ? event->raw : (kanal_str){ 0 };
    struct parcel_event *copy =
        malloc(sizeof *copy + ID_LEN + source->channel.len + envelope->subject.len + envelope->json.len +
               raw.len + event->chat.len + event->address.len + 1);
    if (!copy)
        return KANAL_E_BUSY;
    char *at = (char *)(copy + 1);
    *copy = (struct parcel_event){ .id = put(&at, kanal_str_of(envelope->id.text, ID_LEN)),
                                   .channel = put(&at, source->channel),
                                   .subject = put(&at, kanal_buffer_view(&envelope->subject)),
                                   .json = put(&at, kanal_buffer_view(&envelope->json)),
                                   .raw = put(&at, raw),
                                   .chat = put(&at, event->chat),
                                   .address = put(&at, event->address),
                                   .time_ms = event->time_ms,
                                   .class = envelope->type->class };
    parcel->events[parcel->count++] = copy;
    return KANAL_OK;
}
