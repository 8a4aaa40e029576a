/* A scratch folder to load configurations from, so that messages name just "kanal.yaml". Each test runs in a process of its own. */
#ifndef KANAL_TEST_CONFIG_SCRATCH_H
#define KANAL_TEST_CONFIG_SCRATCH_H
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config/config.h"
#include "kanal/sdk/str.h"

#define SALT "identity: { salt: 0123456789abcdef-salt }\n"

static char scratch_folder[64];

static inline void scratch_write(const char *name, kanal_str text)
{
    FILE *file = fopen(name, "w");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text.ptr, 1, text.len, file), text.len);
    fclose(file);
}

static inline void scratch_enter(void)
{
    snprintf(scratch_folder, sizeof scratch_folder, "/tmp/kanal-config-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch_folder));
    cr_assert_eq(chdir(scratch_folder), 0);
}

static inline void scratch_leave(void)
{
    static const char *const names[] = { "kanal.yaml", "secret", "empty", "large", "file" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(names[i]);
    cr_expect_eq(chdir("/"), 0);
    cr_expect_eq(rmdir(scratch_folder), 0);
}

static inline void append_error(void *user, kanal_str text)
{
    kanal_buffer_str(user, text);
    kanal_buffer_byte(user, '\n');
}

/* Loads a text; the errors, one a line, are put into out (NUL-ended). */
static inline int load_text(struct config **ret_config, kanal_str text, struct kanal_buffer *out)
{
    int status;

    scratch_write("kanal.yaml", text);
    status = config_load(ret_config, "kanal.yaml", append_error, out);
    kanal_buffer_byte(out, 0);
    return status;
}

static inline struct config *load_good(const char *text)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;
    int status = load_text(&config, kanal_str_c(text), &errors);

    cr_assert_eq(status, 0, "%s", errors.data);
    cr_expect_str_eq(errors.data, "");
    kanal_buffer_release(&errors);
    return config;
}

static inline void expect_errors(const char *text, const char *expected)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;
    int status = load_text(&config, kanal_str_c(text), &errors);

    cr_expect_eq(status, KANAL_E_INVALID, "%s", text);
    cr_expect_null(config);
    cr_expect_str_eq(errors.data, expected, "of:\n%s\ngot:\n%sexpected:\n%s", text, errors.data, expected);
    kanal_buffer_release(&errors);
}

#define EXPECT_STR(str, text)                                                                                \
    do {                                                                                                     \
        kanal_str s_ = (str);                                                                                \
        cr_expect(kanal_str_is(s_, (text)) != 0, "got \"%.*s\", expected \"%s\"", (int)s_.len,               \
                  s_.ptr ? s_.ptr : "", (text));                                                             \
    } while (0)

#endif
