#include "outbound/routing.h"

#include "kanal/sdk/str.h"
#include "outbound/parts.h"

/* A question under way. */
struct asking {
    struct outbound *outbound;
    struct routing_question question;
    routing_fn *done;
    void *user;
};

void routing_free(struct routing *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->place_count; i++)
        kanal_buffer_release(&r->details[i]);
    route_plan_release(&r->plan);
    reach_release(&r->reach);
    free(r);
}

int routing_concerns(yyjson_val *command, kanal_str channel)
{
    yyjson_val *to = kanal_json_at(command, "to"), *route = kanal_json_at(command, "route");
    if (kanal_json_at(to, "customer") || kanal_json_at(to, "conversation"))
        return 1;
    if (!kanal_json_at(to, "address"))
        return 0; /* a chat is one channel's */
    return (kanal_str_is(channel, "any") && yyjson_obj_size(route) > 0) ||
           route_wants_consent(kanal_json_text_at(command, "purpose"));
}

struct routing_question routing_question_of(struct command *c, const struct route_past *past)
{
    int has_address = kanal_json_at(kanal_json_at(c->root, "to"), "address") != NULL;
    return (struct routing_question){ .command = c->root,
                                      .address =
                                          has_address ? kanal_buffer_view(&c->address) : (kanal_str){ 0 },
                                      .channel = c->only,
                                      .past = *past };
}

void routing_refusal(const struct routing *r, struct command *c)
{
    int nobody = !r->is_known && kanal_json_at(kanal_json_at(c->root, "to"), "customer");
    c->report.code = nobody ? "customer_unknown" : r->plan.error;
    c->report.scope = scope_of_name(nobody ? "recipient" : r->plan.scope);
    kanal_buffer_clear(&c->detail);
    kanal_buffer_str(&c->detail,
                     nobody ? KANAL_LIT("nothing is known of this customer: there is no such id, or no "
                                        "address of theirs is known")
                            : r->plan.detail);
    c->report.detail = kanal_buffer_view(&c->detail);
}

/* ---- Places ---- */

/* The command names the channel. */
static int is_named(const struct routing *r, kanal_str only, kanal_str channel)
{
    int found = kanal_str_equal(only, channel);
    for (size_t i = 0; i < r->wish.step_count; i++)
        found |= kanal_str_equal(r->wish.steps[i].channel, channel);
    for (size_t i = 0; i < r->wish.prefer_count; i++)
        found |= kanal_str_equal(r->wish.prefer[i], channel);
    return found;
}

static kanal_str trouble_of(const struct channel *channel)
{
    if (channel->state != CHANNEL_UP)
        return kanal_str_c(channel_state_name(channel->state));
    if (channel_is_paused(channel, CHANNEL_PAUSE_OUT))
        return KANAL_LIT("paused");
    return kanal_str_c(channel->reason);
}

static int is_up(const struct channel *channel)
{
    return channel->state == CHANNEL_UP && channel->health == KANAL_OK &&
           !channel_is_paused(channel, CHANNEL_PAUSE_OUT);
}

static void judge_content(const struct channel *channel, yyjson_val *command, struct route_place *place,
                          struct kanal_buffer *detail)
{
    struct adapt_target target = outbound_target(channel);
    struct parts parts;
    parts_make(&parts, command, KANAL_LIT("message.send"), &target);
    if (parts.error) {
        parts_explain(&parts, detail);
        place->misfit = parts.error;
        place->misfit_detail = kanal_buffer_view(detail);
    }
    parts_release(&parts);
}

static void add_place(struct routing *r, const struct channel *channel, const struct reach_address *address,
                      int reach, yyjson_val *command)
{
    struct kanal_buffer *detail = &r->details[r->place_count];
    struct route_place *place = &r->places[r->place_count++];
    kanal_caps caps = channel->plugin->descriptor.caps;
    *place = (struct route_place){ .channel = channel->id,
                                   .plugin = channel->source.plugin,
                                   .address = address->address,
                                   .reach = (enum route_reach)reach,
                                   .last_in_ms = reach_last_in_ms(&r->reach, address, channel->id),
                                   .is_up = is_up(channel),
                                   .trouble = trouble_of(channel),
                                   .tells_delivered = (caps & KANAL_CAP_DELIVERED_RECEIPT) != 0,
                                   .tells_read = (caps & KANAL_CAP_READ_RECEIPT) != 0 };
    judge_content(channel, command, place, detail);
}

