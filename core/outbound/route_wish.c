/* What a command says of its way, and what of it concerns the customer's will: purposes, consents, quiet hours. */
#include "kanal/sdk/time.h"
#include "outbound/route_judge.h"

#define DAY_MIN 1440

static enum route_unless read_unless(kanal_str text)
{
    return kanal_str_is(text, "delivered") ? ROUTE_UNLESS_DELIVERED
           : kanal_str_is(text, "read")    ? ROUTE_UNLESS_READ
                                           : ROUTE_UNLESS_SENT;
}

const char *route_unless_name(enum route_unless unless)
{
    static const char *const names[] = { "sent", "delivered", "read" };
    return names[unless];
}

void route_wish_read(struct route_wish *ret_wish, yyjson_val *command)
{
    yyjson_val *route = kanal_json_at(command, "route"), *value;
    yyjson_val *prefer = kanal_json_at(route, "prefer"), *steps = kanal_json_at(route, "steps");
    struct route_wish wish = { .exclude = kanal_json_at(route, "exclude"),
                               .purpose = kanal_json_text_at(command, "purpose"),
                               .is_bulk = kanal_str_is(kanal_json_text_at(command, "class"), "bulk") };
    size_t index, max;
    kanal_time_parse_rfc3339(kanal_json_text_at(command, "expires"), &wish.expires_ms);
    if (yyjson_is_arr(prefer))
        yyjson_arr_foreach (prefer, index, max, value)
            if (wish.prefer_count < ROUTE_PREFER_MAX)
                wish.prefer[wish.prefer_count++] = kanal_json_text(value);
    if (yyjson_is_arr(steps))
        yyjson_arr_foreach (steps, index, max, value) {
            if (wish.step_count == ROUTE_STEPS_MAX)
                break;
            struct route_step *step = &wish.steps[wish.step_count++];
            *step = (struct route_step){ kanal_json_text_at(value, "channel"), -1,
                                         read_unless(kanal_json_text_at(value, "unless")) };
            if (kanal_json_at(value, "after") &&
                kanal_time_parse_duration(kanal_json_text_at(value, "after"), &step->after_ms) != KANAL_OK)
                step->after_ms = 0; /* longer than time itself is refused by the contract */
        }
    *ret_wish = wish;
}

int route_list_has(yyjson_val *array, kanal_str text)
{
    size_t index, max;
    yyjson_val *value;
    if (yyjson_is_arr(array))
        yyjson_arr_foreach (array, index, max, value)
            if (kanal_str_equal(kanal_json_text(value), text))
                return 1;
    return 0;
}

/* ---- Consent ---- */

int route_wants_consent(kanal_str purpose)
{
    return purpose.len > 0 && !kanal_str_is(purpose, "transactional") && !kanal_str_is(purpose, "service");
}

/* The last word about the purpose on the channel; at the same time, no is stronger. NULL: nothing was said. */
static const struct route_consent *last_word(const struct route_known *known, kanal_str purpose,
                                             kanal_str channel)
{
    const struct route_consent *last = NULL;
    for (size_t i = 0; i < known->consent_count; i++) {
        const struct route_consent *c = &known->consents[i];
        if ((c->purpose.len > 0 && !kanal_str_equal(c->purpose, purpose)) ||
            (c->channel.len > 0 && !kanal_str_equal(c->channel, channel)))
            continue;
        if (!last || c->time_ms > last->time_ms || (c->time_ms == last->time_ms && !c->is_given))
            last = c;
    }
    return last;
}

enum route_will route_will_of(const struct route_known *known, kanal_str purpose,
                              const struct route_place *place, int64_t *ret_since_ms)
{
    int wants = route_wants_consent(purpose);
    *ret_since_ms = 0;
    if (kanal_str_is(purpose, "transactional"))
        return ROUTE_WILL_NOT_ASKED;
    /* What needs no consent is stopped only by a no to everything, and not where the customer has written again since. */
    const struct route_consent *last = last_word(known, wants ? purpose : (kanal_str){ 0 }, place->channel);
    if (last)
        *ret_since_ms = last->time_ms;
    if (last && last->is_given)
        return wants ? ROUTE_WILL_GIVEN : ROUTE_WILL_NOT_ASKED;
    if (last)
        return !wants && place->last_in_ms > last->time_ms ? ROUTE_WILL_WROTE_AGAIN : ROUTE_WILL_WITHDRAWN;
    return wants && route_list_has(known->required, purpose) ? ROUTE_WILL_MISSING : ROUTE_WILL_NOT_ASKED;
}

/* ---- Quiet hours ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int32_t offset_at(const struct zone *zone, int64_t utc_s)
{
    return zone ? zone_offset(zone, utc_s) : 0;
}

int route_quiet_now(const struct route_quiet *quiet, const struct zone *zone, int64_t now_ms,
                    int64_t *ret_until_ms)
{
    if (!quiet->is_set || quiet->from_min == quiet->to_min)
        return 0;
    int64_t now_s = floor_div(now_ms, 1000), local_s = now_s + offset_at(zone, now_s);
    int64_t minute = floor_div(local_s, 60), today = floor_div(minute, DAY_MIN);
    int of_day = (int)(minute - today * DAY_MIN);
    int is_over_midnight = quiet->from_min > quiet->to_min;
    int is_quiet = is_over_midnight ? of_day >= quiet->from_min || of_day < quiet->to_min
                                    : of_day >= quiet->from_min && of_day < quiet->to_min;
    if (!is_quiet)
        return 0;
    int64_t end_s = (today * DAY_MIN + quiet->to_min) * 60;
    if (is_over_midnight && of_day >= quiet->from_min)
        end_s += DAY_MIN * 60;
    /* By the clock as it goes then, not as it goes now. */
    int64_t until_s = end_s - offset_at(zone, end_s - offset_at(zone, now_s));
    *ret_until_ms = (until_s > now_s ? until_s : now_s + 60) * 1000;
    return 1;
}

int route_keeps_quiet(const struct route_wish *wish)
{
    return !kanal_str_is(wish->purpose, "transactional") &&
           (wish->is_bulk || route_wants_consent(wish->purpose));
}
