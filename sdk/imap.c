/* Source: RFC 3501, 9 (formal syntax); RFC 3516 ("~{" before a literal). More is taken than the syntax allows, since servers do. */
#include "kanal/sdk/imap.h"

#include "kanal/sdk/str.h"

enum {
    BETWEEN,
    IN_ATOM,
    IN_QUOTED,
    IN_ESCAPE,
    IN_TEXT,
    IN_SIZE,
    SIZE_CR,
    SIZE_LF,
    IN_LITERAL,
    AT_LF,
    BROKEN
};

void kanal_imap_release(struct kanal_imap *p)
{
    kanal_buffer_release(&p->token);
    memset(p, 0, sizeof *p);
}

void kanal_imap_feed(struct kanal_imap *p, kanal_str bytes)
{
    p->rest = bytes;
}

static enum kanal_imap_kind broken(struct kanal_imap *p)
{
    p->state = BROKEN;
    return KANAL_IMAP_BROKEN;
}

static int keep(struct kanal_imap *p, char c)
{
    if (p->token.len >= KANAL_IMAP_TOKEN_MAX)
        return -1;
    kanal_buffer_byte(&p->token, c);
    return p->token.failed ? -1 : 0;
}

/* After these words comes text for people. */
static int is_status(kanal_str word)
{
    static const char *const words[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kanal_str_equal_nocase(word, kanal_str_c(words[i])))
            return 1;
    return 0;
}

static enum kanal_imap_kind emit(struct kanal_imap *p, struct kanal_imap_token *t, enum kanal_imap_kind kind)
{
    t->kind = kind;
    t->depth = p->depth;
    t->text = p->token.len > 0 ? kanal_buffer_view(&p->token) : kanal_str_of("", 0);
    return kind;
}

/* An atom is whole; what its line is, its first two words say. */
static enum kanal_imap_kind end_atom(struct kanal_imap *p, struct kanal_imap_token *t)
{
    kanal_str word = kanal_buffer_view(&p->token);
    p->state = BETWEEN;
    p->brackets = 0;
    if ((p->words == 0 && kanal_str_is(word, "+")) || (p->words == 1 && p->depth == 0 && is_status(word)))
        p->state = IN_TEXT;
    p->words += p->words < 2;
    return emit(p, t, KANAL_IMAP_ATOM);
}

/* Between tokens; -1: nothing to tell yet. */
static int between(struct kanal_imap *p, struct kanal_imap_token *t, char c)
{
    switch (c) {
    case ' ':
        return -1;
    case '\r':
        p->state = AT_LF;
        return -1;
    case '(':
        if (p->depth >= 1000)
            return broken(p);
        p->depth++;
        return emit(p, t, KANAL_IMAP_OPEN);
    case ')':
        if (p->depth == 0)
            return broken(p);
        p->depth--;
        return emit(p, t, KANAL_IMAP_CLOSE);
    case '"':
        p->state = IN_QUOTED;
        return -1;
    case '{':
        p->literal_left = 0;
        p->state = IN_SIZE;
        return -1;
    case '~':
        return -1; /* of a binary literal */
    default:
        if ((unsigned char)c < ' ' || c == 0x7f)
            return broken(p);
        p->brackets = c == '[';
        p->state = IN_ATOM;
        return keep(p, c) != 0 ? (int)broken(p) : -1;
    }
}

/* 1: the byte ends the atom and is not of it. */
static int ends_atom(struct kanal_imap *p, char c)
{
    if (c == '[')
        p->brackets = 1;
    if (p->brackets && c == ']') {
        p->brackets = 0;
        return 0;
    }
    return c == '\r' || (!p->brackets && (c == ' ' || c == '(' || c == ')' || c == '"' || c == '{'));
}

static int in_size(struct kanal_imap *p, struct kanal_imap_token *t, char c)
{
    if (p->state == SIZE_LF && c == '\n') {
        p->state = p->literal_left > 0 ? IN_LITERAL : BETWEEN;
        t->size = p->literal_left;
        return emit(p, t, KANAL_IMAP_LITERAL);
    }
    if (p->state == SIZE_CR && c == '\r') {
        p->state = SIZE_LF;
        return -1;
    }
    if (p->state == IN_SIZE && c == '}' && p->token.len > 0) {
        p->state = SIZE_CR;
        kanal_buffer_clear(&p->token); /* the digits */
        return -1;
    }
    if (p->state != IN_SIZE || c < '0' || c > '9' || p->token.len >= 10 || keep(p, c) != 0)
        return broken(p);
    p->literal_left = p->literal_left * 10 + (uint64_t)(c - '0');
    return -1;
}

