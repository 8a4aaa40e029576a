#include "identity/evidence.h"

#include <string.h>

#include "event/address.h"
#include "identity/record.h"
#include "kanal/sdk/phone.h"
#include "kanal/sdk/str.h"

#define MEMORY_BYTES (EVIDENCE_MAX * (ADDRESS_BYTES_MAX + 256u))
#define FIELDS_MAX 128u /* the contract's */
#define NAME_MAX_BYTES 128u

struct reading {
    struct evidence *evidence;
    struct ids *ids;
    const struct evidence_rules *rules;
    const struct projected *event;
    int is_trusted; /* the plugin, and the event's own address */
    int failed;
};

static yyjson_val *identifiers_of(const struct projected *event)
{
    yyjson_val *list = kanal_json_at(kanal_json_at(event->data, "customer"), "identifiers");
    return yyjson_arr_size(list) > 0 ? list : NULL;
}

int evidence_is_likely(const struct projected *event)
{
    return event->node.text[0] && event->address.len > 0 && !kanal_str_is(event->plugin, "_") &&
           (identifiers_of(event) || kanal_str_is(event->type, "form.submitted"));
}

/* ---- Whether it is proved ---- */

static int is_named(const char *const *list, kanal_str name)
{
    for (; list && *list; list++)
        if (kanal_str_is(name, *list))
            return 1;
    return 0;
}

static int is_verified(yyjson_val *identifier)
{
    return kanal_json_bool_at(identifier, "verified");
}

/* The event's own address is proved by who issues it, or carries it; a mail only by saying so of itself. */
static int is_own_address_proved(const struct projected *event)
{
    size_t index, max;
    yyjson_val *identifier;
    if (!kanal_str_is(address_scheme(event->address), "mailto"))
        return 1;
    if (identifiers_of(event))
        yyjson_arr_foreach (identifiers_of(event), index, max, identifier)
            if (is_verified(identifier) &&
                kanal_str_equal(kanal_json_text_at(identifier, "address"), event->address))
                return 1;
    return 0;
}

/* By the plugin's word of where it comes from. */
static enum identity_kind kind_of_source(kanal_str source, int verified)
{
    enum identity_kind kind = identity_kind_of(source);
    if (kind == IDENTITY_BY_HAND || kind == IDENTITY_HANDOFF) /* no plugin's to say */
        return IDENTITY_OTHER;
    return kind == IDENTITY_OTHER && verified ? IDENTITY_TRANSPORT : kind;
}

/* ---- Collecting ---- */

static kanal_str keep(struct reading *r, kanal_str text)
{
    struct kanal_buffer *memory = &r->evidence->memory;
    size_t before = memory->len;
    if (memory->capacity - before < text.len) /* reserved once: what points into it stays */
        return (kanal_str){ 0 };
    kanal_buffer_str(memory, text);
    return kanal_str_of(memory->data + before, text.len);
}

static void add(struct reading *r, kanal_str address, const struct evidence_item *said)
{
    struct evidence *evidence = r->evidence;
    struct kanal_buffer normal = { 0 };
    struct evidence_item item = *said;
    if (evidence->count == EVIDENCE_MAX || address_normalise(address, &normal) != 0 ||
        ids_node(r->ids, kanal_buffer_view(&normal), &item.node) != 0 ||
        strcmp(item.node.text, r->event->node.text) == 0) {
        kanal_buffer_release(&normal);
        return;
    }
    struct evidence_item *place = evidence->items;
    while (place < evidence->items + evidence->count && strcmp(place->node.text, item.node.text) != 0)
        place++;
    int is_new = place == evidence->items + evidence->count;
    if (is_new || (item.is_proved && !place->is_proved)) {
        item.address = keep(r, kanal_buffer_view(&normal));
        item.text = keep(r, said->text);
        if (item.address.len > 0) {
            *place = item;
            evidence->count += is_new;
        }
    }
    kanal_buffer_release(&normal);
}

static void read_identifiers(struct reading *r)
{
    size_t index, max;
    yyjson_val *identifier;
    yyjson_val *list = identifiers_of(r->event);
    if (!list)
        return;
    yyjson_arr_foreach (list, index, max, identifier) {
        kanal_str source = kanal_json_text_at(identifier, "source");
        int verified = is_verified(identifier);
        struct evidence_item item = { .kind = kind_of_source(source, verified),
                                      .is_proved = verified && r->is_trusted };
        item.text =
            !verified || item.is_proved ? kanal_str_of(source.ptr, source.len <= 64 ? source.len : 0)
            : is_named(r->rules->trust, r->event->plugin)
                ? KANAL_LIT("the plugin says it is verified, but the event's own address is not proved")
                : KANAL_LIT("the plugin says it is verified, but identity.trust does not name it");
        add(r, kanal_json_text_at(identifier, "address"), &item);
    }
}

static void read_field(struct reading *r, yyjson_val *field, kanal_str form)
{
    kanal_str type = kanal_json_text_at(field, "type"), value = kanal_json_text_at(field, "value");
    kanal_str name = kanal_json_text_at(field, "name");
    struct kanal_buffer address = { 0 }, text = { 0 };
    int is_tel = kanal_str_is(type, "tel");
    if (value.len > ADDRESS_BYTES_MAX || (!is_tel && !kanal_str_is(type, "email")))
        return;
    if ((is_tel ? kanal_phone_address(value, kanal_str_c(r->rules->default_region), &address)
                : kanal_mail_address(value, &address)) == 1) {
        kanal_buffer_text(&text, "field ");
        kanal_buffer_append(&text, name.ptr, name.len < NAME_MAX_BYTES ? name.len : 0);
        kanal_buffer_text(&text, " of the form ");
        kanal_buffer_append(&text, form.ptr, form.len < NAME_MAX_BYTES ? form.len : 0);
        struct evidence_item item = { .kind = IDENTITY_FORM, .text = kanal_buffer_view(&text) };
        add(r, kanal_buffer_view(&address), &item);
    }
    kanal_buffer_release(&address);
    kanal_buffer_release(&text);
}

static void read_form(struct reading *r)
{
    yyjson_val *form = kanal_json_at(r->event->data, "form"), *fields = kanal_json_at(form, "fields"), *field;
    size_t index, max;
    if (!yyjson_is_arr(fields) || !kanal_str_is(r->event->type, "form.submitted"))
        return;
    yyjson_arr_foreach (fields, index, max, field)
        if (index < FIELDS_MAX)
            read_field(r, field, kanal_json_text_at(form, "id"));
}

int evidence_read(struct evidence *evidence, struct ids *ids, const struct evidence_rules *rules,
                  const struct projected *event)
{
    struct reading r = { .evidence = evidence, .ids = ids, .rules = rules, .event = event };
    *evidence = (struct evidence){ 0 };
    if (kanal_buffer_reserve(&evidence->memory, MEMORY_BYTES) != 0)
        return KANAL_E_INTERNAL;
    r.is_trusted = is_named(rules->trust, event->plugin) && is_own_address_proved(event);
    read_form(&r); /* it says which field it was; an identifier of the same address says less */
    read_identifiers(&r);
    return 0;
}

void evidence_release(struct evidence *evidence)
{
    kanal_buffer_release(&evidence->memory);
    evidence->count = 0;
}
