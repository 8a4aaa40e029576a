#include "head.h"

#include "kanal/sdk/str.h"

static const char *const lists[] = { "from",         "sender",     "reply-to",     "to",
                                     "cc",           "bcc",        "resent-to",    "resent-cc",
                                     "resent-from",  "resent-bcc", "content-type", "content-disposition",
                                     "resent-sender" };
#define LISTS (sizeof lists / sizeof *lists)

/* The field that begins the text, with the lines that go on with it. */
static size_t field_length(kanal_str text)
{
    size_t n = 0;
    for (;;) {
        const char *end = memchr(text.ptr + n, '\n', text.len - n);
        n = end ? (size_t)(end - text.ptr) + 1 : text.len;
        if (n == text.len || (text.ptr[n] != ' ' && text.ptr[n] != '\t'))
            return n;
    }
}

static size_t list_of(kanal_str field)
{
    const char *colon = memchr(field.ptr, ':', field.len);
    kanal_str name = kanal_str_of(field.ptr, colon ? (size_t)(colon - field.ptr) : 0);
    while (name.len > 0 && (name.ptr[name.len - 1] == ' ' || name.ptr[name.len - 1] == '\t'))
        name.len--;
    size_t i = 0;
    while (i < LISTS && !kanal_str_equal_nocase(name, kanal_str_c(lists[i])))
        i++;
    return i;
}

/* How much of a list may stay: up to the separator that is one too many. */
static size_t list_length(kanal_str field)
{
    size_t separators = 0;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.ptr[i];
        if ((c == ',' || c == ';' || c == ':') && ++separators > HEAD_ITEMS_MAX)
            return i;
    }
    return field.len;
}

int head_trim(struct kanal_buffer *out, kanal_str head)
{
    uint32_t seen = 0, fields = 0;
    int is_cut = 0;
    while (head.len > 0 && head.ptr[0] != '\n' &&
           !(head.ptr[0] == '\r' && head.len > 1 && head.ptr[1] == '\n')) {
        size_t length = field_length(head), list, kept;
        kanal_str field = kanal_str_of(head.ptr, length < HEAD_FIELD_MAX ? length : HEAD_FIELD_MAX);
        head = kanal_str_from(head, length);
        list = list_of(field);
        kept = list < LISTS ? list_length(field) : field.len;
        is_cut |= kept < length;
        if (fields++ >= HEAD_FIELDS_MAX || (list < LISTS && seen >> list & 1)) {
            is_cut = 1;
            continue;
        }
        if (list < LISTS)
            seen |= 1u << list;
        kanal_buffer_append(out, field.ptr, kept);
        if (kept < length)
            kanal_buffer_text(out, "\r\n");
    }
    return is_cut;
}
