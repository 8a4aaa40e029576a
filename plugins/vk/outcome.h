/* outcome.h - what VK's answer means for a delivery (https://dev.vk.com/ru/reference/errors). Pure. */
#ifndef VK_OUTCOME_H
#define VK_OUTCOME_H
#include "api.h"

#define VK_CAPTCHA_PAUSE_MS 600000u /* nothing is sent meanwhile: each try makes VK more suspicious */

/* Fills a result of an answer that is not ok; its texts are static or views into the reply. exchange:
 * KANAL_EXCHANGE_… */
void vk_result_of_reply(kanal_result *, const struct vk_reply *, uint32_t exchange, char code_scratch[24]);
/* Of a call that is no delivery: KANAL_OK, or what became of it. */
kanal_status vk_status_of_reply(const struct vk_reply *);

#endif
