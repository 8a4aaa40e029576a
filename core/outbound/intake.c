/* Intake: from the stream of commands into the lanes, or to the dead letters. */
#include "event/address.h"
#include "outbound/internal.h"

#define MOVE_TIMEOUT_MS 5000u
#define COMMAND_BYTES_MAX (512u * 1024)
#define RETRY_MS 1000u
#define VIOLATIONS_SHOWN 5u
#define SPARE_MAX 256u

/* One command on its way through. */
struct intake {
    struct outbound *outbound;
    struct intake *prev, *next;
    struct js_token token;
    struct kanal_buffer subject, payload, address; /* copies: the broker's are borrowed */
    yyjson_doc *document;
    yyjson_val *command;
    kanal_str verb, channel_token; /* of the subject */
    struct channel *channel;       /* NULL: none */
    struct report report;
    struct kanal_buffer detail, lane_subject, message_id;
    size_t waiting; /* stores under way */
    kanal_status status;
    uv_timer_t *retry;
};

static void attempt(struct intake *in);

/* A used one with its memory, if there is one. */
static struct intake *intake_new(struct outbound *o)
{
    struct intake *in = o->spare_intakes;
    if (!in)
        in = calloc(1, sizeof *in);
    else
        o->spare_intakes = in->next;
    if (!in)
        return NULL;
    o->spare_intake_count -= o->spare_intake_count > 0;
    *in = (struct intake){ .outbound = o,
                           .subject = in->subject,
                           .payload = in->payload,
                           .address = in->address,
                           .detail = in->detail,
                           .lane_subject = in->lane_subject,
                           .message_id = in->message_id };
    in->next = o->intakes;
    if (in->next)
        in->next->prev = in;
    o->intakes = in;
    o->intake_pending++;
    return in;
}

static void release(struct intake *in)
{
    kanal_buffer_release(&in->subject);
    kanal_buffer_release(&in->payload);
    kanal_buffer_release(&in->address);
    kanal_buffer_release(&in->detail);
    kanal_buffer_release(&in->lane_subject);
    kanal_buffer_release(&in->message_id);
    free(in);
}

static void intake_free(struct intake *in)
{
    struct outbound *o = in->outbound;
    o->intake_pending--;
    if (in->prev)
        in->prev->next = in->next;
    else
        o->intakes = in->next;
    if (in->next)
        in->next->prev = in->prev;
    yyjson_doc_free(in->document);
    if (o->spare_intake_count >= SPARE_MAX) {
        release(in);
        return;
    }
    outbound_buffer_clear(&in->subject);
    outbound_buffer_clear(&in->payload);
    outbound_buffer_clear(&in->address);
    outbound_buffer_clear(&in->detail);
    outbound_buffer_clear(&in->lane_subject);
    outbound_buffer_clear(&in->message_id);
    in->next = o->spare_intakes;
    o->spare_intakes = in;
    o->spare_intake_count++;
}

static void on_retry_closed(uv_handle_t *handle)
{
    free(handle);
}

