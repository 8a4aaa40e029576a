#include "identity/record.h"

#include <string.h>

#include "kanal/sdk/time.h"

/* By enum identity_kind; they are part of the ids of links and stay as they are. */
static const char *const kinds[] = { "transport", "contact", "token",  "handoff", "form",
                                     "identify",  "header",  "manual", "other",   NULL };

const char *identity_kind_word(enum identity_kind kind)
{
    return kinds[kind <= IDENTITY_OTHER ? kind : IDENTITY_OTHER];
}

enum identity_kind identity_kind_of(kanal_str word)
{
    for (int kind = 0; kind < IDENTITY_OTHER; kind++)
        if (kanal_str_is(word, kinds[kind]))
            return (enum identity_kind)kind;
    return IDENTITY_OTHER;
}

int link_id_of(struct ids *ids, const struct id nodes[2], enum identity_kind kind, struct id *ret_id)
{
    char text[3 * ID_LEN];
    int is_turned = strcmp(nodes[0].text, nodes[1].text) > 0;
    int len = snprintf(text, sizeof text, "%s%s%s", nodes[is_turned].text, nodes[!is_turned].text,
                       identity_kind_word(kind));
    if (ids_event(ids, KANAL_LIT("_"), KANAL_LIT("link"), kanal_str_of(text, (size_t)len), ret_id) != 0)
        return KANAL_E_INTERNAL;
    ret_id->text[0] = 'l';
    return 0;
}

int link_edge(const struct id nodes[2], enum identity_kind kind, const struct id *link_id,
              struct graph_link *ret_edge)
{
    unsigned char tag[16];
    struct graph_link edge = { .kind = (uint8_t)kind };
    if (ids_bytes(kanal_str_of(nodes[0].text, ID_LEN), edge.a.bytes) != 0 ||
        ids_bytes(kanal_str_of(nodes[1].text, ID_LEN), edge.b.bytes) != 0 ||
        ids_bytes(kanal_str_of(link_id->text, ID_LEN), tag) != 0 ||
        memcmp(edge.a.bytes, edge.b.bytes, sizeof edge.a.bytes) == 0)
        return KANAL_E_INVALID;
    memcpy(&edge.tag, tag, sizeof edge.tag);
    *ret_edge = edge;
    return 0;
}

/* ---- Reading ---- */

/* An array of at most two ids; how many. */
static size_t read_ids(yyjson_val *array, char prefix, struct id ret_ids[2])
{
    size_t count = 0, index, max;
    yyjson_val *value;
    if (!yyjson_is_arr(array))
        return 0;
    yyjson_arr_foreach (array, index, max, value) {
        unsigned char bytes[16];
        kanal_str text = kanal_json_text(value);
        if (count == 2 || ids_bytes(text, bytes) != 0 || text.ptr[0] != prefix)
            return 0;
        ids_text((const char[2]){ prefix, '_' }, bytes, &ret_ids[count++]);
    }
    return count;
}

static int read_state(struct link_record *record, yyjson_val *root)
{
    kanal_str state = kanal_json_text_at(root, "state");
    record->state = kanal_str_is(state, "linked")     ? GRAPH_LINKED
                    : kanal_str_is(state, "unlinked") ? GRAPH_UNDONE
                                                      : GRAPH_ABSENT;
    record->count = kanal_json_int_at(root, "count", 0);
    record->is_told = kanal_json_bool_at(root, "told");
    record->reason = kanal_json_text_at(root, "reason");
    record->agent = kanal_json_at(root, "agent");
    record->customer_count = read_ids(kanal_json_at(root, "customers"), 'c', record->customers);
    return record->state != GRAPH_ABSENT && record->count > 0 && record->customer_count > 0 &&
                   kanal_time_parse_rfc3339(kanal_json_text_at(root, "changed"), &record->changed_ms) == 0
               ? 0
               : KANAL_E_INVALID;
}

static int read_link(struct link_record *record, struct ids *ids, kanal_str key, yyjson_val *root)
{
    struct id id;
    record->link = kanal_json_at(root, "link");
    yyjson_val *addresses = kanal_json_at(record->link, "addresses");
    kanal_str kind = kanal_json_text_at(kanal_json_at(record->link, "evidence"), "kind");
    if (read_ids(kanal_json_at(record->link, "nodes"), 'a', record->nodes) != 2)
        return KANAL_E_INVALID;
    record->kind = identity_kind_of(kind);
    for (size_t i = 0; yyjson_arr_size(addresses) == 2 && i < 2; i++)
        record->addresses[i] = kanal_json_text(yyjson_arr_get(addresses, i));
    return link_id_of(ids, record->nodes, record->kind, &id) == 0 && kanal_str_is(key, id.text)
               ? 0
               : KANAL_E_INVALID;
}

int link_record_read(struct link_record *record, struct ids *ids, kanal_str key, kanal_str value)
{
    *record = (struct link_record){ .document = kanal_json_parse(value) };
    yyjson_val *root = yyjson_doc_get_root(record->document);
    if (read_link(record, ids, key, root) == 0 && read_state(record, root) == 0)
        return 0;
    link_record_release(record);
    return KANAL_E_INVALID;
}

void link_record_release(struct link_record *record)
{
    yyjson_doc_free(record->document);
    *record = (struct link_record){ 0 };
}

