/* bench/plugin_fixture.h - a channel of a built plugin on the fake host, and one webhook of its fixtures/conformance.json, ready to be sent. */
#ifndef KANAL_BENCH_PLUGIN_FIXTURE_H
#define KANAL_BENCH_PLUGIN_FIXTURE_H
#include "kanal/testing/fakehost.h"

#define FIXTURE_HEADERS 16
#define FIXTURE_SECRETS 16

struct fixture {
    void *library;
    const kanal_plugin *plugin;
    struct fake_host *host;
    kanal_channel *channel;
    kanal_http_request request; /* views into what is below */
    size_t event_count;         /* how many it became on the fake host, each valid by the contract … */
    int code;                   /* … and how it was answered */
    kanal_str json;             /* the payload as JSON: the body, or a form's fields as an object */
    yyjson_doc *doc;
    struct kanal_buffer text, body, form_json;
    kanal_field headers[FIXTURE_HEADERS];
    char url[256];
};

/* Loads PLUGINS/NAME/NAME.so, starts a channel, and sends the webhook with that body_file, or name, once. 0, or what is wrong; to be closed either way. */
const char *fixture_open(struct fixture *, const char *plugins, const char *sources, const char *name,
                         const char *payload);
void fixture_close(struct fixture *);

#endif
