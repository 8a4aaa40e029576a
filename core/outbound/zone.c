#include "outbound/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kanal/sdk/str.h"
#include "outbound/zone_rule.h"

#define HEADER_BYTES 44u
#define TIMES_MAX 8192u
#define TYPES_MAX 256u
#define ZONES_KEPT 64u
#define NAME_MAX_BYTES 64u
#define DAY_S 86400

struct zone {
    size_t count;
    int64_t *times; /* transitions, rising: from then on the type's offset counts */
    unsigned char *types;
    int32_t offsets[TYPES_MAX];
    struct zone_rule rule; /* behind the last one; is_known 0: its offset stays */
};

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->times);
    free(zone->types);
    free(zone);
}

struct zone *zone_fixed(int32_t offset_s)
{
    struct zone *zone = calloc(1, sizeof *zone);
    if (zone)
        zone->offsets[0] = offset_s;
    return zone;
}

int32_t zone_offset(const struct zone *zone, int64_t utc_s)
{
    if (zone->count == 0 || utc_s < zone->times[0])
        return zone->count == 0 && zone->rule.is_known ? zone_rule_offset(&zone->rule, utc_s)
                                                       : zone->offsets[0];
    if (utc_s >= zone->times[zone->count - 1] && zone->rule.is_known)
        return zone_rule_offset(&zone->rule, utc_s);
    size_t low = 0, high = zone->count; /* times[low] <= utc_s < times[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[zone->types[low]];
}

/* ---- A file ---- */

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* What a header says of the block behind it. */
struct block {
    size_t utc_count, std_count, leap_count, time_count, type_count, char_count;
    size_t time_bytes; /* of a transition: 4, from version 2 on 8 */
};

static int read_header(const unsigned char *bytes, size_t len, size_t time_bytes, struct block *ret_block)
{
    if (len < HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0)
        return -1;
    size_t counts[6];
    for (size_t i = 0; i < 6; i++)
        counts[i] = (size_t)big_endian(bytes + 20 + 4 * i, 4);
    *ret_block =
        (struct block){ counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], time_bytes };
    /* Each is bounded, so that their sum is. */
    int is_sane = counts[0] <= TYPES_MAX && counts[1] <= TYPES_MAX && counts[2] <= TIMES_MAX &&
                  counts[3] <= TIMES_MAX && counts[4] >= 1 && counts[4] <= TYPES_MAX && counts[5] <= 4096;
    return is_sane ? 0 : -1;
}

static size_t block_bytes(const struct block *block)
{
    return block->time_count * (block->time_bytes + 1) + block->type_count * 6 + block->char_count +
           block->leap_count * (block->time_bytes + 4) + block->std_count + block->utc_count;
}

static int read_block(struct zone *zone, const struct block *block, const unsigned char *bytes)
{
    const unsigned char *types = bytes + block->time_count * block->time_bytes;
    const unsigned char *infos = types + block->time_count;
    zone->count = block->time_count;
    zone->times = calloc(zone->count + 1, sizeof *zone->times);
    zone->types = calloc(zone->count + 1, 1);
    if (!zone->times || !zone->types)
        return KANAL_E_INTERNAL;
    for (size_t i = 0; i < block->type_count; i++) {
        zone->offsets[i] = (int32_t)(uint32_t)big_endian(infos + 6 * i, 4);
        if (zone->offsets[i] < -2 * DAY_S || zone->offsets[i] > 2 * DAY_S)
            return KANAL_E_INVALID;
    }
    for (size_t i = 0; i < zone->count; i++) {
        uint64_t number = big_endian(bytes + i * block->time_bytes, block->time_bytes);
        zone->times[i] = block->time_bytes == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
        zone->types[i] = types[i];
        if (types[i] >= block->type_count || (i > 0 && zone->times[i] <= zone->times[i - 1]))
            return KANAL_E_INVALID;
    }
    return 0;
}

/* "\n", a TZ string, "\n" */
static int read_footer(struct zone *zone, const unsigned char *bytes, size_t len)
{
    const unsigned char *end = len > 1 && bytes[0] == '\n' ? memchr(bytes + 1, '\n', len - 1) : NULL;
    if (!end)
        return KANAL_E_INVALID;
    kanal_str text = kanal_str_of((const char *)bytes + 1, (size_t)(end - bytes) - 1);
    return text.len == 0 ? 0 : zone_rule_read(&zone->rule, text);
}

