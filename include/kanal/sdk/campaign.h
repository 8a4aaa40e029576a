/* kanal/sdk/campaign.h - how a landing page's URL tells the campaign that brought a visitor. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_CAMPAIGN_H
#define KANAL_SDK_CAMPAIGN_H
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The utm_ parameters, which are members of `attribution` by the same names. */
#define KANAL_UTM_COUNT 6u
extern const char *const kanal_utm_names[KANAL_UTM_COUNT];
/* Parameters by which advertising systems find a click again: gclid, yclid, fbclid … */
#define KANAL_CLICK_ID_COUNT 14u
extern const char *const kanal_click_id_names[KANAL_CLICK_ID_COUNT];
/* True of one of these. */
int kanal_click_id_known(kanal_str name);

#ifdef __cplusplus
}
#endif
#endif
