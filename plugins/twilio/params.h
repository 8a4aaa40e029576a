/* params.h - the parameters of a request of Twilio's: an urlencoded form, or a flat JSON object. Pure. */
#ifndef TWILIO_PARAMS_H
#define TWILIO_PARAMS_H
#include "kanal/sdk/json.h"

#define TW_PARAMS_MAX 256u /* Twilio sends some forty */

struct tw_param {
    kanal_str name, value; /* decoded; views into the params' text */
};

struct tw_params { /* a zeroed struct is empty */
    struct kanal_buffer text;
    size_t count;
    struct tw_param all[TW_PARAMS_MAX];
};

void tw_params_release(struct tw_params *);
/* 0; KANAL_E_INVALID: a broken escape, or too many; KANAL_E_INTERNAL. */
kanal_status tw_params_read_form(struct tw_params *, kanal_str form);
/* The texts, numbers and truths of an object, with names as the form has them ("messageSid" is MessageSid); other values are passed
 * over. 0 or as above (an object that is none has no parameters). */
kanal_status tw_params_read_json(struct tw_params *, yyjson_val *object);
/* The first of that name; absent if there is none. */
kanal_str tw_param(const struct tw_params *, const char *name);
/* Its whole number, or `otherwise`. */
int64_t tw_param_int(const struct tw_params *, const char *name, int64_t otherwise);

#endif
