/* A channel's settings and secrets against its plugin. */
#include "scratch.h"

TestSuite(settings, .init = scratch_enter, .fini = scratch_leave);

static const kanal_secret secrets[] = { { "token", "the bot's token, from @BotFather",
                                          KANAL_SECRET_REQUIRED },
                                        { "webhook", "1 to 256 letters", 0 } };
static const kanal_plugin telegram = {
    .struct_size = sizeof telegram,
    .id = "telegram",
    .secrets = secrets,
    .secret_count = 2,
    .settings_schema =
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"mode\":{\"enum\":[\"webhook\","
        "\"poll\"],"
        "\"default\":\"webhook\"},\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"default\":\"https://"
        "api.telegram.org\"},"
        "\"limits\":{\"type\":\"object\",\"default\":{},\"properties\":{\"n\":{\"type\":\"integer\","
        "\"default\":5}}},"
        "\"lists\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"id\"]}}}}",
};

static int check(const char *text, const kanal_plugin *plugin, struct config **ret_config,
                 struct kanal_buffer *errors)
{
    int status;

    *ret_config = load_good(text);
    status = config_check_settings(*ret_config, &(*ret_config)->channels[0], plugin, append_error, errors);
    kanal_buffer_byte(errors, 0);
    return status;
}

static void expect_settings(const char *text, const kanal_plugin *plugin, const char *settings)
{
    struct kanal_buffer errors = { 0 };
    struct config *config;

    cr_expect_eq(check(text, plugin, &config, &errors), 0);
    cr_expect_str_eq(errors.data, "");
    EXPECT_STR(config->channels[0].settings, settings);
    config_free(config);
    kanal_buffer_release(&errors);
}

static void expect_wrong(const char *text, const kanal_plugin *plugin, const char *expected)
{
    struct kanal_buffer errors = { 0 };
    struct config *config;

    cr_expect_eq(check(text, plugin, &config, &errors), KANAL_E_INVALID);
    cr_expect_str_eq(errors.data, expected, "of:\n%s\ngot:\n%sexpected:\n%s", text, errors.data, expected);
    config_free(config);
    kanal_buffer_release(&errors);
}

#define CHANNEL SALT "channels:\n  - id: x\n    plugin: telegram\n"
#define TOKEN "    secrets: { token: abc }\n"

Test(settings, defaults_are_filled_in)
{
    expect_settings(CHANNEL TOKEN, &telegram,
                    "{\"mode\":\"webhook\",\"api_url\":\"https://api.telegram.org\",\"limits\":{\"n\":5}}");
}

Test(settings, what_is_written_stays)
{
    struct kanal_buffer errors = { 0 };
    struct config *config;

    cr_expect_eq(check(CHANNEL TOKEN
                       "    settings: { mode: poll, api_url: \"http://127.0.0.1:9\", limits: {} }\n",
                       &telegram, &config, &errors),
                 0);
    EXPECT_STR(config->channels[0].settings,
               "{\"mode\":\"poll\",\"api_url\":\"http://127.0.0.1:9\",\"limits\":{\"n\":5}}");
    /* Once more, as after a reload of the plugin: the same. */
    cr_expect_eq(config_check_settings(config, &config->channels[0], &telegram, append_error, &errors), 0);
    EXPECT_STR(config->channels[0].settings,
               "{\"mode\":\"poll\",\"api_url\":\"http://127.0.0.1:9\",\"limits\":{\"n\":5}}");
    config_free(config);
    kanal_buffer_release(&errors);
}

Test(settings, a_default_may_be_another_sections)
{
    static const kanal_plugin form = {
        .struct_size = sizeof form,
        .id = "telegram",
        .settings_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"country\":{"
                           "\"type\":\"string\",\"x-kanal-default\":\"identity.default_region\"},"
                           "\"other\":{\"type\":\"string\"}}}"
    };
#define REGION "identity: { salt: 0123456789abcdef-salt, default_region: RU }\n"
#define FORM "channels:\n  - id: x\n    plugin: telegram\n"
    expect_settings(SALT FORM, &form, "{}");
    expect_settings(REGION FORM, &form, "{\"country\":\"RU\"}");
    expect_settings(REGION FORM "    settings: { country: BY }\n", &form, "{\"country\":\"BY\"}");
}

Test(settings, a_channel_of_run_time_has_it_too)
{
    static const kanal_plugin form = { .struct_size = sizeof form,
                                       .id = "telegram",
                                       .settings_schema =
                                           "{\"type\":\"object\",\"properties\":{\"country\":{"
                                           "\"x-kanal-default\":\"identity.default_region\"}}}" };
    struct kanal_buffer errors = { 0 };
    struct config *base = load_good(REGION), *config = NULL;
    cr_assert_eq(config_load_channel(&config, base, KANAL_LIT("{\"id\":\"x\",\"plugin\":\"telegram\"}"),
                                     append_error, &errors),
                 0);
    config_free(base);
    cr_expect_eq(config_check_settings(config, &config->channels[0], &form, append_error, &errors), 0);
    EXPECT_STR(config->channels[0].settings, "{\"country\":\"RU\"}");
    config_free(config);
    kanal_buffer_release(&errors);
}