/* ---- Writing ---- */

/* At most so many bytes, and no half of a character at the end. */
static void member_cut(struct kanal_json *json, const char *key, kanal_str text, size_t most)
{
    if (text.len > most) {
        text.len = most;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    kanal_json_member_nonempty(json, key, text);
}

void evidence_write(struct kanal_json *json, const struct identity_evidence *evidence)
{
    kanal_json_key(json, "evidence");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", identity_kind_word(evidence->kind));
    kanal_json_member_nonempty(json, "event", evidence->event);
    member_cut(json, "link", evidence->link, 64);
    kanal_json_member_nonempty(json, "channel", evidence->channel);
    member_cut(json, "text", evidence->text, 1024);
    kanal_json_object_end(json);
}

static void write_link(struct kanal_buffer *out, const struct identity_link *link, const struct id *id)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", id->text);
    kanal_json_key(&json, "nodes");
    kanal_json_array(&json);
    for (int i = 0; i < 2; i++)
        kanal_json_str(&json, kanal_str_c(link->nodes[i].text));
    kanal_json_array_end(&json);
    if (link->addresses[0].len > 0 && link->addresses[1].len > 0) {
        kanal_json_key(&json, "addresses");
        kanal_json_array(&json);
        for (int i = 0; i < 2; i++)
            kanal_json_str(&json, link->addresses[i]);
        kanal_json_array_end(&json);
    }
    kanal_json_member_text(&json, "strength", link->strength == IDENTITY_MANUAL ? "manual" : "verified");
    evidence_write(&json, &link->evidence);
    kanal_json_object_end(&json);
}

int link_draft_init(struct link_draft *draft, struct ids *ids, const struct identity_link *link,
                    int64_t now_ms, struct id *ret_link_id)
{
    struct graph_link edge;
    struct id id;
    *draft = (struct link_draft){ .changed_ms = link->time_ms > 0 ? link->time_ms : now_ms };
    if (link_id_of(ids, link->nodes, link->evidence.kind, &id) != 0 ||
        link_edge(link->nodes, link->evidence.kind, &id, &edge) != 0)
        return KANAL_E_INVALID;
    memcpy(draft->nodes, link->nodes, sizeof draft->nodes);
    write_link(&draft->link, link, &id);
    kanal_buffer_str(&draft->address, link->addresses[0]);
    link_draft_say(draft, link->reason, &link->agent);
    *ret_link_id = id;
    return 0;
}

void link_draft_say(struct link_draft *draft, kanal_str reason, const struct identity_agent *agent)
{
    kanal_buffer_clear(&draft->reason);
    kanal_buffer_clear(&draft->agent);
    kanal_buffer_str(&draft->reason, reason);
    kanal_buffer_str(&draft->agent,
                     agent && agent->json.len > 0 ? agent->json : KANAL_LIT("{\"kind\":\"system\"}"));
}

int link_draft_take(struct link_draft *draft, const struct link_record *record)
{
    struct kanal_json json;
    kanal_buffer_clear(&draft->link);
    kanal_json_init(&json, &draft->link);
    kanal_json_value(&json, record->link);
    kanal_buffer_clear(&draft->address);
    kanal_buffer_str(&draft->address, record->addresses[0]);
    kanal_buffer_clear(&draft->reason);
    kanal_buffer_str(&draft->reason, record->reason);
    kanal_buffer_clear(&draft->agent);
    kanal_json_init(&json, &draft->agent);
    if (record->agent)
        kanal_json_value(&json, record->agent);
    memcpy(draft->nodes, record->nodes, sizeof draft->nodes);
    memcpy(draft->customers, record->customers, sizeof draft->customers);
    draft->customer_count = record->customer_count;
    draft->state = record->state;
    draft->count = record->count;
    draft->changed_ms = record->changed_ms;
    return draft->link.failed || draft->address.failed || draft->reason.failed || draft->agent.failed
               ? KANAL_E_INTERNAL
               : 0;
}

void link_draft_release(struct link_draft *draft)
{
    kanal_buffer_release(&draft->link);
    kanal_buffer_release(&draft->agent);
    kanal_buffer_release(&draft->reason);
    kanal_buffer_release(&draft->address);
}

void link_draft_write(const struct link_draft *draft, int is_told, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "link");
    kanal_json_raw(&json, kanal_buffer_view(&draft->link));
    kanal_json_member_text(&json, "state", draft->state == GRAPH_LINKED ? "linked" : "unlinked");
    kanal_json_member_int(&json, "count", draft->count);
    kanal_json_member_time(&json, "changed", draft->changed_ms);
    kanal_json_key(&json, "customers");
    kanal_json_array(&json);
    for (size_t i = 0; i < draft->customer_count; i++)
        kanal_json_str(&json, kanal_str_c(draft->customers[i].text));
    kanal_json_array_end(&json);
    member_cut(&json, "reason", kanal_buffer_view(&draft->reason), 1024);
    if (draft->agent.len > 0) {
        kanal_json_key(&json, "agent");
        kanal_json_raw(&json, kanal_buffer_view(&draft->agent));
    }
    if (is_told)
        kanal_json_member_bool(&json, "told", 1);
    kanal_json_object_end(&json);
}
