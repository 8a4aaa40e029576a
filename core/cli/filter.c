#include "cli/filter.h"

#include "event/address.h"
#include "event/types.h"
#include "kanal/sdk/str.h"

#define TOKENS 7u

static const struct branch {
    const char *name, *stream, *last; /* last: what the last token is called */
} branches[] = {
    [FILTER_EVENTS] = { "events", "EVENTS", "node" },
    [FILTER_ACTIVITY] = { "activity", "ACTIVITY", "bucket" },
    [FILTER_FACTS] = { "facts", "FACTS", "bucket" },
    [FILTER_LIVE] = { "live", NULL, "node" },
};

const char *filter_branch_name(enum filter_branch branch)
{
    return branches[branch].name;
}

const char *filter_branch_stream(enum filter_branch branch)
{
    return branches[branch].stream;
}

/* ---- Matching ---- */

/* The next token; *rest becomes what follows, absent after the last. */
static kanal_str take(kanal_str *rest)
{
    const char *dot = memchr(rest->ptr, '.', rest->len);
    kanal_str token = kanal_str_of(rest->ptr, dot ? (size_t)(dot - rest->ptr) : rest->len);

    *rest = dot ? kanal_str_from(*rest, token.len + 1) : (kanal_str){ 0 };
    return token;
}

int filter_covers(kanal_str filter, kanal_str subject)
{
    while (filter.ptr && subject.ptr) {
        kanal_str f = take(&filter), s = take(&subject);

        if (kanal_str_is(f, ">"))
            return 1;
        if (kanal_str_is(s, ">") || (!kanal_str_is(f, "*") && !kanal_str_equal(f, s)))
            return 0;
    }
    return !filter.ptr && !subject.ptr;
}

int filter_overlaps(kanal_str a, kanal_str b)
{
    while (a.ptr && b.ptr) {
        kanal_str x = take(&a), y = take(&b);

        if (kanal_str_is(x, ">") || kanal_str_is(y, ">"))
            return 1;
        if (!kanal_str_is(x, "*") && !kanal_str_is(y, "*") && !kanal_str_equal(x, y))
            return 0;
    }
    return !a.ptr && !b.ptr;
}

/* ---- The subject space ---- */

static int is_wild(kanal_str token)
{
    return kanal_str_is(token, "*");
}

static int all_of(kanal_str text, const char *set)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || !strchr(set, text.ptr[i]))
            return 0;
    return text.len > 0;
}

