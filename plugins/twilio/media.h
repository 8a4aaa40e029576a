/* media.h - files that Twilio keeps: they are fetched with the account's credentials, so only from the account's own place, and their URLs are
 * never told. A reference is the path below it: "Messages/MM…/Media/ME…", "Recordings/RE….mp3". */
#ifndef TWILIO_MEDIA_H
#define TWILIO_MEDIA_H
#include "channel.h"

/* The reference of a URL that Twilio gave; absent if that is not below the account. A view into the URL. */
kanal_str tw_media_reference(kanal_str url, const char *account);
/* "ref", or "unavailable" where there is no reference. suffix: ".mp3" or NULL. */
void tw_media_write(struct kanal_json *, kanal_str url, const char *account, const char *suffix);
/* [lane] The slot of kanal_plugin. */
void tw_media(struct kanal_channel *, kanal_op, kanal_str reference);

#endif
