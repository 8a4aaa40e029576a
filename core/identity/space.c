/* Which addresses one person cannot have two of. */
#include "event/address.h"
#include "identity/inside.h"
#include "kanal/sdk/str.h"

uint32_t address_space(kanal_str address)
{
    kanal_str scheme = address_scheme(address);
    size_t len = scheme.len;
    if (kanal_str_is(scheme, "tel"))
        return SPACE_TEL;
    /* A browser, and a mailbox. */
    if (len == 0 || kanal_str_is(scheme, "visitor") || kanal_str_is(scheme, "mailto"))
        return 0;
    for (size_t i = len; i < address.len; i++) /* messenger:PAGE/PSID: the accounts that write to one page */
        if (address.ptr[i] == '/')
            len = i;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)address.ptr[i]) * 16777619u;
    return hash > SPACE_TEL ? hash : hash + 2;
}
