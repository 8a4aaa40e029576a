/* What comes to the plugin: HTTP requests through its declared routes, deliveries, media, registration. */
#include "inside.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/url.h"

#define MAX_BODY_DEFAULT (1024u * 1024u)
#define DEADLINE_MS 30000

void fake_set_remote(struct fake_host *host, const char *address)
{
    host->remote = address;
}

/* ---- Routes ---- */

static int path_matches(const char *pattern, kanal_str path)
{
    size_t len = strlen(pattern);
    if (len >= 2 && strcmp(pattern + len - 2, "/*") == 0)
        return path.len >= len - 1 && memcmp(path.ptr, pattern, len - 1) == 0;
    return kanal_str_is(path, pattern);
}

static int method_matches(const char *declared, kanal_str method)
{
    return kanal_str_is(method, declared) || (strcmp(declared, "GET") == 0 && kanal_str_is(method, "HEAD"));
}

/* The route, or NULL and the code that a host answers. */
static const kanal_route *find_route(const struct fake_host *host, kanal_str method, kanal_str path,
                                     int *ret_code)
{
    *ret_code = 404;
    for (size_t i = 0; i < host->plugin->route_count; i++) {
        const kanal_route *route = &host->plugin->routes[i];
        if (!path_matches(route->path, path))
            continue;
        if (method_matches(route->method, method))
            return route;
        *ret_code = 405;
    }
    return NULL;
}

static kanal_status check_mac(const kanal_route *route, const char *secret, kanal_str claimed, kanal_str body)
{
    struct kanal_buffer bytes = { 0 };
    unsigned char mac[64];
    size_t length = 0;
    kanal_status status = KANAL_E_REJECTED;
    const char *prefix = route->prefix ? route->prefix : "";
    if (!kanal_str_starts(claimed, prefix))
        return KANAL_E_REJECTED;
    claimed = kanal_str_from(claimed, strlen(prefix));
    status = strcmp(route->encoding, "hex") == 0 ? kanal_hex_decode(&bytes, claimed)
                                                 : kanal_base64_decode(&bytes, claimed, 0);
    if (status == KANAL_OK)
        status = fake_mac(secret, kanal_str_c(route->algorithm), body, mac, &length);
    if (status == KANAL_OK && !fake_same_bytes(kanal_buffer_view(&bytes), kanal_str_of((char *)mac, length)))
        status = KANAL_E_REJECTED;
    kanal_buffer_release(&bytes);
    return status;
}

static int is_authentic(struct fake_host *host, const kanal_route *route, const kanal_http_request *request)
{
    struct kanal_buffer value = { 0 };
    int authentic = 0;
    if (route->algorithm == NULL)
        return 1;
    const char *secret = fake_secret(host, kanal_str_c(route->secret));
    if (secret == NULL)
        return 0; /* fail closed */
    if (route->where == KANAL_IN_QUERY)
        kanal_form_get(request->query, route->name, &value);
    else
        kanal_buffer_str(&value, kanal_field_get(request->headers, request->header_count, route->name));
    if (strcmp(route->algorithm, "equal") == 0)
        authentic = value.len > 0 && fake_same_bytes(kanal_str_c(secret), kanal_buffer_view(&value));
    else
        authentic = check_mac(route, secret, kanal_buffer_view(&value), request->body) == KANAL_OK;
    kanal_buffer_release(&value);
    return authentic;
}

/* ---- Requests ---- */

/* Decoded and without dot segments, as a host does it; 0, or -1. */
static int make_path(struct fake_arena *arena, kanal_str target, kanal_http_request *request)
{
    struct kanal_buffer path = { 0 };
    size_t end = 0;
    while (end < target.len && target.ptr[end] != '?')
        end++;
    int wrong = kanal_url_decode(&path, kanal_str_of(target.ptr, end), 0) != KANAL_OK || path.len == 0 ||
                path.data[0] != '/';
    kanal_buffer_text(&path, "/"); /* so that a dot segment at the end is one between slashes */
    wrong |= memmem(path.data, path.len, "/../", 4) != NULL ||
             memmem(path.data, path.len, "/./", 3) != NULL || memchr(path.data, 0, path.len) != NULL;
    request->path = fake_arena_str(arena, kanal_str_of(path.data, path.len - 1));
    request->query =
        fake_arena_str(arena, end < target.len ? kanal_str_from(target, end + 1) : kanal_str_of(NULL, 0));
    kanal_buffer_release(&path);
    return wrong ? -1 : 0;
}

