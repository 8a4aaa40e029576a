#include "compose.h"

int tg_target_of_chat(struct tg_target *target, kanal_str chat)
{
    size_t colon = 0;
    memset(target, 0, sizeof *target);
    if (chat.len > 1 && chat.ptr[0] == '@' && chat.len < sizeof target->username) {
        memcpy(target->username, chat.ptr, chat.len);
        return 0;
    }
    while (colon < chat.len && chat.ptr[colon] != ':')
        colon++;
    if (colon < chat.len) {
        if (colon == 0 || colon > TG_BUSINESS_MAX)
            return -1;
        memcpy(target->business, chat.ptr, colon);
        chat = kanal_str_from(chat, colon + 1);
    }
    return kanal_str_int(chat, &target->chat_id) == 0 && target->chat_id != 0 ? 0 : -1;
}

int tg_target_of_address(struct tg_target *target, kanal_str address)
{
    memset(target, 0, sizeof *target);
    if (!kanal_str_starts(address, "telegram:"))
        return -1;
    return kanal_str_int(kanal_str_from(address, 9), &target->chat_id) == 0 && target->chat_id != 0 ? 0 : -1;
}

int tg_target_of_message(struct tg_target *target, int64_t *ret_message_id, kanal_str external_id)
{
    size_t slash = external_id.len;
    int64_t id;
    while (slash > 0 && external_id.ptr[slash - 1] != '/')
        slash--;
    if (slash == 0 || kanal_str_int(kanal_str_from(external_id, slash), &id) != 0 || id <= 0 ||
        tg_target_of_chat(target, kanal_str_of(external_id.ptr, slash - 1)) != 0)
        return -1;
    *ret_message_id = id;
    return 0;
}
