/* What another process reads of kanal.yaml: the broker, and nothing of what only the gateway may know. */
#include "scratch.h"

TestSuite(load_broker, .init = scratch_enter, .fini = scratch_leave);

#define REST                                                                                                 \
    "identity: { salt: \"${file:/nonexistent/salt}\" }\n"                                                    \
    "channels:\n"                                                                                            \
    "  - id: shop\n"                                                                                         \
    "    plugin: telegram\n"                                                                                 \
    "    secrets: { token: \"${env:KANAL_TEST_ABSENT}\" }\n"                                                 \
    "    no_such_key: 1\n"

static int load(struct config **ret_config, const char *text, struct kanal_buffer *errors)
{
    int status;

    scratch_write("kanal.yaml", kanal_str_c(text));
    status = config_load_broker(ret_config, "kanal.yaml", append_error, errors);
    kanal_buffer_byte(errors, 0);
    return status;
}

Test(load_broker, reads_what_it_needs)
{
    struct kanal_buffer errors = { 0 };
    struct config *c = NULL;

    setenv("KANAL_TEST_PASSWORD", "se cret", 1);
    cr_assert_eq(load(&c,
                      REST "broker:\n  url: [ nats://a:4222, \"nats://b:4222\" ]\n  user: kanal\n"
                           "  password: \"${env:KANAL_TEST_PASSWORD}\"\n  prefix: shop\n"
                           "data_dir: /tmp\n",
                      &errors),
                 0, "%s", errors.data);
    cr_expect_eq(c->broker.url_count, 2);
    cr_expect_str_eq(c->broker.urls[1], "nats://b:4222");
    cr_expect_str_eq(c->broker.user, "kanal");
    cr_expect_str_eq(c->broker.password, "se cret");
    cr_expect_str_eq(c->broker.prefix, "shop");
    cr_expect_str_eq(c->data_dir, "/tmp");
    cr_expect_eq(c->channel_count, 0);
    config_free(c);
    kanal_buffer_release(&errors);
}

Test(load_broker, has_defaults)
{
    struct kanal_buffer errors = { 0 };
    struct config *c = NULL;

    cr_assert_eq(load(&c, REST, &errors), 0, "%s", errors.data);
    cr_expect_eq(c->broker.url_count, 0);
    cr_expect_str_eq(c->broker.prefix, "kanal");
    cr_expect_str_eq(c->data_dir, "/var/lib/kanal");
    config_free(c);
    kanal_buffer_release(&errors);
}

Test(load_broker, tells_what_is_wrong_with_the_broker_and_nothing_else)
{
    struct kanal_buffer errors = { 0 };
    struct config *c = NULL;

    cr_assert_eq(
        load(&c,
             REST "broker: { url: \"nats://a:4222\", token: \"${env:KANAL_TEST_ABSENT}\", colour: red }\n",
             &errors),
        KANAL_E_INVALID);
    cr_expect_null(c);
    cr_expect_not_null(
        strstr(errors.data,
               "kanal.yaml:7:40: broker.token: environment variable KANAL_TEST_ABSENT is not set"),
        "%s", errors.data);
    cr_expect_not_null(strstr(errors.data, "colour"), "%s", errors.data);
    cr_expect_null(strstr(errors.data, "salt"), "%s", errors.data);
    cr_expect_null(strstr(errors.data, "channels"), "%s", errors.data);
    kanal_buffer_release(&errors);
}

Test(load_broker, is_no_object)
{
    struct kanal_buffer errors = { 0 };
    struct config *c = NULL;

    cr_assert_eq(load(&c, "- broker\n", &errors), KANAL_E_INVALID);
    cr_assert_eq(load(&c, "broker: {\n", &errors), KANAL_E_INVALID);
    cr_assert_eq(config_load_broker(&c, "nonexistent.yaml", append_error, &errors), KANAL_E_NOT_FOUND);
    kanal_buffer_release(&errors);
}
