#include "event/trace.h"

#include <openssl/rand.h>
#include <string.h>

#include "kanal/sdk/str.h"

#define TRACE_LEN 55u
#define ID_AT 3u
#define PARENT_AT 36u
#define FLAGS_AT 53u

static const char digits[] = "0123456789abcdef";

static int is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return 0;
    return 1;
}

static int is_zero(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != '0')
            return 0;
    return 1;
}

int trace_read(kanal_str text, struct trace *ret_trace)
{
    if (text.len < TRACE_LEN || !is_hex(text.ptr, 2) || (text.ptr[0] == 'f' && text.ptr[1] == 'f'))
        return KANAL_E_INVALID;
    /* Version 00 has nothing behind the flags; a later one begins what it adds with '-'. */
    if (text.len > TRACE_LEN && (is_zero(text.ptr, 2) || text.ptr[TRACE_LEN] != '-'))
        return KANAL_E_INVALID;
    if (text.ptr[ID_AT - 1] != '-' || text.ptr[PARENT_AT - 1] != '-' || text.ptr[FLAGS_AT - 1] != '-' ||
        !is_hex(text.ptr + ID_AT, 32) || !is_hex(text.ptr + PARENT_AT, 16) ||
        !is_hex(text.ptr + FLAGS_AT, 2) || is_zero(text.ptr + ID_AT, 32) || is_zero(text.ptr + PARENT_AT, 16))
        return KANAL_E_INVALID;
    memcpy(ret_trace->text, text.ptr, TRACE_LEN);
    ret_trace->text[0] = ret_trace->text[1] = '0';
    ret_trace->text[TRACE_LEN] = '\0';
    return 0;
}

/* 24 bytes: the trace's id and the parent's. */
static void write(struct trace *trace, const unsigned char *bytes)
{
    memcpy(trace->text, "00-", ID_AT);
    for (size_t i = 0; i < 24; i++) {
        char *at = trace->text + (i < 16 ? ID_AT + 2 * i : PARENT_AT + 2 * (i - 16));
        at[0] = digits[bytes[i] >> 4];
        at[1] = digits[bytes[i] & 15];
    }
    trace->text[PARENT_AT - 1] = '-';
    memcpy(trace->text + FLAGS_AT - 1, "-00", 4);
}

void trace_of_command(struct ids *ids, kanal_str command_id, struct trace *ret_trace)
{
    struct id id;
    unsigned char bytes[24];
    uint32_t bits = 0, have = 0;
    size_t count = 0;
    if (ids_event(ids, KANAL_LIT("_"), KANAL_LIT("trace"), command_id, &id) != 0)
        memset(&id, 'b', sizeof id);
    for (const char *c = id.text + 2; count < 16; c++) { /* base32, as ids.c wrote it */
        bits = bits << 5 | (uint32_t)(*c >= 'a' ? *c - 'a' : *c - '2' + 26);
        have += 5;
        if (have >= 8)
            bytes[count++] = (unsigned char)(bits >> (have -= 8));
    }
    memcpy(bytes + 16, bytes + 4, 8);
    bytes[0] |= 1; /* never zero */
    bytes[16] |= 1;
    write(ret_trace, bytes);
}

void trace_source_init(struct trace_source *source)
{
    if (RAND_bytes((unsigned char *)source->state, sizeof source->state) != 1)
        memset(source->state, 0, sizeof source->state);
    source->state[0] |= 1;
}

/* xoshiro256** (Blackman and Vigna, 2018). */
static uint64_t next(struct trace_source *source)
{
    uint64_t *s = source->state;
    uint64_t x = s[1] * 5, result = (x << 7 | x >> 57) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

void trace_begin(struct trace_source *source, struct trace *ret_trace)
{
    uint64_t numbers[3] = { next(source), next(source) | 1, next(source) | 1 };
    unsigned char bytes[24];
    memcpy(bytes, numbers, sizeof bytes);
    write(ret_trace, bytes);
}