static void make_request(struct fake_host *host, struct fake_arena *arena, const char *target,
                         kanal_http_request *request)
{
    struct kanal_buffer url = { 0 };
    kanal_buffer_text(&url, fake_public_url(host));
    kanal_buffer_text(&url, target);
    request->url = fake_arena_str(arena, kanal_buffer_view(&url));
    request->remote = fake_arena_str(arena, kanal_str_c(host->remote));
    kanal_buffer_release(&url);
    kanal_field *headers = (kanal_field *)(uintptr_t)request->headers;
    for (size_t i = 0; i < request->header_count; i++) { /* in lower case, whatever the test wrote */
        char *name = (char *)(uintptr_t)headers[i].name.ptr;
        for (size_t k = 0; k < headers[i].name.len; k++)
            name[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] + 32 : name[k]);
    }
}

kanal_op fake_http(struct fake_host *host, const char *method, const char *target, const kanal_field *headers,
                   size_t header_count, kanal_str body)
{
    kanal_op op = fake_http_pending(host, method, target, headers, header_count, body);
    fake_run(host);
    return op;
}

/* The proof that the route asks for. */
static void sign(const kanal_route *route, const char *secret, kanal_str body, struct kanal_buffer *value)
{
    unsigned char mac[64];
    size_t length = 0;
    if (strcmp(route->algorithm, "equal") == 0) {
        kanal_buffer_text(value, secret);
        return;
    }
    fake_mac(secret, kanal_str_c(route->algorithm), body, mac, &length);
    kanal_buffer_text(value, route->prefix ? route->prefix : "");
    if (strcmp(route->encoding, "hex") == 0)
        kanal_hex_encode(value, kanal_str_of((char *)mac, length));
    else
        kanal_base64_encode(value, kanal_str_of((char *)mac, length), 0);
}

kanal_op fake_http_signed(struct fake_host *host, const char *method, const char *target,
                          const kanal_field *headers, size_t header_count, kanal_str body)
{
    struct kanal_buffer proof = { 0 }, url = { 0 };
    struct fake_arena scratch = { 0 };
    int code;
    kanal_str path = kanal_str_of(target, strcspn(target, "?"));
    const kanal_route *route = find_route(host, kanal_str_c(method), path, &code);
    const char *secret = route && route->algorithm ? fake_secret(host, kanal_str_c(route->secret)) : NULL;
    kanal_field *all = fake_arena_zeroed(&scratch, (header_count + 1) * sizeof *all);
    for (size_t i = 0; i < header_count; i++)
        all[i] = headers[i];
    kanal_buffer_text(&url, target);
    if (secret)
        sign(route, secret, body, &proof);
    if (secret && route->where == KANAL_IN_HEADER) {
        all[header_count++] = (kanal_field){ kanal_str_c(route->name), kanal_buffer_view(&proof) };
    } else if (secret) {
        kanal_buffer_byte(&url, strchr(target, '?') ? '&' : '?');
        kanal_form_add(&url, route->name, kanal_buffer_view(&proof));
    }
    kanal_op op = fake_http(host, method, fake_arena_str(&scratch, kanal_buffer_view(&url)).ptr, all,
                            header_count, body);
    fake_arena_release(&scratch);
    kanal_buffer_release(&proof);
    kanal_buffer_release(&url);
    return op;
}

static void call_on_http(struct fake_host *host, kanal_op op, const kanal_http_request *request)
{
    FAKE_ENTER(host, "on_http()");
    struct fake_arena arguments = fake_arguments(host);
    kanal_http_request copy;
    fake_arena_request(&arguments, &copy, request);
    host->plugin->on_http(host->channel, op,
                          fake_arena_struct(&arguments, host, &copy, sizeof copy, FAKE_REQUEST_LEAST));
    fake_arena_release(&arguments);
    fake_leave(host);
}

