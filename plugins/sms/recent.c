#include "recent.h"

#include <stdio.h>

#include "kanal/sdk/url.h"

uint64_t sms_hash(uint64_t h, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3); /* an end, so that two texts are not one */
}

enum { PENDING, STORED, REFUSED };

static uint64_t content_of(const struct sms_message *message)
{
    char coding = (char)message->data_coding;
    uint64_t h = sms_hash(SMS_HASH_START, message->source);
    h = sms_hash(h, message->destination);
    h = sms_hash(h, kanal_str_of(&coding, 1));
    h = sms_hash(h, message->text);
    return h ? h : 1;
}

/* The source stands in the key as it is: nobody can make a key that is another's. */
static void write_key(char key[SMS_KEY_BYTES], const struct sms_message *message,
                      const struct sms_recent *recent)
{
    struct kanal_buffer source = { 0 };
    kanal_url_encode(&source,
                     kanal_str_of(message->source.ptr, message->source.len < 30 ? message->source.len : 30));
    snprintf(key, SMS_KEY_BYTES, "mo:%.*s:%016llx:%lld:%u", source.failed ? 0 : (int)source.len,
             source.data ? source.data : "", (unsigned long long)recent->content, (long long)recent->window,
             (unsigned)recent->number);
    kanal_buffer_release(&source);
}

/* The place of the content, or the one that was quiet for longest of those that it may have. */
static struct sms_recent *find_place(struct sms_recent places[SMS_RECENT_PLACES], uint64_t content)
{
    struct sms_recent *set = &places[content / 7 % (SMS_RECENT_PLACES / SMS_RECENT_WAYS) * SMS_RECENT_WAYS];
    struct sms_recent *oldest = set;
    for (size_t i = 0; i < SMS_RECENT_WAYS; i++) {
        if (set[i].content == content)
            return &set[i];
        if (set[i].seen_ms < oldest->seen_ms)
            oldest = &set[i];
    }
    return oldest;
}

struct sms_recent *sms_recent_find(struct sms_recent places[SMS_RECENT_PLACES],
                                   const struct sms_message *message, uint32_t session, int64_t now_ms,
                                   uint32_t window_ms, char key[SMS_KEY_BYTES])
{
    uint64_t content = content_of(message);
    struct sms_recent *recent = find_place(places, content);
    int is_fresh = recent->content != 0 && now_ms - recent->seen_ms < window_ms;
    if (recent->content != content || !is_fresh)
        *recent = (struct sms_recent){ .content = content,
                                       .window = now_ms / window_ms,
                                       .number = is_fresh ? (uint32_t)now_ms | 1u << 31 : 0 };
    else if (recent->session == session &&
             (recent->state == STORED ||
              (recent->state == PENDING && now_ms - recent->seen_ms < SMS_REPEAT_AFTER_MS)))
        recent->number++;
    recent->session = session;
    recent->state = PENDING;
    recent->seen_ms = now_ms;
    write_key(key, message, recent);
    return recent;
}

void sms_recent_answered(struct sms_recent *recent, const struct sms_recent *found, int is_stored)
{
    if (recent->content == found->content && recent->number == found->number &&
        recent->window == found->window)
        recent->state = is_stored ? STORED : REFUSED;
}
