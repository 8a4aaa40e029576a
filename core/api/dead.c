#include "api/dead.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/topology.h"
#include "kanal/sdk/time.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
#define PAGE_LOOKS 20000u /* so that a page of few that match is answered in time; the next one goes on */
#define PAGE_BYTES (384u * 1024)

static api_handler_fn list, get;

const struct api_endpoint api_dead_endpoints[] = {
    { "dead-list", "Dead letters, the newest first, without their content.", list },
    { "dead-get", "One dead letter, whole.", get },
    { "dead-replay", "Puts dead letters back among the commands and takes them out of the stream.",
      dead_replay },
    { "dead-drop", "Erases dead letters.", dead_drop },
};
const size_t api_dead_endpoint_count = sizeof api_dead_endpoints / sizeof *api_dead_endpoints;

void api_dead_init(struct api_dead *api, struct broker *broker, const char *prefix)
{
    api->broker = broker;
    snprintf(api->prefix, sizeof api->prefix, "%s", prefix);
    topology_stream_name(prefix, "DEAD", api->stream);
}

/* ---- What the files of this part share ---- */

static int read_time(yyjson_val *asked, const char *member, int64_t *ret_ms)
{
    kanal_str text = kanal_json_text_at(asked, member);
    *ret_ms = 0;
    if (!kanal_json_at(asked, member))
        return 0;
    return kanal_time_parse_rfc3339(text, ret_ms) == KANAL_OK ? 0 : KANAL_E_INVALID;
}

int dead_filter_read(yyjson_val *asked, struct dead_filter *ret_filter)
{
    *ret_filter = (struct dead_filter){ .channel = kanal_json_text_at(asked, "channel"),
                                        .code = kanal_json_text_at(asked, "code") };
    int status = read_time(asked, "from", &ret_filter->from_ms);
    return status == 0 ? read_time(asked, "until", &ret_filter->until_ms) : status;
}

int dead_filter_matches(const struct dead_filter *filter, yyjson_val *letter)
{
    kanal_str channel = kanal_json_text_at(letter, "channel");
    int64_t time_ms = 0;
    if (filter->channel.len > 0 &&
        !kanal_str_equal(filter->channel, channel.len > 0 ? channel : KANAL_LIT("_")))
        return 0;
    if (filter->code.len > 0 &&
        !kanal_str_equal(filter->code, kanal_json_text_at(kanal_json_at(letter, "error"), "code")))
        return 0;
    if (filter->from_ms == 0 && filter->until_ms == 0)
        return 1;
    (void)kanal_time_parse_rfc3339(kanal_json_text_at(letter, "time"), &time_ms);
    return time_ms >= filter->from_ms && (filter->until_ms == 0 || time_ms <= filter->until_ms);
}

static void write_letter(struct kanal_json *json, const struct dead_seen *seen, int with_content)
{
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_object(json);
    yyjson_obj_foreach (seen->letter, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_is(name, "sequence") ||
            (!with_content && (kanal_str_is(name, "command") || kanal_str_is(name, "payload"))))
            continue;
        kanal_json_key_str(json, name);
        kanal_json_value(json, value);
    }
    kanal_json_member_int(json, "sequence", (int64_t)seen->sequence);
    kanal_json_object_end(json);
}

/* ---- dead-list ---- */

struct listing {
    struct api_request *request;
    yyjson_doc *asked;
    struct dead_filter filter;
    struct kanal_buffer body;
    struct kanal_json json;
    size_t count, limit;
};

static void listing_free(struct listing *listing)
{
    kanal_buffer_release(&listing->body);
    yyjson_doc_free(listing->asked);
    free(listing);
}

static int list_seen(void *user, const struct dead_seen *seen)
{
    struct listing *listing = user;
    if (!dead_filter_matches(&listing->filter, seen->letter))
        return 0;
    write_letter(&listing->json, seen, 0);
    return ++listing->count >= listing->limit || listing->body.len >= PAGE_BYTES;
}

