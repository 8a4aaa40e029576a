/* What stands in the channel's state (groups, progress): any bytes are read without harm, and what is read is written and read the same. */
#include <stdint.h>

#include "groups.h"
#include "kanal/sdk/json.h"
#include "progress.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const kanal_str text = kanal_str_of((const char *)bytes, len);
    struct sms_groups groups = { 0 }, again = { 0 };
    struct kanal_buffer written = { 0 }, joined = { 0 };
    struct sms_progress progress;
    sms_groups_read(&groups, text);
    sms_groups_write(&groups, &written);
    if (groups.count > 0 && !written.failed) {
        check(sms_groups_read(&again, kanal_buffer_view(&written)) == KANAL_OK ||
              groups.count > SMS_GROUPS_MAX);
        check(again.count == groups.count && again.bytes == groups.bytes);
    }
    for (struct sms_group *group = groups.first; group; group = group->next) {
        sms_group_join(group, &joined);
        check(sms_group_missing(group) <= group->total);
        check(sms_group_put(&groups, group, group->total, KANAL_LIT("x")) != KANAL_E_INTERNAL);
    }
    sms_progress_read(&progress, KANAL_LIT("k"), 2, text);
    sms_groups_release(&groups);
    check(groups.bytes == 0 && groups.count == 0);
    sms_groups_release(&again);
    kanal_buffer_release(&written);
    kanal_buffer_release(&joined);
    return 0;
}