kanal_op fake_http_pending(struct fake_host *host, const char *method, const char *target,
                           const kanal_field *headers, size_t header_count, kanal_str body)
{
    struct fake_arena arena = { 0 };
    int code = 400;
    const kanal_http_request given = { .struct_size = sizeof given,
                                       .method = kanal_str_c(method),
                                       .body = body,
                                       .headers = headers,
                                       .header_count = header_count };
    kanal_http_request request;
    fake_arena_request(&arena, &request, &given);
    make_request(host, &arena, target, &request);
    struct owed *owed = fake_owe(host, CALL_HTTP);
    const kanal_route *route = NULL;
    if (make_path(&arena, kanal_str_c(target), &request) == 0)
        route = find_route(host, request.method, request.path, &code);
    if (route == NULL)
        fake_respond_as_host(host, owed, code);
    else if (body.len > (route->max_body ? route->max_body : MAX_BODY_DEFAULT))
        fake_respond_as_host(host, owed, 413);
    else if (!is_authentic(host, route, &request))
        fake_respond_as_host(host, owed, 401);
    else
        call_on_http(host, owed->op, &request);
    fake_arena_release(&arena);
    return owed->op;
}

/* ---- The other calls ---- */

static void call_deliver(struct fake_host *host, kanal_op op, const kanal_delivery *delivery)
{
    FAKE_ENTER(host, "deliver()");
    struct fake_arena arguments = fake_arguments(host);
    kanal_delivery copy;
    fake_arena_delivery(&arguments, &copy, delivery);
    host->plugin->deliver(host->channel, op,
                          fake_arena_struct(&arguments, host, &copy, sizeof copy, FAKE_DELIVERY_LEAST));
    fake_arena_release(&arguments);
    fake_leave(host);
}

kanal_op fake_deliver(struct fake_host *host, const kanal_delivery *given)
{
    kanal_delivery delivery = *given;
    if (delivery.part == 0)
        delivery.part = delivery.part_count = 1;
    if (delivery.attempt == 0)
        delivery.attempt = 1;
    if (delivery.deadline_ms == 0)
        delivery.deadline_ms = host->now_ms + DEADLINE_MS;
    if (delivery.type.ptr == NULL)
        delivery.type = KANAL_LIT("message.send");
    if (delivery.command_id.ptr == NULL)
        delivery.command_id = KANAL_LIT("crm-1");
    if (delivery.idempotency_key.ptr == NULL)
        delivery.idempotency_key = KANAL_LIT("00000000-0000-4000-8000-000000000001");
    if (delivery.data.ptr == NULL)
        delivery.data = KANAL_LIT("{}");
    struct owed *owed = fake_owe(host, CALL_DELIVER);
    if (host->plugin->deliver == NULL)
        fake_fail(host, "the plugin has no deliver()");
    else
        call_deliver(host, owed->op, &delivery);
    fake_run(host);
    return owed->op;
}

kanal_op fake_media(struct fake_host *host, const char *reference)
{
    struct owed *owed = fake_owe(host, CALL_MEDIA);
    FAKE_ENTER(host, "media()");
    struct fake_arena arguments = fake_arguments(host);
    if (host->plugin->media == NULL)
        fake_fail(host, "the plugin has no media()");
    else
        host->plugin->media(host->channel, owed->op, fake_arena_str(&arguments, kanal_str_c(reference)));
    fake_arena_release(&arguments);
    fake_leave(host);
    fake_run(host);
    return owed->op;
}

kanal_op fake_provision(struct fake_host *host, const char *public_url, int wanted)
{
    struct owed *owed = fake_owe(host, CALL_PROVISION);
    FAKE_ENTER(host, "provision()");
    struct fake_arena arguments = fake_arguments(host);
    if (host->plugin->provision == NULL)
        fake_fail(host, "the plugin has no provision()");
    else
        host->plugin->provision(host->channel, owed->op, fake_arena_str(&arguments, kanal_str_c(public_url)),
                                wanted);
    fake_arena_release(&arguments);
    fake_leave(host);
    fake_run(host);
    return owed->op;
}