/* ret_addresses: those that may be written to. */
static size_t addresses_of(struct routing *r, const struct routing_question *q,
                           const struct reach_address **ret_addresses)
{
    *ret_addresses = r->reach.addresses;
    if (q->address.len == 0)
        return r->reach.address_count;
    r->only = (struct reach_address){ .address = q->address };
    for (size_t i = 0; i < r->reach.address_count; i++)
        if (kanal_str_equal(r->reach.addresses[i].address, q->address))
            r->only = r->reach.addresses[i];
    *ret_addresses = &r->only;
    return 1;
}

static void find_places(struct routing *r, const struct routing_question *q)
{
    const struct reach_address *addresses;
    size_t count = addresses_of(r, q, &addresses);
    for (const struct channel *channel = r->outbound->host->first_channel; channel; channel = channel->next) {
        if (q->channel.len > 0 && !kanal_str_equal(q->channel, channel->id))
            continue;
        int named = is_named(r, q->channel, channel->id);
        for (size_t i = 0; i < count && r->place_count < REACH_PLACES_MAX; i++) {
            int reach = reach_fits(channel, &addresses[i], named);
            if (reach < 0 && q->channel.len > 0 && q->address.len > 0)
                reach = ROUTE_BY_PLUGIN; /* whoever names both knows it */
            if (reach >= 0)
                add_place(r, channel, &addresses[i], reach, q->command);
        }
    }
}

static const struct zone *zone_of(const struct routing *r)
{
    const struct zone *zone =
        r->reach.timezone.len > 0 ? zones_find(r->outbound->zones, r->reach.timezone) : NULL;
    return zone ? zone : zones_find(r->outbound->zones, kanal_str_c(r->outbound->timezone));
}

static void make_plan(struct routing *r, const struct routing_question *q)
{
    struct route_known known = { .places = r->places,
                                 .place_count = r->place_count,
                                 .consents = r->reach.consents,
                                 .consent_count = r->reach.consent_count,
                                 .quiet = r->reach.quiet,
                                 .zone = r->reach.quiet.is_set ? zone_of(r) : NULL,
                                 .preferred_channel = r->reach.preferred_channel,
                                 .last_channel = r->reach.last_channel,
                                 .last_address = r->reach.last_address,
                                 .required = yyjson_doc_get_root(r->outbound->required_consent),
                                 .now_ms = host_now_ms() };
    route_plan_make(&r->plan, &r->wish, &known, &q->past);
}

/* ---- The customer ---- */

static void finish(struct asking *asking, kanal_status status, struct routing *r)
{
    asking->done(asking->user, status, r);
    free(asking);
}

static void on_found(void *user, kanal_status status, yyjson_val *profile)
{
    struct asking *asking = user;
    struct routing *r = NULL;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        finish(asking, status, NULL);
        return;
    }
    r = calloc(1, sizeof *r);
    if (!r || reach_read(&r->reach, status == KANAL_OK ? profile : NULL) != 0) {
        free(r);
        finish(asking, KANAL_E_BUSY, NULL);
        return;
    }
    r->outbound = asking->outbound;
    r->is_known = status == KANAL_OK && r->reach.address_count > 0;
    route_wish_read(&r->wish, asking->question.command);
    find_places(r, &asking->question);
    make_plan(r, &asking->question);
    finish(asking, KANAL_OK, r);
}

/* Whose profile it is. 0: nobody's that can be looked up. */
static int who(struct outbound *o, const struct routing_question *q, struct id *ret_who)
{
    kanal_str customer = kanal_json_text_at(kanal_json_at(q->command, "to"), "customer");
    if (q->address.len > 0)
        return ids_node(o->host->envelope.ids, q->address, ret_who) == 0;
    return kanal_str_keep(ret_who->text, sizeof ret_who->text, customer).len == ID_LEN;
}

void routing_ask(struct outbound *o, const struct routing_question *question, routing_fn *done, void *user)
{
    struct asking *asking = malloc(sizeof *asking);
    struct id id = { "" };
    if (!asking) {
        done(user, KANAL_E_BUSY, NULL);
        return;
    }
    *asking = (struct asking){ o, *question, done, user };
    if (!o->reach.find || !who(o, question, &id))
        on_found(asking, KANAL_E_NOT_FOUND, NULL);
    else
        o->reach.find(o->reach.user, &id, on_found, asking);
}
