#include "handoff/reference.h"

#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

/* The better of what was found before and what stands here. */
static enum token_kind find_in(kanal_str text, enum token_kind before, struct token_found *found)
{
    struct token_found here;
    enum token_kind kind = before == TOKEN_WHOLE || text.len == 0 ? TOKEN_NONE : token_find(text, &here);
    if (kind <= before)
        return before;
    *found = here;
    return kind;
}

/* What a customer says by themselves: not what they press, quote or forward. */
static enum token_kind find_in_message(yyjson_val *message, struct token_found *found)
{
    yyjson_val *content = kanal_json_at(message, "content"), *part;
    enum token_kind kind = find_in(kanal_json_text_at(message, "subject"), TOKEN_NONE, found);
    size_t index, max;
    if (kanal_json_at(message, "forwarded") || !yyjson_is_arr(content))
        return kanal_json_at(message, "forwarded") ? TOKEN_NONE : kind;
    yyjson_arr_foreach (content, index, max, part) {
        if (!kanal_str_is(kanal_json_text_at(part, "type"), "text"))
            continue;
        kanal_str plain = kanal_json_text_at(part, "plain");
        kind = find_in(plain.len > 0 ? plain : kanal_json_text_at(part, "text"), kind, found);
    }
    return kind;
}

/* In a group everybody reads it, and whose it is cannot be told. */
static int is_private(const struct projected *e)
{
    kanal_str kind = kanal_json_text_at(kanal_json_at(e->data, "chat"), "kind");
    return kind.len == 0 || kanal_str_is(kind, "private");
}

enum token_kind reference_find(const struct projected *e, struct token_found *found)
{
    int is_message = kanal_str_is(e->type, "message.received");
    if (e->stream != PROJECTED_EVENTS || !e->node.text[0] || e->address.len == 0 || !is_private(e) ||
        !(is_message || kanal_str_is(e->type, "conversation.started")))
        return TOKEN_NONE;
    yyjson_val *referral = kanal_json_at(e->data, "referral");
    if (kanal_json_at(referral, "link")) /* said by us */
        return TOKEN_NONE;
    enum token_kind kind = token_read(kanal_json_text_at(referral, "payload"), found);
    return kind == TOKEN_NONE && is_message ? find_in_message(kanal_json_at(e->data, "message"), found)
                                            : kind;
}