static int read_all(struct zone *zone, const unsigned char *bytes, size_t len)
{
    struct block block;
    if (read_header(bytes, len, 4, &block) != 0 || len - HEADER_BYTES < block_bytes(&block))
        return KANAL_E_INVALID;
    if (bytes[4] < '2') /* version 1 */
        return read_block(zone, &block, bytes + HEADER_BYTES);
    size_t skipped = HEADER_BYTES + block_bytes(&block);
    bytes += skipped;
    len -= skipped;
    if (read_header(bytes, len, 8, &block) != 0 || len - HEADER_BYTES < block_bytes(&block))
        return KANAL_E_INVALID;
    int status = read_block(zone, &block, bytes + HEADER_BYTES);
    skipped = HEADER_BYTES + block_bytes(&block);
    return status != 0 ? status : read_footer(zone, bytes + skipped, len - skipped);
}

int zone_read(struct zone **ret_zone, const unsigned char *bytes, size_t len)
{
    struct zone *zone = calloc(1, sizeof *zone);
    if (!zone)
        return KANAL_E_INTERNAL;
    int status = len <= ZONE_FILE_MAX ? read_all(zone, bytes, len) : KANAL_E_INVALID;
    if (status != 0)
        zone_free(zone);
    else
        *ret_zone = zone;
    return status;
}

/* ---- By name ---- */

struct zones {
    const char *directory;
    struct kept {
        char name[NAME_MAX_BYTES + 1];
        struct zone *zone;
    } kept[ZONES_KEPT];
    size_t count, oldest;
};

struct zones *zones_new(const char *directory)
{
    struct zones *zones = calloc(1, sizeof *zones);
    if (zones)
        zones->directory = directory;
    return zones;
}

void zones_free(struct zones *zones)
{
    for (size_t i = 0; zones && i < zones->count; i++)
        zone_free(zones->kept[i].zone);
    free(zones);
}

/* A name comes from outside: it stays below the directory, and names a file of letters. */
static int is_name(kanal_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        int is_inner = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/';
        int begins = i == 0 || name.ptr[i - 1] == '/';
        if (!is_letter && (begins || !is_inner))
            return 0;
    }
    return 1;
}

/* "+03:00", "-0330", "+03" */
static int read_fixed(kanal_str name, int32_t *ret_offset)
{
    int digits[4] = { 0 };
    size_t count = 0;
    for (size_t i = 1; i < name.len; i++) {
        if (name.ptr[i] == ':' && i == 3 && name.len == 6)
            continue;
        if (count == 4 || name.ptr[i] < '0' || name.ptr[i] > '9')
            return -1;
        digits[count++] = name.ptr[i] - '0';
    }
    int hours = digits[0] * 10 + digits[1], minutes = digits[2] * 10 + digits[3];
    if (name.len == 0 || (name.ptr[0] != '+' && name.ptr[0] != '-') || (count != 2 && count != 4) ||
        hours > 18 || minutes > 59)
        return -1;
    *ret_offset = (name.ptr[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return 0;
}

static struct zone *load(const struct zones *zones, kanal_str name)
{
    struct zone *zone = NULL;
    unsigned char bytes[ZONE_FILE_MAX];
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%.*s", zones->directory, (int)name.len, name.ptr);
    int fd = length > 0 && (size_t)length < sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0)
        return NULL;
    ssize_t got, len = 0;
    while ((size_t)len < sizeof bytes && (got = read(fd, bytes + len, sizeof bytes - (size_t)len)) > 0)
        len += got;
    close(fd);
    return zone_read(&zone, bytes, (size_t)len) == 0 ? zone : NULL;
}

const struct zone *zones_find(struct zones *zones, kanal_str name)
{
    int32_t offset = 0;
    for (size_t i = 0; i < zones->count; i++)
        if (kanal_str_is(name, zones->kept[i].name))
            return zones->kept[i].zone;
    struct zone *zone = NULL;
    if (read_fixed(name, &offset) == 0)
        zone = zone_fixed(offset);
    else if (is_name(name))
        zone = load(zones, name);
    if (!zone)
        return NULL;
    size_t place = zones->count < ZONES_KEPT ? zones->count++ : zones->oldest++ % ZONES_KEPT;
    zone_free(zones->kept[place].zone);
    zones->kept[place].zone = zone;
    kanal_str_keep(zones->kept[place].name, sizeof zones->kept[place].name, name);
    return zone;
}