Test(settings, fingerprint_does_not_depend_on_defaults)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = load_good(CHANNEL TOKEN);
    char before[65];

    memcpy(before, config->channels[0].fingerprint.ptr, 65);
    config_check_settings(config, &config->channels[0], &telegram, append_error, &errors);
    cr_expect_str_eq(before, config->channels[0].fingerprint.ptr);
    config_free(config);
    kanal_buffer_release(&errors);
}

Test(settings, errors_have_places)
{
    expect_wrong(CHANNEL TOKEN
                 "    settings:\n      mod: poll\n      api_url: nowhere\n      limits: { n: many }\n"
                 "      lists:\n        - id: 1\n        - { name: y }\n",
                 &telegram,
                 "kanal.yaml:7:7: channels[0].settings.mod: unknown key; did you mean \"mode\"?\n"
                 "kanal.yaml:8:16: channels[0].settings.api_url: expected a URI, found \"nowhere\"\n"
                 "kanal.yaml:9:20: channels[0].settings.limits.n: expected a whole number, found \"many\"\n"
                 "kanal.yaml:12:11: channels[0].settings.lists[1].id: required, but missing\n");
}

Test(settings, wrong_defaults_are_told_at_the_channel)
{
    kanal_plugin plugin = telegram;

    plugin.settings_schema =
        "{\"properties\":{\"n\":{\"type\":\"integer\",\"default\":\"x\"}},\"required\":[\"url\"]}";
    expect_wrong(CHANNEL TOKEN, &plugin,
                 "kanal.yaml:3:5: channels[0].settings.n: expected a whole number, found \"x\"\n"
                 "kanal.yaml:3:5: channels[0].settings.url: required, but missing\n");
}

Test(settings, secrets_are_checked)
{
    expect_wrong(CHANNEL, &telegram,
                 "kanal.yaml:3:5: channels[0].secrets.token: required, but missing (the bot's token, from "
                 "@BotFather)\n");
    expect_wrong(CHANNEL "    secrets: { toke: geheim, other: geheim }\n", &telegram,
                 "kanal.yaml:5:14: channels[0].secrets.token: required, but missing (the bot's token, from "
                 "@BotFather)\n"
                 "kanal.yaml:5:16: channels[0].secrets.toke: the plugin telegram has no such secret; did you "
                 "mean \"token\"?\n"
                 "kanal.yaml:5:30: channels[0].secrets.other: the plugin telegram has no such secret; it has "
                 "token and webhook\n");
    expect_settings(CHANNEL "    secrets: { token: a, webhook: b }\n    settings: { mode: poll, api_url: "
                            "\"a:b\", limits: {n: 1} }\n",
                    &telegram, "{\"mode\":\"poll\",\"api_url\":\"a:b\",\"limits\":{\"n\":1}}");
}

Test(settings, plugin_without_settings)
{
    static const kanal_plugin plain = { .struct_size = sizeof plain, .id = "plain" };

    expect_settings(CHANNEL, &plain, "{}");
    expect_wrong(
        CHANNEL "    settings: { a: 1 }\n    secrets: { s: x }\n", &plain,
        "kanal.yaml:5:15: channels[0].settings: this plugin has no settings\n"
        "kanal.yaml:6:16: channels[0].secrets.s: the plugin plain has no such secret; it has none\n");
}

Test(settings, defect_of_the_plugin)
{
    kanal_plugin plugin = telegram;

    plugin.settings_schema = "{\"typ\":\"object\"}";
    expect_wrong(CHANNEL TOKEN, &plugin,
                 "kanal.yaml:4:13: channels[0].plugin: a defect of this plugin: its settings schema is wrong "
                 "at #: unknown keyword \"typ\"\n");
}

Test(settings, tell)
{
    struct config *config = load_good(CHANNEL);
    struct kanal_buffer out = { 0 };

    config_tell(config, &config->channels[0], "plugin", KANAL_LIT("there is no such plugin"), append_error,
                &out);
    config_tell(config, &config->channels[0], "settings", KANAL_LIT("hm"), append_error, &out);
    config_tell(config, &config->channels[0], NULL, KANAL_LIT("hm"), append_error, &out);
    kanal_buffer_byte(&out, 0);
    cr_expect_str_eq(out.data, "kanal.yaml:4:13: channels[0].plugin: there is no such plugin\n"
                               "kanal.yaml:1:1: hm\nkanal.yaml:3:5: channels[0]: hm\n");
    kanal_buffer_release(&out);
    config_free(config);
}
