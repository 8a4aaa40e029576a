/* dead-replay and dead-drop: first the letters that are meant are looked for, then they are taken one by one, the oldest first, so that
 * commands come back in the order in which they were given. */
#include <stdio.h>
#include <stdlib.h>

#include "api/dead.h"
#include "broker/jetstream.h"
#include "host/host.h"
#include "kanal/sdk/time.h"

#define LETTERS_MAX 1000u /* of one request */
#define LOOKS_MAX 20000u  /* where ids are not given: the answer's `next` says where to go on */
#define STORE_TIMEOUT_MS 5000u

struct change {
    const struct api_dead *api;
    struct api_request *request;
    yyjson_doc *asked;
    int is_replay, by_ids;
    struct dead_filter filter;
    kanal_str *ids; /* sorted; borrow from asked */
    size_t id_count;
    uint64_t *found; /* sequences */
    size_t found_count, at;
    int64_t done, refused;
    struct dead_cursor cursor;
    int has_cursor;
};

static void change_free(struct change *change)
{
    yyjson_doc_free(change->asked);
    free(change->ids);
    free(change->found);
    free(change);
}

static void end(struct change *change)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "count", change->done);
    if (change->is_replay)
        kanal_json_member_int(&json, "refused", change->refused);
    if (change->has_cursor)
        dead_cursor_write(&json, &change->cursor);
    kanal_json_object_end(&json);
    api_answer(change->request, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
    change_free(change);
}

static void fail(struct change *change, kanal_status status)
{
    api_unavailable(change->request, status);
    change_free(change);
}

/* ---- One letter after the other ---- */

static void go_on(struct change *change);

static void on_deleted(void *user, kanal_status status, kanal_str reason)
{
    struct change *change = user;
    (void)reason;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        fail(change, status);
        return;
    }
    change->done += status == KANAL_OK; /* else somebody else did the same just now */
    change->at++;
    go_on(change);
}

static void take_out(struct change *change)
{
    js_delete_sequence(change->api->broker, change->api->stream, change->found[change->at], on_deleted,
                       change);
}

static void skip(struct change *change, int is_refused)
{
    change->refused += is_refused;
    change->at++;
    go_on(change);
}

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct change *change = user;
    (void)ack; /* a duplicate is as good as stored */
    (void)reason;
    if (status == KANAL_OK)
        take_out(change);
    else if (status == KANAL_E_INVALID || status == KANAL_E_TOO_LARGE)
        skip(change, 1);
    else
        fail(change, status);
}

/* The subject that the command came by; a letter from a lane has the lane's, which is the gateway's own. 0, or KANAL_E_INVALID. */
static int command_subject(const struct api_dead *api, kanal_str said, struct kanal_buffer *out)
{
    kanal_str rest = kanal_str_from(said, strlen(api->prefix));
    if (!kanal_str_starts(said, api->prefix))
        return KANAL_E_INVALID;
    if (kanal_str_starts(rest, ".lanes.")) {
        rest = kanal_str_from(rest, strlen(".lanes."));
        const char *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
        rest = dot ? kanal_str_from(rest, (size_t)(dot - rest.ptr) + 1) : (kanal_str){ 0 };
    } else if (kanal_str_starts(rest, ".commands.")) {
        rest = kanal_str_from(rest, strlen(".commands."));
    } else {
        return KANAL_E_INVALID;
    }
    if (rest.len == 0 || memchr(rest.ptr, '*', rest.len) || memchr(rest.ptr, '>', rest.len))
        return KANAL_E_INVALID;
    kanal_buffer_text(out, api->prefix);
    kanal_buffer_text(out, ".commands.");
    kanal_buffer_str(out, rest);
    return 0;
}

/* What was no command, or is too late by its own word, would only come back. */
int dead_can_be_given(yyjson_val *letter)
{
    yyjson_val *command = kanal_json_at(letter, "command");
    int64_t expires_ms = 0;
    if (!yyjson_is_obj(command) || kanal_json_text_at(command, "id").len == 0)
        return 0;
    kanal_str expires = kanal_json_text_at(command, "expires");
    return expires.len == 0 || kanal_time_parse_rfc3339(expires, &expires_ms) != KANAL_OK ||
           expires_ms > host_now_ms();
}

int dead_give_again(const struct api_dead *api, yyjson_val *letter, int64_t number, js_ack_fn *stored,
                    void *user)
{
    kanal_str id = kanal_json_text_at(letter, "id");
    struct kanal_buffer subject = { 0 }, msg_id = { 0 };
    char part[24];
    size_t len = 0;
    char *command = dead_can_be_given(letter) &&
                            command_subject(api, kanal_json_text_at(letter, "subject"), &subject) == 0
                        ? yyjson_val_write(kanal_json_at(letter, "command"), 0, &len)
                        : NULL;
    int status = command ? KANAL_OK : KANAL_E_INVALID;
    if (command) {
        kanal_field headers[2] = { { KANAL_LIT("Kanal-Replay"), id } };
        snprintf(part, sizeof part, "%lld", (long long)number);
        headers[1] = (kanal_field){ KANAL_LIT("Kanal-Part"), kanal_str_c(part) };
        struct broker_out out = { .subject = kanal_buffer_view(&subject),
                                  .payload = kanal_str_of(command, len),
                                  .headers = headers,
                                  .header_count = number > 1 ? 2 : 1 };
        kanal_buffer_text(&msg_id, "replay.");
        kanal_buffer_str(&msg_id, id);
        js_publish(api->broker, &out, kanal_buffer_view(&msg_id), JS_ANY_SEQUENCE, STORE_TIMEOUT_MS, stored,
                   user);
    }
    free(command);
    kanal_buffer_release(&subject);
    kanal_buffer_release(&msg_id);
    return status;
}

