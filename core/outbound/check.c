/* What a command says, held against the contract, the channel that it is for, and its recipient. */
#include "event/address.h"
#include "outbound/routing.h"

#define COMMAND_BYTES_MAX (512u * 1024)
#define VIOLATIONS_SHOWN 5u

static void fail(struct command *c, const char *code, int scope, kanal_str detail)
{
    c->report.code = code;
    c->report.scope = scope;
    if (c->detail.len == 0)
        kanal_buffer_str(&c->detail, detail);
    c->report.detail = kanal_buffer_view(&c->detail);
}

/* "<prefix>.commands.<channel>.<object>.<verb>": the two last tokens are the verb. */
static int read_subject(const struct outbound *o, kanal_str subject, kanal_str *ret_channel,
                        kanal_str *ret_verb)
{
    kanal_str rest = kanal_str_from(subject, strlen(o->prefix) + strlen(".commands."));
    const char *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
    if (!dot)
        return -1;
    *ret_channel = kanal_str_of(rest.ptr, (size_t)(dot - rest.ptr));
    *ret_verb = kanal_str_from(rest, ret_channel->len + 1);
    size_t dots = 0;
    for (size_t i = 0; i < ret_verb->len; i++)
        dots += ret_verb->ptr[i] == '.';
    return dots == 1 && ret_verb->len <= 64 ? 0 : -1;
}

struct violations {
    struct kanal_buffer *out;
    size_t count;
};

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct violations *v = user;
    if (v->count++ >= VIOLATIONS_SHOWN)
        return;
    if (v->count > 1)
        kanal_buffer_text(v->out, "; ");
    kanal_buffer_str(v->out, pointer.len > 0 ? pointer : KANAL_LIT("(the command)"));
    if (member.len > 0) {
        kanal_buffer_byte(v->out, '/');
        kanal_buffer_str(v->out, member);
    }
    kanal_buffer_text(v->out, ": ");
    kanal_buffer_str(v->out, message);
}

/* Breaks the contract? Says every place. */
static int check_schema(const struct outbound *o, struct command *c)
{
    char definition[96];
    struct violations v = { .out = &c->detail };
    snprintf(definition, sizeof definition, "#/$defs/command.%.*s", (int)c->verb.len, c->verb.ptr);
    size_t wrong = json_schema_check_at(o->contract, definition, c->root, on_violation, &v);
    if (wrong == SIZE_MAX)
        return -1;
    return (int)wrong;
}

static kanal_caps verb_cap(kanal_str verb)
{
    return kanal_str_is(verb, "message.edit")     ? KANAL_CAP_EDIT
           : kanal_str_is(verb, "message.delete") ? KANAL_CAP_DELETE
           : kanal_str_is(verb, "message.react")  ? KANAL_CAP_REACT
           : kanal_str_is(verb, "message.read")   ? KANAL_CAP_READ
           : kanal_str_is(verb, "typing.start")   ? KANAL_CAP_TYPING
           : kanal_str_is(verb, "call.start")     ? KANAL_CAP_CALL
           : kanal_str_is(verb, "message.send")   ? ~(kanal_caps)0
                                                  : 0;
}

/* Of `any`: the channel whose plugin's addresses these are, if there is exactly one. */
static struct channel *channel_for_address(const struct outbound *o, kanal_str address, size_t *ret_count)
{
    struct channel *found = NULL;
    *ret_count = 0;
    for (struct channel *channel = o->host->first_channel; channel; channel = channel->next)
        if (kanal_str_is(address_scheme(address), channel->plugin->descriptor.id)) {
            found = channel;
            ++*ret_count;
        }
    return found;
}

static void find_channel(const struct outbound *o, struct command *c, kanal_str token, yyjson_val *to)
{
    size_t count = 0;
    if (!kanal_str_is(token, "any")) {
        c->channel = host_find(o->host, token);
        if (!c->channel)
            fail(c, "channel_unknown", KANAL_SCOPE_CHANNEL,
                 KANAL_LIT("no channel of that id is configured; the admin listener's /channels lists them"));
        return;
    }
    kanal_str address = kanal_json_text_at(to, "address");
    struct channel *channel = channel_for_address(o, address, &count);
    if (count == 1)
        c->channel = channel;
    else
        fail(c, "channel_unknown", KANAL_SCOPE_CHANNEL,
             count == 0 ? KANAL_LIT("no channel serves this kind of address: name a channel in the subject")
                        : KANAL_LIT("several channels serve this kind of address: name one in the subject"));
}

static void find_recipient(struct command *c, yyjson_val *to)
{
    kanal_str address = kanal_json_text_at(to, "address");
    c->report.chat = kanal_json_text_at(to, "chat");
    if (kanal_json_at(to, "customer") || kanal_json_at(to, "conversation")) {
        fail(c, "unsupported_verb", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("only message.send finds a customer's channel by itself: use to.address or to.chat"));
        return;
    }
    if (address.len > 0 && address_normalise(address, &c->address) != 0)
        fail(c, "recipient_unknown", KANAL_SCOPE_RECIPIENT,
             KANAL_LIT("to.address is no valid address: a URI with percent-encoded parts is expected, like "
                       "telegram:3527065"));
    else if (address.len == 0 && c->report.chat.len == 0)
        fail(c, "recipient_unknown", KANAL_SCOPE_RECIPIENT, KANAL_LIT("`to` names nobody"));
    c->report.address = kanal_buffer_view(&c->address);
}

/* ---- Commands that find their channel by themselves ---- */

/* The channels that the route names are there, and are the subject's if that names one: a right to publish under a channel's own subject is no
 * right to write on others. */
