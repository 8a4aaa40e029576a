/* host/channel_health.h - for channel.c: the steps of telling a channel's health. What the rest of the core calls stands in channel.h. [loop] */
#ifndef KANAL_HOST_CHANNEL_HEALTH_H
#define KANAL_HOST_CHANNEL_HEALTH_H
#include "host/channel.h"

/* 1: up, and the provider takes what it says. */
int health_is_good(const struct channel *);
/* After every change of state or health: the metric. 1: it turned. */
int health_changed(struct channel *, int was_good);
/* The log and the event, if what holds now is not what was told last. */
void health_announce(struct channel *);
/* The event, whatever was told last. */
void health_publish(struct channel *, int is_up);

#endif
