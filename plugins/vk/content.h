/* content.h - what a message of VK shows, as canonical content parts (https://dev.vk.com/ru/reference/objects/message).
 * Pure functions over parsed JSON. */
#ifndef VK_CONTENT_H
#define VK_CONTENT_H
#include "kanal/sdk/json.h"

#define VK_TEXT_MAX 16384           /* code points of a text that are told; VK sends at most 9000 */
#define VK_REFERENCE_BYTES_MAX 1000 /* the host's references hold 1024 */

/* Writes the parts of a message as one JSON array; always at least one: what has no canonical form becomes
 * "unsupported" with VK's word for it. Media parts carry "ref": the URL that VK gave. Forwarded messages follow the
 * message's own parts. */
void vk_content_write(struct kanal_json *, yyjson_val *message);
/* One "unsupported" part in an array: of an event that is no message. what: may be NULL. */
void vk_content_unsupported(struct kanal_json *, kanal_str kind, yyjson_val *what);
/* One "answer" part in an array: of a callback button. */
void vk_content_answer(struct kanal_json *, yyjson_val *payload);

/* The payload of a button as VK gives it: JSON, as text or parsed. 1: it is the built-in button "Start". */
int vk_payload_starts(yyjson_val *payload);
/* VK's text: HTML's special characters and line breaks are escaped in it. Appends it as it was written. */
void vk_unescape(struct kanal_buffer *out, kanal_str text);
/* An http or https URL that fits into a reference. */
int vk_is_reference(kanal_str url);

/* ---- Of attachment.c, for content.c ---- */

/* One part for an attachment of any kind. */
void vk_write_attachment(struct kanal_json *, yyjson_val *attachment);
/* A member with VK's text, unescaped and cut; nothing if it is empty. */
void vk_member_text(struct kanal_json *, const char *key, kanal_str text, size_t max_chars);
void vk_write_unsupported(struct kanal_json *, kanal_str kind, kanal_str text, yyjson_val *what);

#endif
