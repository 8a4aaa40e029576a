#include "outbound/route_plan.h"

#include "kanal/sdk/time.h"
#include "outbound/route_judge.h"

/* What is made, and what it is made of. */
struct planning {
    struct route_plan *plan;
    const struct route_wish *wish;
    const struct route_known *known;
    const struct route_past *past;
    struct route_wish usual; /* of a command that says nothing */
};

void route_plan_release(struct route_plan *plan)
{
    kanal_buffer_release(&plan->words);
    plan->count = plan->line_count = 0;
}

const char *route_plan_why(const struct route_plan *plan, const struct route_choice *choice, size_t index)
{
    return plan->words.data + plan->lines[choice->why_first + index];
}

/* ---- Words ---- */

/* A line of the choice that is being made, the last one: text, then more. */
static void why(struct planning *p, const char *text, kanal_str more)
{
    struct route_plan *plan = p->plan;
    struct route_choice *choice = &plan->choices[plan->count - 1];
    if (choice->why_count == ROUTE_WHY_MAX)
        return;
    size_t at = plan->words.len;
    kanal_buffer_text(&plan->words, text);
    kanal_buffer_append(&plan->words, more.ptr, more.len < 300 ? more.len : 300);
    kanal_buffer_byte(&plan->words, '\0');
    if (plan->words.failed)
        return;
    plan->lines[plan->line_count++] = at;
    choice->why_count++;
}

static void why_time(struct planning *p, const char *text, int64_t ms)
{
    struct kanal_buffer time = { 0 };
    kanal_time_rfc3339(&time, ms);
    why(p, text, kanal_buffer_view(&time));
    kanal_buffer_release(&time);
}

/* ---- One choice ---- */

static void refuse(struct route_choice *choice, const char *code, const char *scope, kanal_str detail)
{
    if (choice->error)
        return; /* the first reason is told */
    choice->error = code;
    choice->scope = scope;
    choice->detail = detail;
}

static void judge_reach(struct planning *p, const struct route_place *place)
{
    const struct route_known *known = p->known;
    int is_last = kanal_str_equal(place->channel, known->last_channel) &&
                  (known->last_address.len == 0 || kanal_str_equal(place->address, known->last_address));
    if (known->preferred_channel.len > 0 && kanal_str_equal(place->channel, known->preferred_channel))
        why(p, "the customer's own choice", (kanal_str){ 0 });
    if (is_last && known->last_channel.len > 0)
        why_time(p, "the customer wrote here last: ", place->last_in_ms);
    else if (place->last_in_ms > 0)
        why_time(p, "the customer wrote here ", place->last_in_ms);
    else
        why(p,
            place->reach == ROUTE_SEEN      ? "the customer was seen here"
            : place->reach == ROUTE_BY_KIND ? "the channel writes to any address of this kind"
                                            : "a channel of the address' plugin",
            (kanal_str){ 0 });
}

static void judge_will(struct planning *p, const struct route_place *place)
{
    struct route_choice *choice = &p->plan->choices[p->plan->count - 1];
    int64_t since = 0;
    switch (route_will_of(p->known, p->wish->purpose, place, &since)) {
    case ROUTE_WILL_GIVEN:
        why_time(p, "consent was given ", since);
        break;
    case ROUTE_WILL_WROTE_AGAIN:
        why_time(p, "the customer wrote again after opting out on ", since);
        break;
    case ROUTE_WILL_WITHDRAWN:
        why_time(p, "the customer opted out on ", since);
        refuse(choice, "opted_out", "recipient", KANAL_LIT("the customer withdrew consent on this channel"));
        break;
    case ROUTE_WILL_MISSING:
        why(p, "no consent for the purpose ", p->wish->purpose);
        refuse(choice, "consent_missing", "recipient",
               KANAL_LIT("the purpose needs a consent (routing.require_consent), and none was given"));
        break;
    default:
        break;
    }
}

static void judge_state(struct planning *p, const struct route_place *place)
{
    struct route_choice *choice = &p->plan->choices[p->plan->count - 1];
    if (place->window == ROUTE_WINDOW_OPEN)
        why_time(p, "the service window is open until ", place->window_until_ms);
    else if (place->window == ROUTE_WINDOW_CLOSED)
        why(p, "the service window is closed", (kanal_str){ 0 });
    if (place->misfit) {
        why(p, "the content cannot go here: ", kanal_str_c(place->misfit));
        refuse(choice, place->misfit, "message", place->misfit_detail);
    }
    if (!place->is_up)
        why(p, "the channel is not up: ", place->trouble);
}

