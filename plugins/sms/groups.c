#include "groups.h"

#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "recent.h"

/* ---- Groups ---- */

static void free_texts(struct sms_groups *groups, struct sms_group *group)
{
    for (uint32_t i = 0; i < group->total; i++) {
        groups->bytes -= group->pieces[i].len;
        free(group->pieces[i].bytes);
        group->pieces[i].bytes = NULL;
        group->pieces[i].len = 0;
    }
}

void sms_groups_drop(struct sms_groups *groups, struct sms_group *group)
{
    struct sms_group **at = &groups->first;
    while (*at && *at != group)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = group->next;
    groups->count--;
    free_texts(groups, group);
    free(group);
}

void sms_groups_release(struct sms_groups *groups)
{
    while (groups->first)
        sms_groups_drop(groups, groups->first);
}

struct sms_group *sms_groups_find(const struct sms_groups *groups, uint64_t id)
{
    struct sms_group *group = groups->first;
    while (group && group->id != id)
        group = group->next;
    return group;
}

uint64_t sms_group_id(const struct sms_message *message, const struct sms_part *part)
{
    char numbers[5] = { (char)(part->reference >> 16), (char)(part->reference >> 8), (char)part->reference,
                        (char)part->total, (char)message->source_ton };
    uint64_t h = sms_hash(SMS_HASH_START, message->source);
    h = sms_hash(h, message->destination);
    return sms_hash(h, kanal_str_of(numbers, sizeof numbers));
}

static struct sms_group *append(struct sms_groups *groups, uint8_t total)
{
    struct sms_group **at = &groups->first;
    struct sms_group *group = calloc(1, sizeof *group + total * sizeof group->pieces[0]);
    if (!group)
        return NULL;
    group->total = total;
    while (*at)
        at = &(*at)->next;
    *at = group;
    groups->count++;
    return group;
}

struct sms_group *sms_groups_add(struct sms_groups *groups, uint64_t id, const struct sms_message *message,
                                 uint8_t total, int64_t now_ms)
{
    struct sms_group *group = append(groups, total);
    if (!group)
        return NULL;
    group->id = id;
    kanal_str_keep(group->source, sizeof group->source, message->source);
    kanal_str_keep(group->destination, sizeof group->destination, message->destination);
    group->source_ton = message->source_ton;
    group->destination_ton = message->destination_ton;
    group->data_coding = message->data_coding;
    group->first_ms = now_ms;
    return group;
}

/* Half of what it is as JSON, at most: names and numbers, and a digest a piece. */
static size_t weight_of(const struct sms_groups *groups)
{
    size_t weight = groups->bytes;
    for (const struct sms_group *group = groups->first; group; group = group->next)
        weight += 200 + group->total * (size_t)10;
    return weight;
}

struct sms_group *sms_groups_excess(const struct sms_groups *groups)
{
    if (groups->count < SMS_GROUPS_MAX && weight_of(groups) < SMS_GROUPS_BYTES_MAX)
        return NULL;
    for (struct sms_group *group = groups->first; group; group = group->next) {
        if (group->is_done)
            return group;
    }
    return groups->first;
}

/* ---- Pieces ---- */

static int set_piece(struct sms_groups *groups, struct sms_piece *piece, kanal_str bytes)
{
    piece->bytes = kanal_str_dup(bytes);
    if (!piece->bytes)
        return KANAL_E_INTERNAL;
    piece->len = bytes.len;
    piece->digest = sms_hash(SMS_HASH_START, bytes);
    piece->is_there = 1;
    groups->bytes += bytes.len;
    return 1;
}

int sms_group_put(struct sms_groups *groups, struct sms_group *group, uint8_t sequence, kanal_str bytes)
{
    struct sms_piece *piece = &group->pieces[sequence - 1];
    if (!piece->is_there)
        return set_piece(groups, piece, bytes);
    return piece->digest == sms_hash(SMS_HASH_START, bytes) ? 0 : KANAL_E_REJECTED;
}

uint32_t sms_group_missing(const struct sms_group *group)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < group->total; i++)
        missing += !group->pieces[i].is_there;
    return missing;
}

void sms_group_join(const struct sms_group *group, struct kanal_buffer *out)
{
    for (uint32_t i = 0; i < group->total; i++)
        kanal_buffer_append(out, group->pieces[i].bytes, group->pieces[i].len);
}

void sms_group_finish(struct sms_groups *groups, struct sms_group *group)
{
    free_texts(groups, group);
    group->is_done = 1;
}

/* ---- As JSON ---- */

static void write_number(struct kanal_buffer *out, uint64_t number)
{
    char bytes[8];
    for (size_t i = 8; i-- > 0; number >>= 8)
        bytes[i] = (char)(number & 0xff);
    kanal_hex_encode(out, kanal_str_of(bytes, 8));
}

