#include "kanal/sdk/campaign.h"

const char *const kanal_utm_names[KANAL_UTM_COUNT] = { "utm_source", "utm_medium",  "utm_campaign",
                                                       "utm_term",   "utm_content", "utm_id" };

int kanal_click_id_known(kanal_str name)
{
    static const char *const names[] = { "gclid",   "gbraid", "wbraid", "dclid",    "yclid",
                                         "ysclid",  "ymclid", "fbclid", "vkclid",   "rb_clickid",
                                         "msclkid", "ttclid", "twclid", "li_fat_id" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kanal_str_is(name, names[i]))
            return 1;
    }
    return 0;
}