static int was_tried(const struct planning *p, const struct route_place *place)
{
    for (size_t i = 0; i < p->past->tried_count; i++)
        if (kanal_str_equal(p->past->tried[i].channel, place->channel) &&
            kanal_str_equal(p->past->tried[i].address, place->address))
            return 1;
    return 0;
}

static struct route_choice *choice_new(struct planning *p, uint32_t step, kanal_str channel)
{
    struct route_plan *plan = p->plan;
    struct route_choice *choice = &plan->choices[plan->count++];
    *choice = (struct route_choice){
        .channel = channel, .step = step, .after_ms = -1, .why_first = plan->line_count
    };
    return choice;
}

static void judge(struct planning *p, struct route_choice *choice, const struct route_place *place)
{
    choice->place = place;
    choice->channel = place->channel;
    judge_reach(p, place);
    judge_will(p, place);
    judge_state(p, place);
}

/* ---- Which is better ---- */

/* 1: the entry of `prefer` or of a step means this place. */
static int is_meant(const struct planning *p, kanal_str entry, const struct route_place *place)
{
    const struct route_known *known = p->known;
    kanal_str channel = kanal_str_is(entry, "last")        ? known->last_channel
                        : kanal_str_is(entry, "preferred") ? known->preferred_channel
                                                           : entry;
    return channel.len > 0 && kanal_str_equal(channel, place->channel);
}

/* The customer, their channel's health and content set aside: where would they look first? */
static int is_nearer(const struct planning *p, const struct route_place *a, const struct route_place *b)
{
    int a_last = kanal_str_equal(a->channel, p->known->last_channel) &&
                 kanal_str_equal(a->address, p->known->last_address);
    int b_last = kanal_str_equal(b->channel, p->known->last_channel) &&
                 kanal_str_equal(b->address, p->known->last_address);
    if (a_last != b_last)
        return a_last;
    if (a->last_in_ms != b->last_in_ms)
        return a->last_in_ms > b->last_in_ms;
    return a->reach < b->reach;
}

static size_t preference(const struct planning *p, const struct route_place *place)
{
    size_t i = 0;
    while (i < p->wish->prefer_count && !is_meant(p, p->wish->prefer[i], place))
        i++;
    return i;
}

static int is_better(const struct planning *p, const struct route_choice *a, const struct route_choice *b)
{
    if (!a->error != !b->error)
        return !a->error;
    if (a->place->is_up != b->place->is_up)
        return a->place->is_up;
    size_t a_preference = preference(p, a->place), b_preference = preference(p, b->place);
    if (a_preference != b_preference)
        return a_preference < b_preference;
    return is_nearer(p, a->place, b->place);
}

/* ---- Without steps: every place, the best first ---- */

static void sort(struct planning *p)
{
    struct route_choice *choices = p->plan->choices;
    for (size_t i = 1; i < p->plan->count; i++) {
        struct route_choice moved = choices[i];
        size_t at = i;
        for (; at > 0 && is_better(p, &moved, &choices[at - 1]); at--)
            choices[at] = choices[at - 1];
        choices[at] = moved;
    }
}

static void plan_places(struct planning *p)
{
    const struct route_known *known = p->known;
    for (size_t i = 0; i < known->place_count && p->plan->count < ROUTE_CHOICES_MAX; i++) {
        const struct route_place *place = &known->places[i];
        if (route_list_has(p->wish->exclude, place->channel) || was_tried(p, place))
            continue;
        struct route_choice *choice = choice_new(p, 0, place->channel);
        size_t wanted = preference(p, place);
        if (wanted < p->wish->prefer_count && p->wish != &p->usual)
            why(p, "the command prefers ", p->wish->prefer[wanted]);
        judge(p, choice, place);
    }
    sort(p);
    for (size_t i = 0; i < p->plan->count && !p->plan->choices[i].error; i++)
        p->plan->choices[i].step = p->past->from + (uint32_t)i;
}

/* ---- With steps: the best place of each ---- */

/* What nobody tells cannot be waited for. */
static void judge_receipts(struct planning *p, const struct route_choice *choice)
{
    const struct route_place *before = p->plan->count > 1 ? choice[-1].place : NULL;
    if (!before || choice->after_ms < 0 || choice->unless == ROUTE_UNLESS_SENT)
        return;
    if (!before->tells_read && (choice->unless == ROUTE_UNLESS_READ || !before->tells_delivered))
        why(p, "the channel before tells of nothing that was ",
            kanal_str_c(route_unless_name(choice->unless)));
}