static int plugin_valid(kanal_str token)
{
    if (kanal_str_is(token, "_"))
        return 1;
    return token.len <= 32 && token.len > 0 && token.ptr[0] >= 'a' && token.ptr[0] <= 'z' &&
           all_of(token, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static int last_valid(enum filter_branch branch, kanal_str token)
{
    if (kanal_str_is(token, "_"))
        return 1;
    if (branch == FILTER_EVENTS || branch == FILTER_LIVE)
        return token.len == 28 && kanal_str_starts(token, "a_") &&
               all_of(kanal_str_from(token, 2), "abcdefghijklmnopqrstuvwxyz234567");
    return token.len == 3 && token.ptr[0] == 'b' && all_of(kanal_str_from(token, 1), "0123456789abcdef");
}

static int in_branch(const struct event_type *type, enum filter_branch branch)
{
    return branch == FILTER_FACTS || type->class == (branch == FILTER_EVENTS     ? EVENT_STORED
                                                     : branch == FILTER_ACTIVITY ? EVENT_ACTIVITY
                                                                                 : EVENT_LIVE);
}

/* Is there a type whose tokens these can be? */
static int type_exists(enum filter_branch branch, kanal_str object, kanal_str verb)
{
    for (const struct event_type *type = event_types(); type->name; type++) {
        kanal_str rest = kanal_str_c(type->name), o = take(&rest);

        if (in_branch(type, branch) && (is_wild(object) || kanal_str_equal(object, o)) &&
            (is_wild(verb) || kanal_str_equal(verb, rest)))
            return 1;
    }
    return 0;
}

static void say(struct kanal_buffer *error, const char *before, kanal_str token, const char *after)
{
    kanal_buffer_text(error, before);
    kanal_buffer_byte(error, '\'');
    kanal_buffer_str(error, token);
    kanal_buffer_byte(error, '\'');
    kanal_buffer_text(error, after);
}

/* Splits; at most TOKENS + 1 are kept. Every token is plain characters or a wildcard in its place. */
static int split(kanal_str filter, kanal_str tokens[TOKENS + 1], size_t *ret_count,
                 struct kanal_buffer *error)
{
    size_t count = 0;
    kanal_str rest = filter;

    for (size_t i = 0; i < filter.len; i++)
        if ((unsigned char)filter.ptr[i] <= ' ' || (unsigned char)filter.ptr[i] >= 127) {
            kanal_buffer_text(error, "a subject has no spaces, control characters or letters beyond ASCII");
            return KANAL_E_INVALID;
        }
    while (rest.ptr && count <= TOKENS) {
        kanal_str token = take(&rest);

        if (token.len == 0) {
            kanal_buffer_text(error, "a token is empty");
            return KANAL_E_INVALID;
        }
        if ((memchr(token.ptr, '*', token.len) && token.len > 1) ||
            (memchr(token.ptr, '>', token.len) && (token.len > 1 || rest.ptr))) {
            say(error, "", token, ": '*' stands for one whole token, '>' only at the end");
            return KANAL_E_INVALID;
        }
        tokens[count++] = token;
    }
    *ret_count = count;
    return 0;
}

static int find_branch(kanal_str prefix, const kanal_str *tokens, size_t count,
                       enum filter_branch *ret_branch, struct kanal_buffer *error)
{
    if (!kanal_str_equal(tokens[0], prefix)) {
        say(error, "subjects begin with ", prefix, "");
        return KANAL_E_INVALID;
    }
    for (size_t i = 0; count > 1 && i < sizeof branches / sizeof *branches; i++)
        if (kanal_str_is(tokens[1], branches[i].name)) {
            *ret_branch = (enum filter_branch)i;
            return 0;
        }
    kanal_buffer_text(error, "after the prefix comes events, activity, facts or live");
    return KANAL_E_INVALID;
}

/* tokens[i] of a filter that ends with '>' at `count - 1`: '*' stands for what is not said. */
static kanal_str token_at(const kanal_str *tokens, size_t count, size_t i)
{
    return i < count && !kanal_str_is(tokens[i], ">") ? tokens[i] : KANAL_LIT("*");
}

static int check_tokens(enum filter_branch branch, const kanal_str *tokens, size_t count,
                        struct kanal_buffer *error)
{
    kanal_str plugin = token_at(tokens, count, 2), channel = token_at(tokens, count, 3);
    kanal_str object = token_at(tokens, count, 4), verb = token_at(tokens, count, 5);
    kanal_str last = token_at(tokens, count, 6);

    if (!is_wild(plugin) && !plugin_valid(plugin))
        say(error, "", plugin, " cannot be a plugin");
    else if (!is_wild(channel) && !kanal_str_is(channel, "_") && !channel_id_valid(channel))
        say(error, "", channel, " cannot be a channel's id");
    else if (!type_exists(branch, object, verb)) {
        kanal_buffer_text(error, "there is no event of the type ");
        kanal_buffer_str(error, object);
        kanal_buffer_byte(error, '.');
        kanal_buffer_str(error, verb);
        kanal_buffer_text(error, " under ");
        kanal_buffer_text(error, branches[branch].name);
    } else if (!is_wild(last) && !last_valid(branch, last)) {
        say(error, "", last, " cannot be a ");
        kanal_buffer_text(error, branches[branch].last);
    } else
        return 0;
    return KANAL_E_INVALID;
}

int filter_check(kanal_str prefix, kanal_str filter, enum filter_branch *ret_branch,
                 struct kanal_buffer *error)
{
    kanal_str tokens[TOKENS + 1] = { { NULL, 0 } };
    size_t count = 0;
    enum filter_branch branch;

    if (filter.len == 0) {
        kanal_buffer_text(error, "it is empty");
        return KANAL_E_INVALID;
    }
    if (split(filter, tokens, &count, error) != 0 || find_branch(prefix, tokens, count, &branch, error) != 0)
        return KANAL_E_INVALID;
    if (count > TOKENS || (count < TOKENS && !kanal_str_is(tokens[count - 1], ">"))) {
        kanal_buffer_text(error, "it can match nothing: a subject is ");
        kanal_buffer_str(error, prefix);
        kanal_buffer_byte(error, '.');
        kanal_buffer_text(error, branches[branch].name);
        kanal_buffer_text(error, ".<plugin>.<channel>.<object>.<verb>.<");
        kanal_buffer_text(error, branches[branch].last);
        kanal_buffer_text(error, count > TOKENS ? ">" : ">; '>' at the end stands for the rest");
        return KANAL_E_INVALID;
    }
    if (check_tokens(branch, tokens, count, error) != 0)
        return KANAL_E_INVALID;
    *ret_branch = branch;
    return 0;
}

int filter_is_slow(kanal_str filter)
{
    int wild = 0;

    while (filter.ptr) {
        kanal_str token = take(&filter);

        if (!filter.ptr)
            return wild && !is_wild(token) && !kanal_str_is(token, ">");
        wild |= is_wild(token);
    }
    return 0;
}
