/* A channel's life, from what conformance.json tells of it. */
#include "kit/inside.h"

#include <stdio.h>

#define SECRETS_MAX 32
#define SETTLE_MS 40000
#define SETTLE_STEP_MS 500
#define REFERENCES_MAX 8

/* ---- The host ---- */

static void on_failure(void *user, enum fake_fault fault, const char *where, const char *text)
{
    struct kit_run *run = user;
    if (run->test->faults != 0 && !(run->test->faults >> fault & 1))
        return;
    kit_fail(run, "%s: %s", where, text);
}

/* The configured value, or a made-up one: it is never sent anywhere. */
static const char *secret_value(const struct kit_run *run, const char *name)
{
    const char *value = yyjson_get_str(kanal_json_at(kanal_json_at(run->knowledge->root, "secrets"), name));
    return value ? value : "made-up-secret-of-32-bytes-and-more";
}

struct fake_host *play_begin_as(struct kit_run *run, uint32_t flags, const char *channel_id, uint64_t seed,
                                kanal_op first_op, size_t place, enum fake_trouble trouble)
{
    const char *secrets[SECRETS_MAX][2];
    size_t count = 0;
    for (; count < run->plugin->secret_count && count < SECRETS_MAX; count++) {
        secrets[count][0] = run->plugin->secrets[count].name;
        secrets[count][1] = secret_value(run, secrets[count][0]);
    }
    const struct fake_options options = { .settings = run->knowledge->settings,
                                          .secrets = (const char *const(*)[2])secrets,
                                          .secret_count = count,
                                          .channel_id = channel_id,
                                          .seed = seed,
                                          .first_op = first_op,
                                          .flags = flags | FAKE_CREATE_ONLY,
                                          .on_failure = on_failure,
                                          .user = run };
    struct fake_host *host = fake_new_with(run->plugin, &options);
    if (!host) {
        kit_fail(run, "create() returned NULL: give valid settings and secrets in conformance.json");
        return NULL;
    }
    run->hosts[place] = host;
    size_t length = 0;
    char *rules = yyjson_val_write(kanal_json_at(run->knowledge->root, "provider"), 0, &length);
    if (rules)
        fake_provider_script(host, kanal_str_of(rules, length));
    free(rules);
    fake_provider_trouble(host, trouble);
    if (!(flags & FAKE_CREATE_ONLY))
        fake_start(host);
    return host;
}

struct fake_host *play_begin(struct kit_run *run, uint32_t flags)
{
    return play_begin_as(run, flags, "check", run->seed, 1000, 0, FAKE_FINE);
}

void play_end(struct kit_run *run, struct fake_host *host)
{
    if (!host)
        return;
    kit_step(run, "the end");
    fake_free(host);
    for (size_t i = 0; i < sizeof run->hosts / sizeof *run->hosts; i++)
        if (run->hosts[i] == host)
            run->hosts[i] = NULL;
    kit_step(run, "%s", "");
}

void play_settle(struct fake_host *host, kanal_op op)
{
    for (uint32_t passed = 0; passed < SETTLE_MS && !fake_answer(host, op)->answered;
         passed += SETTLE_STEP_MS)
        fake_advance(host, SETTLE_STEP_MS);
}

/* ---- Requests ---- */

static int path_fits(const char *pattern, const char *target)
{
    size_t end = strcspn(target, "?"), len = strlen(pattern);
    if (len >= 2 && strcmp(pattern + len - 2, "/*") == 0)
        return strncmp(pattern, target, len - 1) == 0;
    return len == end && strncmp(pattern, target, len) == 0;
}

static const kanal_route *find_route(const kanal_plugin *plugin, const char *method, const char *target)
{
    for (size_t i = 0; i < plugin->route_count; i++)
        if (strcmp(plugin->routes[i].method, method) == 0 && path_fits(plugin->routes[i].path, target))
            return &plugin->routes[i];
    return NULL;
}

kanal_op play_request(struct kit_run *run, struct fake_host *host, const char *method, const char *target,
                      const kanal_field *headers, size_t header_count, kanal_str body)
{
    if (!find_route(run->plugin, method, target)) {
        kit_fail(run, "the plugin declares no route %s %s", method, target);
        return 0;
    }
    return fake_http_signed(host, method, target, headers, header_count, body);
}

/* Text with ${sent_id} filled in. */
static void fill_in(struct kit_run *run, kanal_str text, struct kanal_buffer *out)
{
    static const char mark[] = "${sent_id}";
    while (text.len > 0) {
        const char *at = memmem(text.ptr, text.len, mark, sizeof mark - 1);
        size_t before = at ? (size_t)(at - text.ptr) : text.len;
        kanal_buffer_append(out, text.ptr, before);
        if (at)
            kanal_buffer_str(out, kanal_buffer_view(&run->learned.sent_id));
        text = kanal_str_from(text, before + (at ? sizeof mark - 1 : 0));
    }
}

