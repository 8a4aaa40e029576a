/* A channel's record: read as hostile, its secrets sealed for this channel and name alone. */
#include "control/record.h"
#include "../config/scratch.h"
#include "config/memory.h"

TestSuite(record, .init = scratch_enter, .fini = scratch_leave);

static struct sealer *new_sealer(char byte)
{
    struct sealer *sealer = NULL;
    char key[32], reason[256];
    memset(key, byte, sizeof key);
    scratch_write("secret", kanal_str_of(key, sizeof key));
    cr_assert_eq(sealer_new(&sealer, "secret", NULL, reason), 0, "%s", reason);
    return sealer;
}

/* seal or open the text; the result, NUL-ended. */
typedef int copy_fn(const struct sealer *, yyjson_val *, struct kanal_buffer *, kanal_str *);

static int copied(copy_fn *copy, const struct sealer *sealer, const char *text, struct kanal_buffer *out)
{
    yyjson_doc *document = yyjson_read(text, strlen(text), 0);
    kanal_str which = { 0 };
    cr_assert_not_null(document);
    int status = copy(sealer, yyjson_doc_get_root(document), out, &which);
    if (status != 0)
        cr_expect(kanal_str_is(which, "token"), "the secret is named");
    yyjson_doc_free(document);
    kanal_buffer_byte(out, 0);
    return status;
}

static void clear(struct kanal_buffer *buffer)
{
    config_wipe_free(buffer->data, buffer->capacity);
    *buffer = (struct kanal_buffer){ 0 };
}

static const char plain[] =
    "{\"id\":\"shop\",\"plugin\":\"echo\",\"secrets\":{\"token\":\"the \\\"secret\\\"\",\"other\":\"x\"}}";

Test(record, sealed_and_opened_again_it_is_the_same)
{
    struct sealer *sealer = new_sealer('a');
    struct kanal_buffer sealed = { 0 }, again = { 0 };
    cr_assert_eq(copied(record_seal, sealer, plain, &sealed), 0);
    cr_expect_null(strstr(sealed.data, "secret\\\""), "%s", sealed.data);
    cr_assert_eq(copied(record_open, sealer, sealed.data, &again), 0);
    cr_expect_str_eq(again.data, plain);
    clear(&sealed);
    clear(&again);
    sealer_free(sealer);
}

Test(record, a_sealed_text_that_was_moved_does_not_open)
{
    struct sealer *sealer = new_sealer('a'), *other = new_sealer('b');
    struct kanal_buffer sealed = { 0 }, out = { 0 };
    cr_assert_eq(copied(record_seal, sealer, "{\"id\":\"shop\",\"secrets\":{\"token\":\"x\"}}", &sealed), 0);
    cr_expect_eq(copied(record_open, other, sealed.data, &out), KANAL_E_REJECTED);
    clear(&out);
    char *id = strstr(sealed.data, "shop"); /* another channel's */
    memcpy(id, "shoq", 4);
    cr_expect_eq(copied(record_open, sealer, sealed.data, &out), KANAL_E_REJECTED);
    clear(&out);
    memcpy(id, "shop", 4);
    cr_expect_eq(copied(record_open, sealer, sealed.data, &out), 0);
    clear(&out);
    clear(&sealed);
    sealer_free(sealer);
    sealer_free(other);
}

Test(record, without_a_key_and_with_what_is_no_secret)
{
    struct sealer *sealer = new_sealer('a');
    struct kanal_buffer out = { 0 };
    cr_expect_eq(copied(record_seal, NULL, plain, &out), KANAL_E_DENIED);
    clear(&out);
    cr_expect_eq(copied(record_seal, sealer, "{\"id\":\"a\",\"secrets\":{\"token\":5}}", &out),
                 KANAL_E_INVALID);
    clear(&out);
    /* What stands there in the open was not put there by a gateway. */
    cr_expect_eq(copied(record_open, sealer, "{\"id\":\"a\",\"secrets\":{\"token\":\"open\"}}", &out),
                 KANAL_E_INVALID);
    clear(&out);
    cr_expect_eq(
        copied(record_open, sealer, "{\"id\":\"a\",\"secrets\":{\"token\":{\"sealed\":\"v1.AAAA\"}}}", &out),
        KANAL_E_INVALID);
    clear(&out);
    cr_expect_eq(copied(record_seal, NULL, "{\"id\":\"a\",\"secrets\":{}}", &out), 0, "no secrets, no key");
    clear(&out);
    sealer_free(sealer);
}

Test(record, is_read_as_it_was_written)
{
    struct kanal_buffer out = { 0 };
    struct record record = { .restarts = 7, .upgrades = 2, .file = KANAL_LIT("echo.so") }, read;
    record_write(&record, KANAL_LIT("{\"id\":\"a\"}"), KANAL_LIT("{\"direction\":\"in\"}"), 0, &out);
    cr_assert_eq(record_read(&read, kanal_buffer_view(&out)), 0);
    cr_expect(yyjson_is_obj(read.paused) && read.restarts == 7 && read.upgrades == 2 &&
              kanal_str_is(read.file, "echo.so"));
    cr_expect(yyjson_is_obj(read.channel));
    record_release(&read);
    for (size_t n = 1; n < out.len; n++)
        cr_expect_eq(record_read(&read, kanal_str_of(out.data, n)), KANAL_E_INVALID, "%zu", n);
    cr_expect_eq(record_read(&read, KANAL_LIT("[]")), KANAL_E_INVALID);
    cr_assert_eq(record_read(&read, (kanal_str){ 0 }), 0, "removed");
    cr_expect(!read.document && !read.channel && !read.paused);
    kanal_buffer_release(&out);
}
