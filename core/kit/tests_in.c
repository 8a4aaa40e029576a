/* What comes in: fixtures, again, in another order, and garbage. */
#include "kit/inside.h"

#include <stdio.h>

#define EVENTS_MAX 64u
#define GARBAGE_ROUNDS 60u
#define BIG_BYTES (256u * 1024)

/* ---- Fixtures ---- */

static void check_types(struct kit_run *run, struct fake_host *host, yyjson_val *fixture)
{
    yyjson_val *wanted = kanal_json_at(fixture, "events");
    char text[512] = "";
    size_t used = 0, matched = 0, index, max;
    yyjson_val *type;
    int taken[EVENTS_MAX] = { 0 };
    if (!wanted)
        return;
    yyjson_arr_foreach (wanted, index, max, type) {
        for (size_t i = 0; i < fake_event_count(host) && i < EVENTS_MAX; i++) {
            if (taken[i] || !kanal_str_equal(fake_event_at(host, i)->event.type, kanal_json_text(type)))
                continue;
            matched += taken[i] = 1;
            break;
        }
    }
    for (size_t i = 0; i < fake_event_count(host) && used < sizeof text - 64; i++) {
        kanal_str name = fake_event_at(host, i)->event.type;
        used += (size_t)snprintf(text + used, sizeof text - used, " %.*s",
                                 (int)(name.len < 48 ? name.len : 48), name.ptr);
    }
    if (matched != yyjson_arr_size(wanted) || fake_event_count(host) != yyjson_arr_size(wanted))
        kit_fail(run, "%zu events expected, published:%s", yyjson_arr_size(wanted), used ? text : " none");
}

static void check_code(struct kit_run *run, struct fake_host *host, kanal_op op, yyjson_val *fixture)
{
    const struct fake_answer *answer = fake_answer(host, op);
    int64_t wanted = kanal_json_int_at(fixture, "code", 200);
    if (!answer->answered)
        kit_fail(run, "the request was not answered within 40 s");
    else if (answer->response.code != wanted)
        kit_fail(run, "answered with %d instead of %lld: %.120s", answer->response.code, (long long)wanted,
                 answer->response.body.ptr ? answer->response.body.ptr : "");
}

static void check_webhooks(struct kit_run *run, struct fake_host *host, int after_deliveries)
{
    char name[64];
    for (size_t i = 0; i < play_webhook_count(run); i++) {
        yyjson_val *fixture = play_webhook_at(run, i);
        if ((kanal_json_at(fixture, "after") != NULL) != after_deliveries)
            continue;
        kit_step(run, "webhook %s", play_name_of(fixture, i, name));
        fake_events_clear(host);
        kanal_op op = play_webhook(run, host, fixture);
        if (op)
            check_code(run, host, op, fixture);
        play_learn(run, host);
        check_types(run, host, fixture);
    }
}

static void check_sockets(struct kit_run *run, struct fake_host *host, int after_deliveries)
{
    size_t count;
    char name[64];
    knowledge_list(run->knowledge, "sockets", &count);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *fixture = yyjson_arr_get(kanal_json_at(run->knowledge->root, "sockets"), i);
        if ((kanal_json_at(fixture, "after") != NULL) != after_deliveries)
            continue;
        kit_step(run, "socket %s", play_name_of(fixture, i, name));
        fake_events_clear(host);
        kanal_op op = play_socket(run, host, fixture);
        uint32_t code = 0;
        if (!op)
            kit_fail(run, "the connection was refused");
        else if (fake_ws_closed(host, op, &code))
            kit_fail(run, "the plugin closed the connection with %u", code);
        play_learn(run, host);
        check_types(run, host, fixture);
    }
}

static void check_fixtures(struct kit_run *run)
{
    size_t sockets;
    knowledge_list(run->knowledge, "sockets", &sockets);
    if (play_webhook_count(run) == 0 && sockets == 0 && run->plugin->route_count > 0) {
        kit_skip(run, "there are no webhooks in conformance.json: what comes in is tested with garbage only");
        return;
    }
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    check_webhooks(run, host, 0);
    check_sockets(run, host, 0);
    play_sample(run, host, "text", kanal_str_of(NULL, 0));
    check_webhooks(run, host, 1);
    check_sockets(run, host, 1);
    play_end(run, host);
}

