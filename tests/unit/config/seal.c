/* Secrets sealed and opened: by the right key, for the right purpose, whole. */
#include "config/seal.h"
#include "kanal/sdk/base64.h"
#include "scratch.h"

TestSuite(seal, .init = scratch_enter, .fini = scratch_leave);

/* A key file of 32 equal bytes. */
static struct sealer *sealer_of(char byte, char old_byte)
{
    char key[32];
    struct sealer *sealer = NULL;
    char reason[256] = "";
    const char *const old[] = { "file", NULL };
    memset(key, byte, sizeof key);
    scratch_write("secret", kanal_str_of(key, sizeof key));
    memset(key, old_byte, sizeof key);
    scratch_write("file", kanal_str_of(key, sizeof key));
    cr_assert_eq(sealer_new(&sealer, "secret", old_byte ? old : NULL, reason), 0, "%s", reason);
    return sealer;
}

static struct kanal_buffer closed(const struct sealer *sealer, kanal_str plain)
{
    struct kanal_buffer sealed = { 0 };
    cr_assert_eq(seal_close(sealer, KANAL_LIT("shop/token"), plain, &sealed), 0);
    return sealed;
}

static int open_with(const struct sealer *sealer, kanal_str purpose, kanal_str sealed, const char *expected)
{
    struct kanal_buffer plain = { 0 };
    int status = seal_open(sealer, purpose, sealed, &plain);
    cr_expect(kanal_str_is(kanal_buffer_view(&plain), status == 0 ? expected : ""));
    kanal_buffer_release(&plain);
    return status;
}

Test(seal, comes_back_and_never_looks_the_same)
{
    struct sealer *sealer = sealer_of('a', 0);
    struct kanal_buffer one = closed(sealer, KANAL_LIT("the token")),
                        two = closed(sealer, KANAL_LIT("the token")), empty = closed(sealer, KANAL_LIT(""));
    cr_expect(!kanal_str_equal(kanal_buffer_view(&one), kanal_buffer_view(&two)), "a nonce was used twice");
    cr_expect_eq(open_with(sealer, KANAL_LIT("shop/token"), kanal_buffer_view(&one), "the token"), 0);
    cr_expect_eq(open_with(sealer, KANAL_LIT("shop/token"), kanal_buffer_view(&empty), ""), 0);
    kanal_buffer_release(&one);
    kanal_buffer_release(&two);
    kanal_buffer_release(&empty);
    sealer_free(sealer);
}

Test(seal, another_key_or_purpose_does_not_open_it)
{
    struct sealer *sealer = sealer_of('a', 0), *other = sealer_of('b', 0);
    struct kanal_buffer sealed = closed(sealer, KANAL_LIT("the token"));
    kanal_str text = kanal_buffer_view(&sealed);
    cr_expect_eq(open_with(other, KANAL_LIT("shop/token"), text, ""), KANAL_E_REJECTED);
    cr_expect_eq(open_with(sealer, KANAL_LIT("shop/toke"), text, ""), KANAL_E_REJECTED);
    cr_expect_eq(open_with(sealer, KANAL_LIT("other/token"), text, ""), KANAL_E_REJECTED);
    kanal_buffer_release(&sealed);
    sealer_free(sealer);
    sealer_free(other);
}

Test(seal, a_former_key_opens_but_does_not_close)
{
    struct sealer *before = sealer_of('a', 0), *after = sealer_of('b', 'a');
    struct kanal_buffer old = closed(before, KANAL_LIT("x")), new = closed(after, KANAL_LIT("y"));
    cr_expect_eq(open_with(after, KANAL_LIT("shop/token"), kanal_buffer_view(&old), "x"), 0);
    cr_expect_eq(open_with(after, KANAL_LIT("shop/token"), kanal_buffer_view(&new), "y"), 0);
    cr_expect_eq(open_with(before, KANAL_LIT("shop/token"), kanal_buffer_view(&new), ""), KANAL_E_REJECTED);
    kanal_buffer_release(&old);
    kanal_buffer_release(&new);
    sealer_free(before);
    sealer_free(after);
}

Test(seal, what_is_cut_or_changed_anywhere_does_not_open)
{
    struct sealer *sealer = sealer_of('a', 0);
    struct kanal_buffer sealed = closed(sealer, KANAL_LIT("the token"));
    for (size_t n = 0; n < sealed.len; n++)
        cr_expect_lt(open_with(sealer, KANAL_LIT("shop/token"), kanal_str_of(sealed.data, n), ""), 0, "%zu",
                     n);
    for (size_t i = 0; i < sealed.len - 1; i++) { /* the last character has bits that count for nothing */
        char was = sealed.data[i];
        sealed.data[i] = was == 'A' ? 'B' : 'A';
        cr_expect_lt(open_with(sealer, KANAL_LIT("shop/token"), kanal_buffer_view(&sealed), ""), 0, "%zu", i);
        sealed.data[i] = was;
    }
    kanal_buffer_release(&sealed);
    sealer_free(sealer);
}

Test(seal, key_files)
{
    static const struct {
        const char *text;
        int status;
    } files[] = { { "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\r\n", 0 },
                  { "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", 0 },
                  { "", KANAL_E_INVALID },
                  { "too short", KANAL_E_INVALID },
                  { "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", KANAL_E_INVALID },
                  { "not base64 at all, but as long as a key is..", KANAL_E_INVALID } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct sealer *sealer = NULL;
        char reason[256] = "";
        scratch_write("secret", kanal_str_c(files[i].text));
        cr_expect_eq(sealer_new(&sealer, "secret", NULL, reason), files[i].status, "%zu: %s", i, reason);
        cr_expect_eq(files[i].status == 0, reason[0] == 0);
        cr_expect(files[i].status == 0 || strstr(reason, "secret: expected 32 random bytes"));
        sealer_free(sealer);
    }
    char reason[256];
    struct sealer *sealer = NULL;
    cr_expect_eq(sealer_new(&sealer, "nowhere", NULL, reason), KANAL_E_INVALID);
    cr_expect_str_eq(reason, "nowhere: No such file or directory");
}
