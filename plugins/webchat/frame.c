/* frame.c - see frame.h. */
#include "frame.h"
#include "content.h"

#define ATTRIBUTION_BYTES 256
#define URL_BYTES 2048
#define TITLE_BYTES 1024
#define PAYLOAD_BYTES 1024
#define TICKET_BYTES 4096

size_t frame_chars(kanal_str text)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++)
        chars += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return chars;
}

/* ---- Checks: NULL, or what is wrong ---- */

static int id_ok(kanal_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
            c != '_')
            return 0;
    }
    return id.len >= FRAME_ID_MIN && id.len <= FRAME_ID_MAX;
}

static int locale_ok(kanal_str locale)
{
    size_t run = 0;

    if (locale.len < 2 || locale.len > 35)
        return 0;
    for (size_t i = 0, first = 1; i < locale.len; i++) {
        char c = locale.ptr[i];
        int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';

        if (c == '-' || c == '_') {
            if (run < (first ? 2u : 1u))
                return 0;
            first = run = 0;
        } else if ((!letter && (first || !digit)) || ++run > 8) {
            return 0;
        }
    }
    return run > 0;
}

/* A member that may be missing but must be text if it is there. */
static const char *optional_text(yyjson_val *root, const char *key, kanal_str *ret_text)
{
    yyjson_val *value = kanal_json_at(root, key);

    *ret_text = kanal_json_text(value);
    return value && !yyjson_is_str(value) ? "a member that must be a string is none" : NULL;
}

static const char *read_hello(yyjson_val *root, struct frame *frame)
{
    const char *error = optional_text(root, "token", &frame->token);
    kanal_str locale;

    if (error)
        return error;
    frame->version = kanal_json_int_at(root, "v", -1);
    locale = kanal_json_text_at(root, "locale");
    frame->locale = locale_ok(locale) ? locale : kanal_str_c(NULL);
    return frame->version < 0 ? "v must be a whole number" : NULL;
}

static const char *check_text(const struct frame *frame)
{
    if (!frame->text.ptr)
        return NULL;
    if (frame->text.len == 0 || frame_chars(frame->text) > FRAME_TEXT_CHARS)
        return "text must have 1 to 4000 characters";
    if (memchr(frame->text.ptr, '\0', frame->text.len))
        return "text must not contain U+0000";
    return NULL;
}

static const char *read_answer(yyjson_val *answer, struct frame *frame)
{
    if (!answer)
        return NULL;
    frame->answer_message = kanal_json_text_at(answer, "message");
    frame->answer_payload = kanal_json_text_at(answer, "payload");
    if (frame->answer_message.len == 0 || frame->answer_message.len > FRAME_ID_MAX ||
        frame->answer_payload.len == 0 || frame->answer_payload.len > PAYLOAD_BYTES)
        return "answer must be {message, payload}";
    return frame->text.ptr || frame->file.ptr ? "answer stands alone" : NULL;
}

static const char *read_message(yyjson_val *root, struct frame *frame)
{
    kanal_str id = kanal_json_text_at(root, "id");
    const char *error;

    if (!id_ok(id))
        return "id must be 8 to 64 letters, digits, '-' or '_'";
    frame->id = id;
    if ((error = optional_text(root, "text", &frame->text)) ||
        (error = optional_text(root, "file", &frame->file)))
        return error;
    if ((error = check_text(frame)) || (error = read_answer(kanal_json_at(root, "answer"), frame)))
        return error;
    if (frame->file.len > TICKET_BYTES)
        return "file is no ticket";
    return frame->text.ptr || frame->file.ptr || frame->answer_payload.ptr
               ? NULL
               : "text, file or answer is missing";
}

static const char *read_receipt(yyjson_val *root, struct frame *frame)
{
    frame->up_to = kanal_json_text_at(root, "up_to");
    return frame->up_to.len == 0 || frame->up_to.len > FRAME_ID_MAX ? "up_to must be a message id" : NULL;
}

static const char *read_link(yyjson_val *root, struct frame *frame)
{
    kanal_str id = kanal_json_text_at(root, "id");
    int64_t part = kanal_json_int_at(root, "part", -1);

    if (!id_ok(id))
        return "id must be a message id";
    frame->id = id;
    if (part < 0 || part > 63)
        return "part must be 0 to 63";
    frame->part = (uint32_t)part;
    return NULL;
}