/* ---- Keys ---- */

/* The keys of the events of one webhook: "type dedupe\n", in order. */
static void collect_keys(struct fake_host *host, struct kanal_buffer *out)
{
    kanal_buffer_clear(out);
    for (size_t i = 0; i < fake_event_count(host); i++) {
        const kanal_event *event = &fake_event_at(host, i)->event;
        kanal_buffer_str(out, event->type);
        kanal_buffer_byte(out, ' ');
        kanal_buffer_str(out, event->dedupe);
        kanal_buffer_byte(out, '\n');
    }
    kanal_buffer_byte(out, 0);
}

static int is_repeatable(yyjson_val *fixture)
{
    return !kanal_json_bool_at(fixture, "once") && !kanal_json_at(fixture, "after");
}

struct keys {
    struct kanal_buffer of[EVENTS_MAX]; /* by webhook */
};

static void play_for_keys(struct kit_run *run, struct fake_host *host, int is_backwards, struct keys *keys)
{
    const size_t count = play_webhook_count(run) < EVENTS_MAX ? play_webhook_count(run) : EVENTS_MAX;
    char name[64];
    for (size_t k = 0; k < count; k++) {
        size_t i = is_backwards ? count - 1 - k : k;
        yyjson_val *fixture = play_webhook_at(run, i);
        if (!is_repeatable(fixture))
            continue;
        kit_step(run, "webhook %s", play_name_of(fixture, i, name));
        fake_events_clear(host);
        play_webhook(run, host, fixture);
        collect_keys(host, &keys->of[i]);
    }
}

/* Each line of the second stands in the first: a plugin may drop what it has seen. */
static int is_part_of(const struct kanal_buffer *part, const struct kanal_buffer *whole)
{
    for (const char *line = part->data; line && *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) + 1 : strlen(line);
        if (!memmem(whole->data, whole->len, line, len))
            return 0;
        line += len;
    }
    return 1;
}

static void compare(struct kit_run *run, struct keys *first, struct keys *second, const char *what)
{
    char name[64];
    for (size_t i = 0; i < play_webhook_count(run) && i < EVENTS_MAX; i++) {
        if (!first->of[i].data || !second->of[i].data)
            continue;
        kit_step(run, "webhook %s", play_name_of(play_webhook_at(run, i), i, name));
        if (!is_part_of(&second->of[i], &first->of[i]))
            kit_fail(run, "%s its events have other keys: %.80s instead of %.80s", what, second->of[i].data,
                     first->of[i].data);
    }
}

static void keys_release(struct keys *keys)
{
    for (size_t i = 0; i < EVENTS_MAX; i++)
        kanal_buffer_release(&keys->of[i]);
}

static int has_repeatable(struct kit_run *run)
{
    for (size_t i = 0; i < play_webhook_count(run); i++)
        if (is_repeatable(play_webhook_at(run, i)))
            return 1;
    kit_skip(run, "there is no webhook in conformance.json that could be repeated");
    return 0;
}

static void check_duplicates(struct kit_run *run)
{
    struct keys first = { 0 }, second = { 0 };
    struct fake_host *host = has_repeatable(run) ? play_begin(run, 0) : NULL;
    if (!host)
        return;
    play_for_keys(run, host, 0, &first);
    fake_advance(host, 3600000);
    play_for_keys(run, host, 0, &second);
    compare(run, &first, &second, "sent again,");
    play_end(run, host);
    keys_release(&first);
    keys_release(&second);
}

/* Another replica, another hour, the other way round. */
static void check_reordered(struct kit_run *run)
{
    struct keys first = { 0 }, second = { 0 };
    struct fake_host *one = has_repeatable(run) ? play_begin(run, 0) : NULL;
    struct fake_host *two = one ? play_begin_as(run, 0, "check", run->seed + 7, 5000000, 1, FAKE_FINE) : NULL;
    if (one && two) {
        play_for_keys(run, one, 0, &first);
        fake_advance(two, 7200000);
        play_for_keys(run, two, 1, &second);
        compare(run, &first, &second, "in another order, on another replica");
    }
    play_end(run, two);
    play_end(run, one);
    keys_release(&first);
    keys_release(&second);
}

