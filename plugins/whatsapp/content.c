#include "content.h"

#include <stdio.h>

#include "who.h"

#define MEDIA_ID_MAX 900 /* bytes; the host's references hold 1024 */
#define NAME_MAX_CHARS 255
#define PARTS_MAX 64
#define ITEMS_MAX 500
#define PHONES_MAX 16
#define QUANTITY_MAX 1e12
#define MONEY_MAX 1e15

static void part_start(struct kanal_json *json, const char *type)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
}

static yyjson_val *object_at(yyjson_val *message, const char *name)
{
    yyjson_val *value = kanal_json_at(message, name);
    return yyjson_is_obj(value) ? value : NULL;
}

/* ---- What has no form of its own ---- */

static void write_unsupported(struct kanal_json *json, kanal_str kind, kanal_str text, yyjson_val *errors,
                              yyjson_val *value)
{
    yyjson_val *error = yyjson_arr_get_first(errors);
    kanal_str details = kanal_json_text_at(kanal_json_at(error, "error_data"), "details");
    if (text.len == 0)
        text = details.len > 0 ? details : kanal_json_text_at(error, "title");
    part_start(json, "unsupported");
    kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("unknown"));
    kanal_member_text(json, "text", text, WA_TEXT_MAX);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "errors", errors);
    kanal_member_copy(json, "value", value);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

/* "unsupported", "unknown" and "system" tell in a member of that name what it was. */
static void write_other(struct kanal_json *json, yyjson_val *message, kanal_str type)
{
    static const char *const nameless[] = { "unsupported", "unknown", "system" };
    yyjson_val *value = NULL;
    kanal_str kind = type;
    char name[65];
    if (type.len > 0 && type.len < sizeof name) {
        memcpy(name, type.ptr, type.len);
        name[type.len] = 0;
        value = kanal_json_at(message, name);
    }
    for (size_t i = 0; i < sizeof nameless / sizeof *nameless; i++)
        if (kanal_str_is(type, nameless[i]) && kanal_json_text_at(value, "type").len > 0)
            kind = kanal_json_text_at(value, "type");
    write_unsupported(json, kind, kanal_json_text_at(value, "body"), kanal_json_at(message, "errors"), value);
}

/* ---- Text and media ---- */

static int write_text(struct kanal_json *json, yyjson_val *message)
{
    kanal_str body = kanal_json_text_at(kanal_json_at(message, "text"), "body");
    if (body.len == 0)
        return 0;
    part_start(json, "text");
    kanal_member_text(json, "text", body, WA_TEXT_MAX);
    kanal_json_object_end(json);
    return 1;
}

struct media {
    const char *name; /* of the message's member */
    const char *part, *mime;
};

static int write_media(struct kanal_json *json, yyjson_val *message, const struct media *media)
{
    yyjson_val *file = object_at(message, media->name);
    kanal_str id = kanal_json_text_at(file, "id");
    if (!file)
        return 0;
    int is_voice = kanal_json_bool_at(file, "voice");
    part_start(json, is_voice ? "voice" : media->part);
    if (id.len > 0 && id.len <= MEDIA_ID_MAX)
        kanal_json_member_str(json, "ref", id);
    else
        kanal_json_member_text(json, "unavailable", "failed");
    kanal_member_mime(json, kanal_json_text_at(file, "mime_type"), media->mime);
    kanal_member_text_of(json, "name", file, "filename", NAME_MAX_CHARS);
    kanal_member_text_of(json, "caption", file, "caption", WA_TEXT_MAX);
    kanal_member_text_of(json, "external_id", file, "sha256", 1024);
    if (strcmp(media->part, "sticker") == 0)
        kanal_member_true_of(json, "animated", file, "animated");
    struct kanal_provider provider = kanal_provider_begin(json);
    if (id.len <= MEDIA_ID_MAX)
        kanal_member_text(json, "id", id, MEDIA_ID_MAX);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    return 1;
}

static int write_image(struct kanal_json *json, yyjson_val *message)
{
    return write_media(json, message, &(struct media){ "image", "image", "image/jpeg" });
}
static int write_video(struct kanal_json *json, yyjson_val *message)
{
    return write_media(json, message, &(struct media){ "video", "video", "video/mp4" });
}
static int write_audio(struct kanal_json *json, yyjson_val *message)
{
    return write_media(json, message, &(struct media){ "audio", "audio", "audio/ogg" });
}
static int write_document(struct kanal_json *json, yyjson_val *message)
{
    return write_media(json, message, &(struct media){ "document", "file", NULL });
}
static int write_sticker(struct kanal_json *json, yyjson_val *message)
{
    return write_media(json, message, &(struct media){ "sticker", "sticker", "image/webp" });
}

/* ---- Places and people ---- */

