#include "who.h"

#define NAME_MAX_CHARS 256
#define BSUID_MAX 160
#define OTHER_MAX 128 /* bytes of an id that is neither a telephone nor a BSUID */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

kanal_str wa_phone(kanal_str as_told, char out[WA_PHONE_MAX])
{
    size_t n = 0;
    out[n++] = '+';
    for (size_t i = 0; i < as_told.len; i++) {
        char c = as_told.ptr[i];
        if (is_digit(c) && n < 17)
            out[n++] = c;
        else if (c != ' ' && c != '-' && c != '(' && c != ')' && !(c == '+' && i == 0))
            return kanal_str_of(NULL, 0);
    }
    /* E.164: at most 15 digits, none of them a leading 0. */
    return n < 6 || n > 16 || out[1] == '0' ? kanal_str_of(NULL, 0) : kanal_str_of(out, n);
}

int wa_is_bsuid(kanal_str text)
{
    if (text.len < 4 || text.len > BSUID_MAX || text.ptr[2] != '.')
        return 0;
    if (text.ptr[0] < 'A' || text.ptr[0] > 'Z' || text.ptr[1] < 'A' || text.ptr[1] > 'Z')
        return 0;
    for (size_t i = 3; i < text.len; i++)
        if (!is_digit(text.ptr[i]) && !is_letter(text.ptr[i]) && text.ptr[i] != '.')
            return 0;
    return 1;
}

int wa_is_own_contact(yyjson_val *message)
{
    return kanal_str_is(kanal_json_text_at(message, "origin"), "contact_request") &&
           yyjson_arr_size(kanal_json_at(message, "contacts")) == 1;
}

/* ---- Addresses ---- */

static void append_phone(struct kanal_buffer *out, kanal_str as_told)
{
    char scratch[WA_PHONE_MAX];
    kanal_str phone = wa_phone(as_told, scratch);
    if (phone.len > 0) {
        kanal_buffer_text(out, "tel:");
        kanal_buffer_str(out, phone);
    }
}

static void append_bsuid(struct kanal_buffer *out, kanal_str bsuid)
{
    if (wa_is_bsuid(bsuid)) {
        kanal_buffer_text(out, "whatsapp:");
        kanal_buffer_str(out, bsuid);
    }
}

/* The telephone, else the BSUID, else whatever it is. */
static void append_address(struct kanal_buffer *out, const struct wa_who *who)
{
    append_phone(out, who->phone);
    if (out->len == 0)
        append_bsuid(out, who->bsuid);
    if (out->len == 0 && who->phone.len > 0 && who->phone.len <= OTHER_MAX && kanal_str_utf8(who->phone)) {
        kanal_buffer_text(out, "whatsapp:");
        kanal_url_encode(out, who->phone);
    }
}

void wa_address(char out[META_ADDRESS_MAX], const struct wa_who *who)
{
    struct kanal_buffer address = { 0 };
    append_address(&address, who);
    size_t len = address.len < META_ADDRESS_MAX && !address.failed ? address.len : 0;
    if (len > 0)
        memcpy(out, address.data, len);
    out[len] = 0;
    kanal_buffer_release(&address);
}

kanal_str wa_chat(const struct wa_who *who)
{
    return who->phone.len > 0 ? who->phone : who->bsuid;
}

/* ---- Members ---- */

struct identifiers {
    struct kanal_json *json;
    struct kanal_buffer address; /* the customer's own, which is none of them */
    size_t count;
};

static void write_identifier(struct identifiers *all, const struct kanal_buffer *address, const char *source)
{
    struct kanal_json *json = all->json;
    if (address->len == 0 || kanal_str_equal(kanal_buffer_view(address), kanal_buffer_view(&all->address)))
        return;
    if (all->count++ == 0) {
        kanal_json_key(json, "identifiers");
        kanal_json_array(json);
    }
    kanal_json_object(json);
    kanal_json_member_str(json, "address", kanal_buffer_view(address));
    kanal_json_member_bool(json, "verified", 1);
    kanal_json_member_text(json, "source", source);
    kanal_json_object_end(json);
}

static void write_phone(struct identifiers *all, kanal_str phone, const char *source)
{
    struct kanal_buffer address = { 0 };
    append_phone(&address, phone);
    write_identifier(all, &address, source);
    kanal_buffer_release(&address);
}

static void write_bsuid(struct identifiers *all, kanal_str bsuid, const char *source)
{
    struct kanal_buffer address = { 0 };
    append_bsuid(&address, bsuid);
    write_identifier(all, &address, source);
    kanal_buffer_release(&address);
}

static void write_identifiers(struct kanal_json *json, const struct wa_who *who)
{
    struct identifiers all = { .json = json };
    append_address(&all.address, who);
    write_bsuid(&all, who->bsuid, "whatsapp");
    write_bsuid(&all, who->parent, "whatsapp");
    write_phone(&all, who->own_phone, "contact");
    write_phone(&all, who->next_phone, "number_change");
    write_bsuid(&all, who->next_bsuid, "number_change");
    write_bsuid(&all, who->next_parent, "number_change");
    if (all.count > 0)
        kanal_json_array_end(json);
    kanal_buffer_release(&all.address);
}

static void write_names(struct kanal_json *json, const struct wa_who *who)
{
    yyjson_val *profile = kanal_json_at(who->contact, "profile");
    kanal_member_text_of(json, "name", profile, "name", NAME_MAX_CHARS);
    kanal_member_text_of(json, "username", profile, "username", NAME_MAX_CHARS);
}

void wa_write_customer(struct kanal_json *json, const struct wa_who *who)
{
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    write_names(json, who);
    write_identifiers(json, who);
    kanal_json_object_end(json);
}

void wa_write_chat(struct kanal_json *json, kanal_str group, int64_t window_until_ms)
{
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", group.len > 0 ? "group" : "private");
    struct kanal_provider provider = kanal_provider_begin(json);
    if (window_until_ms > 0)
        kanal_json_member_time(json, "window_until", window_until_ms);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

void wa_write_author(struct kanal_json *json, const struct wa_who *who)
{
    struct kanal_buffer address = { 0 };
    append_address(&address, who);
    kanal_json_key(json, "author");
    kanal_json_object(json);
    if (address.len > 0)
        kanal_json_member_str(json, "address", kanal_buffer_view(&address));
    write_names(json, who);
    kanal_json_object_end(json);
    kanal_buffer_release(&address);
}
