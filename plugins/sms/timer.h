/* timer.h - a timer that is not set twice. */
#ifndef SMS_TIMER_H
#define SMS_TIMER_H
#include "kanal/plugin.h"

struct kanal_channel;

struct sms_timer {
    struct kanal_channel *channel;
    void (*fired)(struct kanal_channel *);
    kanal_op op; /* 0: not set */
};

/* Calls fired() after delay_ms; nothing if it is set already, or the channel stops. */
void sms_timer_set(struct sms_timer *, struct kanal_channel *, uint32_t delay_ms,
                   void (*fired)(struct kanal_channel *));
/* Its end still comes, without fired(). */
void sms_timer_cancel(struct sms_timer *);

#endif
