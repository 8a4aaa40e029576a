/* content.h - message content on its way to a browser: the contract's parts, reduced to the members that the widget shows,
 * each checked. What this writes is stored in the history and sent to clients as it is. */
#ifndef WEBCHAT_CONTENT_H
#define WEBCHAT_CONTENT_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/json.h"

/* Appends a JSON array. content: the contract's list of parts. Returns how many parts were written. */
size_t content_show(struct kanal_buffer *out, yyjson_val *content);

/* An option that an earlier message offered. */
struct content_option {
    char *text;
    const char *kind; /* of the answer part: "button", "quick_reply", "list"; static */
};
/* Looks for a payload in shown content. 0 (text is to be freed) or KANAL_E_NOT_FOUND. */
kanal_status content_option_find(const char *shown, kanal_str payload, struct content_option *ret_option);

/* "image", "video", "audio" or "file"; static. */
const char *content_kind_of(kanal_str mime);

/* An absolute http or https URL of printable ASCII, at most 4096 bytes. */
int content_url_ok(kanal_str url);

#endif
