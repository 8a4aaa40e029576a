#include "kanal/sdk/buffer.h"

#define FIRST_CAPACITY 256u

int kanal_buffer_reserve(struct kanal_buffer *b, size_t more)
{
    if (b->failed)
        return -1;
    if (more <= b->capacity - b->len)
        return 0;
    if (more > SIZE_MAX / 2 - b->len) {
        b->failed = 1;
        return -1;
    }
    size_t needed = b->len + more;
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2; /* cannot overflow: needed is at most half of the address space */
    char *data = (char *)realloc(b->data, capacity);
    if (data == NULL) {
        b->failed = 1;
        return -1;
    }
    b->data = data;
    b->capacity = capacity;
    return 0;
}

void kanal_buffer_uint(struct kanal_buffer *b, uint64_t number)
{
    char digits[20];
    size_t start = sizeof digits;
    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    kanal_buffer_append(b, digits + start, sizeof digits - start);
}

void kanal_buffer_int(struct kanal_buffer *b, int64_t number)
{
    if (number >= 0) {
        kanal_buffer_uint(b, (uint64_t)number);
        return;
    }
    kanal_buffer_byte(b, '-');
    kanal_buffer_uint(b, 0 - (uint64_t)number); /* right for INT64_MIN too */
}
