/* Extension kanal.link/1: remembers what was offered last. */
#include "inside.h"
#include "kanal/sdk/link.h"

static void offer(const kanal_host *table, kanal_str uri_template)
{
    struct fake_host *host = fake_of(table);
    fake_check_lane(host, "link offer");
    if (host->creating)
        fake_fail(host, "create() may only log and ask for extensions, and calls link offer()");
    if (uri_template.len > 0 && !kanal_link_template_is_valid(uri_template))
        fake_fail(host, "offer(): \"%.*s\" is no link with exactly one of {ref} and {text}",
                  (int)(uri_template.len < 256 ? uri_template.len : 256), uri_template.ptr);
    host->link_template = fake_arena_str(&host->kept, uri_template);
}

static const kanal_link_host table_of_host = { .struct_size = sizeof table_of_host, .offer = offer };

const struct fake_extension fake_extension_link = { .id = KANAL_EXT_LINK, .table = &table_of_host };

kanal_str fake_link_template(const struct fake_host *host)
{
    return host->link_template;
}