static void list_done(void *user, kanal_status status, const struct dead_cursor *cursor)
{
    struct listing *listing = user;
    if (status != KANAL_OK) {
        api_unavailable(listing->request, status);
    } else {
        kanal_json_array_end(&listing->json);
        if (cursor)
            dead_cursor_write(&listing->json, cursor);
        kanal_json_object_end(&listing->json);
        api_answer(listing->request, kanal_buffer_view(&listing->body));
    }
    listing_free(listing);
}

static size_t read_limit(yyjson_val *asked)
{
    int64_t limit = kanal_json_int_at(asked, "limit", PAGE_DEFAULT);
    return limit < 1 ? 1 : limit > PAGE_MAX ? PAGE_MAX : (size_t)limit;
}

static void list(void *user, struct api_request *request, kanal_str body)
{
    const struct api_dead *api = user;
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        api_unavailable(request, KANAL_E_BUSY);
        yyjson_doc_free(document);
        return;
    }
    yyjson_val *asked = yyjson_doc_get_root(document);
    struct dead_walk_options options = {
        .most = PAGE_LOOKS, .seen = list_seen, .done = list_done, .user = listing
    };
    *listing = (struct listing){ .request = request, .asked = document, .limit = read_limit(asked) };
    if (dead_filter_read(asked, &listing->filter) != 0 ||
        (kanal_json_at(asked, "before") &&
         dead_cursor_read(kanal_json_text_at(asked, "before"), &options.at) != 0)) {
        api_refuse(request, 400, "invalid_request",
                   KANAL_LIT("from and until are times (RFC 3339), before is `next` of a page"),
                   (kanal_str){ 0 });
        listing_free(listing);
        return;
    }
    kanal_json_init(&listing->json, &listing->body);
    kanal_json_object(&listing->json);
    kanal_json_key(&listing->json, "items");
    kanal_json_array(&listing->json);
    dead_walk(api, &options);
}

/* ---- dead-get ---- */

struct getting {
    struct api_request *request;
    char id[65];
    struct kanal_buffer body;
};

static int get_seen(void *user, const struct dead_seen *seen)
{
    struct getting *getting = user;
    struct kanal_json json;
    if (!kanal_str_is(kanal_json_text_at(seen->letter, "id"), getting->id))
        return 0;
    kanal_json_init(&json, &getting->body);
    kanal_json_object(&json);
    kanal_json_key(&json, "dead_letter");
    write_letter(&json, seen, 1);
    kanal_json_object_end(&json);
    return 1;
}

static void get_done(void *user, kanal_status status, const struct dead_cursor *cursor)
{
    struct getting *getting = user;
    (void)cursor;
    if (status != KANAL_OK)
        api_unavailable(getting->request, status);
    else if (getting->body.len > 0)
        api_answer(getting->request, kanal_buffer_view(&getting->body));
    else
        api_refuse(getting->request, 404, "not_found",
                   KANAL_LIT("there is no dead letter of that id; it may have been replayed, dropped, or be "
                             "older than retention.dead"),
                   (kanal_str){ 0 });
    kanal_buffer_release(&getting->body);
    free(getting);
}

static void get(void *user, struct api_request *request, kanal_str body)
{
    const struct api_dead *api = user;
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    struct getting *getting = calloc(1, sizeof *getting);
    kanal_str id = kanal_json_text_at(yyjson_doc_get_root(document), "id");
    if (getting && id.len > 0 && id.len < sizeof getting->id) {
        struct dead_walk_options options = {
            .most = UINT64_MAX, .seen = get_seen, .done = get_done, .user = getting
        };
        getting->request = request;
        memcpy(getting->id, id.ptr, id.len);
        dead_walk(api, &options);
    } else {
        free(getting);
        api_refuse(request, 400, "invalid_request", KANAL_LIT("`id` must be that of a dead letter: e_…"),
                   (kanal_str){ 0 });
    }
    yyjson_doc_free(document);
}