/* ---- Garbage ---- */

static const char *const literals[] = {
    "",
    "{",
    "}",
    "[]",
    "{}",
    "null",
    "0",
    "\"x\"",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":1e999,\"b\":-0,\"c\":\"\\u0000\",\"d\":\"\\ud800\"}",
    "{\"id\":18446744073709551616,\"message\":{},\"from\":[],\"text\":{}}",
    "a=b&c=%zz&=&&%00=%ff",
    "--x\r\nContent-Disposition: form-data; name=\"\r\n\r\n--x--",
    "\xff\xfe\xfd",
    "<xml><!ENTITY a \"b\">&a;</xml>"
};
#define LITERALS (sizeof literals / sizeof *literals)

static void random_bytes(struct kit_run *run, struct kanal_buffer *out)
{
    for (uint64_t left = kit_random(run, 300); left > 0; left--)
        kanal_buffer_byte(out, (char)kit_random(run, 256));
}

static void big_bytes(struct kit_run *run, const kanal_route *route, struct kanal_buffer *out)
{
    size_t bytes = route->max_body && route->max_body < BIG_BYTES ? route->max_body : BIG_BYTES;
    const char *fill = kit_random(run, 2) ? "[" : "{\"a\":";
    while (out->len + strlen(fill) <= bytes && !out->failed)
        kanal_buffer_text(out, fill);
}

/* A fixture of ours with a few bytes changed, cut off, or doubled. */
static void mutate(struct kit_run *run, struct kanal_buffer *out)
{
    size_t length = 0;
    char *text = NULL;
    if (play_webhook_count(run) > 0) {
        yyjson_val *fixture = play_webhook_at(run, kit_random(run, play_webhook_count(run)));
        yyjson_val *body = kanal_json_at(fixture, "body");
        kanal_str name = kanal_json_text_at(fixture, "body_file");
        if (yyjson_is_str(body))
            kanal_buffer_str(out, kanal_json_text(body));
        else if (body && (text = yyjson_val_write(body, 0, &length)))
            kanal_buffer_append(out, text, length);
        else if (name.ptr) {
            char path[512];
            snprintf(path, sizeof path, "%s/%.*s", run->knowledge->directory, (int)name.len, name.ptr);
            kit_read_file(path, KIT_JSON_MAX, out);
        }
        free(text);
    }
    for (uint64_t changes = out->len > 0 ? 1 + kit_random(run, 6) : 0; changes > 0; changes--) {
        size_t at = kit_random(run, out->len);
        switch (kit_random(run, 4)) {
        case 0:
            out->data[at] = (char)kit_random(run, 256);
            break;
        case 1:
            out->len = at + 1;
            break;
        case 2:
            out->data[at] = "{}[]\",:0"[kit_random(run, 8)];
            break;
        default:
            memmove(out->data + at / 2, out->data + at, out->len - at);
            out->len -= at - at / 2;
        }
    }
}

static void make_garbage(struct kit_run *run, const kanal_route *route, uint32_t round,
                         struct kanal_buffer *out)
{
    kanal_buffer_clear(out);
    if (round < LITERALS)
        kanal_buffer_text(out, literals[round]);
    else if (round == LITERALS)
        big_bytes(run, route, out);
    else if (round % 3 == 0)
        random_bytes(run, out);
    else
        mutate(run, out);
}

/* A path and a query that the route matches, as somebody might try them. */
static void make_target(struct kit_run *run, const kanal_route *route, char *target, size_t size)
{
    static const char *const tails[] = { "x", "%41",    "a/b/c",
                                         "-", "%d0%90", "0000000000000000000000000000000000000000" };
    static const char *const queries[] = {
        "", "?", "?a=b", "?%zz", "?to=&id=%00", "?form=x&form=y&token=%ff"
    };
    size_t len = strlen(route->path);
    int star = len >= 2 && route->path[len - 1] == '*';
    snprintf(target, size, "%.*s%s%s", (int)(star ? len - 1 : len), route->path,
             star ? tails[kit_random(run, sizeof tails / sizeof *tails)] : "",
             queries[kit_random(run, sizeof queries / sizeof *queries)]);
}