static int in_text(struct kanal_imap *p, struct kanal_imap_token *t, char c)
{
    if (c == '\r') {
        p->state = AT_LF;
        return emit(p, t, KANAL_IMAP_TEXT);
    }
    if (c == '\n' || c == 0)
        return broken(p);
    if (p->token.len == 0 && c == ' ')
        return -1;
    return keep(p, c) != 0 ? (int)broken(p) : -1;
}

static int in_quoted(struct kanal_imap *p, struct kanal_imap_token *t, char c)
{
    if (c == '\r' || c == '\n' || c == 0)
        return broken(p);
    if (p->state == IN_QUOTED && c == '"') {
        p->state = BETWEEN;
        return emit(p, t, KANAL_IMAP_STRING);
    }
    if (p->state == IN_QUOTED && c == '\\') {
        p->state = IN_ESCAPE;
        return -1;
    }
    p->state = IN_QUOTED;
    return keep(p, c) != 0 ? (int)broken(p) : -1;
}

static int at_lf(struct kanal_imap *p, struct kanal_imap_token *t, char c)
{
    if (c != '\n' || p->depth != 0)
        return broken(p);
    p->state = BETWEEN;
    p->words = 0;
    return emit(p, t, KANAL_IMAP_END);
}

/* One byte; *ret_again: it has to be looked at once more, for the next token. */
static int step(struct kanal_imap *p, struct kanal_imap_token *t, char c, int *ret_again)
{
    switch (p->state) {
    case BETWEEN:
        return between(p, t, c);
    case IN_ATOM:
        if (ends_atom(p, c)) {
            *ret_again = 1;
            return end_atom(p, t);
        }
        return (unsigned char)c < ' ' || c == 0x7f || keep(p, c) != 0 ? (int)broken(p) : -1;
    case IN_QUOTED:
    case IN_ESCAPE:
        return in_quoted(p, t, c);
    case IN_TEXT:
        return in_text(p, t, c);
    case AT_LF:
        return at_lf(p, t, c);
    default:
        return in_size(p, t, c);
    }
}

enum kanal_imap_kind kanal_imap_next(struct kanal_imap *p, struct kanal_imap_token *t)
{
    *t = (struct kanal_imap_token){ .kind = KANAL_IMAP_MORE };
    if (p->given)
        kanal_buffer_clear(&p->token);
    p->given = 0;
    while (p->rest.len > 0 && p->state != BROKEN) {
        int again = 0;
        if (p->state == IN_LITERAL) {
            size_t n = p->rest.len < p->literal_left ? p->rest.len : (size_t)p->literal_left;
            t->text = kanal_str_of(p->rest.ptr, n);
            t->depth = p->depth;
            p->rest = kanal_str_from(p->rest, n);
            p->literal_left -= n;
            p->state = p->literal_left > 0 ? IN_LITERAL : BETWEEN;
            return t->kind = KANAL_IMAP_PIECE;
        }
        int kind = step(p, t, p->rest.ptr[0], &again);
        if (!again)
            p->rest = kanal_str_from(p->rest, 1);
        p->given = kind >= 0;
        if (kind >= 0)
            return t->kind = (enum kanal_imap_kind)kind;
    }
    return t->kind = p->state == BROKEN ? KANAL_IMAP_BROKEN : KANAL_IMAP_MORE;
}

/* ---- Helpers ---- */

kanal_status kanal_imap_code(kanal_str text, const char *name, uint64_t *ret_number)
{
    size_t at = strlen(name) + 1;
    uint64_t number = 0;
    if (text.len < at + 2 || text.ptr[0] != '[' ||
        !kanal_str_equal_nocase(kanal_str_of(text.ptr + 1, at - 1), kanal_str_c(name)) || text.ptr[at] != ' ')
        return KANAL_E_NOT_FOUND;
    size_t first = ++at;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) {
        if (number > (UINT64_MAX - 9) / 10)
            return KANAL_E_NOT_FOUND;
        number = number * 10 + (uint64_t)(text.ptr[at] - '0');
    }
    if (at == first || at == text.len || (text.ptr[at] != ']' && text.ptr[at] != ' '))
        return KANAL_E_NOT_FOUND;
    *ret_number = number;
    return KANAL_OK;
}

kanal_status kanal_imap_quote(struct kanal_buffer *out, kanal_str text)
{
    if (text.len > 1024)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == 0)
            return KANAL_E_INVALID;
    kanal_buffer_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            kanal_buffer_byte(out, '\\');
        kanal_buffer_byte(out, text.ptr[i]);
    }
    kanal_buffer_byte(out, '"');
    return KANAL_OK;
}
