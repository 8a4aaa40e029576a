#include "corpus.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

#include "../../bench/plugin_fixture.h"
#include "event/envelope.h"
#include "kanal/sdk/time.h"

#define RECORDED_MS INT64_C(1796000000000) /* 2026-11-29: after every fixture's time */

static void read_file(const char *path, struct kanal_buffer *out)
{
    char chunk[8192];
    FILE *file = fopen(path, "rbe");
    cr_assert_not_null(file, "%s cannot be read", path);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        kanal_buffer_append(out, chunk, n);
    fclose(file);
}

static struct corpus_event *more(struct corpus *c)
{
    struct corpus_event *events = realloc(c->events, (c->count + 1) * sizeof *events);
    cr_assert_not_null(events);
    c->events = events;
    memset(&events[c->count], 0, sizeof *events);
    return &events[c->count++];
}

/* ---- As the gateway would publish it ---- */

static void wrap(struct corpus *c, const char *plugin, const kanal_event *event, struct corpus_event *out)
{
    struct envelope envelope = { 0 };
    struct envelope_context context = { .ids = c->ids,
                                        .prefix = KANAL_LIT("kanal"),
                                        .base_url = KANAL_LIT("https://hub.example.com") };
    char channel[80];
    snprintf(channel, sizeof channel, "shop-%s", plugin);
    struct envelope_source source = { .channel = kanal_str_c(channel),
                                      .plugin = kanal_str_c(plugin),
                                      .is_core = 1 };
    cr_assert_eq(envelope_write(&envelope, &context, &source, event, RECORDED_MS), 0, "%s: %s", out->name,
                 envelope.error);
    kanal_str_keep(out->subject, sizeof out->subject, kanal_buffer_view(&envelope.subject));
    kanal_buffer_clear(&out->json);
    kanal_buffer_str(&out->json, kanal_buffer_view(&envelope.json));
    envelope_release(&envelope);
}

void corpus_make(struct corpus *c, const char *type, const char *address, const char *time, const char *data,
                 struct corpus_event *ret_event)
{
    static unsigned int count;
    char dedupe[32];
    kanal_event event = { .struct_size = sizeof event,
                          .type = kanal_str_c(type),
                          .address = kanal_str_c(address),
                          .dedupe = kanal_str_of(dedupe,
                                                 (size_t)snprintf(dedupe, sizeof dedupe, "made %u", ++count)),
                          .external_id = KANAL_LIT("x1"),
                          .data = kanal_str_c(data) };
    cr_assert_eq(kanal_time_parse_rfc3339(kanal_str_c(time), &event.time_ms), 0);
    memset(ret_event, 0, sizeof *ret_event);
    wrap(c, "probe", &event, ret_event);
}

/* ---- proto/examples ---- */

static void take_example(struct corpus *c, const char *file)
{
    char path[512];
    struct corpus_event *event = more(c);
    snprintf(path, sizeof path, "%s/proto/examples/%s", SOURCES, file);
    snprintf(event->name, sizeof event->name, "proto/%s", file);
    read_file(path, &event->json);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&event->json));
    yyjson_val *root = yyjson_doc_get_root(document), *data = kanal_json_at(root, "data");
    kanal_str plugin = kanal_json_text_at(kanal_json_at(data, "channel"), "plugin"),
              type = kanal_json_text_at(root, "type");
    kanal_str channel = kanal_json_text_at(kanal_json_at(data, "channel"), "id"),
              node = kanal_json_text_at(root, "subject");
    int is_activity = kanal_str_starts(type, "activity.");
    snprintf(event->subject, sizeof event->subject, "kanal.%s.%.*s.%.*s.%.*s.%.*s",
             is_activity ? "activity" : "events", plugin.len ? (int)plugin.len : 1,
             plugin.len ? plugin.ptr : "_", channel.len ? (int)channel.len : 1,
             channel.len ? channel.ptr : "_", (int)type.len, type.ptr,
             is_activity || !node.len ? 1 : (int)node.len, is_activity || !node.len ? "_" : node.ptr);
    yyjson_doc_free(document);
}

/* ---- The plugins' fixtures ---- */

