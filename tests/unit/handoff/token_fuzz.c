/* What is found stands in what was read, has the form of a reference if it is said to, and is nobody's but ours. */
#include "handoff/token.h"
#include "kanal/sdk/str.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_found(struct ids *ids, kanal_str text, enum token_kind kind,
                        const struct token_found *found)
{
    struct token again;
    if (kind == TOKEN_NONE)
        return;
    check(found->text.ptr >= text.ptr && found->text.ptr + found->text.len <= text.ptr + text.len);
    check(kanal_str_starts(found->text, "k_"));
    if (kind != TOKEN_WHOLE)
        return;
    check(found->text.len == TOKEN_LEN && strlen(found->link.text) == ID_LEN);
    check(token_make(ids, &found->link, &again) == 0);
    check(token_is_ours(ids, found) == kanal_str_is(found->text, again.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ids *ids;
    kanal_str text = { (const char *)data, size };
    struct token_found found;
    if (!ids)
        check(ids_new(&ids, KANAL_LIT("0123456789abcdef")) == 0);
    check_found(ids, text, token_read(text, &found), &found);
    check_found(ids, text, token_find(text, &found), &found);
    return 0;
}
