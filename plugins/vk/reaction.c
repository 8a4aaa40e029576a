#include "reaction.h"

static const char *const emoji[] = { NULL, "❤", "🔥", "😂",    "👍", "💩", "❓", "😭", "😡",
                                     "👎",  "👌", "😃", "🤔", "🙏", "😘", "😍", "🎉" };
#define COUNT ((int64_t)(sizeof emoji / sizeof *emoji))

const char *vk_reaction_emoji(int64_t number)
{
    return number > 0 && number < COUNT ? emoji[number] : NULL;
}

int64_t vk_reaction_number(kanal_str text)
{
    if (text.len > 3 && memcmp(text.ptr + text.len - 3, "\xEF\xB8\x8F", 3) == 0)
        text.len -= 3; /* U+FE0F: shown as a picture */
    for (int64_t i = 1; i < COUNT; i++)
        if (kanal_str_is(text, emoji[i]))
            return i;
    return 0;
}
