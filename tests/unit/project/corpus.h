/* unit/project/corpus.h - every event that the tree knows: proto/examples, and what each plugin makes of its fixtures. */
#ifndef KANAL_TESTS_CORPUS_H
#define KANAL_TESTS_CORPUS_H
#include "project/projector.h"

struct corpus_event {
    char name[600]; /* "proto/message.received.json", "telegram/photo.json#0" */
    char subject[256];
    struct kanal_buffer json;
};
struct corpus {
    struct corpus_event *events;
    size_t count;
    struct ids *ids;
};

/* Stops the test if something cannot be read. */
void corpus_init(struct corpus *);
void corpus_release(struct corpus *);
/* As of the stream that it lies in. document: to be freed. */
struct projected corpus_read(const struct corpus_event *, uint64_t sequence, yyjson_doc **ret_document);
/* From one text: data of a type, with the address "probe:anna" unless the data say another; at that time. */
void corpus_make(struct corpus *, const char *type, const char *address, const char *time, const char *data,
                 struct corpus_event *ret_event);

#endif
