/* markup.h - formatted text: Telegram's entities to HTML, and HTML or Markdown of a command to Telegram's own
 * HTML.
 *
 * The output is always well nested and escaped, whatever the input: text of a customer or a consumer can
 * neither break the parse (Telegram refuses the whole message then) nor add a tag that was not written by us.
 * Source: https://core.telegram.org/bots/api#formatting-options and #messageentity. */
#ifndef TELEGRAM_MARKUP_H
#define TELEGRAM_MARKUP_H
#include "kanal/sdk/json.h"

/* True if an entity says something that the plain text does not: bold, a link behind words, code … (an
 * address, a hashtag or a command is found in the text itself). */
int tg_entities_matter(yyjson_val *entities);
/* Appends text as HTML. Offsets and lengths of entities are UTF-16 code units; those that overlap are split,
 * those outside of the text are cut, at most 128 are used. */
void tg_entities_html(struct kanal_buffer *out, kanal_str text, yyjson_val *entities);

/* Appends text with <, >, & and " escaped. */
void tg_escape(struct kanal_buffer *out, kanal_str text);
/* Appends HTML of a command as the HTML that Telegram knows: b i u s code pre a blockquote tg-spoiler; br, p,
 * li and headings become line breaks, bullets and bold; the text of other elements stays, of script and style
 * it goes. */
void tg_html_from_html(struct kanal_buffer *out, kanal_str html);
/* Appends Markdown (the CommonMark subset: emphasis, code, fences, links, quotes, headings, lists; ~~strike~~
 * and ||spoiler||) as Telegram's HTML. What does not match stands as it is. */
void tg_html_from_markdown(struct kanal_buffer *out, kanal_str markdown);

/* True if a link may lead there: http, https, tg, mailto, tel. */
int tg_link_is_safe(kanal_str url);

#endif
