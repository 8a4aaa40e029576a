#include "ops/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "kanal/sdk/json.h"
#include "kanal/sdk/time.h"

#define LOG_MASKS_MAX 4096
#define LOG_LINE_BYTES 4096
#define LOG_MASK_BYTES_MIN 6

struct log {
    pthread_mutex_t lock;
    int fd, min_level, text;
    kanal_str *masks;
    size_t mask_count;
    struct kanal_buffer line, plain;
};

static const char *const level_names[] = { "debug", "info", "warn", "error" };

int log_new(struct log **ret_log, int fd, const char *format, int min_level)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return KANAL_E_INTERNAL;
    pthread_mutex_init(&log->lock, NULL);
    log->fd = fd;
    log->min_level = min_level;
    log->text = strcmp(format, "text") == 0;
    *ret_log = log;
    return 0;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->mask_count; i++) {
        char *secret = (char *)(uintptr_t)log->masks[i].ptr;
        explicit_bzero(secret, log->masks[i].len);
        free(secret);
    }
    free(log->masks);
    kanal_buffer_release(&log->line);
    kanal_buffer_release(&log->plain);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void log_mask(struct log *log, kanal_str secret)
{
    if (secret.len < LOG_MASK_BYTES_MIN)
        return;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->mask_count; i++)
        if (kanal_str_equal(log->masks[i], secret))
            goto out;
    kanal_str *masks =
        log->mask_count < LOG_MASKS_MAX ? realloc(log->masks, (log->mask_count + 1) * sizeof *masks) : NULL;
    char *copy = masks ? kanal_str_dup(secret) : NULL;
    if (masks)
        log->masks = masks;
    if (copy)
        masks[log->mask_count++] = kanal_str_of(copy, secret.len);
out:
    pthread_mutex_unlock(&log->lock);
}

/* Overwrites every registered secret in what was appended since `from`. */
static void mask(const struct log *log, struct kanal_buffer *b, size_t from)
{
    for (size_t i = 0; i < log->mask_count && !b->failed; i++) {
        kanal_str secret = log->masks[i];
        char *at = b->data + from;
        while ((at = memmem(at, b->len - (size_t)(at - b->data), secret.ptr, secret.len)) != NULL) {
            memset(at, '*', secret.len);
            at += secret.len;
        }
    }
}

static void write_json(struct log *log, int64_t now_ms, int level, const char *area, const char *channel,
                       kanal_str message, const struct log_field *fields, size_t count)
{
    struct kanal_json json;
    kanal_json_init(&json, &log->line);
    kanal_json_object(&json);
    kanal_json_member_time(&json, "time", now_ms);
    kanal_json_member_text(&json, "level", level_names[level]);
    kanal_json_member_text(&json, "area", area);
    if (channel)
        kanal_json_member_text(&json, "channel", channel);
    kanal_json_member_str(&json, "message", message);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text.ptr)
            kanal_json_member_str(&json, fields[i].name, fields[i].text);
        else
            kanal_json_member_int(&json, fields[i].name, fields[i].number);
    }
    kanal_json_object_end(&json);
}

static void write_text(struct log *log, int64_t now_ms, int level, const char *area, const char *channel,
                       kanal_str message, const struct log_field *fields, size_t count)
{
    struct kanal_buffer *b = &log->line;
    kanal_time_rfc3339(b, now_ms);
    kanal_buffer_byte(b, ' ');
    kanal_buffer_text(b, level_names[level]);
    kanal_buffer_text(b, "  ");
    kanal_buffer_text(b, area);
    kanal_buffer_byte(b, channel ? '[' : ' ');
    if (channel) {
        kanal_buffer_text(b, channel);
        kanal_buffer_text(b, "] ");
    }
    size_t start = b->len;
    kanal_buffer_str(b, message);
    for (size_t i = 0; i < count; i++) {
        kanal_buffer_byte(b, ' ');
        kanal_buffer_text(b, fields[i].name);
        kanal_buffer_byte(b, '=');
        if (fields[i].text.ptr)
            kanal_buffer_str(b, fields[i].text);
        else
            kanal_buffer_int(b, fields[i].number);
    }
    /* One event is one line, and a terminal gets no control characters from outside. */
    for (size_t i = start; !b->failed && i < b->len; i++)
        if ((unsigned char)b->data[i] < 0x20 || b->data[i] == 0x7f)
            b->data[i] = ' ';
}

void log_write_fields(struct log *log, int level, const char *area, const char *channel, kanal_str message,
                      const struct log_field *fields, size_t count)
{
    if (!log || level < log->min_level)
        return;
    level = level < KANAL_LOG_DEBUG ? KANAL_LOG_DEBUG : level > KANAL_LOG_ERROR ? KANAL_LOG_ERROR : level;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;

    pthread_mutex_lock(&log->lock);
    /* Masked before it is escaped, so that a secret with a quote in it is found too. */
    kanal_buffer_clear(&log->plain);
    kanal_buffer_str(&log->plain, message);
    mask(log, &log->plain, 0);
    kanal_buffer_clear(&log->line);
    (log->text ? write_text : write_json)(log, now_ms, level, area, channel, kanal_buffer_view(&log->plain),
                                          fields, count);
    mask(log, &log->line, 0);
    kanal_buffer_byte(&log->line, '\n');
    kanal_str line = kanal_buffer_view(&log->line);
    while (line.len > 0) {
        ssize_t written = write(log->fd, line.ptr, line.len);
        if (written <= 0)
            break; /* nobody reads the log: it must not stop the gateway */
        line = kanal_str_from(line, (size_t)written);
    }
    pthread_mutex_unlock(&log->lock);
}

void log_write(struct log *log, int level, const char *area, const char *channel, const char *format, ...)
{
    if (!log || level < log->min_level)
        return;
    char text[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    log_write_fields(log, level, area, channel, kanal_str_of(text, len), NULL, 0);
}