static void throw_at(struct kit_run *run, struct fake_host *host, const kanal_route *route)
{
    static const char *const types[] = { "application/json",
                                         "application/x-www-form-urlencoded",
                                         "multipart/form-data; boundary=x",
                                         "text/plain",
                                         "",
                                         "\"" };
    struct kanal_buffer body = { 0 };
    char target[256];
    for (uint32_t round = 0; round < GARBAGE_ROUNDS && run->failures < 8; round++) {
        make_garbage(run, route, round, &body);
        make_target(run, route, target, sizeof target);
        kanal_field headers[] = { { KANAL_LIT("content-type"),
                                    kanal_str_c(types[kit_random(run, sizeof types / sizeof *types)]) },
                                  { KANAL_LIT("origin"), KANAL_LIT("https://shop.example.com") } };
        kit_step(run, "garbage %u at %s %s", round, route->method, target);
        kanal_str sent = kanal_str_of(body.data ? body.data : "", body.len);
        kanal_op op = play_request(run, host, route->method, target, headers, 2, sent);
        if (!op)
            break;
        play_settle(host, op);
        if (!fake_answer(host, op)->answered)
            kit_fail(run, "not answered within 40 s");
        else if (fake_answer(host, op)->response.code >= 500 && fake_answer(host, op)->response.code != 503)
            kit_fail(run, "answered with %d: what a client sends wrong is no error of the server",
                     fake_answer(host, op)->response.code);
    }
    kanal_buffer_release(&body);
}

static void check_garbage(struct kit_run *run)
{
    struct fake_host *host = run->plugin->route_count > 0 ? play_begin(run, 0) : NULL;
    if (run->plugin->route_count == 0)
        kit_skip(run, "it has no routes");
    if (!host)
        return;
    for (size_t i = 0; i < run->plugin->route_count; i++)
        throw_at(run, host, &run->plugin->routes[i]);
    play_end(run, host);
}

static void check_socket_garbage(struct kit_run *run)
{
    size_t count;
    knowledge_list(run->knowledge, "sockets", &count);
    struct fake_host *host = count > 0 ? play_begin(run, 0) : NULL;
    if (count == 0)
        kit_skip(run, "there are no sockets in conformance.json");
    if (!host)
        return;
    yyjson_val *fixture = yyjson_arr_get(kanal_json_at(run->knowledge->root, "sockets"), 0);
    for (uint32_t round = 0; round < GARBAGE_ROUNDS; round++) {
        struct kanal_buffer text = { 0 };
        kanal_op op = play_socket(run, host, fixture);
        kit_step(run, "socket garbage %u", round);
        make_garbage(run, &run->plugin->routes[0], round, &text);
        kanal_buffer_byte(&text, 0);
        if (op && text.data && !fake_ws_closed(host, op, NULL))
            fake_ws_receive(host, op, text.data);
        if (op)
            fake_ws_close(host, op, round % 2 ? 1000 : 1006);
        fake_advance(host, 60000);
        kanal_buffer_release(&text);
    }
    play_end(run, host);
}

const struct kit_test in_tests[] = {
    { .name = "in.fixtures",
      .what = "webhooks and sockets of conformance.json give the answers and events that it names",
      .advice = "compare the fixture with what the provider really sends, and the event with proto/examples",
      .run = check_fixtures },
    { .name = "in.duplicates",
      .what = "the same webhook again gives events with the same keys",
      .advice = "make the dedupe key of the provider's own id (update_id, mid, wamid + status), never of "
                "chance, time or "
                "a counter",
      .run = check_duplicates },
    { .name = "in.reordered",
      .what = "in another order, on another replica, webhooks give the same keys",
      .advice = "make the dedupe key of the provider's own id (update_id, mid, wamid + status), never of "
                "chance, time or "
                "a counter",
      .run = check_reordered },
    { .name = "in.garbage",
      .what = "garbage on every route is answered, and not with 500",
      .advice = "read with the getters of kanal/sdk/json.h, which take anything; answer 400",
      .run = check_garbage },
    { .name = "in.socket-garbage",
      .what = "garbage on a WebSocket connection",
      .advice = "read with the getters of kanal/sdk/json.h; close with 1008 who breaks the rules",
      .run = check_socket_garbage },
    { 0 },
};
