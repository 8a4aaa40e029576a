#include "calls.h"

#define ADDRESS_BYTES_MAX 512u
#define ATTRIBUTES_MAX 256u

/* ---- Whose it is ---- */

static void append_user(struct kanal_buffer *out, const struct call *call, kanal_str id)
{
    kanal_buffer_text(out, "user:");
    kanal_buffer_text(out, call->intake->settings->user_space);
    kanal_buffer_byte(out, '/');
    kanal_url_encode(out, id);
}

static void append_visitor(struct kanal_buffer *out, const char *prefix, kanal_str id)
{
    kanal_buffer_text(out, "visitor:");
    kanal_buffer_text(out, prefix);
    kanal_url_encode(out, id);
}

/* An anonymous visitor stays the same address before and after signing in; the user's id is an identifier beside it. A user's id
 * alone is an address only if the server vouches for it: anybody can write another's number into a page, and must not write into
 * that person's history. Such events hang on a visitor of that name instead. */
const char *people_address(struct kanal_buffer *out, const struct call *call)
{
    size_t before = out->len;
    int vouched = call->intake->is_trusted && (call->intake->settings->verifies & VERIFIES_USER_ID);
    if (call->anonymous_id.len > 0)
        append_visitor(out, "", call->anonymous_id);
    else if (call->previous_id.len > 0)
        append_visitor(out, "", call->previous_id);
    else if (call->user_id.len > 0 && vouched)
        append_user(out, call, call->user_id);
    else if (call->user_id.len > 0)
        append_visitor(out, "user.", call->user_id);
    else
        return "userId or anonymousId is required";
    return out->len - before <= ADDRESS_BYTES_MAX ? NULL : "userId or anonymousId is too long";
}

/* ---- Identifiers ---- */

struct identifiers {
    struct kanal_json *json;
    size_t count;
    int is_trusted;
    uint32_t verifies;
};

static void add(struct identifiers *list, kanal_str address, uint32_t kind)
{
    if (address.len == 0 || address.len > ADDRESS_BYTES_MAX)
        return;
    if (list->count++ == 0) {
        kanal_json_key(list->json, "customer");
        kanal_json_object(list->json);
        kanal_json_key(list->json, "identifiers");
        kanal_json_array(list->json);
    }
    kanal_json_object(list->json);
    kanal_json_member_str(list->json, "address", address);
    kanal_json_member_bool(list->json, "verified", list->is_trusted && (list->verifies & kind));
    kanal_json_member_text(list->json, "source", "identify");
    kanal_json_object_end(list->json);
}

static void add_traits(struct identifiers *list, const struct call *call, yyjson_val *traits)
{
    struct kanal_buffer address = { 0 };
    char scratch[24];
    kanal_str email = kanal_json_text_at(traits, "email"), phone = kanal_json_id_at(traits, "phone", scratch);
    if (email.len > 0 && kanal_mail_address(email, &address) == 1)
        add(list, kanal_buffer_view(&address), VERIFIES_EMAIL);
    kanal_buffer_clear(&address);
    if (phone.len > 0 && kanal_phone_address(phone, call->intake->settings->default_country, &address) == 1)
        add(list, kanal_buffer_view(&address), VERIFIES_PHONE);
    kanal_buffer_release(&address);
}

void people_write_customer(struct kanal_json *json, const struct call *call)
{
    struct identifiers list = { .json = json,
                                .is_trusted = call->intake->is_trusted,
                                .verifies = call->intake->settings->verifies };
    struct kanal_buffer address = { 0 };
    int is_identify = strcmp(call->kind, "identify") == 0;
    if (call->user_id.len > 0) {
        append_user(&address, call, call->user_id);
        add(&list, kanal_buffer_view(&address), VERIFIES_USER_ID);
    }
    kanal_buffer_clear(&address);
    if (call->previous_id.len > 0 && !kanal_str_equal(call->previous_id, call->anonymous_id) &&
        call->anonymous_id.len > 0) { /* alone it is the address */
        append_visitor(&address, "", call->previous_id);
        add(&list, kanal_buffer_view(&address), VERIFIES_ANONYMOUS_ID);
    }
    kanal_buffer_release(&address);
    add_traits(&list, call, kanal_json_at(is_identify ? call->body : call->context, "traits"));
    if (list.count > 0) {
        kanal_json_array_end(json);
        kanal_json_object_end(json);
    }
}

/* ---- Traits ---- */

enum trait_form { TRAIT_TEXT, TRAIT_PHONE, TRAIT_DATE, TRAIT_URL, TRAIT_COMPANY };

