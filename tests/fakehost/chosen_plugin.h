/* chosen_plugin.h - a plugin whose behaviour each test of the fake host chooses. */
#ifndef FAKEHOST_CHOSEN_PLUGIN_H
#define FAKEHOST_CHOSEN_PLUGIN_H
#include <criterion/criterion.h>
#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/testing/fakehost.h"

struct kanal_channel {
    const kanal_host *host;
    char settings[256];
    kanal_op start_op;
};

/* NULL: what a good plugin does. new_host() clears them. */
extern struct chosen_hooks {
    void (*start)(kanal_channel *, kanal_op);
    void (*on_http)(kanal_channel *, kanal_op, const kanal_http_request *);
    void (*deliver)(kanal_channel *, kanal_op, const kanal_delivery *);
    void (*stop)(kanal_channel *, kanal_op);
} hooks;
extern char events[512]; /* what happened, in order */
extern const kanal_plugin probe;
extern const char *const given_secrets[1][2]; /* "token": "Jefe" */

void note(const char *text);
void respond(kanal_channel *channel, kanal_op op, int code);
struct fake_host *new_host(void);
int code_of(struct fake_host *host, kanal_op op);

#define GOOD_DATA                                                                                            \
    "{\"message\":{\"content\":[{\"type\":\"image\",\"ref\":\"x/y\"}]},\"customer\":{\"name\":\"Анна\"}}"
/* Publishes one message.received with this data. */
void publish_one(kanal_channel *channel, kanal_op cause, const char *data);
/* kanal_done_fn: notes user and status. */
void count_done(void *user, kanal_status status);
kanal_channel *probe_create(const kanal_host *, const kanal_config *);

#endif
