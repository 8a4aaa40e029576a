/* The extension kanal.link/1 in a worker: what is offered goes to the core, which judges it. */
#include "inside.h"

static void offer(const kanal_host *host, kanal_str uri_template)
{
    struct inside_channel *channel = host->impl;
    inside_send(channel->inside, WIRE_LINK_OFFER, channel, &(struct wire_text){ .text = uri_template });
}

const kanal_link_host inside_link = { .struct_size = sizeof inside_link, .offer = offer };