static uint64_t read_number(kanal_str text)
{
    struct kanal_buffer bytes = { 0 };
    uint64_t number = 0;
    if (text.len == 16 && kanal_hex_decode(&bytes, text) == KANAL_OK && bytes.len == 8) {
        for (size_t i = 0; i < 8; i++)
            number = number << 8 | (unsigned char)bytes.data[i];
    }
    kanal_buffer_release(&bytes);
    return number;
}

static void write_group(struct kanal_json *json, const struct sms_group *group)
{
    struct kanal_buffer text = { 0 };
    write_number(&text, group->id);
    kanal_json_object(json);
    kanal_json_member_str(json, "id", kanal_buffer_view(&text));
    kanal_json_member_text(json, "source", group->source);
    kanal_json_member_int(json, "source_ton", group->source_ton);
    kanal_json_member_text(json, "destination", group->destination);
    kanal_json_member_int(json, "destination_ton", group->destination_ton);
    kanal_json_member_int(json, "data_coding", group->data_coding);
    kanal_json_member_int(json, "first", group->first_ms);
    if (group->is_done)
        kanal_json_member_bool(json, "done", 1);
    kanal_json_key(json, "pieces");
    kanal_json_array(json);
    for (uint32_t i = 0; i < group->total; i++) {
        const struct sms_piece *piece = &group->pieces[i];
        kanal_buffer_clear(&text);
        if (group->is_done)
            write_number(&text, piece->digest);
        else
            kanal_hex_encode(&text, kanal_str_of(piece->bytes, piece->len));
        if (piece->is_there)
            kanal_json_str(json, kanal_str_of(text.data ? text.data : "", text.len));
        else
            kanal_json_null(json);
    }
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    if (text.failed)
        json->out->failed = 1;
    kanal_buffer_release(&text);
}

void sms_groups_write(const struct sms_groups *groups, struct kanal_buffer *out)
{
    struct kanal_json json;
    if (groups->count == 0)
        return;
    kanal_json_init(&json, out);
    kanal_json_array(&json);
    for (const struct sms_group *group = groups->first; group; group = group->next)
        write_group(&json, group);
    kanal_json_array_end(&json);
}

static void read_pieces(struct sms_groups *groups, struct sms_group *group, yyjson_val *pieces)
{
    struct kanal_buffer bytes = { 0 };
    yyjson_val *value;
    size_t index, max;
    yyjson_arr_foreach (pieces, index, max, value) {
        struct sms_piece *piece = &group->pieces[index];
        kanal_buffer_clear(&bytes);
        if (!yyjson_is_str(value))
            continue;
        if (group->is_done) {
            piece->digest = read_number(kanal_json_text(value));
            piece->is_there = 1;
        } else if (kanal_hex_decode(&bytes, kanal_json_text(value)) == KANAL_OK) {
            set_piece(groups, piece, kanal_str_of(bytes.data ? bytes.data : "", bytes.len));
        }
    }
    kanal_buffer_release(&bytes);
}

static int read_group(struct sms_groups *groups, yyjson_val *value)
{
    yyjson_val *pieces = kanal_json_at(value, "pieces");
    size_t total = yyjson_arr_size(pieces);
    uint64_t id = read_number(kanal_json_text_at(value, "id"));
    if (total < 2 || total > SMS_SEGMENTS_MAX || id == 0)
        return KANAL_E_INVALID;
    struct sms_group *group = append(groups, (uint8_t)total);
    if (!group)
        return KANAL_E_INTERNAL;
    group->id = id;
    kanal_str_keep(group->source, sizeof group->source, kanal_json_text_at(value, "source"));
    kanal_str_keep(group->destination, sizeof group->destination, kanal_json_text_at(value, "destination"));
    group->source_ton = (uint8_t)kanal_json_int_at(value, "source_ton", 0);
    group->destination_ton = (uint8_t)kanal_json_int_at(value, "destination_ton", 0);
    group->data_coding = (uint8_t)kanal_json_int_at(value, "data_coding", 0);
    group->first_ms = kanal_json_int_at(value, "first", 0);
    group->is_done = kanal_json_bool_at(value, "done");
    read_pieces(groups, group, pieces);
    return KANAL_OK;
}

kanal_status sms_groups_read(struct sms_groups *groups, kanal_str text)
{
    yyjson_doc *document = kanal_json_parse(text);
    yyjson_val *root = yyjson_doc_get_root(document), *value;
    kanal_status status = yyjson_is_arr(root) ? KANAL_OK : KANAL_E_INVALID;
    size_t index, max;
    yyjson_arr_foreach (root, index, max, value) {
        if (index >= 2 * SMS_GROUPS_MAX || read_group(groups, value) != KANAL_OK)
            status = KANAL_E_INVALID;
    }
    yyjson_doc_free(document);
    return status;
}
