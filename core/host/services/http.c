/* Outgoing requests: granted hosts only, secrets only through their slots. */
#include "http/client.h"

#include "host/exchange.h"
#include "host/host.h"
#include "host/services/egress.h"
#include "host/services/services.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"

#define HEADERS_MAX 48u
#define SECRETS_MAX 8u
#define PARTS_MAX 32u
#define RESPONSE_DEFAULT (1024u * 1024)
#define RESPONSE_MAX (16u * 1024 * 1024)
#define TIMEOUT_DEFAULT_MS 30000u
#define TIMEOUT_MAX_MS 120000u
#define SOURCE_BYTES_MAX (64u * 1024 * 1024)

struct http_draft {      /* behind outgoing.out */
    struct http_out out; /* first */
    struct kanal_buffer url, body;
    struct kanal_buffer values[SECRETS_MAX]; /* header values that hold secrets */
    kanal_field headers[HEADERS_MAX + SECRETS_MAX];
    struct http_out_part parts[PARTS_MAX];
    struct channel *channel;
    void *gate; /* what its URL is granted */
};

static int refuse(char reason[256], kanal_status status, const char *text)
{
    snprintf(reason, 256, "%s", text);
    return status;
}

void outgoing_release(struct outgoing *outgoing)
{
    struct http_draft *draft = (struct http_draft *)outgoing->out;
    if (!draft)
        return;
    struct kanal_buffer *buffers[] = { &draft->url, &draft->body };
    for (size_t i = 0; i < SECRETS_MAX + 2; i++) {
        struct kanal_buffer *b = i < 2 ? buffers[i] : &draft->values[i - 2];
        if (b->data)
            explicit_bzero(b->data, b->capacity);
        kanal_buffer_release(b);
    }
    free(draft);
    outgoing->out = NULL;
}

static int header_valid(kanal_field header)
{
    if (header.name.len == 0 || header.name.len > 128 || header.value.len > 8192)
        return 0;
    for (size_t i = 0; i < header.name.len; i++)
        if (header.name.ptr[i] <= ' ' || header.name.ptr[i] == ':' || header.name.ptr[i] == 0x7f)
            return 0;
    for (size_t i = 0; i < header.value.len; i++)
        if ((unsigned char)header.value.ptr[i] < ' ' && header.value.ptr[i] != '\t')
            return 0; /* a line break would begin a header of the customer's own */
    return 1;
}

static void add_header(struct http_draft *draft, kanal_str name, kanal_str value)
{
    draft->headers[draft->out.header_count++] = (kanal_field){ name, value };
}

static void insert(struct kanal_buffer *b, size_t at, kanal_str text)
{
    kanal_buffer_str(b, text);
    if (b->failed || text.len == 0)
        return;
    memmove(b->data + at + text.len, b->data + at, b->len - text.len - at);
    memcpy(b->data + at, text.ptr, text.len);
}

/* Adds "name":"secret" as the last member of the JSON object that is the body. */
static int add_json_secret(struct http_draft *draft, kanal_str name, kanal_str prefix, kanal_str secret)
{
    struct kanal_buffer *b = &draft->body;
    size_t end = b->len, start = 0;
    while (end > 0 && strchr(" \t\r\n", b->data[end - 1]))
        end--;
    while (start < end && strchr(" \t\r\n", b->data[start]))
        start++;
    if (end - start < 2 || b->data[start] != '{' || b->data[end - 1] != '}')
        return -1;
    struct kanal_buffer member = { 0 }, value = { 0 };
    struct kanal_json json;
    size_t inside = start + 1;
    while (strchr(" \t\r\n", b->data[inside]))
        inside++;
    b->len = end - 1;
    if (b->data[inside] != '}' || inside < b->len)
        kanal_buffer_byte(b, ',');
    kanal_buffer_str(&value, prefix);
    kanal_buffer_str(&value, secret);
    kanal_json_init(&json, &member);
    kanal_json_str(&json, name);
    kanal_buffer_byte(&member, ':');
    kanal_json_init(&json, &member);
    kanal_json_str(&json, kanal_buffer_view(&value));
    kanal_buffer_str(b, kanal_buffer_view(&member));
    kanal_buffer_byte(b, '}');
    explicit_bzero(member.data, member.capacity);
    explicit_bzero(value.data, value.capacity);
    kanal_buffer_release(&member);
    kanal_buffer_release(&value);
    return 0;
}