static int is_coordinate(yyjson_val *location, const char *name, double limit)
{
    yyjson_val *value = kanal_json_at(location, name);
    return yyjson_is_num(value) && yyjson_get_num(value) >= -limit && yyjson_get_num(value) <= limit;
}

static int write_location(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *location = kanal_json_at(message, "location");
    if (!is_coordinate(location, "latitude", 90) || !is_coordinate(location, "longitude", 180))
        return 0;
    part_start(json, "location");
    kanal_member_number_of(json, "lat", location, "latitude", -90, 90);
    kanal_member_number_of(json, "lon", location, "longitude", -180, 180);
    kanal_member_text_of(json, "name", location, "name", 512);
    kanal_member_text_of(json, "address", location, "address", 1024);
    kanal_member_uri(json, "url", kanal_json_text_at(location, "url"));
    kanal_json_object_end(json);
    return 1;
}

static void write_phones(struct kanal_json *json, yyjson_val *phones)
{
    size_t index, max, count = 0;
    yyjson_val *phone;
    char scratch[WA_PHONE_MAX];
    kanal_json_key(json, "phones");
    kanal_json_array(json);
    yyjson_arr_foreach (phones, index, max, phone) {
        kanal_str told = kanal_json_text_at(phone, "phone");
        kanal_str number = wa_phone(kanal_json_text_at(phone, "wa_id"), scratch);
        if ((number.len > 0 || told.len > 0) && count++ < PHONES_MAX)
            kanal_json_str(json, number.len > 0 ? number : kanal_str_cut(told, 64));
    }
    kanal_json_array_end(json);
}

static void write_emails(struct kanal_json *json, yyjson_val *emails)
{
    size_t index, max, count = 0;
    yyjson_val *email;
    if (yyjson_arr_size(emails) == 0)
        return;
    kanal_json_key(json, "emails");
    kanal_json_array(json);
    yyjson_arr_foreach (emails, index, max, email) {
        kanal_str address = kanal_json_text_at(email, "email");
        if (address.len > 0 && count++ < PHONES_MAX)
            kanal_json_str(json, kanal_str_cut(address, 320));
    }
    kanal_json_array_end(json);
}

static void write_contact(struct kanal_json *json, yyjson_val *contact, int is_own)
{
    yyjson_val *name = kanal_json_at(contact, "name"), *phones = kanal_json_at(contact, "phones");
    kanal_str full = kanal_json_text_at(name, "formatted_name");
    kanal_str first = kanal_json_text_at(name, "first_name");
    kanal_str phone = kanal_json_text_at(yyjson_arr_get_first(phones), "phone");
    part_start(json, "contact");
    kanal_json_member_str(json, "name",
                          full.len > 0    ? kanal_str_cut(full, 512)
                          : first.len > 0 ? kanal_str_cut(first, 512)
                          : phone.len > 0 ? kanal_str_cut(phone, 512)
                                          : KANAL_LIT("?"));
    kanal_member_text(json, "first_name", first, 256);
    kanal_member_text_of(json, "last_name", name, "last_name", 256);
    write_phones(json, phones);
    write_emails(json, kanal_json_at(contact, "emails"));
    kanal_member_text_of(json, "organization", kanal_json_at(contact, "org"), "company", 512);
    kanal_member_text_of(json, "vcard", contact, "vcard", WA_TEXT_MAX);
    if (is_own)
        kanal_json_member_bool(json, "own", 1);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_copy(json, "addresses", kanal_json_at(contact, "addresses"));
    kanal_member_text_of(json, "birthday", contact, "birthday", 32);
    kanal_member_copy(json, "org", kanal_json_at(contact, "org"));
    kanal_member_copy(json, "urls", kanal_json_at(contact, "urls"));
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static int write_contacts(struct kanal_json *json, yyjson_val *message)
{
    size_t index, max, count = 0;
    yyjson_val *contact;
    int is_own = wa_is_own_contact(message);
    yyjson_arr_foreach (kanal_json_at(message, "contacts"), index, max, contact)
        if (yyjson_is_obj(contact) && count < PARTS_MAX) {
            write_contact(json, contact, is_own);
            count++;
        }
    return count > 0;
}

/* ---- Answers ---- */

static int write_button(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *button = object_at(message, "button");
    if (!button)
        return 0;
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "button");
    kanal_member_text_of(json, "payload", button, "payload", 4096);
    kanal_member_text_of(json, "text", button, "text", 4096);
    kanal_json_object_end(json);
    return 1;
}

