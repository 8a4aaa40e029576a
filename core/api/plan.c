#include "api/plan.h"

#include "event/address.h"
#include "kanal/sdk/gsm7.h"
#include "outbound/adapt/grapheme.h"
#include "outbound/routing.h"

#define BODY_MAX (512u * 1024) /* as a command */
#define CHANNELS_MAX 32u       /* the loop waits meanwhile; others of the same plugin would look the same */

static api_handler_fn plan;

const struct api_endpoint api_plan_endpoints[] = {
    { "message-plan", "What the customer would see of a message, channel by channel; nothing is sent.",
      plan },
};
const size_t api_plan_endpoint_count = sizeof api_plan_endpoints / sizeof *api_plan_endpoints;

struct planning {
    const struct api_plan *api;
    yyjson_val *command;
    kanal_str address;
    struct kanal_json json;
    uint32_t count;
    int is_chosen;                     /* one before it is possible */
    const struct route_choice *choice; /* of a message to a customer: what the router would do; or NULL */
    int is_router_chosen;
    struct api_request *request;
    yyjson_doc *document;
    struct kanal_buffer out, address_text;
};

/* ---- Messages ---- */

/* A text to a telephone, on a channel that shows nothing but text: segments are what it costs. */
static int counts_segments(const struct planning *p, const struct channel *channel)
{
    const kanal_caps more = KANAL_CAP_IMAGE | KANAL_CAP_FILE | KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES |
                            KANAL_CAP_MARKUP_HTML | KANAL_CAP_MARKUP_MARKDOWN;
    kanal_caps caps = channel->plugin->descriptor.caps;
    return (caps & KANAL_CAP_TEXT) && (caps & more) == 0 && kanal_str_is(address_scheme(p->address), "tel");
}

static void write_counts(struct planning *p, const struct channel *channel, yyjson_val *content)
{
    size_t index, max, characters = 0;
    yyjson_val *item;
    struct kanal_sms_size size;
    kanal_str only = { 0 };
    if (yyjson_is_arr(content))
        yyjson_arr_foreach (content, index, max, item) {
            only = kanal_json_text_at(item, kanal_json_at(item, "caption") ? "caption" : "text");
            characters += grapheme_count_points(only);
        }
    kanal_json_member_int(&p->json, "characters", (int64_t)characters);
    if (yyjson_arr_size(content) != 1 || !counts_segments(p, channel) ||
        kanal_sms_measure(only, KANAL_SMS_UDH_8, &size) != 0)
        return;
    kanal_json_member_int(&p->json, "segments", size.segments);
    kanal_json_member_text(&p->json, "encoding", size.alphabet == KANAL_SMS_GSM7 ? "gsm7" : "ucs2");
}

static void write_part(struct planning *p, const struct channel *channel, const struct parts *parts,
                       uint32_t part)
{
    struct kanal_buffer data = { 0 };
    parts_write(parts, part, NULL, &data);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&data));
    yyjson_val *content = kanal_json_at(yyjson_doc_get_root(document), "content");
    kanal_json_object(&p->json);
    kanal_json_key(&p->json, "content");
    kanal_json_value(&p->json, content);
    write_counts(p, channel, content);
    kanal_json_object_end(&p->json);
    yyjson_doc_free(document);
    kanal_buffer_release(&data);
}

static void write_losses(struct planning *p, const struct adapted *adapted)
{
    kanal_json_key(&p->json, "losses");
    kanal_json_array(&p->json);
    for (uint32_t i = 0; i < adapted->loss_count; i++) {
        const struct adapt_loss *loss = &adapted->losses[i];
        kanal_json_object(&p->json);
        kanal_json_member_int(&p->json, "index", loss->index);
        if (loss->type.len > 0)
            kanal_json_member_str(&p->json, "type", loss->type);
        kanal_json_member_text(&p->json, "change", adapt_change_name(loss->change));
        kanal_json_member_text(&p->json, "detail", loss->detail);
        kanal_json_object_end(&p->json);
    }
    kanal_json_array_end(&p->json);
}