static void add_query(struct kanal_buffer *url, kanal_str name, kanal_str prefix, kanal_str secret)
{
    kanal_buffer_byte(url, memchr(url->data, '?', url->len) ? '&' : '?');
    kanal_url_encode(url, name);
    kanal_buffer_byte(url, '=');
    kanal_url_encode(url, prefix);
    kanal_url_encode(url, secret);
}

static void add_form(struct http_draft *draft, kanal_str name, kanal_str prefix, kanal_str secret,
                     struct kanal_buffer *value)
{
    kanal_buffer_str(value, prefix);
    kanal_buffer_str(value, secret);
    if (draft->out.part_count > 0) {
        draft->parts[draft->out.part_count++] =
            (struct http_out_part){ .name = name, .data = kanal_buffer_view(value) };
        return;
    }
    if (draft->body.len > 0)
        kanal_buffer_byte(&draft->body, '&');
    kanal_url_encode(&draft->body, name);
    kanal_buffer_byte(&draft->body, '=');
    kanal_url_encode(&draft->body, kanal_buffer_view(value));
}

static void add_path(struct kanal_buffer *url, size_t position, kanal_str prefix, kanal_str secret)
{
    struct kanal_buffer segment = { 0 };
    kanal_buffer_byte(&segment, '/');
    kanal_str parts[] = { prefix, secret };
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p].len; i++) {
            /* ':' is allowed in a segment (RFC 3986, 3.3) and some providers do not decode it. */
            if (parts[p].ptr[i] == ':')
                kanal_buffer_byte(&segment, ':');
            else
                kanal_url_encode(&segment, kanal_str_of(parts[p].ptr + i, 1));
        }
    insert(url, position, kanal_buffer_view(&segment));
    explicit_bzero(segment.data, segment.capacity);
    kanal_buffer_release(&segment);
}

/* Within the path: before it the inserted '/' would end the host early, and the request with the secret go to another than was granted. */
static int position_valid(kanal_str text, size_t position)
{
    struct kanal_url url;
    if (kanal_url_parse(text, &url) != 0)
        return 0;
    size_t authority = 0, slashes = 0, end = 0;
    for (; authority < text.len && (slashes < 2 || !strchr("/?", text.ptr[authority])); authority++)
        slashes += text.ptr[authority] == '/';
    for (end = authority; end < text.len && text.ptr[end] != '?'; end++)
        ;
    return position >= authority && position <= end;
}