static void replay(struct change *change, yyjson_val *letter)
{
    if (dead_give_again(change->api, letter, kanal_json_int_at(letter, "part", 0), on_stored, change) != 0)
        skip(change, 1);
}

static void on_letter(void *user, kanal_status status, const struct js_message *message)
{
    struct change *change = user;
    if (status == KANAL_E_NOT_FOUND) {
        skip(change, 0);
        return;
    }
    yyjson_doc *document = status == KANAL_OK ? kanal_json_parse(message->payload) : NULL;
    if (document)
        replay(change, yyjson_doc_get_root(document));
    else
        fail(change, status == KANAL_OK ? KANAL_E_BUSY : status);
    yyjson_doc_free(document);
}

static void go_on(struct change *change)
{
    if (change->at == change->found_count)
        end(change);
    else if (change->is_replay)
        js_get_sequence(change->api->broker, change->api->stream, change->found[change->at], on_letter,
                        change);
    else
        take_out(change);
}

/* ---- Which letters are meant ---- */

static int compare_ids(const void *a, const void *b)
{
    const kanal_str *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len > 0 ? memcmp(x->ptr, y->ptr, len) : 0;
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int compare_sequences(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int on_seen(void *user, const struct dead_seen *seen)
{
    struct change *change = user;
    kanal_str id = kanal_json_text_at(seen->letter, "id");
    int is_meant = change->by_ids
                       ? bsearch(&id, change->ids, change->id_count, sizeof id, compare_ids) != NULL
                       : dead_filter_matches(&change->filter, seen->letter);
    if (is_meant)
        change->found[change->found_count++] = seen->sequence;
    return change->found_count >= (change->by_ids ? change->id_count : LETTERS_MAX);
}

static void on_walked(void *user, kanal_status status, const struct dead_cursor *cursor)
{
    struct change *change = user;
    if (status != KANAL_OK) {
        fail(change, status);
        return;
    }
    if (cursor && !change->by_ids) {
        change->cursor = *cursor;
        change->has_cursor = 1;
    }
    if (change->by_ids && change->found_count == 0) {
        api_refuse(change->request, 404, "not_found",
                   KANAL_LIT("there is no dead letter of these ids; they may have been replayed or dropped"),
                   (kanal_str){ 0 });
        change_free(change);
        return;
    }
    qsort(change->found, change->found_count, sizeof *change->found, compare_sequences);
    go_on(change);
}

static int read_ids(struct change *change, yyjson_val *ids)
{
    size_t index, count;
    yyjson_val *id;
    if (!yyjson_is_arr(ids) || yyjson_arr_size(ids) == 0 || yyjson_arr_size(ids) > LETTERS_MAX)
        return KANAL_E_INVALID;
    change->by_ids = 1;
    yyjson_arr_foreach (ids, index, count, id) {
        if (kanal_json_text(id).len == 0)
            return KANAL_E_INVALID;
        change->ids[change->id_count++] = kanal_json_text(id);
    }
    qsort(change->ids, change->id_count, sizeof *change->ids, compare_ids);
    size_t kept = 1; /* one that is named twice is one */
    for (size_t i = 1; i < change->id_count; i++)
        if (!kanal_str_equal(change->ids[i], change->ids[kept - 1]))
            change->ids[kept++] = change->ids[i];
    change->id_count = kept;
    return 0;
}

static int read_asked(struct change *change, yyjson_val *asked, struct dead_cursor *ret_at)
{
    yyjson_val *ids = kanal_json_at(asked, "ids"), *before = kanal_json_at(asked, "before");
    if (ids)
        return read_ids(change, ids);
    if (dead_filter_read(asked, &change->filter) != 0 ||
        (before && dead_cursor_read(kanal_json_text(before), ret_at) != 0))
        return KANAL_E_INVALID;
    return change->filter.channel.len > 0 || kanal_json_bool_at(asked, "all") ? 0 : KANAL_E_INVALID;
}

static void begin(const struct api_dead *api, struct api_request *request, kanal_str body, int is_replay)
{
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    struct change *change = calloc(1, sizeof *change);
    if (change) {
        *change =
            (struct change){ .api = api, .request = request, .asked = document, .is_replay = is_replay };
        change->ids = calloc(LETTERS_MAX, sizeof *change->ids);
        change->found = calloc(LETTERS_MAX, sizeof *change->found);
    }
    if (!change || !change->ids || !change->found) {
        api_unavailable(request, KANAL_E_BUSY);
        if (change)
            change_free(change);
        else
            yyjson_doc_free(document);
        return;
    }
    struct dead_walk_options options = {
        .most = LOOKS_MAX, .is_upwards = 1, .seen = on_seen, .done = on_walked, .user = change
    };
    if (read_asked(change, yyjson_doc_get_root(document), &options.at) != 0) {
        api_refuse(
            request, 400, "invalid_request",
            KANAL_LIT("name 1 to 1000 dead letters in `ids`, or a `channel`, or `all`; from and until are "
                      "times (RFC 3339), before is `next` of an answer"),
            (kanal_str){ 0 });
        change_free(change);
        return;
    }
    if (change->by_ids) { /* they are looked for from the newest on, until each is found */
        options.most = UINT64_MAX;
        options.is_upwards = 0;
    }
    dead_walk(api, &options);
}

void dead_replay(void *user, struct api_request *request, kanal_str body)
{
    begin(user, request, body, 1);
}

void dead_drop(void *user, struct api_request *request, kanal_str body)
{
    begin(user, request, body, 0);
}