/* ---- One channel ---- */

static void write_error(struct planning *p, const char *code, const char *scope, kanal_str detail)
{
    kanal_json_member_bool(&p->json, "possible", 0);
    kanal_json_key(&p->json, "error");
    kanal_json_object(&p->json);
    kanal_json_member_text(&p->json, "code", code);
    kanal_json_member_text(&p->json, "scope", scope);
    if (detail.len > 0)
        kanal_json_member_str(&p->json, "detail",
                              detail.len < 2048 ? detail : kanal_str_of(detail.ptr, 2047));
    kanal_json_object_end(&p->json);
}

/* Why not, apart from the content; or NULL. */
static const char *obstacle(const struct planning *p, const struct channel *channel, const char **ret_detail)
{
    (void)p;
    *ret_detail = NULL;
    if (channel->plugin->descriptor.deliver)
        return NULL;
    *ret_detail = "the channel only receives";
    return "unsupported_verb";
}

static void write_verdict(struct planning *p, const struct channel *channel, const struct parts *parts)
{
    const char *detail, *code = obstacle(p, channel, &detail);
    struct kanal_buffer words = { 0 };
    if (p->choice && p->choice->error && !parts->error) {
        write_error(p, p->choice->error, p->choice->scope, p->choice->detail);
    } else if (code) {
        write_error(p, code, "message", kanal_str_c(detail));
    } else if (parts->error) {
        parts_explain(parts, &words);
        write_error(p, parts->error, "message", kanal_buffer_view(&words));
    } else {
        kanal_json_member_bool(&p->json, "possible", 1);
        kanal_json_member_bool(&p->json, "chosen", p->choice ? p->is_router_chosen : !p->is_chosen);
        p->is_chosen = 1;
    }
    kanal_buffer_release(&words);
}

static void write_why(struct planning *p, const struct channel *channel, kanal_str why)
{
    kanal_json_key(&p->json, "why");
    kanal_json_array(&p->json);
    kanal_json_str(&p->json, why);
    if (channel && channel->state != CHANNEL_UP)
        kanal_json_str(&p->json, KANAL_LIT("the channel is not up now: the message would wait"));
    else if (channel && channel_is_paused(channel, CHANNEL_PAUSE_OUT))
        kanal_json_str(&p->json, KANAL_LIT("the channel is paused: the message would wait"));
    kanal_json_array_end(&p->json);
}

static void write_content(struct planning *p, const struct channel *channel)
{
    struct adapt_target target = outbound_target(channel);
    struct parts parts;
    parts_make(&parts, p->command, KANAL_LIT("message.send"), &target);
    write_verdict(p, channel, &parts);
    if (parts.variant >= 0)
        kanal_json_member_int(&p->json, "variant", parts.variant);
    kanal_json_key(&p->json, "parts");
    kanal_json_array(&p->json);
    for (uint32_t i = 1; i <= parts.count && !parts.adapted.error; i++)
        write_part(p, channel, &parts, i);
    kanal_json_array_end(&p->json);
    write_losses(p, &parts.adapted);
    parts_release(&parts);
}

/* channel: NULL: there is none of that id. step: of the route, or NULL. */
static void write_channel(struct planning *p, kanal_str id, const struct channel *channel, yyjson_val *step,
                          int64_t number, kanal_str why)
{
    if (p->count++ >= CHANNELS_MAX)
        return;
    kanal_json_object(&p->json);
    kanal_json_member_str(&p->json, "channel", id);
    if (channel)
        kanal_json_member_str(&p->json, "plugin", channel->source.plugin);
    if (step)
        kanal_json_member_int(&p->json, "step", number);
    if (kanal_json_at(step, "after"))
        kanal_json_member_str(&p->json, "after", kanal_json_text_at(step, "after"));
    if (p->address.len > 0)
        kanal_json_member_str(&p->json, "address", p->address);
    if (channel)
        write_content(p, channel);
    else
        write_error(p, "channel_unknown", "channel", KANAL_LIT("no channel of that id is configured"));
    write_why(p, channel, why);
    kanal_json_object_end(&p->json);
}

