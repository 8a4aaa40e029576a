/* Channels that come at run time: what may stand in them, from the network and from a user's file. */
#include "scratch.h"

TestSuite(run_time, .init = scratch_enter, .fini = scratch_leave);

static int load(struct config **ret_config, const struct config *base, const char *text,
                struct kanal_buffer *errors)
{
    int status = config_load_channel(ret_config, base, kanal_str_c(text), append_error, errors);
    kanal_buffer_byte(errors, 0);
    return status;
}

Test(run_time, a_channel_from_the_network_reads_nothing_of_this_machine)
{
    struct config *base = load_good(SALT), *config = NULL;
    struct kanal_buffer errors = { 0 };
    setenv("KANAL_TEST_TOKEN", "of the environment", 1);
    cr_assert_eq(
        load(&config, base,
             "{\"id\":\"a\",\"plugin\":\"echo\",\"secrets\":{\"t\":\"${file:/etc/passwd}\",\"e\":\"${env:"
             "KANAL_TEST_TOKEN}\"}}",
             &errors),
        0, "%s", errors.data);
    cr_assert(config->channel_count == 1 && config->channels[0].secret_count == 2);
    EXPECT_STR(config->channels[0].secrets[0].value, "${file:/etc/passwd}");
    EXPECT_STR(config->channels[0].secrets[1].value, "${env:KANAL_TEST_TOKEN}");
    kanal_buffer_release(&errors);
    config_free(config);
    config_free(base);
}

Test(run_time, what_is_no_channel_is_refused_in_words)
{
    static const char *const wrong[] = { "",
                                         "[]",
                                         "{",
                                         "{\"id\":\"a\"}",
                                         "{\"id\":\"any\",\"plugin\":\"echo\"}",
                                         "{\"id\":\"a b\",\"plugin\":\"echo\"}",
                                         "{\"id\":\"a\",\"plugin\":\"echo\",\"unknown\":1}",
                                         "{\"id\":\"a\",\"plugin\":\"echo\",\"rate\":{\"per_second\":-1}}" };
    struct config *base = load_good(SALT);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kanal_buffer errors = { 0 };
        struct config *config = NULL;
        cr_expect_eq(load(&config, base, wrong[i], &errors), KANAL_E_INVALID, "%s", wrong[i]);
        cr_expect(!config && errors.len > 1, "%s", wrong[i]);
        kanal_buffer_release(&errors);
    }
    config_free(base);
}

Test(run_time, a_users_file_is_expanded_with_its_rights_and_becomes_json_again)
{
    struct kanal_buffer errors = { 0 }, json = { 0 };
    struct config *config = NULL, *base = load_good(SALT), *again = NULL;
    scratch_write("secret", KANAL_LIT("the token"));
    scratch_write("file", KANAL_LIT("id: shop\nplugin: echo\nsecrets: { token: \"${file:secret}\" }\n"));
    int status = config_load_channel_file(&config, "file", append_error, &errors);
    kanal_buffer_byte(&errors, 0);
    cr_assert_eq(status, 0, "%s", errors.data);
    EXPECT_STR(config->channels[0].secrets[0].value, "the token");
    cr_assert_eq(config_channel_json(config, &config->channels[0], &json), 0);
    kanal_buffer_clear(&errors);
    status = config_load_channel(&again, base, kanal_buffer_view(&json), append_error, &errors);
    cr_assert_eq(status, 0);
    cr_expect(config_channel_same(config, &config->channels[0], again, &again->channels[0]));
    kanal_buffer_release(&errors);
    kanal_buffer_release(&json);
    config_free(config);
    config_free(again);
    config_free(base);
}

Test(run_time, a_file_that_is_missing_or_wrong_says_where)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;
    cr_expect_eq(config_load_channel_file(&config, "nowhere", append_error, &errors), KANAL_E_NOT_FOUND);
    scratch_write("file", KANAL_LIT("id: shop\nplugin: 5 4\nnothing: 1\n"));
    cr_expect_eq(config_load_channel_file(&config, "file", append_error, &errors), KANAL_E_INVALID);
    kanal_buffer_byte(&errors, 0);
    cr_expect_not_null(strstr(errors.data, "nowhere"), "%s", errors.data);
    cr_expect_not_null(strstr(errors.data, "file:3:"), "%s", errors.data);
    cr_expect_null(config);
    kanal_buffer_release(&errors);
}