void intake_free_all(struct outbound *o)
{
    for (struct intake *in = o->intakes, *next; in; in = next) {
        next = in->next;
        if (in->retry)
            uv_close((uv_handle_t *)in->retry, on_retry_closed);
        intake_free(in);
    }
    for (struct intake *in = o->spare_intakes, *next; in; in = next) {
        next = in->next;
        release(in);
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct intake *in = timer->data;
    uv_close((uv_handle_t *)timer, on_retry_closed);
    in->retry = NULL;
    attempt(in);
}

static void attempt_later(struct intake *in)
{
    struct outbound *o = in->outbound;
    in->retry = o->draining ? NULL : malloc(sizeof *in->retry);
    if (!in->retry) { /* the broker gives it again */
        js_settle(o->intake, &in->token, JS_NAK);
        intake_free(in);
        return;
    }
    uv_timer_init(o->host->loop, in->retry);
    in->retry->data = in;
    uv_timer_start(in->retry, on_retry, RETRY_MS, 0);
}

static void on_stored(void *user, kanal_status status)
{
    struct intake *in = user;
    if (status != KANAL_OK)
        in->status = status;
    if (--in->waiting > 0)
        return;
    int hopeless =
        in->status == KANAL_E_INVALID || in->status == KANAL_E_DENIED || in->status == KANAL_E_TOO_LARGE;
    if (in->status != KANAL_OK && !hopeless) {
        attempt_later(in);
        return;
    }
    js_settle(in->outbound->intake, &in->token, JS_ACK);
    intake_free(in);
}

static void on_moved(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    (void)ack;
    (void)reason;
    on_stored(user, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
}

/* Who speaks in the event of a command that reached no channel. */
static struct envelope_source source_of(const struct intake *in)
{
    struct envelope_source nobody = { .channel = KANAL_LIT("_"), .plugin = KANAL_LIT("kanal") };
    return in->channel ? in->channel->source : nobody;
}

static void refuse(struct intake *in)
{
    struct envelope_source source = source_of(in);
    struct dead_letter dead = { .channel = in->channel ? in->channel->id : (kanal_str){ 0 },
                                .subject = kanal_buffer_view(&in->subject),
                                .verb = in->verb,
                                .payload = kanal_buffer_view(&in->payload),
                                .command = yyjson_is_obj(in->command) ? in->command : NULL,
                                .report = &in->report };
    in->waiting++;
    report_dead(in->outbound, &dead, on_stored, in);
    if (in->report.command_id.len == 0)
        return;
    in->waiting++;
    in->report.type = "message.failed";
    report_event(in->outbound, &source, &in->report, on_stored, in);
}

static void move(struct intake *in)
{
    struct outbound *o = in->outbound;
    char shard[8];
    snprintf(shard, sizeof shard, "%u", lane_shard(in->channel->id));
    kanal_buffer_clear(&in->lane_subject);
    kanal_buffer_text(&in->lane_subject, o->prefix);
    kanal_buffer_text(&in->lane_subject, ".lanes.");
    kanal_buffer_text(&in->lane_subject, shard);
    kanal_buffer_byte(&in->lane_subject, '.');
    kanal_buffer_str(&in->lane_subject, in->channel->id);
    kanal_buffer_byte(&in->lane_subject, '.');
    kanal_buffer_str(&in->lane_subject, in->verb);
    /* The consumer's id makes a repeated command the same message: it is stored once. */
    kanal_buffer_clear(&in->message_id);
    kanal_buffer_str(&in->message_id, in->channel->id);
    kanal_buffer_byte(&in->message_id, '.');
    kanal_buffer_str(&in->message_id, in->verb);
    kanal_buffer_byte(&in->message_id, '.');
    kanal_buffer_str(&in->message_id, in->report.command_id);
    struct broker_out out = { .subject = kanal_buffer_view(&in->lane_subject),
                              .payload = kanal_buffer_view(&in->payload) };
    /* Published first on the one connection, so it stands in the stream before anything the lane says of the command. */
    if (kanal_str_is(in->verb, "message.send")) {
        in->waiting++;
        in->report.type = "message.accepted";
        in->report.command = in->command;
        report_event(o, &in->channel->source, &in->report, on_stored, in);
    }
    in->waiting++;
    js_publish(o->broker, &out, kanal_buffer_view(&in->message_id), JS_ANY_SEQUENCE, MOVE_TIMEOUT_MS,
               on_moved, in);
}

static void attempt(struct intake *in)
{
    in->status = KANAL_OK;
    in->waiting = 1; /* without memory a store may end at once: the command must outlive this */
    if (in->report.code)
        refuse(in);
    else
        move(in);
    on_stored(in, KANAL_OK);
}

/* ---- Checking ---- */

static void fail(struct intake *in, const char *code, int scope, kanal_str detail)
{
    in->report.code = code;
    in->report.scope = scope;
    if (in->detail.len == 0)
        kanal_buffer_str(&in->detail, detail);
    in->report.detail = kanal_buffer_view(&in->detail);
    kanal_str values[] = { in->channel ? in->channel->id : KANAL_LIT("_"), kanal_str_c(code) };
    metric_series(in->outbound->commands, values)->value++;
}

/* "<prefix>.commands.<channel>.<object>.<verb>": the two last tokens are the verb. */
static int read_subject(struct intake *in)
{
    kanal_str subject = kanal_buffer_view(&in->subject);
    kanal_str rest = kanal_str_from(subject, strlen(in->outbound->prefix) + strlen(".commands."));
    const char *dot = memchr(rest.ptr, '.', rest.len);
    if (!dot)
        return -1;
    in->channel_token = kanal_str_of(rest.ptr, (size_t)(dot - rest.ptr));
    in->verb = kanal_str_from(rest, in->channel_token.len + 1);
    size_t dots = 0;
    for (size_t i = 0; i < in->verb.len; i++)
        dots += in->verb.ptr[i] == '.';
    return dots == 1 && in->verb.len <= 64 ? 0 : -1;
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
static int check_schema(struct intake *in)
{
    char definition[96];
    struct violations v = { .out = &in->detail };
    snprintf(definition, sizeof definition, "#/$defs/command.%.*s", (int)in->verb.len, in->verb.ptr);
    size_t wrong = json_schema_check_at(in->outbound->contract, definition, in->command, on_violation, &v);
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

static void find_channel(struct intake *in, yyjson_val *to)
{
    size_t count = 0;
    if (!kanal_str_is(in->channel_token, "any")) {
        in->channel = host_find(in->outbound->host, in->channel_token);
        if (!in->channel)
            fail(in, "channel_unknown", KANAL_SCOPE_CHANNEL,
                 KANAL_LIT("no channel of that id is configured; the admin listener's /channels lists them"));
        return;
    }
    kanal_str address = kanal_json_text_at(to, "address");
    struct channel *channel = channel_for_address(in->outbound, address, &count);
    if (count == 1)
        in->channel = channel;
    else
        fail(in, "channel_unknown", KANAL_SCOPE_CHANNEL,
             count == 0 ? KANAL_LIT("no channel serves this kind of address: name a channel in the subject")
                        : KANAL_LIT("several channels serve this kind of address: name one in the subject"));
}

static void find_recipient(struct intake *in, yyjson_val *to)
{
    kanal_str address = kanal_json_text_at(to, "address");
    in->report.chat = kanal_json_text_at(to, "chat");
    if (address.len > 0 && address_normalise(address, &in->address) != 0)
        fail(in, "recipient_unknown", KANAL_SCOPE_RECIPIENT,
             KANAL_LIT("to.address is no valid address: a URI with percent-encoded parts is expected, like "
                       "telegram:3527065"));
    else if (address.len == 0 && in->report.chat.len == 0)
        fail(in, "customer_unknown", KANAL_SCOPE_RECIPIENT,
             KANAL_LIT("to.customer and to.conversation need the identity service, which this gateway does "
                       "not run; use to.address or to.chat"));
    in->report.address = kanal_buffer_view(&in->address);
}

static void check_fits(struct intake *in)
{
    const kanal_plugin *plugin = &in->channel->plugin->descriptor;
    if ((verb_cap(in->verb) & plugin->caps) == 0 || !plugin->deliver) {
        fail(in, "unsupported_verb", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the channel cannot do this; `kanal plugins` shows what each can"));
        return;
    }
    struct adapt_target target = outbound_target(in->channel);
    struct parts parts;
    parts_make(&parts, in->command, in->verb, &target);
    if (parts.error) {
        parts_explain(&parts, &in->detail);
        fail(in, parts.error, KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
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

static void check(struct intake *in)
{
    in->document =
        in->payload.len <= COMMAND_BYTES_MAX ? kanal_json_parse(kanal_buffer_view(&in->payload)) : NULL;
    in->command = yyjson_doc_get_root(in->document);
    in->report.command_id = kanal_json_text_at(in->command, "id");
    if (!command_id_valid(in->report.command_id))
        in->report.command_id.len = 0;
    in->report.agent = kanal_json_at(in->command, "agent");
    in->report.reference = kanal_json_text_at(in->command, "reference");
    if (read_subject(in) != 0) {
        fail(in, "unsupported_verb", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the subject must be PREFIX.commands.CHANNEL.OBJECT.VERB"));
    } else if (!in->document) {
        fail(in, "invalid_command", KANAL_SCOPE_MESSAGE,
             KANAL_LIT("the command is no JSON, nested over 64 levels, or over 512 KiB"));
    } else {
        int wrong = check_schema(in);
        if (wrong < 0)
            fail(in, "unsupported_verb", KANAL_SCOPE_MESSAGE, KANAL_LIT("there is no command of that name"));
        else if (wrong > 0)
            fail(in, "invalid_command", KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
    }
    yyjson_val *to = kanal_json_at(in->command, "to");
    if (!in->report.code)
        find_channel(in, to);
    if (!in->report.code)
        find_recipient(in, to);
    if (!in->report.code)
        check_fits(in);
}

static void on_command(void *user, const struct js_delivered *delivered)
{
    struct outbound *o = user;
    struct intake *in = intake_new(o);
    if (!in) {
        js_settle(o->intake, &delivered->token, JS_NAK);
        return;
    }
    in->token = delivered->token;
    kanal_buffer_str(&in->subject, delivered->subject);
    kanal_buffer_str(&in->payload, delivered->payload);
    check(in);
    if (!in->report.code) {
        kanal_str values[] = { in->channel->id, KANAL_LIT("accepted") };
        metric_series(o->commands, values)->value++;
    }
    attempt(in);
}

static void on_error(void *user, kanal_str reason)
{
    struct outbound *o = user;
    log_write(o->host->log, KANAL_LOG_WARN, "intake", NULL, "commands cannot be read: %.*s (tried again)",
              (int)reason.len, reason.ptr);
}

static void on_consumer(void *user, kanal_status status, kanal_str reason)
{
    struct outbound *o = user;
    if (status != KANAL_OK)
        log_write(o->host->log, KANAL_LOG_ERROR, "intake", NULL,
                  "the consumer of commands cannot be made: %.*s (status %d; tried again)", (int)reason.len,
                  reason.ptr ? reason.ptr : "", status);
    o->intake_unmade = status != KANAL_OK;
    struct js_pull_options options = {
        .stream = o->commands_stream, .durable = "intake", .batch = 256, .window = 1024
    };
    if (!o->intake && !o->draining)
        js_pull_start(o->broker, &options, on_command, on_error, o, &o->intake);
}

void intake_start(struct outbound *o)
{
    o->intake_unmade = 0; /* until the answer */
    struct js_consumer consumer = {
        .stream = o->commands_stream, .durable = "intake", .ack_wait_ms = 30000, .max_ack_pending = 4096
    };
    js_consumer_ensure(o->broker, &consumer, 0, on_consumer, o);
}
