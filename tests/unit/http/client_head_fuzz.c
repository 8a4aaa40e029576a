/* Header lines from a peer: whatever they are, what is kept stays within its limits and its own text. */
#include "http/client_head.h"
#include "kanal/sdk/str.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_fields(const struct http_head *head)
{
    kanal_field fields[HTTP_HEAD_FIELDS];
    size_t count = http_head_fields(head, fields);
    volatile char last = 0;

    check(count <= HTTP_HEAD_FIELDS && head->seen_bytes <= HTTP_HEAD_BYTES);
    for (size_t i = 0; i < count; i++) {
        check(fields[i].name.len > 0 && !memchr(fields[i].name.ptr, ':', fields[i].name.len));
        for (size_t j = 0; j < fields[i].name.len; j++)
            check(fields[i].name.ptr[j] < 'A' || fields[i].name.ptr[j] > 'Z');
        check(fields[i].value.ptr + fields[i].value.len <= head->text.data + head->text.len);
        if (fields[i].value.len > 0)
            last = fields[i].value.ptr[fields[i].value.len - 1];
    }
    check(last != '\n');
}

/* Each line stands in memory of its own, as if it were the end of a packet. */
static int feed(struct http_head *head, const uint8_t *line, size_t len)
{
    char *copy = malloc(len ? len : 1);
    int status;

    memcpy(copy, line, len);
    status = http_head_line(head, kanal_str_of(copy, len));
    free(copy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head head;
    size_t start = 0;

    http_head_init(&head);
    for (size_t i = 0; i < size; i++) {
        int was_complete = head.complete;
        size_t count = head.count;
        if (data[i] != '\n' && i + 1 < size)
            continue;
        if (feed(&head, data + start, i + 1 - start) != 0)
            break;
        check(!was_complete || head.count == count);
        start = i + 1;
    }
    check_fields(&head);
    http_head_release(&head);
    return 0;
}
