#include "project/position.h"

static const char *const words[] = { "none", "asked", "running", "clearing", "done" };

const char *rebuild_word(enum rebuild_state state)
{
    return words[state];
}

/* ---- Reading ---- */

static uint64_t number_at(yyjson_val *object, const char *key)
{
    int64_t number = kanal_json_int_at(object, key, 0);
    return number > 0 ? (uint64_t)number : 0;
}

static void read_pair(yyjson_val *array, uint64_t ret[PROJECTED_STREAMS])
{
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        ret[i] = yyjson_get_uint(yyjson_arr_get(array, i));
}

static void read_rebuild(struct rebuild *r, yyjson_val *object)
{
    kanal_str state = kanal_json_text_at(object, "state");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kanal_str_is(state, words[i]))
            r->state = (enum rebuild_state)i;
    kanal_str_keep(r->id.text, sizeof r->id.text, kanal_json_text_at(object, "id"));
    r->generation = number_at(object, "generation");
    r->former = number_at(object, "former");
    read_pair(kanal_json_at(object, "at"), r->at);
    read_pair(kanal_json_at(object, "first"), r->first);
    read_pair(kanal_json_at(object, "target"), r->target);
    r->asked_ms = kanal_json_int_at(object, "asked", 0);
    r->started_ms = kanal_json_int_at(object, "started", 0);
    r->ended_ms = kanal_json_int_at(object, "ended", 0);
}

int position_read(struct position *ret_position, kanal_str value, uint64_t revision)
{
    struct position p = { .generation = 1, .revision = revision };
    yyjson_doc *document = value.len > 0 ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(document);
    int status = value.len == 0 || kanal_json_int_at(root, "v", 0) == 1 ? 0 : KANAL_E_INVALID;
    if (status == 0) {
        p.generation = root ? number_at(root, "generation") : 1;
        read_pair(kanal_json_at(root, "at"), p.at);
        read_rebuild(&p.rebuild, kanal_json_at(root, "rebuild"));
        *ret_position = p;
    }
    yyjson_doc_free(document);
    return status;
}

/* ---- Writing ---- */

static void write_pair(struct kanal_json *json, const char *key, const uint64_t pair[PROJECTED_STREAMS])
{
    kanal_json_key(json, key);
    kanal_json_array(json);
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        kanal_json_uint(json, pair[i]);
    kanal_json_array_end(json);
}

void position_write(const struct position *p, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "v", 1);
    kanal_json_member_int(&json, "generation", (int64_t)p->generation);
    write_pair(&json, "at", p->at);
    if (p->rebuild.state != REBUILD_NONE) {
        const struct rebuild *r = &p->rebuild;
        kanal_json_key(&json, "rebuild");
        kanal_json_object(&json);
        kanal_json_member_text(&json, "id", r->id.text);
        kanal_json_member_text(&json, "state", words[r->state]);
        kanal_json_member_int(&json, "generation", (int64_t)r->generation);
        kanal_json_member_int(&json, "former", (int64_t)r->former);
        write_pair(&json, "at", r->at);
        write_pair(&json, "first", r->first);
        write_pair(&json, "target", r->target);
        kanal_json_member_int(&json, "asked", r->asked_ms);
        kanal_json_member_int(&json, "started", r->started_ms);
        kanal_json_member_int(&json, "ended", r->ended_ms);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
}

void rebuild_write(struct kanal_json *json, const struct rebuild *r)
{
    uint64_t events = 0, total = 0;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        uint64_t before = r->first[i] > 0 ? r->first[i] - 1 : 0,
                 target = r->target[i] > before ? r->target[i] : before;
        uint64_t at = r->at[i] < before ? before : r->at[i] < target ? r->at[i] : target;
        events += at - before;
        total += target - before;
    }
    kanal_json_object(json);
    kanal_json_member_text(json, "id", r->id.text);
    kanal_json_member_text(json, "state", words[r->state]);
    kanal_json_member_int(json, "events", (int64_t)events);
    kanal_json_member_int(json, "total", (int64_t)total);
    kanal_json_member_time(json, "asked", r->asked_ms);
    if (r->started_ms > 0)
        kanal_json_member_time(json, "started", r->started_ms);
    if (r->ended_ms > 0)
        kanal_json_member_time(json, "ended", r->ended_ms);
    kanal_json_object_end(json);
}
