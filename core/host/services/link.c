/* kanal.link/1: how links to a channel look. handoff/ makes them. */
#include "kanal/sdk/link.h"

#include "host/host.h"
#include "host/services/services.h"

void channel_offer_link(struct channel *channel, kanal_str uri_template)
{
    char *copy = NULL;
    if (!text_valid(uri_template) || (uri_template.len > 0 && !kanal_link_template_is_valid(uri_template))) {
        log_write(channel->host->log, KANAL_LOG_WARN, "channel", channel->id.ptr,
                  "the plugin offers links that are none (ext/link.h says what is expected): \"%.*s\"",
                  uri_template.ptr ? (int)(uri_template.len < 128 ? uri_template.len : 128) : 0,
                  uri_template.ptr ? uri_template.ptr : "");
        return;
    }
    if (uri_template.len > 0 && !(copy = kanal_str_dup(uri_template)))
        return;
    free(channel->link_template);
    channel->link_template = copy;
}

static void offer(const kanal_host *host, kanal_str uri_template)
{
    channel_offer_link(host->impl, uri_template);
}

const void *extension_link(void)
{
    static const kanal_link_host table = { .struct_size = sizeof table, .offer = offer };
    return &table;
}