/* ---- Which channels ---- */

static void plan_steps(struct planning *p, yyjson_val *steps)
{
    size_t index, max;
    yyjson_val *step;
    yyjson_arr_foreach (steps, index, max, step) {
        kanal_str id = kanal_json_text_at(step, "channel");
        write_channel(p, id, host_find(p->api->host, id), step, (int64_t)index + 1,
                      KANAL_LIT("a step of the command's route"));
    }
}

static int is_of_address(const struct planning *p, const struct channel *channel)
{
    return kanal_str_is(address_scheme(p->address), channel->plugin->descriptor.id);
}

/* As `any` chooses: by the address; where none of them fits, every channel that can send. */
static void plan_candidates(struct planning *p)
{
    const struct channel *first = p->api->host->first_channel;
    uint32_t fitting = 0;
    for (const struct channel *channel = first; channel; channel = channel->next)
        fitting += is_of_address(p, channel) != 0;
    for (const struct channel *channel = first; channel; channel = channel->next)
        if (fitting > 0 ? is_of_address(p, channel) : channel->plugin->descriptor.deliver != NULL)
            write_channel(p, channel->id, channel, NULL, 0,
                          fitting == 1 ? KANAL_LIT("the one channel of this kind of address")
                          : fitting > 1
                              ? KANAL_LIT("one of several channels of this kind of address")
                              : KANAL_LIT("a channel that sends; name one in the command's subject"));
}

/* ---- The request ---- */

/* 1: it is wrong, and that was answered. */
static int refuses(const struct api_plan *api, struct api_request *request, yyjson_val *command)
{
    if (yyjson_is_obj(command))
        return !api_is_valid(request, *api->contract, "#/$defs/api.message-plan.request", command);
    api_refuse(request, 400, "invalid_request", KANAL_LIT("the request must be a command of at most 512 KiB"),
               (kanal_str){ 0 });
    return 1;
}

/* ---- A message to a customer ---- */

static void write_reasons(struct planning *p, const struct routing *routing,
                          const struct route_choice *choice)
{
    kanal_json_key(&p->json, "why");
    kanal_json_array(&p->json);
    for (size_t i = 0; i < choice->why_count; i++)
        kanal_json_str(&p->json, kanal_str_c(route_plan_why(&routing->plan, choice, i)));
    if (p->is_router_chosen && routing->plan.not_before_ms > 0)
        kanal_json_str(&p->json, KANAL_LIT("the customer's quiet hours: it would wait for their end"));
    kanal_json_array_end(&p->json);
}

static void write_window(struct planning *p, const struct route_place *place)
{
    if (place->window == ROUTE_WINDOW_UNKNOWN)
        return;
    kanal_json_key(&p->json, "window");
    kanal_json_object(&p->json);
    kanal_json_member_bool(&p->json, "open", place->window == ROUTE_WINDOW_OPEN);
    if (place->window_until_ms > 0)
        kanal_json_member_time(&p->json, "until", place->window_until_ms);
    kanal_json_object_end(&p->json);
}

/* The step that it came from has its words. */
static kanal_str after_of(const struct planning *p, const struct routing *routing,
                          const struct route_choice *choice)
{
    yyjson_val *steps = kanal_json_at(kanal_json_at(p->command, "route"), "steps");
    size_t before = routing->wish.prefer_count;
    return choice->after_ms < 0 || choice->step <= before
               ? (kanal_str){ 0 }
               : kanal_json_text_at(yyjson_arr_get(steps, choice->step - 1 - before), "after");
}