/* Traits that have a member of their own in the profile, by Segment's names. */
static const struct trait {
    const char *name, *member;
    uint32_t max_chars;
    enum trait_form form;
} known[] = {
    { "name", "name", 256, TRAIT_TEXT },
    { "firstName", "first_name", 256, TRAIT_TEXT },
    { "first_name", "first_name", 256, TRAIT_TEXT },
    { "lastName", "last_name", 256, TRAIT_TEXT },
    { "last_name", "last_name", 256, TRAIT_TEXT },
    { "username", "username", 256, TRAIT_TEXT },
    { "gender", "gender", 32, TRAIT_TEXT },
    { "email", "email", 320, TRAIT_TEXT },
    { "phone", "phone", 64, TRAIT_PHONE },
    { "timezone", "timezone", 64, TRAIT_TEXT },
    { "birthday", "birthday", 10, TRAIT_DATE },
    { "company", "company", 256, TRAIT_COMPANY },
    { "avatar", "avatar", 0, TRAIT_URL },
};
#define KNOWN_COUNT (sizeof known / sizeof known[0])

/* Its row in the table, or KNOWN_COUNT. */
static size_t find_trait(kanal_str name)
{
    size_t i = 0;
    while (i < KNOWN_COUNT && !kanal_str_is(name, known[i].name))
        i++;
    return i;
}

static int is_date(kanal_str text)
{
    static const char form[] = "0000-00-00";
    for (size_t i = 0; i < 10; i++) {
        int is_digit = i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (i >= text.len || (form[i] == '0' ? !is_digit : text.ptr[i] != '-'))
            return 0;
    }
    return text.len == 10 || text.ptr[10] == 'T';
}

static int write_avatar(struct kanal_json *json, kanal_str text)
{
    struct kanal_buffer url = { 0 };
    int right = kanal_url_clean(&url, text, 4096) == KANAL_OK;
    if (right) {
        kanal_json_key(json, "avatar");
        kanal_json_object(json);
        kanal_json_member_str(json, "url", kanal_buffer_view(&url));
        kanal_json_object_end(json);
    }
    kanal_buffer_release(&url);
    return right;
}

/* 0: its value is of another form than the member's. */
static int write_trait(struct kanal_json *json, const struct trait *trait, yyjson_val *value)
{
    char scratch[24];
    kanal_str text = trait->form == TRAIT_PHONE ? kanal_json_id(value, scratch) : kanal_json_text(value);
    if (trait->form == TRAIT_COMPANY && yyjson_obj_size(value) == 1)
        text = kanal_json_text_at(value, "name");
    if (text.len == 0 || (trait->form == TRAIT_DATE && !is_date(text)))
        return 0;
    if (trait->form == TRAIT_URL)
        return write_avatar(json, text);
    kanal_member_text(json, trait->member, text, trait->max_chars);
    return 1;
}

/* One bit a member, so that none is written twice: firstName and first_name are the same. */
static uint64_t bit_of(size_t row)
{
    size_t first = 0;
    while (strcmp(known[first].member, known[row].member) != 0)
        first++;
    return UINT64_C(1) << first;
}

void people_write_profile(struct kanal_json *json, yyjson_val *traits)
{
    uint64_t written = 0, rows = 0; /* rows: of the table, whose trait has found its member */
    size_t attributes = 0;
    kanal_json_key(json, "profile");
    kanal_json_object(json);
    yyjson_obj_iter members = yyjson_obj_iter_with(traits);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        size_t row = find_trait(kanal_json_text(key));
        if (row == KNOWN_COUNT || (written & bit_of(row)) ||
            !write_trait(json, &known[row], yyjson_obj_iter_get_val(key)))
            continue;
        written |= bit_of(row);
        rows |= UINT64_C(1) << row;
    }
    members = yyjson_obj_iter_with(traits);
    while (attributes < ATTRIBUTES_MAX && (key = yyjson_obj_iter_next(&members)) != NULL) {
        size_t row = find_trait(kanal_json_text(key));
        if (row < KNOWN_COUNT && (rows >> row & 1))
            continue;
        if (attributes++ == 0) {
            kanal_json_key(json, "attributes");
            kanal_json_object(json);
        }
        kanal_json_key_str(json, kanal_json_text(key));
        kanal_value_copy(json, yyjson_obj_iter_get_val(key));
    }
    if (attributes > 0)
        kanal_json_object_end(json);
    kanal_json_object_end(json);
}
