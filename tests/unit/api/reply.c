/* Where an answer may go: the broker lets whoever may ask name any subject, and would publish there as the gateway. */
#include <criterion/criterion.h>
#include "api/service.h"
#include "kanal/sdk/str.h"

Test(api, answers_go_to_inboxes_only)
{
    static const char *const good[] = { "_INBOX.a.b", "_INBOX.x", "_R_.abc.1" };
    static const char *const bad[] = { "",
                                       "_INBOX",
                                       "_INBOXES.a",
                                       "_R_",
                                       "x._INBOX.a",
                                       "kanal.commands.shop.message.send",
                                       "$JS.API.STREAM.DELETE.KANAL_EVENTS",
                                       "$KV.kanal_channels.salt",
                                       "_inbox.a" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_eq(api_reply_allowed(kanal_str_c(good[i])), 1, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(api_reply_allowed(kanal_str_c(bad[i])), 0, "%s", bad[i]);
    cr_expect_eq(api_reply_allowed((kanal_str){ 0 }), 0);
}