static int add_secret(struct http_draft *draft, const kanal_secret_use *use, struct kanal_buffer *value,
                      char reason[256])
{
    kanal_str secret = channel_secret(draft->channel, use->secret);
    if (secret.len == 0) {
        snprintf(reason, 256, "the secret '%.*s' is not configured",
                 (int)(use->secret.len < 64 ? use->secret.len : 64), use->secret.ptr);
        return KANAL_E_NOT_FOUND;
    }
    switch (use->where) {
    case KANAL_IN_HEADER:
        kanal_buffer_str(value, use->prefix);
        kanal_buffer_str(value, secret);
        /* Name and prefix are the plugin's, and perhaps of a customer's making. */
        if (!header_valid((kanal_field){ use->name, kanal_buffer_view(value) }))
            return refuse(reason, KANAL_E_INVALID,
                          "a secret's header has a character that may not stand there");
        add_header(draft, use->name, kanal_buffer_view(value));
        break;
    case KANAL_IN_BASIC: {
        struct kanal_buffer pair = { 0 };
        kanal_buffer_str(&pair, use->name);
        kanal_buffer_byte(&pair, ':');
        kanal_buffer_str(&pair, secret);
        kanal_buffer_text(value, "Basic ");
        kanal_base64_encode(value, kanal_buffer_view(&pair), 0);
        explicit_bzero(pair.data, pair.capacity);
        kanal_buffer_release(&pair);
        add_header(draft, KANAL_LIT("authorization"), kanal_buffer_view(value));
        break;
    }
    case KANAL_IN_QUERY:
        add_query(&draft->url, use->name, use->prefix, secret);
        break;
    case KANAL_IN_FORM:
        add_form(draft, use->name, use->prefix, secret, value);
        break;
    case KANAL_IN_JSON:
        if (add_json_secret(draft, use->name, use->prefix, secret) != 0)
            return refuse(reason, KANAL_E_INVALID,
                          "a secret goes into the JSON body, but the body is no JSON object");
        break;
    case KANAL_IN_PATH:
        add_path(&draft->url, use->position, use->prefix, secret);
        break;
    default:
        return refuse(reason, KANAL_E_INVALID, "unknown place of a secret");
    }
    if (value->failed || draft->url.failed || draft->body.failed)
        return refuse(reason, KANAL_E_INTERNAL, "out of memory");
    return 0;
}

/* The path's use that comes next: the last of those before `done`, by position and then by place in the array; NULL: none is left. */
static const kanal_secret_use *last_in_path(const kanal_http_request *request, const kanal_secret_use *done)
{
    const kanal_secret_use *last = NULL;
    for (const kanal_secret_use *use = request->secrets; use < request->secrets + request->secret_count;
         use++)
        if (use->where == KANAL_IN_PATH &&
            (!done || use->position < done->position || (use->position == done->position && use < done)) &&
            (!last || use->position >= last->position))
            last = use;
    return last;
}

/* Those in the path from the last to the first, so that none moves another's place. */
static int add_secrets(struct http_draft *draft, const kanal_http_request *request, char reason[256])
{
    int status = 0;
    for (size_t i = 0; i < request->secret_count; i++) {
        const kanal_secret_use *use = &request->secrets[i];
        if (use->where == KANAL_IN_PATH && !position_valid(request->url, use->position))
            return refuse(reason, KANAL_E_INVALID, "the position of a path secret is not in the URL's path");
        if (use->where != KANAL_IN_PATH && (status = add_secret(draft, use, &draft->values[i], reason)) != 0)
            return status;
    }
    for (const kanal_secret_use *use = NULL; status == 0 && (use = last_in_path(request, use));)
        status = add_secret(draft, use, &draft->values[use - request->secrets], reason);
    return status;
}

static int secrets_valid(const kanal_http_request *request)
{
    if (request->secret_count > SECRETS_MAX || (request->secret_count > 0 && !request->secrets))
        return 0;
    for (size_t i = 0; i < request->secret_count; i++) {
        const kanal_secret_use *use = &request->secrets[i];
        if (!text_valid(use->name) || !text_valid(use->prefix) || !text_valid(use->secret))
            return 0;
    }
    return 1;
}

static int parts_valid(const kanal_http_request *request)
{
    if (request->part_count > PARTS_MAX - SECRETS_MAX || (request->part_count > 0 && !request->parts))
        return 0;
    for (size_t i = 0; i < request->part_count; i++) {
        const kanal_part *part = &request->parts[i];
        if (!text_valid(part->name) || !text_valid(part->filename) || !text_valid(part->content_type) ||
            !text_valid(part->data) || !text_valid(part->source_url))
            return 0;
    }
    return 1;
}