/* fixtures/expected/NAME.json: what the plugin says of NAME, one object an event. */
static void take_expected(struct corpus *c, const char *plugin, const char *path, const char *file)
{
    size_t index, count;
    yyjson_val *said;
    struct kanal_buffer text = { 0 };
    read_file(path, &text);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&text));
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!yyjson_is_arr(root))
        root = kanal_json_at(root, "events");
    if (yyjson_is_arr(root))
        yyjson_arr_foreach (root, index, count, said) {
            size_t len;
            char *data = yyjson_val_write(kanal_json_at(said, "data"), 0, &len);
            kanal_event event = { .struct_size = sizeof event,
                                  .type = kanal_json_text_at(said, "type"),
                                  .address = kanal_json_text_at(said, "address"),
                                  .chat = kanal_json_text_at(said, "chat"),
                                  .dedupe = kanal_json_text_at(said, "dedupe"),
                                  .external_id = kanal_json_text_at(said, "external_id"),
                                  .command_id = kanal_json_text_at(said, "command_id"),
                                  .data = kanal_str_of(data, data ? len : 0) };
            kanal_time_parse_rfc3339(kanal_json_text_at(said, "time"), &event.time_ms);
            if (event.type.len > 0 && event.dedupe.len > 0) {
                struct corpus_event *one = more(c);
                snprintf(one->name, sizeof one->name, "%s/%s#%zu", plugin, file, index);
                wrap(c, plugin, &event, one);
            }
            free(data);
        }
    yyjson_doc_free(document);
    kanal_buffer_release(&text);
}

static void take_folder(struct corpus *c, const char *folder, const char *plugin)
{
    DIR *directory = opendir(folder);
    char path[600];
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (plugin)
            take_expected(c, plugin, path, entry->d_name);
        else
            take_example(c, entry->d_name);
    }
    if (directory)
        closedir(directory);
}

/* Those without expected events: their webhooks, on the fake host. */
static void take_webhook(struct corpus *c, const char *plugin, const char *payload)
{
    struct fixture fixture;
    const char *wrong = fixture_open(&fixture, PLUGINS, SOURCES "/plugins", plugin, payload);
    cr_assert_null(wrong, "%s %s: %s", plugin, payload, wrong);
    for (size_t i = 0; i < fixture.event_count; i++) {
        struct corpus_event *one = more(c);
        kanal_event event = fake_event_at(fixture.host, i)->event;
        snprintf(one->name, sizeof one->name, "%s/%s#%zu", plugin, payload, i);
        wrap(c, plugin, &event, one);
    }
    fixture_close(&fixture);
}

void corpus_init(struct corpus *c)
{
    static const char *const webhooks[][2] = {
        { "events", "track.json" },     { "events", "node-batch.json" }, { "webform", "callback.form" },
        { "webform", "callback.json" }, { "webhook", "order.json" },     { "webhook", "message.json" },
        { "echo", "message.json" },     { "echo", "strange_name.json" }, { "webpush", "a page subscribes" },
    };
    char path[512];
    memset(c, 0, sizeof *c);
    cr_assert_eq(ids_new(&c->ids, KANAL_LIT("a salt for tests only")), 0);
    take_folder(c, SOURCES "/proto/examples", NULL);
    cr_assert_geq(c->count, 30);
    DIR *plugins = opendir(SOURCES "/plugins");
    for (struct dirent *entry; plugins && (entry = readdir(plugins));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/plugins/%s/fixtures/expected", SOURCES, entry->d_name);
        take_folder(c, path, entry->d_name);
    }
    closedir(plugins);
    for (size_t i = 0; i < sizeof webhooks / sizeof *webhooks; i++)
        take_webhook(c, webhooks[i][0], webhooks[i][1]);
    cr_assert_geq(c->count, 300, "only %zu events were found", c->count);
}

void corpus_release(struct corpus *c)
{
    for (size_t i = 0; i < c->count; i++)
        kanal_buffer_release(&c->events[i].json);
    free(c->events);
    ids_free(c->ids);
    memset(c, 0, sizeof *c);
}

struct projected corpus_read(const struct corpus_event *event, uint64_t sequence, yyjson_doc **ret_document)
{
    struct projected projected;
    int is_activity = strncmp(event->subject, "kanal.activity.", 15) == 0;
    cr_assert_eq(projected_read(&projected, is_activity ? PROJECTED_ACTIVITY : PROJECTED_EVENTS,
                                kanal_str_c(event->subject), kanal_buffer_view(&event->json), ret_document),
                 0, "%s: %s", event->name, event->subject);
    projected.sequence = sequence;
    return projected;
}
