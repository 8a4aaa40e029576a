/* twiml.h - what Twilio is told to do with a call, as XML (https://www.twilio.com/docs/voice/twiml). Pure. */
#ifndef TWILIO_TWIML_H
#define TWILIO_TWIML_H
#include "channel.h"

#define TW_TWIML_EMPTY "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"
#define TW_TWIML_HANGUP "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Hangup/></Response>"
#define TW_TWIML_BYTES_MAX 4000u /* of a call's parameter */

/* As the text of an element or an attribute's value; what XML 1.0 has no characters for is left out. */
void tw_xml(struct kanal_buffer *out, kanal_str text);
/* <Say>; language and voice may be absent. */
void tw_twiml_say(struct kanal_buffer *out, kanal_str text, kanal_str language, kanal_str voice);
/* What becomes of a call that comes in from one party to another, as the settings say. base: the channel's public URL, absent: nothing is
 * told of what follows. */
void tw_twiml_incoming(struct kanal_buffer *out, const struct tw_settings *, kanal_str base, kanal_str from,
                       kanal_str to);

#endif