static int check(struct channel *channel, const kanal_http_request *request, struct http_draft *draft,
                 char reason[256])
{
    struct kanal_url url;
    if (!request || !KANAL_HAS(request, part_count) || !text_valid(request->method) ||
        !text_valid(request->url) || !text_valid(request->body) ||
        !fields_valid(request->headers, request->header_count, HEADERS_MAX) || !secrets_valid(request) ||
        !parts_valid(request))
        return refuse(reason, KANAL_E_INVALID,
                      "the request's struct_size is too small, it has too many headers, secrets or parts, or "
                      "lengths without bytes");
    if (kanal_url_parse(request->url, &url) != 0 || url.userinfo.len > 0 || url.fragment.len > 0 ||
        (!kanal_str_is(url.scheme, "https") && !kanal_str_is(url.scheme, "http")))
        return refuse(reason, KANAL_E_INVALID, "the URL is no absolute http or https URL");
    draft->gate = egress_gate_of(channel, &url);
    if (!draft->gate) {
        snprintf(reason, 256, "host '%.*s' is not granted: add it to the channel's egress",
                 (int)(url.host.len < 128 ? url.host.len : 128), url.host.ptr);
        return KANAL_E_DENIED;
    }
    for (size_t i = 0; i < request->header_count; i++)
        if (!header_valid(request->headers[i]))
            return refuse(reason, KANAL_E_INVALID,
                          "a header's name or value has a character that may not stand there");
    return 0;
}

/* "/m/<channel>/<token>" and nothing else: a client resolves "/m/../c/". */
static int is_media_path(kanal_str path)
{
    return path.ptr && kanal_str_starts(path, "/m/") && !memmem(path.ptr, path.len, "..", 2) &&
           !memchr(path.ptr, '%', path.len);
}

/* What may be streamed into a form: from a granted host; from the gateway itself; or a URL that stands in the delivery which the request is
 * made for, since a consumer may name media anywhere on the public internet, and a plugin may not. */
void *source_gate(struct channel *channel, kanal_op cause, kanal_str url)
{
    struct kanal_url parsed, own;
    if (kanal_url_parse(url, &parsed) != 0)
        return NULL;
    void *gate = egress_gate_of(channel, &parsed);
    if (gate)
        return gate;
    if (kanal_url_parse(channel->host->envelope.base_url, &own) == 0 &&
        kanal_str_equal_nocase(own.host, parsed.host) && kanal_str_equal(own.port, parsed.port) &&
        is_media_path(parsed.path))
        return egress_gate(channel, EGRESS_OWN);
    const struct op *op = op_find(channel->host->ops, channel, cause);
    const kanal_delivery *delivery = op && op->kind == OP_DELIVER ? op->argument : NULL;
    int is_named =
        delivery && url.len > 0 && memmem(delivery->data.ptr, delivery->data.len, url.ptr, url.len) != NULL;
    return is_named ? egress_gate(channel, EGRESS_PUBLIC) : NULL;
}

static int copy_parts(struct http_draft *draft, kanal_op cause, const kanal_http_request *request,
                      char reason[256])
{
    for (size_t i = 0; i < request->part_count; i++) {
        const kanal_part *part = &request->parts[i];
        void *gate =
            part->source_url.len > 0 ? source_gate(draft->channel, cause, part->source_url) : draft->gate;
        if (!gate)
            return refuse(reason, KANAL_E_DENIED,
                          "a part's source_url is of no granted host and not in the delivery");
        draft->parts[i] = (struct http_out_part){ .name = part->name,
                                                  .filename = part->filename,
                                                  .content_type = part->content_type,
                                                  .data = part->data,
                                                  .source_url = part->source_url,
                                                  .max_bytes = SOURCE_BYTES_MAX,
                                                  .allow_user = gate };
    }
    draft->out.part_count = request->part_count;
    return 0;
}