static const char *read_nothing(yyjson_val *root, struct frame *frame)
{
    (void)root;
    (void)frame;
    return NULL;
}

static const struct {
    const char *name;
    enum frame_type type;
    const char *(*read)(yyjson_val *, struct frame *);
} readers[] = {
    { "hello", FRAME_HELLO, read_hello },
    { "sync", FRAME_SYNC, read_nothing },
    { "message", FRAME_MESSAGE, read_message },
    { "typing", FRAME_TYPING, read_nothing },
    { "delivered", FRAME_DELIVERED, read_receipt },
    { "read", FRAME_READ, read_receipt },
    { "link", FRAME_LINK, read_link },
    { "ping", FRAME_PING, read_nothing },
};

kanal_status frame_read(yyjson_val *root, struct frame *ret_frame, const char **ret_error)
{
    kanal_str type = kanal_json_text_at(root, "type");

    memset(ret_frame, 0, sizeof *ret_frame);
    ret_frame->root = root;
    *ret_error = "type is missing or unknown";
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (!kanal_str_is(type, readers[i].name))
            continue;
        ret_frame->type = readers[i].type;
        *ret_error = readers[i].read(root, ret_frame);
    }
    return *ret_error ? KANAL_E_INVALID : KANAL_OK;
}

/* ---- Where the visitor is and came from ---- */

static int short_text(kanal_str text, size_t max_bytes)
{
    return text.len > 0 && text.len <= max_bytes && !memchr(text.ptr, '\0', text.len);
}

static int short_url(kanal_str url)
{
    return url.len <= URL_BYTES && content_url_ok(url);
}

void frame_page(yyjson_val *hello, struct kanal_buffer *out)
{
    yyjson_val *page = kanal_json_at(hello, "page");
    kanal_str url = kanal_json_text_at(page, "url"), title = kanal_json_text_at(page, "title");
    kanal_str referrer = kanal_json_text_at(hello, "referrer");
    struct kanal_json json;

    if (!short_url(url) && !short_url(referrer) && !short_text(title, TITLE_BYTES))
        return;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (short_url(url))
        kanal_json_member_str(&json, "url", url);
    if (short_url(referrer))
        kanal_json_member_str(&json, "referrer", referrer);
    if (short_text(title, TITLE_BYTES))
        kanal_json_member_str(&json, "title", title);
    kanal_json_object_end(&json);
}

static const char *const utm_names[] = { "utm_source", "utm_medium",  "utm_campaign",
                                         "utm_term",   "utm_content", "utm_id" };
static const char *const click_names[] = { "gclid",  "gbraid",  "wbraid", "yclid",
                                           "fbclid", "msclkid", "ttclid", "vkclid" };

/* How many of the names are there, usable; written if json is given. */
static size_t named_texts(yyjson_val *from, const char *const *names, size_t count, struct kanal_json *json)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        kanal_str text = kanal_json_text_at(from, names[i]);

        if (!short_text(text, ATTRIBUTION_BYTES))
            continue;
        found++;
        if (json)
            kanal_json_member_str(json, names[i], text);
    }
    return found;
}

void frame_reference(yyjson_val *hello, char ret_reference[FRAME_REFERENCE_BYTES + 1])
{
    kanal_str text = kanal_json_text_at(hello, "ref");

    ret_reference[0] = '\0';
    if (text.len > FRAME_REFERENCE_BYTES)
        return;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return;
    }
    kanal_str_keep(ret_reference, FRAME_REFERENCE_BYTES + 1, text);
}

void frame_attribution(yyjson_val *hello, struct kanal_buffer *out)
{
    const size_t utm_count = sizeof utm_names / sizeof *utm_names,
                 click_count = sizeof click_names / sizeof *click_names;
    yyjson_val *from = kanal_json_at(hello, "attribution");
    size_t clicks = named_texts(from, click_names, click_count, NULL);
    struct kanal_json json;

    if (clicks + named_texts(from, utm_names, utm_count, NULL) == 0)
        return;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    named_texts(from, utm_names, utm_count, &json);
    if (clicks > 0) {
        kanal_json_key(&json, "click_ids");
        kanal_json_object(&json);
        named_texts(from, click_names, click_count, &json);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
}
