/* rules.h - what WhatsApp's error codes mean
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes), in answers and in statuses alike. */
#ifndef WHATSAPP_RULES_H
#define WHATSAPP_RULES_H
#include "../meta/outcome.h"

extern const struct meta_rules wa_rules;

#endif
