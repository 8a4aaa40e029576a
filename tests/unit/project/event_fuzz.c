/* Any bytes as an event of the streams: folded, merged, made a fact. What comes out is well-formed and bounded, says the same when it is read again, and
 * telling the event again changes nothing. */
#include <stdlib.h>

#include "project/facts.h"
#include "project/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_right)
{
    if (!is_right)
        abort();
}

/* The record after the event; to be freed. */
static yyjson_doc *fold(kanal_str record, const struct projected *event, int is_new,
                        struct kanal_buffer *ret_text)
{
    struct profile *profile;
    check(profile_open(&profile, record) == 0);
    check(profile_fold(profile, event) == is_new);
    check(profile_write(profile, ret_text) == 0);
    profile_free(profile);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(ret_text));
    check(document != NULL);
    return document;
}

static void merge(yyjson_doc *one, yyjson_doc *other)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    struct profile_member members[] = { { .node = KANAL_LIT("a_a"), .record = yyjson_doc_get_root(one) },
                                        { .node = KANAL_LIT("a_b"), .record = yyjson_doc_get_root(other) } };
    kanal_json_init(&json, &out);
    profile_merge(&json, KANAL_LIT("c_a"), members, 2);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&out));
    check(document != NULL);
    yyjson_doc_free(document);
    kanal_buffer_release(&out);
}

static void tell(const struct projected *event)
{
    struct kanal_buffer subject = { 0 }, json = { 0 };
    check(fact_write(event, KANAL_LIT("kanal"), &subject, &json) == 0);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&json));
    check(document != NULL);
    yyjson_doc_free(document);
    kanal_buffer_release(&subject);
    kanal_buffer_release(&json);
}

/* The same bytes as a record. */
static void read_record(kanal_str text, const struct projected *event)
{
    struct profile *profile;
    struct kanal_buffer out = { 0 };
    if (profile_open(&profile, text) != 0)
        return;
    profile_fold(profile, event);
    check(profile_write(profile, &out) == 0);
    profile_free(profile);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&out));
    if (document)
        merge(document, document);
    yyjson_doc_free(document);
    kanal_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char plain[] = "{\"id\":\"e_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"type\":\"message.received\","
                                "\"time\":\"2026-11-21T20:53:05.000Z\","
                                "\"recordedtime\":\"2026-11-21T20:53:05.000Z\",\"data\":{}}";
    struct projected event, other;
    yyjson_doc *document, *document_of_other;
    kanal_str text = kanal_str_of((const char *)data, size),
              subject = KANAL_LIT("kanal.events.p.c.message.received._");
    check(projected_read(&other, PROJECTED_EVENTS, subject, kanal_str_c(plain), &document_of_other) == 0);
    other.sequence = 1;
    read_record(text, &other);
    yyjson_doc_free(document_of_other);
    enum projected_stream stream = size % 2 ? PROJECTED_EVENTS : PROJECTED_ACTIVITY;
    if (projected_read(&event, stream, subject, text, &document) != 0)
        return 0;
    struct kanal_buffer once = { 0 }, again = { 0 };
    event.sequence = 1;
    yyjson_doc *first = fold((kanal_str){ 0 }, &event, 1, &once);
    yyjson_doc *second = fold(kanal_buffer_view(&once), &event, 0, &again);
    check(kanal_str_equal(kanal_buffer_view(&once), kanal_buffer_view(&again)));
    check(once.len < 2 * size + PROFILE_BYTES_MAX);
    merge(first, second);
    tell(&event);
    yyjson_doc_free(first);
    yyjson_doc_free(second);
    yyjson_doc_free(document);
    kanal_buffer_release(&once);
    kanal_buffer_release(&again);
    return 0;
}