static void write_body(struct kit_run *run, yyjson_val *body, struct kanal_buffer *out)
{
    size_t length = 0;
    char *text = body && !yyjson_is_str(body) ? yyjson_val_write(body, 0, &length) : NULL;
    fill_in(run, text ? kanal_str_of(text, length) : kanal_json_text(body), out);
    free(text);
}

static void read_body(struct kit_run *run, yyjson_val *fixture, struct kanal_buffer *out)
{
    kanal_str name = kanal_json_text_at(fixture, "body_file");
    if (!name.ptr) {
        write_body(run, kanal_json_at(fixture, "body"), out);
        return;
    }
    struct kanal_buffer path = { 0 }, bytes = { 0 };
    kanal_buffer_text(&path, run->knowledge->directory);
    kanal_buffer_byte(&path, '/');
    kanal_buffer_str(&path, name);
    kanal_buffer_byte(&path, 0);
    if (path.failed || kit_read_file(path.data, KIT_JSON_MAX, &bytes) != 0)
        kit_fail(run, "%s cannot be read", path.data ? path.data : "a fixture");
    fill_in(run, kanal_buffer_view(&bytes), out);
    kanal_buffer_release(&path);
    kanal_buffer_release(&bytes);
}

static size_t read_headers(yyjson_val *from, kanal_field *fields, size_t max)
{
    size_t index, count, used = 0;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(from))
        return 0;
    yyjson_obj_foreach (from, index, count, key, value) {
        if (used < max)
            fields[used++] = (kanal_field){ kanal_json_text(key), kanal_json_text(value) };
    }
    return used;
}

size_t play_webhook_count(const struct kit_run *run)
{
    size_t count;
    knowledge_list(run->knowledge, "webhooks", &count);
    return count;
}

yyjson_val *play_webhook_at(const struct kit_run *run, size_t index)
{
    return yyjson_arr_get(kanal_json_at(run->knowledge->root, "webhooks"), index);
}

const char *play_name_of(yyjson_val *fixture, size_t index, char text[64])
{
    kanal_str name = kanal_json_text_at(fixture, "name");
    if (!name.ptr)
        name = kanal_json_text_at(fixture, "body_file");
    if (name.ptr)
        snprintf(text, 64, "%.*s", (int)(name.len < 60 ? name.len : 60), name.ptr);
    else
        snprintf(text, 64, "number %zu", index + 1);
    return text;
}

kanal_op play_webhook(struct kit_run *run, struct fake_host *host, yyjson_val *fixture)
{
    struct kanal_buffer body = { 0 };
    kanal_field headers[32];
    const char *method = yyjson_get_str(kanal_json_at(fixture, "method"));
    const char *path = yyjson_get_str(kanal_json_at(fixture, "path"));
    size_t count = read_headers(kanal_json_at(fixture, "headers"), headers, 31);
    if (count == 0)
        headers[count++] = (kanal_field){ KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    read_body(run, fixture, &body);
    kanal_op op = play_request(run, host, method ? method : "POST", path ? path : "/", headers, count,
                               kanal_buffer_view(&body));
    kanal_buffer_release(&body);
    if (op)
        play_settle(host, op);
    return op;
}

kanal_op play_socket(struct kit_run *run, struct fake_host *host, yyjson_val *fixture)
{
    kanal_field headers[32];
    size_t index, max, count = read_headers(kanal_json_at(fixture, "headers"), headers, 31);
    yyjson_val *message, *messages = kanal_json_at(fixture, "messages");
    kanal_op op = fake_ws_open(host, yyjson_get_str(kanal_json_at(fixture, "path")), headers, count, NULL);
    if (!op)
        return 0;
    yyjson_arr_foreach (messages, index, max, message) {
        struct kanal_buffer text = { 0 };
        write_body(run, message, &text);
        kanal_buffer_byte(&text, 0);
        if (text.data && !fake_ws_closed(host, op, NULL))
            fake_ws_receive(host, op, text.data);
        fake_advance(host, 1000);
        kanal_buffer_release(&text);
    }
    return op;
}

/* ---- Whom to write to ---- */

static void set(struct kanal_buffer *to, kanal_str text)
{
    if (to->len == 0 && text.len > 0)
        kanal_buffer_str(to, text);
}

int play_learn(struct kit_run *run, struct fake_host *host)
{
    struct learned *l = &run->learned;
    set(&l->address, kanal_json_text_at(run->knowledge->root, "address"));
    set(&l->chat, kanal_json_text_at(run->knowledge->root, "chat"));
    set(&l->received_id, kanal_json_text_at(run->knowledge->root, "received_id"));
    for (size_t i = 0; i < fake_event_count(host) && l->address.len == 0; i++) {
        const kanal_event *event = &fake_event_at(host, i)->event;
        if (!kanal_str_is(event->type, "message.received"))
            continue;
        set(&l->address, event->address);
        set(&l->chat, event->chat);
        set(&l->received_id, event->external_id);
    }
    return l->address.len > 0 || l->chat.len > 0;
}

void play_forget(struct kit_run *run)
{
    kanal_buffer_clear(&run->learned.address);
    kanal_buffer_clear(&run->learned.chat);
    kanal_buffer_clear(&run->learned.received_id);
    kanal_buffer_clear(&run->learned.sent_id);
    run->deliveries = 0;
}

int play_know_somebody(struct kit_run *run)
{
    if (run->learned.address.len > 0)
        return 1;
    struct fake_host *host = play_begin_as(run, 0, "check", run->seed, 1, 1, FAKE_FINE);
    if (!host)
        return 0;
    play_webhooks(run, host, 0);
    int known = play_learn(run, host);
    play_end(run, host);
    return known;
}

/* ---- Everything ---- */

static void play_sockets(struct kit_run *run, struct fake_host *host, int after_deliveries)
{
    size_t count;
    char name[64];
    knowledge_list(run->knowledge, "sockets", &count);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *fixture = yyjson_arr_get(kanal_json_at(run->knowledge->root, "sockets"), i);
        if ((kanal_json_at(fixture, "after") != NULL) != after_deliveries)
            continue;
        kit_step(run, "socket %s", play_name_of(fixture, i, name));
        play_socket(run, host, fixture);
        play_learn(run, host);
    }
}

