#include "outbound/reach.h"

#include "event/address.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

static int64_t time_at(yyjson_val *object, const char *key)
{
    int64_t ms = 0;
    kanal_time_parse_rfc3339(kanal_json_text_at(object, key), &ms);
    return ms;
}

/* "22:30" as minutes of the day, or -1. */
static int read_clock(kanal_str text)
{
    if (text.len != 5 || text.ptr[2] != ':')
        return -1;
    for (size_t i = 0; i < 5; i++)
        if (i != 2 && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return -1;
    int hours = (text.ptr[0] - '0') * 10 + (text.ptr[1] - '0');
    int minutes = (text.ptr[3] - '0') * 10 + (text.ptr[4] - '0');
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

static void read_quiet(struct reach *reach, yyjson_val *quiet)
{
    int from = read_clock(kanal_json_text_at(quiet, "from"));
    int to = read_clock(kanal_json_text_at(quiet, "to"));
    if (from >= 0 && to >= 0)
        reach->quiet = (struct route_quiet){ 1, from, to };
    kanal_str zone = kanal_json_text_at(quiet, "timezone");
    if (zone.len > 0)
        reach->timezone = zone;
}

static int read_addresses(struct reach *reach, yyjson_val *addresses)
{
    size_t index, max, count = yyjson_arr_size(addresses);
    yyjson_val *item;
    reach->addresses = calloc(count + 1, sizeof *reach->addresses);
    if (!reach->addresses)
        return KANAL_E_INTERNAL;
    if (count > 0)
        yyjson_arr_foreach (addresses, index, max, item) {
            kanal_str address = kanal_json_text_at(item, "address");
            if (address.len > 0 && reach->address_count < REACH_ADDRESSES_MAX)
                reach->addresses[reach->address_count++] =
                    (struct reach_address){ address, kanal_json_at(item, "channels") };
        }
    return 0;
}

static int read_consents(struct reach *reach, yyjson_val *consents)
{
    size_t index, max, count = yyjson_arr_size(consents);
    yyjson_val *item;
    reach->consents = calloc(count + 1, sizeof *reach->consents);
    if (!reach->consents)
        return KANAL_E_INTERNAL;
    if (count > 0)
        yyjson_arr_foreach (consents, index, max, item)
            if (reach->consent_count < ROUTE_CONSENTS_MAX)
                reach->consents[reach->consent_count++] = (struct route_consent){
                    .purpose = kanal_json_text_at(item, "purpose"),
                    .channel = kanal_json_text_at(item, "channel"),
                    .is_given = kanal_json_bool_at(item, "given"),
                    .time_ms = time_at(item, "time"),
                };
    return 0;
}

int reach_read(struct reach *ret_reach, yyjson_val *profile)
{
    struct reach reach = { 0 };
    size_t length = 0;
    char *text = profile ? yyjson_val_write(profile, 0, &length) : NULL;
    if (text)
        reach.document = kanal_json_parse(kanal_str_of(text, length));
    free(text);
    if (profile && !reach.document)
        return KANAL_E_INTERNAL;
    yyjson_val *root = yyjson_doc_get_root(reach.document), *last = kanal_json_at(root, "last_inbound");
    reach.customer = kanal_json_text_at(root, "id");
    reach.touches = kanal_json_at(root, "touches");
    reach.timezone = kanal_json_text_at(kanal_json_at(root, "profile"), "timezone");
    reach.preferred_channel = kanal_json_text_at(root, "preferred_channel");
    reach.last_channel = kanal_json_text_at(last, "channel");
    reach.last_address = kanal_json_text_at(last, "address");
    reach.last_ms = time_at(last, "time");
    read_quiet(&reach, kanal_json_at(root, "quiet_hours"));
    if (read_addresses(&reach, kanal_json_at(root, "addresses")) != 0 ||
        read_consents(&reach, kanal_json_at(root, "consent")) != 0) {
        reach_release(&reach);
        return KANAL_E_INTERNAL;
    }
    *ret_reach = reach;
    return 0;
}

void reach_release(struct reach *reach)
{
    yyjson_doc_free(reach->document);
    free(reach->addresses);
    free(reach->consents);
    *reach = (struct reach){ 0 };
}

/* ---- Channels ---- */

int reach_fits(const struct channel *channel, const struct reach_address *address, int named)
{
    const kanal_plugin *plugin = &channel->plugin->descriptor;
    kanal_str scheme = address_scheme(address->address);
    if (!plugin->deliver)
        return -1;
    if (route_list_has(address->channels, channel->id))
        return ROUTE_SEEN;
    if ((kanal_str_is(scheme, "tel") && (plugin->caps & KANAL_CAP_TO_TEL)) ||
        (kanal_str_is(scheme, "mailto") && (plugin->caps & KANAL_CAP_TO_MAILTO)))
        return ROUTE_BY_KIND;
    /* A bot cannot write to whoever has only spoken to another one; but where nothing is known of the address, or the command names the
     * channel, it is tried. */
    if (kanal_str_is(scheme, plugin->id) && (named || yyjson_arr_size(address->channels) == 0))
        return ROUTE_BY_PLUGIN;
    return -1;
}

int64_t reach_last_in_ms(const struct reach *reach, const struct reach_address *address, kanal_str channel)
{
    size_t index, max;
    yyjson_val *touch;
    int64_t last = 0;
    if (!route_list_has(address->channels, channel))
        return 0;
    if (kanal_str_equal(channel, reach->last_channel) &&
        kanal_str_equal(address->address, reach->last_address))
        last = reach->last_ms;
    if (yyjson_is_arr(reach->touches))
        yyjson_arr_foreach (reach->touches, index, max, touch) {
            if (!kanal_str_equal(kanal_json_text_at(touch, "channel"), channel) ||
                !kanal_str_is(kanal_json_text_at(touch, "type"), "message.received"))
                continue;
            int64_t at = time_at(touch, "last");
            last = at > last ? at : last;
        }
    return last;
}
