/* cli/line.h - one event as one line for people: local time, channel, who, type, and what it says in words. Pure functions; nothing
 * that came from outside reaches the line but by terminal.h. */
#ifndef KANAL_CLI_LINE_H
#define KANAL_CLI_LINE_H
#include <yyjson.h>

#include "kanal/sdk/buffer.h"

struct line_style {
    int colours;
    int64_t now_ms; /* events of another day get their date */
};

/* Appends the line, without its end. An event, a fact, a command, a dead letter or anything else: what is not an event is shown
 * as it is, behind its subject. */
void line_write(struct kanal_buffer *out, kanal_str subject, kanal_str payload, const struct line_style *);

/* The parts of a message in words: "Which one? [Yes] [No]". */
void line_content(struct kanal_buffer *out, yyjson_val *content);
/* Of data.error: "recipient_blocked: Message undeliverable (131026)". */
void line_error(struct kanal_buffer *out, yyjson_val *error);

#endif