/* What was filled in comes as JSON in a string. */
static void write_form(struct kanal_json *json, yyjson_val *reply)
{
    kanal_str text = kanal_json_text_at(reply, "response_json");
    yyjson_doc *document = kanal_json_parse(text);
    yyjson_val *values = yyjson_doc_get_root(document);
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", "flow");
    kanal_member_text_of(json, "text", reply, "body", 4096);
    if (yyjson_is_obj(values) && yyjson_obj_size(values) <= 256)
        kanal_member_copy(json, "values", values);
    else
        kanal_member_text(json, "payload", text, 4096);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "name", reply, "name", 256);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    yyjson_doc_free(document);
}

static void write_reply(struct kanal_json *json, const char *kind, yyjson_val *reply)
{
    part_start(json, "answer");
    kanal_json_member_text(json, "kind", kind);
    kanal_member_text_of(json, "payload", reply, "id", 4096);
    kanal_member_text_of(json, "text", reply, "title", 4096);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "description", reply, "description", 512);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static int write_interactive(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *interactive = kanal_json_at(message, "interactive"), *reply;
    if ((reply = object_at(interactive, "button_reply")) != NULL)
        write_reply(json, "button", reply);
    else if ((reply = object_at(interactive, "list_reply")) != NULL)
        write_reply(json, "list", reply);
    else if ((reply = object_at(interactive, "nfm_reply")) != NULL)
        write_form(json, reply);
    else if (yyjson_is_obj(interactive))
        write_unsupported(json, kanal_json_text_at(interactive, "type"), kanal_str_of(NULL, 0), NULL,
                          interactive);
    else
        return 0;
    return 1;
}

/* ---- Orders ---- */

/* A decimal number without an exponent; nothing if it is none that the contract can say. */
static void write_money(struct kanal_json *json, const char *key, yyjson_val *value)
{
    char text[40];
    double number = yyjson_get_num(value);
    if (!yyjson_is_num(value) || !(number > -MONEY_MAX && number < MONEY_MAX))
        return;
    int n = snprintf(text, sizeof text, "%.6f", number);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    kanal_json_member_str(json, key, kanal_str_of(text, n > 0 ? (size_t)n : 0));
}

static int is_currency(kanal_str code)
{
    for (size_t i = 0; i < code.len; i++)
        if (code.ptr[i] < 'A' || code.ptr[i] > 'Z')
            return 0;
    return code.len == 3;
}

static void write_order_item(struct kanal_json *json, yyjson_val *item)
{
    kanal_str currency = kanal_json_text_at(item, "currency");
    yyjson_val *quantity = kanal_json_at(item, "quantity");
    double count = yyjson_get_num(quantity);
    kanal_json_object(json);
    kanal_member_text_of(json, "id", item, "product_retailer_id", 256);
    if (yyjson_is_int(quantity) && count >= 0 && count <= QUANTITY_MAX)
        kanal_json_member_int(json, "quantity", yyjson_get_sint(quantity));
    else if (yyjson_is_num(quantity) && count >= 0 && count <= QUANTITY_MAX)
        kanal_json_member_double(json, "quantity", count);
    else
        kanal_json_member_int(json, "quantity", 0);
    write_money(json, "price", kanal_json_at(item, "item_price"));
    if (is_currency(currency))
        kanal_json_member_str(json, "currency", currency);
    kanal_json_object_end(json);
}

static int write_order(struct kanal_json *json, yyjson_val *message)
{
    yyjson_val *order = object_at(message, "order"), *item;
    size_t index, max, count = 0;
    if (!order)
        return 0;
    part_start(json, "order");
    kanal_member_text_of(json, "catalog", order, "catalog_id", 256);
    kanal_member_text_of(json, "text", order, "text", 4096);
    kanal_json_key(json, "items");
    kanal_json_array(json);
    yyjson_arr_foreach (kanal_json_at(order, "product_items"), index, max, item)
        if (yyjson_is_obj(item) && count++ < ITEMS_MAX)
            write_order_item(json, item);
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    return 1;
}

/* ---- A message ---- */

static const struct kind {
    const char *type;
    int (*write)(struct kanal_json *, yyjson_val *message); /* 0: the member is not what it should be */
} kinds[] = {
    { "text", write_text },
    { "image", write_image },
    { "video", write_video },
    { "audio", write_audio },
    { "voice", write_audio },
    { "document", write_document },
    { "sticker", write_sticker },
    { "location", write_location },
    { "contacts", write_contacts },
    { "button", write_button },
    { "interactive", write_interactive },
    { "order", write_order },
};

void wa_content_write(struct kanal_json *json, yyjson_val *message)
{
    kanal_str type = kanal_json_text_at(message, "type");
    int is_written = 0;
    kanal_json_array(json);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !is_written; i++)
        if (kanal_str_is(type, kinds[i].type))
            is_written = kinds[i].write(json, message);
    if (!is_written)
        write_other(json, message, type);
    kanal_json_array_end(json);
}
