#include "kanal/sdk/campaign.h"

const char *const kanal_utm_names[KANAL_UTM_COUNT] = { "utm_source", "utm_medium",  "utm_campaign",
                                                       "utm_term",   "utm_content", "utm_id" };

const char *const kanal_click_id_names[KANAL_CLICK_ID_COUNT] = {
    "gclid",  "gbraid", "wbraid",     "dclid",   "yclid",  "ysclid", "ymclid",
    "fbclid", "vkclid", "rb_clickid", "msclkid", "ttclid", "twclid", "li_fat_id",
};

int kanal_click_id_known(kanal_str name)
{
    for (size_t i = 0; i < KANAL_CLICK_ID_COUNT; i++) {
        if (kanal_str_is(name, kanal_click_id_names[i]))
            return 1;
    }
    return 0;
}