int outgoing_init(struct outgoing *outgoing, struct channel *channel, kanal_op cause,
                  const kanal_http_request *request, char reason[256])
{
    struct http_draft *draft = calloc(1, sizeof *draft);
    if (!draft)
        return refuse(reason, KANAL_E_INTERNAL, "out of memory");
    outgoing->out = &draft->out;
    draft->channel = channel;
    int status = check(channel, request, draft, reason);
    if (status != 0)
        goto fail;
    kanal_buffer_str(&draft->url, request->url);
    kanal_buffer_str(&draft->body, request->body);
    for (size_t i = 0; i < request->header_count; i++)
        add_header(draft, request->headers[i].name, request->headers[i].value);
    if ((status = copy_parts(draft, cause, request, reason)) != 0)
        goto fail;
    if ((status = add_secrets(draft, request, reason)) != 0)
        goto fail;
    uint32_t timeout = request->timeout_ms ? request->timeout_ms : TIMEOUT_DEFAULT_MS;
    uint32_t most = request->max_response ? request->max_response : RESPONSE_DEFAULT;
    draft->out.method = request->method;
    draft->out.url = kanal_buffer_view(&draft->url);
    draft->out.body = kanal_buffer_view(&draft->body);
    draft->out.headers = draft->headers;
    draft->out.parts = draft->parts;
    draft->out.timeout_ms = timeout < TIMEOUT_MAX_MS ? timeout : TIMEOUT_MAX_MS;
    draft->out.max_response = most < RESPONSE_MAX ? most : RESPONSE_MAX;
    draft->out.allow = egress_allow;
    draft->out.allow_user = draft->gate;
    draft->out.redirects = EGRESS_REDIRECTS_MAX;
    draft->out.redirect = egress_redirect;
    return 0;
fail:
    outgoing_release(outgoing);
    return status;
}

static void stop(struct op *op)
{
    /* The link in the call's hands finds the op completed when the call's end is told. */
    http_call_cancel(op->work);
}

static void on_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct op *op = op_link_take(user);
    (void)message;
    if (!op)
        return;
    op->cancel = NULL;
    exchange_answered(op->channel, op->cause, op->id, status, status == KANAL_OK ? in->code : 0,
                      status == KANAL_OK ? in->body : (kanal_str){ 0 });
    if (status != KANAL_OK) {
        op_complete(op, status);
        return;
    }
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = in->code,
                                     .body = in->body,
                                     .headers = in->headers,
                                     .header_count = in->header_count };
    op_complete_response(op, KANAL_OK, &response);
}

kanal_op service_http_send(const kanal_host *host, kanal_op cause, const kanal_http_request *request,
                           kanal_response_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_RESPONSE);
    if (!op)
        return 0;
    op->callback.response = done;
    op->user = user;
    op->cause = cause;
    kanal_op id = op->id;
    char reason[256] = "";
    struct outgoing outgoing = { .out = NULL };
    kanal_status status = channel->ops > CHANNEL_OPS_MAX
                              ? KANAL_E_BUSY
                              : outgoing_init(&outgoing, channel, cause, request, reason);
    /* Where it is refused for these reasons, its arguments have been found right. */
    if (status == KANAL_OK || status == KANAL_E_DENIED || status == KANAL_E_NOT_FOUND)
        exchange_asked_http(channel, cause, id, request);
    if (status != KANAL_OK) {
        exchange_answered(channel, cause, id, status, 0, kanal_str_c(reason));
        if (status != KANAL_E_BUSY)
            log_write(channel->host->log, KANAL_LOG_WARN, "http", channel->id.ptr,
                      "a request of the plugin was refused: %s", reason);
        op_complete(op, status);
        return id;
    }
    struct op_link *link = op_link_new(channel->host->ops, op);
    op->work = link ? http_client_send(channel->host->http, outgoing.out, on_done, link) : NULL;
    op->cancel = stop;
    if (!op->work) {
        free(link);
        op_complete(op, KANAL_E_BUSY);
    }
    outgoing_release(&outgoing);
    return id;
}
