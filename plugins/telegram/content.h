/* content.h - what a Telegram message shows, as canonical content parts. Pure functions over parsed JSON. */
#ifndef TELEGRAM_CONTENT_H
#define TELEGRAM_CONTENT_H
#include "kanal/sdk/json.h"

/* Bots can fetch files of at most this size (https://core.telegram.org/bots/api#getfile: 20 MB). */
#define TG_DOWNLOAD_MAX (INT64_C(20) * 1024 * 1024)
#define TG_TEXT_MAX 16384 /* code points of a text that are told; Telegram sends at most 4096 */

/* Writes the parts of a Message as one JSON array; always at least one: what has no canonical form becomes
 * "unsupported" with Telegram's word for it. Media parts carry "ref": the file_id. */
void tg_content_write(struct kanal_json *, yyjson_val *message);
/* One "unsupported" part in an array: of an update that is no message. what: may be NULL; text: may be
 * absent. */
void tg_content_unsupported(struct kanal_json *, kanal_str kind, kanal_str text, yyjson_val *what);
/* The one "answer" part of a callback query, in an array. */
void tg_content_callback(struct kanal_json *, yyjson_val *query);

/* ---- Of unsupported.c, for content.c ---- */

/* One "unsupported" part. kind: Telegram's word; what: its value, or NULL. */
void tg_write_unsupported(struct kanal_json *, kanal_str kind, kanal_str text, yyjson_val *what);
/* The first member of a message that says what it is as such a part; what a person would read as its text. */
void tg_write_other(struct kanal_json *, yyjson_val *message);

/* A telephone number as E.164 ("+79161234567") in out; absent if it is not clearly one. */
kanal_str tg_phone(kanal_str as_told, char out[24]);

#endif