static void check_named(const struct outbound *o, struct command *c, kanal_str channel)
{
    if (kanal_str_is(channel, "last") || kanal_str_is(channel, "preferred") || c->report.code)
        return;
    if (!host_find(o->host, channel)) {
        kanal_buffer_text(&c->detail, "the route names a channel that is not configured: ");
        kanal_buffer_str(&c->detail, channel);
        fail(c, "channel_unknown", KANAL_SCOPE_CHANNEL, (kanal_str){ 0 });
    } else if (c->only.len > 0 && !kanal_str_equal(c->only, channel)) {
        fail(c, "denied", KANAL_SCOPE_MESSAGE,
             KANAL_LIT(
                 "a command under a channel's own subject stays on that channel: publish one with a route to "
                 "PREFIX.commands.any.message.send"));
    }
}

static void check_route(const struct outbound *o, struct command *c, kanal_str token, yyjson_val *to)
{
    yyjson_val *route = kanal_json_at(c->root, "route"), *value;
    yyjson_val *steps = kanal_json_at(route, "steps"), *prefer = kanal_json_at(route, "prefer");
    kanal_str address = kanal_json_text_at(to, "address");
    size_t index, max;
    c->is_routed = 1;
    if (!kanal_str_is(token, "any")) {
        c->channel = host_find(o->host, token);
        c->only = token;
        check_named(o, c, token);
    }
    if (yyjson_is_arr(steps))
        yyjson_arr_foreach (steps, index, max, value)
            check_named(o, c, kanal_json_text_at(value, "channel"));
    if (yyjson_is_arr(prefer))
        yyjson_arr_foreach (prefer, index, max, value)
            check_named(o, c, kanal_json_text(value));
    if (kanal_json_at(to, "conversation"))
        fail(c, "conversation_unknown", KANAL_SCOPE_RECIPIENT,
             KANAL_LIT("no such conversation is known; use to.customer or to.address"));
    else if (address.len > 0 && !c->report.code)
        find_recipient(c, to);
}

static void check_fits(struct command *c)
{
    const kanal_plugin *plugin = &c->channel->plugin->descriptor;
    if ((verb_cap(c->verb) & plugin->caps) == 0 || !plugin->deliver) {
        fail(c, "unsupported_verb", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the channel cannot do this; `kanal plugins` shows what each can"));
        return;
    }
    struct adapt_target target = outbound_target(c->channel);
    struct parts parts;
    parts_make(&parts, c->root, c->verb, &target);
    if (parts.error) {
        parts_explain(&parts, &c->detail);
        fail(c, parts.error, KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
    }
    parts_release(&parts);
}

/* As the contract says; an id of another form cannot be named in an event. */
static int command_id_valid(kanal_str id)
{
    static const char others[] = "._:=@-";
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || c == 0 || !strchr(others, c)))
            return 0;
    }
    return id.len > 0 && id.len <= 128;
}

enum lane_class command_class(yyjson_val *root)
{
    return kanal_str_is(kanal_json_text_at(root, "class"), "bulk") ? LANE_BULK : LANE_LIVE;
}

static void check_form(const struct outbound *o, struct command *c)
{
    if (!c->document) {
        fail(c, "invalid_command", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the command is no JSON, nested over 64 levels, or over 512 KiB"));
        return;
    }
    int wrong = check_schema(o, c);
    if (wrong < 0)
        fail(c, "unsupported_verb", KANAL_SCOPE_MESSAGE, KANAL_LIT("there is no command of that name"));
    else if (wrong > 0)
        fail(c, "invalid_command", KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
}

/* Calls back another command: what it is for, and for whom, that one says. */
static int is_cancel(const struct command *c)
{
    return kanal_str_is(c->verb, "message.cancel");
}

/* The channel that the link leads to, which the subject names, too, or leaves open. */
static void examine_link(const struct outbound *o, struct command *c, kanal_str token)
{
    kanal_str channel = kanal_json_text_at(c->root, "channel");
    if (!o->make_link)
        fail(c, "unsupported_verb", KANAL_SCOPE_MESSAGE, KANAL_LIT("this gateway makes no links"));
    else if (!kanal_str_is(token, "any") && !kanal_str_equal(token, channel))
        fail(c, "invalid_command", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("channel: another one than the subject's; the link leads to one"));
    else
        find_channel(o, c, channel, NULL);
}

void command_examine(struct outbound *o, struct command *c)
{
    kanal_str token = { 0 };
    c->document = c->payload.len <= COMMAND_BYTES_MAX ? kanal_json_parse(c->payload) : NULL;
    c->root = yyjson_doc_get_root(c->document);
    c->report.command_id = kanal_json_text_at(c->root, "id");
    if (!command_id_valid(c->report.command_id))
        c->report.command_id.len = 0;
    c->report.agent = kanal_json_at(c->root, "agent");
    c->report.reference = kanal_json_text_at(c->root, "reference");
    c->report.traceparent = kanal_json_text_at(c->root, "traceparent");
    if (read_subject(o, c->subject, &token, &c->verb) != 0)
        fail(c, "unsupported_verb", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the subject must be PREFIX.commands.CHANNEL.OBJECT.VERB"));
    else
        check_form(o, c);
    if (c->report.code || is_cancel(c))
        return;
    if (kanal_str_is(c->verb, "link.create")) {
        examine_link(o, c, token);
        return;
    }
    yyjson_val *to = kanal_json_at(c->root, "to");
    if (kanal_str_is(c->verb, "message.send") && routing_concerns(c->root, token)) {
        check_route(o, c, token, to);
        return;
    }
    find_channel(o, c, token, to);
    if (!c->report.code)
        find_recipient(c, to);
    if (!c->report.code)
        check_fits(c);
}