void play_webhooks(struct kit_run *run, struct fake_host *host, int after_deliveries)
{
    char name[64];
    for (size_t i = 0; i < play_webhook_count(run); i++) {
        yyjson_val *fixture = play_webhook_at(run, i);
        if ((kanal_json_at(fixture, "after") != NULL) != after_deliveries)
            continue;
        kit_step(run, "webhook %s", play_name_of(fixture, i, name));
        play_webhook(run, host, fixture);
        play_learn(run, host);
    }
    play_sockets(run, host, after_deliveries);
}

/* "ref" members anywhere in what was published. */
static void collect(yyjson_val *value, kanal_str *refs, size_t *count)
{
    size_t index, max;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach (value, index, max, item)
            collect(item, refs, count);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_foreach (value, index, max, key, item) {
            if (kanal_str_is(kanal_json_text(key), "provider"))
                continue;
            if (kanal_str_is(kanal_json_text(key), "ref") && yyjson_is_str(item) && *count < REFERENCES_MAX)
                refs[(*count)++] = kanal_json_text(item);
            else
                collect(item, refs, count);
        }
    }
}

size_t play_media(struct kit_run *run, struct fake_host *host)
{
    kanal_str refs[REFERENCES_MAX];
    size_t count = 0, own;
    for (size_t i = 0; i < fake_event_count(host); i++)
        collect(yyjson_doc_get_root(fake_event_at(host, i)->document), refs, &count);
    knowledge_list(run->knowledge, "media", &own);
    for (size_t i = 0; i < own && count < REFERENCES_MAX; i++)
        refs[count++] = kanal_json_text(yyjson_arr_get(kanal_json_at(run->knowledge->root, "media"), i));
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        if (kanal_str_starts(refs[i], "blob:"))
            continue; /* the host serves these itself */
        char *reference = kanal_str_dup(refs[i]);
        kit_step(run, "media %.60s", reference ? reference : "");
        if (run->plugin->media && reference)
            play_settle(host, fake_media(host, reference));
        else
            kit_fail(run, "an event holds a ref, but the plugin has no media()");
        free(reference);
        asked++;
    }
    return asked;
}

void play_all(struct kit_run *run, struct fake_host *host)
{
    if (run->plugin->provision) {
        kit_step(run, "registering");
        play_settle(host, fake_provision(host, fake_public_url(host), 1));
    }
    play_webhooks(run, host, 0);
    play_learn(run, host);
    play_samples(run, host);
    play_webhooks(run, host, 1);
    play_media(run, host);
    if (run->plugin->on_wake) {
        kit_step(run, "a wake that nobody asked for");
        fake_wake(host);
        fake_run(host);
    }
    kit_step(run, "time passes");
    fake_advance(host, 61000);
    if (run->plugin->provision) {
        kit_step(run, "taking the registration back");
        play_settle(host, fake_provision(host, fake_public_url(host), 0));
    }
}