static void plan_step(struct planning *p, uint32_t number, const struct route_step *step)
{
    const struct route_known *known = p->known;
    struct route_plan *plan = p->plan;
    struct route_choice best = { 0 };
    size_t lines = plan->line_count, words = plan->words.len;
    for (size_t i = 0; i < known->place_count; i++) {
        const struct route_place *place = &known->places[i];
        if (!is_meant(p, step->channel, place) || route_list_has(p->wish->exclude, place->channel) ||
            was_tried(p, place))
            continue;
        struct route_choice *choice = choice_new(p, number, place->channel);
        judge(p, choice, place);
        plan->count--; /* only the best one stays; its lines are written anew */
        if (!best.place || is_better(p, choice, &best))
            best = *choice;
        plan->line_count = lines;
        plan->words.len = words;
    }
    struct route_choice *choice = choice_new(p, number, step->channel);
    choice->after_ms = step->after_ms;
    choice->unless = step->unless;
    why(p, "a step of the command's route", (kanal_str){ 0 });
    judge_receipts(p, choice);
    if (best.place) {
        judge(p, choice, best.place);
        return;
    }
    int is_word = kanal_str_is(step->channel, "last") || kanal_str_is(step->channel, "preferred");
    refuse(
        choice, "recipient_unknown", "recipient",
        route_list_has(p->wish->exclude, step->channel) ? KANAL_LIT("the command excludes the channel")
        : is_word
            ? KANAL_LIT("no such channel of the customer's is known")
            : KANAL_LIT("the customer has no address that this channel reaches, or none that was not tried"));
}

static void plan_steps(struct planning *p)
{
    uint32_t number = 1;
    for (size_t i = 0; i < p->wish->prefer_count; i++, number++)
        if (number >= p->past->from)
            plan_step(p, number, &(struct route_step){ p->wish->prefer[i], -1, ROUTE_UNLESS_SENT });
    for (size_t i = 0; i < p->wish->step_count; i++, number++)
        if (number >= p->past->from)
            plan_step(p, number, &p->wish->steps[i]);
}

/* ---- The verdict ---- */

static void give_up(struct route_plan *plan, const char *code, const char *scope, kanal_str detail)
{
    plan->chosen = -1;
    plan->error = code;
    plan->scope = scope;
    plan->detail = detail;
}

static void choose(struct planning *p)
{
    struct route_plan *plan = p->plan;
    int first = -1;
    plan->chosen = -1;
    for (size_t i = 0; i < plan->count && plan->chosen < 0; i++) {
        const struct route_choice *choice = &plan->choices[i];
        if (choice->error)
            continue;
        if (first < 0)
            first = (int)i;
        if (choice->place->is_up)
            plan->chosen = (int)i;
    }
    if (plan->chosen < 0)
        plan->chosen = first; /* none is up: it waits there */
    if (plan->chosen >= 0)
        return;
    if (plan->count > 0)
        give_up(plan, plan->choices[0].error, plan->choices[0].scope, plan->choices[0].detail);
    else if (p->past->tried_count > 0)
        give_up(plan, "customer_unknown", "recipient", KANAL_LIT("no further channel reaches the customer"));
    else
        give_up(plan, "customer_unknown", "recipient", KANAL_LIT("no channel reaches the customer"));
}

static void keep_quiet(struct planning *p)
{
    struct route_plan *plan = p->plan;
    int64_t until = 0;
    if (plan->chosen < 0 || !route_keeps_quiet(p->wish) ||
        !route_quiet_now(&p->known->quiet, p->known->zone, p->known->now_ms, &until))
        return;
    if (p->wish->expires_ms > 0 && until >= p->wish->expires_ms)
        give_up(plan, "quiet_hours", "recipient",
                KANAL_LIT("the customer's quiet hours last beyond `expires`"));
    else
        plan->not_before_ms = until;
}

void route_plan_make(struct route_plan *ret_plan, const struct route_wish *wish,
                     const struct route_known *known, const struct route_past *past)
{
    struct planning p = { .plan = ret_plan, .wish = wish, .known = known, .past = past };
    *ret_plan = (struct route_plan){ .chosen = -1 };
    if (wish->prefer_count + wish->step_count == 0) {
        p.usual = *wish;
        p.usual.prefer[0] = KANAL_LIT("preferred");
        p.usual.prefer[1] = KANAL_LIT("last");
        p.usual.prefer_count = 2;
        p.wish = &p.usual;
    }
    if (wish->step_count > 0)
        plan_steps(&p);
    else
        plan_places(&p);
    choose(&p);
    keep_quiet(&p);
}

const struct route_choice *route_plan_next(const struct route_plan *plan)
{
    for (size_t i = (size_t)(plan->chosen + 1); plan->chosen >= 0 && i < plan->count; i++)
        if (!plan->choices[i].error)
            return &plan->choices[i];
    return NULL;
}
