#include "http/client_head.h"
#include "kanal/sdk/str.h"

void http_head_init(struct http_head *head)
{
    kanal_buffer_init(&head->text);
    http_head_clear(head);
}

void http_head_clear(struct http_head *head)
{
    kanal_buffer_clear(&head->text);
    head->count = 0;
    head->seen_bytes = 0;
    head->code = 0;
    head->complete = 0;
    head->last_kept = 0;
}

void http_head_release(struct http_head *head)
{
    kanal_buffer_release(&head->text);
    http_head_clear(head);
}

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static kanal_str trimmed(kanal_str s)
{
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

/* "HTTP/1.1 200 OK": the three digits after the first space; 0 if they are not there. */
static int status_code(kanal_str line)
{
    const char *space = memchr(line.ptr, ' ', line.len);
    size_t at = space ? (size_t)(space - line.ptr) + 1 : line.len;
    int code = 0;

    if (line.len < at + 3)
        return 0;
    for (size_t i = at; i < at + 3; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return 0;
        code = code * 10 + (line.ptr[i] - '0');
    }
    return code;
}

static void start(struct http_head *head, kanal_str line)
{
    kanal_buffer_clear(&head->text);
    head->count = 0;
    head->last_kept = 0;
    head->code = status_code(line);
}

static void append_lower(struct kanal_buffer *text, kanal_str name)
{
    char *at;

    if (kanal_buffer_reserve(text, name.len) != 0)
        return;
    at = text->data + text->len;
    for (size_t i = 0; i < name.len; i++)
        at[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
    text->len += name.len;
}

static void add_field(struct http_head *head, kanal_str line)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    struct http_head_span *span = &head->spans[head->count];
    kanal_str name, value;

    head->last_kept = 0;
    if (!colon || colon == line.ptr || head->count == HTTP_HEAD_FIELDS)
        return;
    name = trimmed(kanal_str_of(line.ptr, (size_t)(colon - line.ptr)));
    value = trimmed(kanal_str_from(line, (size_t)(colon - line.ptr) + 1));
    if (name.len == 0)
        return;
    span->name = (uint32_t)head->text.len;
    span->name_len = (uint32_t)name.len;
    append_lower(&head->text, name);
    span->value = (uint32_t)head->text.len;
    span->value_len = (uint32_t)value.len;
    kanal_buffer_str(&head->text, value);
    head->count++;
    head->last_kept = 1;
}

/* An obsolete folded line (RFC 9112, 5.2). The field's value is the end of the text, so that it can grow. */
static void continue_field(struct http_head *head, kanal_str line)
{
    struct http_head_span *span = head->count > 0 ? &head->spans[head->count - 1] : NULL;
    kanal_str more = trimmed(line);

    if (!span || !head->last_kept || more.len == 0)
        return;
    if (span->value_len > 0)
        kanal_buffer_byte(&head->text, ' ');
    kanal_buffer_str(&head->text, more);
    span->value_len = (uint32_t)head->text.len - span->value;
}

int http_head_line(struct http_head *head, kanal_str line)
{
    if (head->complete)
        return 0;
    if (line.len > HTTP_HEAD_BYTES - head->seen_bytes)
        return KANAL_E_TOO_LARGE;
    head->seen_bytes += line.len;

    if (trimmed(line).len == 0)
        head->complete = head->code >= 200 || head->code == 101;
    else if (kanal_str_starts(line, "HTTP/"))
        start(head, line);
    else if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        continue_field(head, line);
    else
        add_field(head, line);
    return head->text.failed ? KANAL_E_BUSY : 0;
}

size_t http_head_fields(const struct http_head *head, kanal_field ret_fields[HTTP_HEAD_FIELDS])
{
    const char *text = head->text.data;

    for (size_t i = 0; i < head->count; i++) {
        const struct http_head_span *span = &head->spans[i];
        ret_fields[i].name = kanal_str_of(text + span->name, span->name_len);
        ret_fields[i].value = kanal_str_of(text + span->value, span->value_len);
    }
    return head->count;
}
