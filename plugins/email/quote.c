#include "quote.h"

#include "kanal/sdk/str.h"

#define INTRODUCTION_LINES_MAX 4u
#define INTRODUCTION_BYTES_MAX 400u

static kanal_str trim(kanal_str text)
{
    while (text.len > 0 && (text.ptr[0] == '\n' || text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = kanal_str_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' ' ||
                            text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* The line that begins at `at`, without its end. */
static kanal_str line_at(kanal_str text, size_t at)
{
    kanal_str rest = kanal_str_from(text, at);
    const char *end = rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
    return kanal_str_of(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
}

static int is_blank(kanal_str line)
{
    return trim(line).len == 0;
}

static int is_quoted(kanal_str line)
{
    while (line.len > 0 && line.ptr[0] == ' ')
        line = kanal_str_from(line, 1);
    return line.len > 0 && line.ptr[0] == '>';
}

static int has(kanal_str line, const char *word)
{
    return line.ptr != NULL && line.len > 0 && memmem(line.ptr, line.len, word, strlen(word)) != NULL;
}

/* "-----Original Message-----" in its languages; everything behind it is old. */
static int is_divider(kanal_str line)
{
    static const char *const words[] = { "Original Message",      "Original message",
                                         "Исходное сообщение",    "Пересылаемое сообщение",
                                         "Пересланное сообщение", "Forwarded message",
                                         "Forwarded Message",     "Ursprüngliche Nachricht",
                                         "Message d'origine",     "Mensaje original" };
    line = trim(line);
    if (!kanal_str_starts(line, "--"))
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has(line, words[i]))
            return 1;
    return 0;
}

/* Outlook's: a line of underscores or nothing, then From:, Sent:, To:, Subject:. */
static int is_header_block(kanal_str text, size_t at)
{
    static const char *const first[] = { "From:", "От:", "Von:", "De :", "De:", "*From:*", "*От:*" };
    static const char *const next[] = { "Sent:",     "Date:",    "Отправлено:", "Дата:",
                                        "Gesendet:", "Envoyé :", "Enviado:",    "*Sent:*",
                                        "*Date:*",   "To:",      "Кому:" };
    kanal_str line = trim(line_at(text, at));
    size_t found = 0;
    for (size_t i = 0; i < sizeof first / sizeof *first && !found; i++)
        found = kanal_str_starts(line, first[i]);
    if (!found)
        return 0;
    at += line_at(text, at).len + 1;
    for (int k = 0; k < 2; k++) {
        line = trim(line_at(text, at));
        for (size_t i = 0; i < sizeof next / sizeof *next; i++)
            if (kanal_str_starts(line, next[i]))
                return 1;
        at += line_at(text, at).len + 1;
    }
    return 0;
}

/* "On Sat, 21 Nov 2026, Shop <shop@example.com> wrote:" ends with a colon. 2: it has an address or a date; 1: only the verb. */
static int introduces(kanal_str text)
{
    static const char *const verbs[] = { "wrote", "писал",    "пишет",     "schrieb",
                                         "écrit", "escribió", "ha scritto" };
    int digits = 0;
    text = trim(text);
    if (text.len == 0 || text.len > INTRODUCTION_BYTES_MAX || text.ptr[text.len - 1] != ':')
        return 0;
    for (size_t i = 0; i < text.len; i++)
        digits += text.ptr[i] >= '0' && text.ptr[i] <= '9';
    if (digits >= 4 || memchr(text.ptr, '@', text.len) != NULL)
        return 2;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (has(text, verbs[i]))
            return 1;
    return 0;
}

static int begins_introduction(kanal_str line)
{
    static const char *const words[] = { "On ", "Am ", "Le ", "El ", "Il ", "Em ", "В " };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kanal_str_starts(line, words[i]))
            return 1;
    return 0;
}

/* Where the introduction of the quotation at `at` begins; `at` itself if there is none. It may be broken into lines. */
static size_t with_introduction(kanal_str text, size_t at)
{
    size_t found = at, end = at;
    int best = 0;
    while (end > 0 && (text.ptr[end - 1] == '\n' || text.ptr[end - 1] == ' '))
        end--;
    size_t from = end;
    for (uint32_t i = 0; i < INTRODUCTION_LINES_MAX && from > 0; i++) {
        while (from > 0 && text.ptr[from - 1] != '\n')
            from--;
        kanal_str line = line_at(text, from);
        if (is_blank(line))
            break;
        int strength = introduces(kanal_str_of(text.ptr + from, end - from));
        if (strength > best || (strength == 2 && begins_introduction(line))) {
            best = strength;
            found = from;
        }
        if (strength == 0 || begins_introduction(line))
            break;
        from -= from > 0;
    }
    return found;
}

static struct quote_split split_at(kanal_str text, size_t from, size_t to)
{
    return (struct quote_split){ .before = trim(kanal_str_of(text.ptr, from)),
                                 .quoted = trim(kanal_str_of(text.ptr + from, to - from)),
                                 .after = trim(kanal_str_from(text, to)) };
}

/* The blocks of quoted lines: how many, and where the only one stands. */
static size_t count_blocks(kanal_str text, size_t *ret_from, size_t *ret_to)
{
    size_t blocks = 0;
    int is_inside = 0;
    for (size_t at = 0; at < text.len;) {
        kanal_str line = line_at(text, at);
        size_t next = at + line.len + 1;
        if (is_quoted(line)) {
            if (!is_inside && blocks++ == 0)
                *ret_from = at;
            is_inside = 1;
            *ret_to = next < text.len ? next : text.len;
        } else if (!is_blank(line)) {
            is_inside = 0;
        }
        at = next;
    }
    return blocks;
}

struct quote_split quote_split(kanal_str text)
{
    struct quote_split whole = { .before = trim(text) };
    size_t from = 0, to = 0;
    text = whole.before;
    for (size_t at = 0; at < text.len; at += line_at(text, at).len + 1) {
        size_t start = at;
        if (is_quoted(line_at(text, at)))
            break;
        int is_rule = kanal_str_starts(line_at(text, at), "________");
        if (is_rule)
            start += line_at(text, at).len + 1;
        if (at > 0 && (is_divider(line_at(text, at)) || (start < text.len && is_header_block(text, start))))
            return split_at(text, at, text.len);
    }
    if (count_blocks(text, &from, &to) != 1)
        return whole;
    from = with_introduction(text, from);
    struct quote_split split = split_at(text, from, to);
    return split.before.len > 0 || split.after.len > 0 ? split : whole;
}
