#include <criterion/criterion.h>
#include <stdio.h>

#include "handoff/token.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

static struct ids *make(const char *salt)
{
    struct ids *ids = NULL;
    cr_assert_eq(ids_new(&ids, kanal_str_c(salt)), 0);
    return ids;
}

static struct token token_of(struct ids *ids, const char *command)
{
    struct id link;
    struct token token;
    cr_assert_eq(token_link_of(ids, kanal_str_c(command), &link), 0);
    cr_assert_eq(token_make(ids, &link, &token), 0);
    return token;
}

static int is_accepted(struct ids *ids, const char *text)
{
    struct token_found found;
    return token_read(kanal_str_c(text), &found) == TOKEN_WHOLE && token_is_ours(ids, &found);
}

Test(token, form)
{
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1"), other = token_of(ids, "crm-2");
    struct token_found found;
    cr_assert_eq(strlen(token.text), TOKEN_LEN);
    cr_assert_leq(strlen(token.text), 64, "Telegram takes no more");
    cr_assert_eq(strspn(token.text, "abcdefghijklmnopqrstuvwxyz234567_"), TOKEN_LEN);
    cr_assert_eq(token_read(kanal_str_c(token.text), &found), TOKEN_WHOLE);
    cr_assert_eq(memcmp(found.link.text, token.text, ID_LEN), 0);
    cr_assert(token_is_ours(ids, &found));
    cr_assert_str_eq(token.text, token_of(ids, "crm-1").text, "the same command, the same link");
    cr_assert_str_neq(token.text, other.text);
    cr_assert_neq(memcmp(token.text + ID_LEN, other.text + ID_LEN, 26), 0);
    ids_free(ids);
}

/* Each character counts, the last one's unused bits too: a reference has one spelling. */
Test(token, one_character_changed)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1");
    for (size_t at = 2; at < TOKEN_LEN; at++)
        for (const char *c = alphabet; *c; c++) {
            struct token forged = token;
            forged.text[at] = *c;
            cr_assert_eq(is_accepted(ids, forged.text), *c == token.text[at], "%zu: %s", at, forged.text);
        }
    ids_free(ids);
}

Test(token, cut_and_lengthened)
{
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1");
    struct token_found found;
    char text[80];
    for (size_t len = 2; len < TOKEN_LEN; len++) {
        cr_assert_eq(token_read(kanal_str_of(token.text, len), &found), TOKEN_DAMAGED, "%zu", len);
        cr_assert_eq(found.text.len, len);
        cr_assert_eq(found.link.text[0], 0);
    }
    for (const char *more = "a7Z-_ \n\xD0"; *more; more++) {
        snprintf(text, sizeof text, "%s%c", token.text, *more);
        cr_assert_eq(token_read(kanal_str_c(text), &found), TOKEN_DAMAGED, "%s", text);
    }
    cr_assert_eq(token_read(kanal_str_of(token.text, TOKEN_LEN + 1), &found), TOKEN_DAMAGED); /* NUL */
    for (size_t at = 2; at < TOKEN_LEN; at++) {
        struct token wrong = token;
        wrong.text[at] = wrong.text[at] >= 'a' ? (char)(wrong.text[at] - 32) : '1';
        cr_assert_eq(token_read(kanal_str_c(wrong.text), &found), TOKEN_DAMAGED, "%s", wrong.text);
    }
    ids_free(ids);
}

Test(token, of_others)
{
    struct ids *ids = make("0123456789abcdef"), *other = make("0123456789abcdeg");
    struct token ours = token_of(ids, "crm-1"), theirs = token_of(other, "crm-1"), mixed = ours;
    struct token_found found;
    cr_assert_str_neq(ours.text, theirs.text);
    cr_assert_not(is_accepted(ids, theirs.text), "another installation's");
    cr_assert(is_accepted(other, theirs.text));
    memcpy(mixed.text + ID_LEN, token_of(ids, "crm-2").text + ID_LEN, TOKEN_LEN - ID_LEN);
    cr_assert_not(is_accepted(ids, mixed.text), "the signature of another link");
    cr_assert_eq(token_read(KANAL_LIT("summer"), &found), TOKEN_NONE);
    cr_assert_eq(token_read(KANAL_LIT("K_SUMMER"), &found), TOKEN_NONE);
    cr_assert_eq(token_read(KANAL_LIT("k"), &found), TOKEN_NONE);
    cr_assert_eq(token_read(kanal_str_of(NULL, 0), &found), TOKEN_NONE);
    ids_free(ids);
    ids_free(other);
}