static void write_choice(struct planning *p, const struct routing *routing, size_t index)
{
    const struct route_choice *choice = &routing->plan.choices[index];
    const struct channel *channel = choice->place ? host_find(p->api->host, choice->channel) : NULL;
    p->choice = choice;
    p->is_router_chosen = (int)index == routing->plan.chosen;
    p->address = choice->place ? choice->place->address : (kanal_str){ 0 };
    kanal_json_object(&p->json);
    kanal_json_member_str(&p->json, "channel", choice->channel);
    if (channel)
        kanal_json_member_str(&p->json, "plugin", channel->source.plugin);
    if (choice->step > 0)
        kanal_json_member_int(&p->json, "step", choice->step);
    kanal_json_member_nonempty(&p->json, "after", after_of(p, routing, choice));
    kanal_json_member_nonempty(&p->json, "address", p->address);
    if (choice->place)
        write_window(p, choice->place);
    if (channel)
        write_content(p, channel);
    else
        write_error(p, choice->error ? choice->error : "channel_unknown",
                    choice->error ? choice->scope : "channel", choice->detail);
    write_reasons(p, routing, choice);
    kanal_json_object_end(&p->json);
}

static void planning_free(struct planning *p)
{
    kanal_buffer_release(&p->out);
    kanal_buffer_release(&p->address_text);
    yyjson_doc_free(p->document);
    free(p);
}

static void begin_answer(struct planning *p)
{
    kanal_json_init(&p->json, &p->out);
    kanal_json_object(&p->json);
    kanal_json_key(&p->json, "channels");
    kanal_json_array(&p->json);
}

static void end_answer(struct planning *p)
{
    kanal_json_array_end(&p->json);
    kanal_json_object_end(&p->json);
    if (p->out.failed)
        api_refuse(p->request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    else if (p->out.len + 1024 > broker_max_payload(p->api->host->broker))
        api_refuse(p->request, 400, "payload_too_large",
                   KANAL_LIT("the plan is larger than the broker takes: name fewer channels in route.steps"),
                   (kanal_str){ 0 });
    else
        api_answer(p->request, kanal_buffer_view(&p->out));
}

static void on_routed(void *user, kanal_status status, struct routing *routing)
{
    struct planning *p = user;
    if (status != KANAL_OK) {
        api_unavailable(p->request, status);
    } else if (!routing->is_known) {
        struct command command = { .root = p->command };
        routing_refusal(routing, &command);
        api_refuse(p->request, 404, command.report.code, command.report.detail, (kanal_str){ 0 });
        kanal_buffer_release(&command.detail);
    } else {
        begin_answer(p);
        for (size_t i = 0; i < routing->plan.count && i < CHANNELS_MAX; i++)
            write_choice(p, routing, i);
        end_answer(p);
    }
    routing_free(routing);
    planning_free(p);
}

static void plan_customer(struct planning *p)
{
    struct routing_question question = { .command = p->command, .past = { .from = 1 } };
    if (kanal_json_at(kanal_json_at(p->command, "to"), "conversation")) {
        api_refuse(p->request, 404, "conversation_unknown", KANAL_LIT("no such conversation is known"),
                   (kanal_str){ 0 });
        planning_free(p);
        return;
    }
    routing_ask(p->api->outbound, &question, on_routed, p);
}

static void plan_address(struct planning *p)
{
    yyjson_val *steps = kanal_json_at(kanal_json_at(p->command, "route"), "steps");
    kanal_str address = kanal_json_text_at(kanal_json_at(p->command, "to"), "address");
    if (address_normalise(address, &p->address_text) == 0)
        p->address = kanal_buffer_view(&p->address_text);
    begin_answer(p);
    if (yyjson_is_arr(steps))
        plan_steps(p, steps);
    else
        plan_candidates(p);
    end_answer(p);
    planning_free(p);
}

static void plan(void *user, struct api_request *request, kanal_str body)
{
    struct planning *p = calloc(1, sizeof *p);
    if (!p) {
        api_refuse(request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
        return;
    }
    p->api = user;
    p->request = request;
    p->document = body.len <= BODY_MAX ? kanal_json_parse(body) : NULL;
    p->command = yyjson_doc_get_root(p->document);
    yyjson_val *to = kanal_json_at(p->command, "to");
    if (refuses(p->api, request, p->command))
        planning_free(p);
    else if (kanal_json_at(to, "customer") || kanal_json_at(to, "conversation"))
        plan_customer(p);
    else
        plan_address(p);
}