/* A signature made for something else under the same salt is none. */
Test(token, other_purpose)
{
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1");
    struct token_found found;
    unsigned char handoff[16], media[16];
    cr_assert_eq(token_read(kanal_str_c(token.text), &found), TOKEN_WHOLE);
    cr_assert_eq(ids_sign(ids, "media", kanal_str_c(found.link.text), media), 0);
    cr_assert_eq(ids_sign(ids, "handoff", kanal_str_c(found.link.text), handoff), 0);
    cr_assert_neq(memcmp(media, handoff, sizeof media), 0);
    cr_assert_not(ids_verify(ids, "handoff", kanal_str_c(found.link.text), media));
    ids_free(ids);
}

static void expect_found(const char *before, kanal_str token, const char *after, enum token_kind wanted)
{
    struct kanal_buffer text = { 0 };
    struct token_found found;
    kanal_buffer_text(&text, before);
    kanal_buffer_str(&text, token);
    kanal_buffer_text(&text, after);
    enum token_kind kind = token_find(kanal_buffer_view(&text), &found);
    cr_expect_eq(kind, wanted, "%d: %.*s", (int)kind, (int)text.len, text.data);
    if (kind == TOKEN_WHOLE)
        cr_expect(kanal_str_equal(found.text, token));
    kanal_buffer_release(&text);
}

Test(token, in_a_text)
{
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1"), other = token_of(ids, "crm-2");
    kanal_str whole = kanal_str_c(token.text);
    expect_found("", whole, "", TOKEN_WHOLE);
    expect_found("Здравствуйте! ", whole, "", TOKEN_WHOLE);
    expect_found("Re: Fwd: заказ [", whole, "]", TOKEN_WHOLE);
    expect_found("https://t.me/shopbot?start=", whole, " вот", TOKEN_WHOLE);
    expect_found("k_ k k_k_ kk ", whole, ".", TOKEN_WHOLE);
    expect_found("x", whole, "", TOKEN_NONE);      /* the end of another word */
    expect_found("k_", whole, "", TOKEN_NONE);     /* likewise */
    expect_found("a ", whole, "a", TOKEN_DAMAGED); /* lengthened */
    expect_found("a ", whole, "_1", TOKEN_DAMAGED);
    expect_found("a ", kanal_str_of(token.text, TOKEN_LEN - 1), "", TOKEN_DAMAGED);
    expect_found("a ", kanal_str_of(token.text, ID_LEN), " b", TOKEN_DAMAGED); /* the id alone */
    expect_found("a ", kanal_str_of(token.text, ID_LEN - 1), " b",
                 TOKEN_NONE); /* a person may write k_ and a word */
    expect_found("k_summer k_", KANAL_LIT("winter"), "", TOKEN_NONE);
    char damaged[64];
    snprintf(damaged, sizeof damaged, "%.40s ", other.text);
    expect_found(damaged, whole, "", TOKEN_WHOLE); /* the whole one counts */
    ids_free(ids);
}

Test(token, in_a_long_text)
{
    struct ids *ids = make("0123456789abcdef");
    struct token token = token_of(ids, "crm-1");
    char *text = malloc(TOKEN_TEXT_MAX + 2 * TOKEN_LEN);
    struct token_found found;
    cr_assert_not_null(text);
    memset(text, ' ', TOKEN_TEXT_MAX + 2 * TOKEN_LEN);
    memcpy(text + TOKEN_TEXT_MAX - TOKEN_LEN, token.text, TOKEN_LEN);
    cr_assert_eq(token_find(kanal_str_of(text, TOKEN_TEXT_MAX + 2 * TOKEN_LEN), &found), TOKEN_WHOLE);
    memset(text, ' ', TOKEN_TEXT_MAX + 2 * TOKEN_LEN);
    memcpy(text + TOKEN_TEXT_MAX, token.text, TOKEN_LEN);
    cr_assert_eq(token_find(kanal_str_of(text, TOKEN_TEXT_MAX + 2 * TOKEN_LEN), &found), TOKEN_NONE);
    free(text);
    ids_free(ids);
}
