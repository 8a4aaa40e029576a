/* kanal.yaml: what it becomes, every error with its place and words, secrets that never show. */
#include <errno.h>
#include "scratch.h"

TestSuite(load, .init = scratch_enter, .fini = scratch_leave);

/* ---- What it becomes ---- */

Test(load, defaults)
{
    struct config *c = load_good(SALT);

    cr_expect_eq(c->broker.url_count, 0);
    cr_expect_null(c->broker.urls[0]);
    cr_expect_null(c->broker.creds);
    cr_expect_null(c->broker.user);
    cr_expect_eq(c->broker.replicas, 1);
    cr_expect_str_eq(c->broker.prefix, "kanal");
    cr_expect_str_eq(c->http.listen, "127.0.0.1:8080");
    cr_expect_null(c->http.public_url);
    cr_expect_eq(c->http.trusted_proxy_count, 0);
    cr_expect_eq(c->http.limits.header_bytes, 16384);
    cr_expect_eq(c->http.limits.header_timeout_ms, 10000);
    cr_expect_eq(c->http.limits.body_timeout_ms, 30000);
    cr_expect_eq(c->http.limits.idle_timeout_ms, 75000);
    cr_expect_eq(c->http.limits.answer_timeout_ms, 35000);
    cr_expect_eq(c->http.limits.connections, 4096);
    cr_expect_eq(c->http.limits.connections_per_address, 256);
    cr_expect_eq(c->http.body_bytes, 16u << 20);
    cr_expect_str_eq(c->admin.listen, "127.0.0.1:9090");
    cr_expect_str_eq(c->data_dir, "/var/lib/kanal");
    cr_expect_eq(c->broker.duplicate_window_ms, 180000);
    cr_expect_eq(c->spool.bytes, INT64_C(512) << 20);
    cr_expect_eq(c->spool.events, 1000000);
    EXPECT_STR(c->identity.salt, "0123456789abcdef-salt");
    cr_expect_null(c->identity.default_region);
    cr_expect_null(c->identity.trust[0]);
    cr_expect_eq(c->identity.mail.cuts_plus_tags, 0);
    cr_expect_eq(c->identity.mail.domain_count, 0);
    cr_expect_eq(c->retention.events_ms, INT64_C(34560000000));
    cr_expect_eq(c->retention.activity_ms, INT64_C(7776000000));
    cr_expect_eq(c->retention.raw_ms, INT64_C(604800000));
    cr_expect_eq(c->retention.dead_ms, INT64_C(7776000000));
    cr_expect_eq(c->retention.media_ms, INT64_C(7776000000));
    cr_expect_eq(c->retention.facts_ms, INT64_C(34560000000));
    cr_expect_eq(c->retention.log_ms, INT64_C(259200000));
    cr_expect_eq(c->retention.handoffs_ms, INT64_C(7776000000));
    cr_expect(c->projector.is_enabled);
    cr_expect_str_eq(c->log.level, "info");
    cr_expect_str_eq(c->log.format, "json");
    cr_expect_eq(c->plugin_path[0][0], '/');
    cr_expect_not_null(strstr(c->plugin_path[0], "/kanal/plugins"));
    cr_expect_null(c->plugin_path[1]);
    cr_expect_eq(c->plugin_count, 0);
    cr_expect_eq(c->sandbox_required, 0);
    cr_expect_eq(c->channel_count, 0);
    config_free(c);
    config_free(NULL);
}

/* Reads the example of the documentation with its /run/secrets/ in the scratch folder. */
static char *example(void)
{
    FILE *file = fopen(DOCS_DIR "/kanal.example.yaml", "r");
    static char text[16384];
    struct kanal_buffer out = { 0 };
    size_t len;
    char *at = text, *next;

    cr_assert_not_null(file);
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = 0;
    while ((next = strstr(at, "/run/secrets/kanal.salt")) ||
           (next = strstr(at, "/run/secrets/telegram_webhook"))) {
        kanal_buffer_append(&out, at, (size_t)(next - at));
        kanal_buffer_text(&out, "secret");
        at = strchr(next, '}');
    }
    kanal_buffer_text(&out, at);
    kanal_buffer_byte(&out, 0);
    return out.data;
}

static void expect_example_channels(const struct config *c)
{
    const struct config_channel *tg = &c->channels[0], *form = &c->channels[1];

    cr_expect_str_eq(tg->id, "shop-telegram");
    cr_expect_str_eq(tg->plugin, "telegram");
    EXPECT_STR(tg->settings, "{\"mode\":\"webhook\",\"api_url\":\"https://api.telegram.org\"}");
    cr_assert_eq(tg->secret_count, 2);
    cr_expect_str_eq(tg->secrets[0].name, "token");
    cr_expect_str_eq(tg->secrets[0].origin, "env:TELEGRAM_TOKEN");
    EXPECT_STR(tg->secrets[0].value, "1:geheim");
    cr_expect_str_eq(tg->secrets[1].name, "webhook");
    cr_expect_str_eq(tg->secrets[1].origin, "file:secret");
    EXPECT_STR(tg->secrets[1].value, "a secret of 22 letters");
    cr_expect_str_eq(tg->egress[0], "api.telegram.org");
    cr_expect_null(tg->egress[1]);
    cr_expect_eq(tg->worker_own, 1);
    cr_expect_eq(tg->spool, 0);
    cr_expect_eq(tg->raw_ms, INT64_C(604800000));
    cr_expect_eq(tg->rate_per_second, 30);
    cr_expect_eq(tg->rate_per_recipient_second, 1);
    cr_expect_eq(tg->on_unknown, 0);
    cr_expect_eq(tg->media_keep, 0);
    cr_expect_eq(tg->position, 0);
    EXPECT_STR(form->settings, "{}");
    cr_expect_eq(form->secret_count, 0);
    cr_expect_null(form->egress);
    cr_expect_eq(form->worker_own, 0);
    cr_expect_eq(form->spool, 1);
    cr_expect_eq(form->raw_ms, 0);
    cr_expect_eq(form->rate_per_second, 0);
    cr_expect_eq(form->position, 1);
}

Test(load, domains_are_compared_as_addresses_are)
{
    struct config *c =
        load_good("identity:\n  salt: 0123456789abcdef-salt\n  mail:\n    plus_tags: cut\n    domains: { "
                  "GMail.com: cut, \"Пример.рф\": keep }\n");

    cr_expect_eq(c->identity.mail.cuts_plus_tags, 1);
    cr_assert_eq(c->identity.mail.domain_count, 2);
    EXPECT_STR(c->identity.mail.domains[0].name, "gmail.com");
    cr_expect_eq(c->identity.mail.domains[0].cuts_plus_tags, 1);
    EXPECT_STR(c->identity.mail.domains[1].name, "xn--e1afmkfd.xn--p1ai");
    cr_expect_eq(c->identity.mail.domains[1].cuts_plus_tags, 0);
    config_free(c);
}

Test(load, the_example_of_the_documentation)
{
    char *text = example();
    struct config *c;

    setenv("TELEGRAM_TOKEN", "1:geheim", 1);
    scratch_write("secret", KANAL_LIT("a secret of 22 letters\n"));
    c = load_good(text);
    cr_expect_eq(c->broker.url_count, 2);
    cr_expect_str_eq(c->broker.urls[0], "nats://n1:4222");
    cr_expect_str_eq(c->broker.urls[1], "nats://n2:4222");
    cr_expect_null(c->broker.urls[2]);
    cr_expect_str_eq(c->broker.creds, "/run/secrets/kanal.creds");
    cr_expect_str_eq(c->broker.tls_ca, "/etc/kanal/ca.pem");
    cr_expect_eq(c->broker.replicas, 3);
    cr_expect_str_eq(c->http.public_url, "https://hub.example.com");
    cr_assert_eq(c->http.trusted_proxy_count, 2);
    EXPECT_STR(c->http.trusted_proxies[0], "10.0.0.0/8");
    EXPECT_STR(c->http.trusted_proxies[1], "fd00::/8");
    EXPECT_STR(c->identity.salt, "a secret of 22 letters");
    cr_expect_str_eq(c->identity.default_region, "RU");
    cr_expect_str_eq(c->identity.trust[0], "whatsapp");
    cr_expect_null(c->identity.trust[1]);
    cr_assert_eq(c->plugin_count, 1);
    cr_expect_str_eq(c->plugins[0].id, "telegram");
    cr_expect_eq(c->plugins[0].memory_bytes, 64 << 20);
    cr_expect_eq(c->plugins[0].in_process, 0);
    cr_assert_eq(c->channel_count, 2);
    expect_example_channels(c);
    config_free(c);
    free(text);
}

/* What the example gives as a default is one. */
Test(load, the_example_tells_the_defaults)
{
    char *text = example();
    struct config *c, *d = load_good(SALT);

    setenv("TELEGRAM_TOKEN", "1:geheim", 1);
    scratch_write("secret", KANAL_LIT("a secret of 22 letters\n"));
    c = load_good(text);
    cr_expect_arr_eq(&c->http.limits, &d->http.limits, sizeof c->http.limits);
    cr_expect_eq(c->http.body_bytes, d->http.body_bytes);
    cr_expect_arr_eq(&c->retention, &d->retention, sizeof c->retention);
    cr_expect_eq(c->broker.duplicate_window_ms, d->broker.duplicate_window_ms);
    cr_expect_eq(c->spool.bytes, d->spool.bytes);
    cr_expect_eq(c->spool.events, d->spool.events);
    cr_expect_str_eq(c->admin.listen, d->admin.listen);
    cr_expect_str_eq(c->data_dir, d->data_dir);
    cr_expect_str_eq(c->log.level, d->log.level);
    cr_expect_str_eq(c->log.format, d->log.format);
    cr_expect_str_eq(c->broker.prefix, d->broker.prefix);
    cr_expect_eq(c->cgroup, CONFIG_CGROUP_AUTO);
    cr_expect_eq(c->cgroup, d->cgroup);
    config_free(c);
    config_free(d);
    free(text);
}

Test(load, values)
{
    struct config *c =
        load_good(SALT "broker: { url: tls://n1, user: u, password: p, tls: { cert: c.pem, "
                       "key: k.pem }, replicas: 5, prefix: shop, duplicate_window: 2m }\n"
                       "spool: { size: 3G, events: 7 }\n"
                       "http: { listen: \"[::]:0\", public_url: "
                       "https://hub.example.com/kanal/, limits: { headers: 32768, body: 1G, "
                       "header_timeout: PT1M, connections: 1 } }\n"
                       "retention: { events: forever, raw: 1h, media: P1W, facts: 2h }\n"
                       "projector: { enabled: false }\n"
                       "routing: { timezone: Europe/Moscow, require_consent: [marketing], stop_words: [] }\n"
                       "plugins: { path: [a, b], sandbox: required, cgroup: /kanal.slice, echo: { cpu: 0.25, "
                       "isolation: none "
                       "}, vendor-erp: { threads: true } }\n"
                       "channels: [ { id: A_b-1, plugin: echo, egress: [], media: keep, log: all, "
                       "on_unknown: ask, rate: { per_second: 0.5 } } ]\n");

    cr_expect_eq(c->broker.url_count, 1);
    cr_expect_str_eq(c->broker.urls[0], "tls://n1");
    cr_expect_str_eq(c->broker.user, "u");
    cr_expect_str_eq(c->broker.password, "p");
    cr_expect_str_eq(c->broker.tls_cert, "c.pem");
    cr_expect_str_eq(c->broker.tls_key, "k.pem");
    cr_expect_eq(c->broker.replicas, 5);
    cr_expect_eq(c->broker.duplicate_window_ms, 120000);
    cr_expect_eq(c->spool.bytes, INT64_C(3) << 30);
    cr_expect_eq(c->spool.events, 7);
    cr_expect_str_eq(c->broker.prefix, "shop");
    cr_expect_str_eq(c->http.public_url, "https://hub.example.com/kanal");
    cr_expect_eq(c->http.limits.header_bytes, 32768);
    cr_expect_eq(c->http.body_bytes, 1u << 30);
    cr_expect_eq(c->http.limits.header_timeout_ms, 60000);
    cr_expect_eq(c->http.limits.connections, 1);
    cr_expect_eq(c->retention.events_ms, 0);
    cr_expect_eq(c->retention.raw_ms, 3600000);
    cr_expect_eq(c->retention.media_ms, 604800000);
    cr_expect_eq(c->retention.facts_ms, 7200000);
    cr_expect_not(c->projector.is_enabled);
    cr_expect_str_eq(c->routing.timezone, "Europe/Moscow");
    cr_expect_str_eq(c->routing.require_consent[0], "marketing");
    cr_expect_null(c->routing.stop_words[0]);
    cr_expect_str_eq(c->routing.start_words[0], "START");
    cr_expect_str_eq(c->plugin_path[1], "b");
    cr_assert_eq(c->plugin_count, 2);
    cr_expect_str_eq(c->plugins[0].id, "echo");
    cr_expect_eq(c->plugins[0].in_process, 1);
    cr_expect_str_eq(c->plugins[1].id, "vendor-erp");
    cr_expect_eq(c->plugins[1].memory_bytes, 0);
    cr_expect_eq(c->sandbox_required, 1);
    cr_expect_eq(c->cgroup, CONFIG_CGROUP_REQUIRED);
    cr_expect_str_eq(c->cgroup_path, "/kanal.slice");
    cr_expect_eq(c->plugins[0].cpu_percent, 25);
    cr_expect_eq(c->plugins[1].cpu_percent, 0);
    cr_expect_eq(c->plugins[0].threads, 0);
    cr_expect_eq(c->plugins[1].threads, 1);
    cr_expect_not_null(c->channels[0].egress);
    cr_expect_null(c->channels[0].egress[0]);
    cr_expect_eq(c->channels[0].media_keep, 1);
    cr_expect_eq(c->channels[0].on_unknown, 2);
    cr_expect_eq(c->channels[0].log, CONFIG_LOG_ALL);
    cr_expect_eq(c->channels[0].rate_per_second, 0.5);
    config_free(c);
}

Test(load, control_groups)
{
    static const struct {
        const char *text;
        enum config_cgroup cgroup;
    } cases[] = { { "auto", CONFIG_CGROUP_AUTO },
                  { "off", CONFIG_CGROUP_OFF },
                  { "required", CONFIG_CGROUP_REQUIRED } };
    char text[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, SALT "plugins: { cgroup: %s }\n", cases[i].text);
        struct config *c = load_good(text);
        cr_expect_eq(c->cgroup, cases[i].cgroup, "%s", cases[i].text);
        cr_expect_null(c->cgroup_path);
        cr_expect_eq(c->plugin_count, 0);
        config_free(c);
    }
}

/* ---- Secrets ---- */

Test(load, expansion)
{
    struct config *c;
    const struct config_secret *s;

    setenv("KANAL_TEST_A", "alpha${env:KANAL_TEST_B}", 1);
    scratch_write("secret", KANAL_LIT("line one\nline two\r\n"));
    c = load_good("identity: { salt: \"${env:KANAL_TEST_A}\" }\n"
                  "channels:\n  - id: x\n    plugin: p\n    secrets:\n      a: "
                  "\"<${env:KANAL_TEST_A}|${file:secret}>\"\n"
                  "      b: \"$${env:X} $$ ${file:secret}\"\n      c: $plain$\n      d: \"a$$${b\"\n");
    EXPECT_STR(c->identity.salt, "alpha${env:KANAL_TEST_B}"); /* not recursively */
    cr_assert_eq(c->channels[0].secret_count, 4);
    s = c->channels[0].secrets;
    EXPECT_STR(s[0].value, "<alpha${env:KANAL_TEST_B}|line one\nline two>");
    cr_expect_str_eq(s[0].origin, "env:KANAL_TEST_A");
    EXPECT_STR(s[1].value, "${env:X} $$ line one\nline two");
    cr_expect_str_eq(s[1].origin, "file:secret");
    EXPECT_STR(s[2].value, "$plain$");
    cr_expect_str_eq(s[2].origin, "literal");
    EXPECT_STR(s[3].value, "a$${b");
    cr_expect_str_eq(s[3].origin, "literal");
    config_free(c);
}

Test(load, broker_credentials_from_outside)
{
    struct config *c;

    setenv("KANAL_TEST_URL", "nats://n9:4222", 1);
    setenv("KANAL_TEST_TOKEN", "t", 1);
    c = load_good(SALT "broker: { url: [\"${env:KANAL_TEST_URL}\"], token: \"${env:KANAL_TEST_TOKEN}\" }\n");
    cr_expect_str_eq(c->broker.urls[0], "nats://n9:4222");
    cr_expect_str_eq(c->broker.token, "t");
    config_free(c);
}

Test(load, expansion_errors)
{
    char *large = calloc(1, 65537);

    memset(large, 'x', 65537);
    scratch_write("large", kanal_str_of(large, 65537));
    scratch_write("empty", KANAL_LIT("\n"));
    setenv("KANAL_TEST_EMPTY", "", 1);
    expect_errors(
        SALT "channels:\n  - id: x\n    plugin: p\n    secrets:\n"
             "      a: ${env:KANAL_TEST_UNSET}\n      b: ${env:KANAL_TEST_EMPTY}\n      c: ${file:none}\n"
             "      d: ${file:empty}\n      e: ${file:large}\n      f: ${file:.}\n      g: ${vault:x}\n"
             "      h: \"geheim${env:A\"\n      i: ${env:a-b}\n      j: ${file:}\n      k: ${file:-}\n",
        "kanal.yaml:6:10: channels[0].secrets.a: environment variable KANAL_TEST_UNSET is not set\n"
        "kanal.yaml:7:10: channels[0].secrets.b: environment variable KANAL_TEST_EMPTY is empty\n"
        "kanal.yaml:8:10: channels[0].secrets.c: the file \"none\" cannot be read: No such file or "
        "directory\n"
        "kanal.yaml:9:10: channels[0].secrets.d: the file \"empty\" is empty\n"
        "kanal.yaml:10:10: channels[0].secrets.e: the file \"large\" is larger than 64 KiB\n"
        "kanal.yaml:11:10: channels[0].secrets.f: the file \".\" cannot be read: Is a directory\n"
        "kanal.yaml:12:10: channels[0].secrets.g: expected ${env:NAME} or ${file:PATH}; a literal ${ is "
        "written $${\n"
        "kanal.yaml:13:10: channels[0].secrets.h: ${ without }; a literal ${ is written $${\n"
        "kanal.yaml:14:10: channels[0].secrets.i: \"a-b\" is no name of an environment variable\n"
        "kanal.yaml:15:10: channels[0].secrets.j: the file \"\" cannot be read: a path is expected\n"
        "kanal.yaml:16:10: channels[0].secrets.k: the file \"-\" cannot be read: a path is expected\n");
    free(large);
}

Test(load, no_expansion_elsewhere)
{
    expect_errors(SALT "data_dir: \"${env:HOME}/kanal\"\n"
                       "channels: [ { id: x, plugin: p, settings: { a: [ \"${file:/etc/passwd}\" ], b: "
                       "\"${name} is fine\" } } ]\n",
                  "kanal.yaml:2:11: data_dir: ${env:…} and ${file:…} are not expanded here; only in secrets, "
                  "identity.salt and "
                  "the broker's url, user, password and token\n"
                  "kanal.yaml:3:50: channels[0].settings.a[0]: ${env:…} and ${file:…} are not expanded here; "
                  "only in secrets, "
                  "identity.salt and the broker's url, user, password and token\n");
}

/* Whatever is wrong, no value of a secret is shown. */
Test(load, errors_show_no_secrets)
{
    static const char *const texts[] = {
        "identity: { salt: 8421937 }\n",
        "identity: { salt: geheim }\n",
        "identity: { salt: [geheim] }\n",
        "identity: { salt: \"${env:KANAL_TEST_SHORT}\" }\n",
        SALT
        "channels: [ { id: x, plugin: p, secrets: { a: 8421937, b: [geheim], c: {geheim: geheim} } } ]\n",
        SALT "channels: [ { id: x, plugin: p, secrets: { a: \"geheim${geheim}\" } } ]\n",
        SALT "broker: { url: \"natz://user:geheim@n1\", user: u, password: 8421937 }\n",
        SALT "broker: { url: [\"nats://user:geheim@n1:x\"], token: [geheim] }\n",
        SALT "broker: { url: \"${env:KANAL_TEST_SHORT}\" }\n",
        SALT "broker: { password: geheim, token: geheim }\n",
    };

    setenv("KANAL_TEST_SHORT", "geheim", 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct kanal_buffer errors = { 0 };
        struct config *config = NULL;
        cr_expect_eq(load_text(&config, kanal_str_c(texts[i]), &errors), KANAL_E_INVALID, "%s", texts[i]);
        cr_expect_null(strstr(errors.data, "geheim"), "%s", errors.data);
        cr_expect_null(strstr(errors.data, "8421937"), "%s", errors.data);
        kanal_buffer_release(&errors);
    }
}

/* ---- Bad input ---- */

#define SALT_AND(more) "identity: { salt: 0123456789abcdef-salt, " more " }\n"

static const struct {
    const char *text, *errors;
} bad_input[] = {
    { "", "kanal.yaml:1:1: expected an object, found null\n" },
    { "[]", "kanal.yaml:1:1: expected an object, found an empty array\n" },
    { "broker: {}\n", "kanal.yaml:1:1: identity: required, but missing\n" },
    { SALT_AND("mail: { plus_tags: drop }"), "kanal.yaml:1:61: identity.mail.plus_tags: expected \"keep\" or "
                                             "\"cut\", found \"drop\"\n" },
    { SALT_AND("mail: { domains: { \"a@b.ru\": cut } }"),
      "kanal.yaml:1:71: identity.mail.domains[\"a@b.ru\"]: expected a domain such as example.com, found "
      "\"a@b.ru\"\n" },
    { SALT_AND("mail: { domains: { \"☃.net\": cut } }"),
      "kanal.yaml:1:59: identity.mail.domains: expected a domain such as example.com, found \"☃.net\"\n" },
    { "identity: {}\n", "kanal.yaml:1:11: identity.salt: required, but missing\n" },
    { "identity: { salt: short }\n", "kanal.yaml:1:19: identity.salt: expected at least 16 bytes, found "
                                     "5; `openssl rand -hex 32` makes one\n" },
    { "identity: { salt: 1234567890123456 }\n", "kanal.yaml:1:19: identity.salt: expected a string that "
                                                "is not empty (numbers are quoted), found a number\n" },
    { "identity: { salt: \"\" }\n", "kanal.yaml:1:19: identity.salt: expected a string that is not empty "
                                    "(numbers are quoted), found a string of 0 characters\n" },
    { SALT "chanels: []\n", "kanal.yaml:2:1: chanels: unknown key; did you mean \"channels\"?\n" },
    { SALT "http: { public-url: x, limit: {} }\n",
      "kanal.yaml:2:9: http.public-url: unknown key; did you mean \"public_url\"?\n"
      "kanal.yaml:2:24: http.limit: unknown key; did you mean \"limits\"?\n" },
    { SALT "channels:\n", "kanal.yaml:2:10: channels: expected an array, found null\n" },
    { SALT "channels: [ {} ]\n", "kanal.yaml:2:13: channels[0].id: required, but missing\n"
                                 "kanal.yaml:2:13: channels[0].plugin: required, but missing\n" },
    { SALT "channels: [ { id: any, plugin: p }, { id: _, plugin: p }, { id: a b, plugin: P } ]\n",
      "kanal.yaml:2:19: channels[0].id: any is reserved: in a command's subject it lets Kanal choose the "
      "channel, found \"any\"\n"
      "kanal.yaml:2:43: channels[1].id: _ is reserved: in subjects it stands for nothing, found \"_\"\n"
      "kanal.yaml:2:65: channels[2].id: expected 1 to 64 of A-Z, a-z, 0-9, _ and -, found \"a b\"\n"
      "kanal.yaml:2:78: channels[2].plugin: expected a plugin's id, 1 to 32 of a-z, 0-9 and -, a letter "
      "first, found \"P\"\n" },
    { SALT "channels:\n  - { id: x, plugin: p }\n  - { id: y, plugin: p }\n  - { id: x, plugin: q }\n  - "
           "{ id: x, plugin: r }\n",
      "kanal.yaml:5:11: channels[2].id: \"x\" is the id of another channel, on line 3\n"
      "kanal.yaml:6:11: channels[3].id: \"x\" is the id of another channel, on line 5\n" },
    { SALT "channels: [ { id: x, plugin: p, rate: { per_second: fast, per_recipient_second: 0 } } ]\n",
      "kanal.yaml:2:53: channels[0].rate.per_second: expected a number above 0 and at most 1000000, "
      "found \"fast\"\n"
      "kanal.yaml:2:81: channels[0].rate.per_recipient_second: expected a number above 0 and at most "
      "1000000, found the number 0\n" },
    { SALT "channels: [ { id: x, plugin: p, worker: mine, when_broker_down: wait, on_unknown: true, "
           "media: 1 } ]\n",
      "kanal.yaml:2:41: channels[0].worker: expected \"shared\" or \"own\", found \"mine\"\n"
      "kanal.yaml:2:65: channels[0].when_broker_down: expected \"refuse\" or \"spool\", found \"wait\"\n"
      "kanal.yaml:2:83: channels[0].on_unknown: expected \"retry\", \"fail\" or \"ask\", found true\n"
      "kanal.yaml:2:96: channels[0].media: expected \"proxy\" or \"keep\", found the number 1\n" },
    { SALT "channels: [ { id: x, plugin: p, raw: 30d }, { id: y, plugin: p, raw: 0s }, { id: z, plugin: "
           "p, raw: 7 } ]\n",
      "kanal.yaml:2:38: channels[0].raw: expected at most retention.raw, which bounds all channels, "
      "found \"30d\"\n"
      "kanal.yaml:2:70: channels[1].raw: expected more than nothing; without raw no payloads are kept, "
      "found \"0s\"\n"
      "kanal.yaml:2:101: channels[2].raw: expected a duration such as 90s, 12h, 7d or PT10M, found the "
      "number 7\n" },
    { SALT "channels: [ { id: x, plugin: p, egress: [https://a.b, 10.0.0.1/8, ok.example.com], secrets: "
           "{ \"a b\": x } } ]\n",
      "kanal.yaml:2:42: channels[0].egress[0]: expected a host, not a URL, found \"https://a.b\"\n"
      "kanal.yaml:2:55: channels[0].egress[1]: expected only zero bits behind the prefix (10.0.0.0/8, "
      "not 10.0.0.1/8), found "
      "\"10.0.0.1/8\"\n"
      "kanal.yaml:2:102: channels[0].secrets[\"a b\"]: expected a secret's name, 1 to 64 of A-Z, a-z, "
      "0-9, _, . and -, found \"a b\"\n" },
    { SALT "http: { listen: localhost:8080, trusted_proxies: [10.0.0.0], public_url: hub.example.com "
           "}\nadmin: { listen: 9090 }\n",
      "kanal.yaml:2:17: http.listen: expected a literal address such as 0.0.0.0, 127.0.0.1 or [::] "
      "before the port, found "
      "\"localhost:8080\"\n"
      "kanal.yaml:2:51: http.trusted_proxies[0]: expected a network such as 10.0.0.0/8 (one address: "
      "10.0.0.1/32, ::1/128), found "
      "\"10.0.0.0\"\n"
      "kanal.yaml:2:74: http.public_url: expected a URL such as https://hub.example.com, found "
      "\"hub.example.com\"\n"
      "kanal.yaml:3:18: admin.listen: expected a string of 1 to 4096 characters, found the number "
      "9090\n" },
    { SALT "http: { limits: { headers: 16, body: 64MB, header_timeout: 10, idle_timeout: 2d, "
           "connections: 0 } }\n",
      "kanal.yaml:2:28: http.limits.headers: expected a size from 1K to 1M, found 16\n"
      "kanal.yaml:2:38: http.limits.body: expected a size such as 65536, 64M or 1GiB, found \"64MB\"\n"
      "kanal.yaml:2:60: http.limits.header_timeout: expected a duration such as 90s, 12h, 7d or PT10M, "
      "found the number 10\n"
      "kanal.yaml:2:78: http.limits.idle_timeout: expected a duration from 1s to 1h, found 2d\n"
      "kanal.yaml:2:95: http.limits.connections: expected a whole number from 1 to 1000000, found the "
      "number 0\n" },
    { SALT "retention: { events: 99999999999999999999d, activity: 5m, raw: PT, dead: never }\n",
      "kanal.yaml:2:22: retention.events: expected a duration such as 90s, 12h, 7d or PT10M, found "
      "\"99999999999999999999d\"\n"
      "kanal.yaml:2:55: retention.activity: expected a duration from 1h to 100 years, found 5m\n"
      "kanal.yaml:2:64: retention.raw: expected a duration such as 90s, 12h, 7d or PT10M, found \"PT\"\n"
      "kanal.yaml:2:74: retention.dead: expected a duration such as 12h or 400d, or forever, found "
      "\"never\"\n" },
    { SALT "broker: { url: n1:4222, prefix: Kanal, replicas: 2 }\n",
      "kanal.yaml:2:16: broker.url: expected nats://HOST:PORT or tls://HOST:PORT, found \"n1:4222\"\n"
      "kanal.yaml:2:33: broker.prefix: expected 1 to 32 of a-z, 0-9, _ and -, a letter first, found "
      "\"Kanal\"\n"
      "kanal.yaml:2:50: broker.replicas: expected 1, 3 or 5, found the number 2\n" },
    { SALT "broker: { creds: a, token: b, replicas: 3, tls: { cert: c } }\n",
      "kanal.yaml:2:18: broker.creds: has no meaning without broker.url: Kanal then starts a broker of "
      "its own\n"
      "kanal.yaml:2:28: broker.token: only one of creds, nkey_seed, user and token may be there; creds "
      "is there too\n"
      "kanal.yaml:2:28: broker.token: has no meaning without broker.url: Kanal then starts a broker of "
      "its own\n"
      "kanal.yaml:2:41: broker.replicas: more than 1 needs broker.url with a cluster: the broker of its "
      "own is one server\n"
      "kanal.yaml:2:49: broker.tls.key: required together with \"cert\", but missing\n"
      "kanal.yaml:2:49: broker.tls: has no meaning without broker.url: Kanal then starts a broker of its "
      "own\n" },
    { SALT "broker: { url: nats://n1, user: u }\n",
      "kanal.yaml:2:9: broker.password: required together with \"user\", but missing\n" },
    { SALT "broker: { url: 5 }\n", "kanal.yaml:2:16: broker.url: expected a URL such as "
                                   "nats://host:4222, or an array of them, found the number 5\n" },
    { SALT "plugins: { path: /x, telegram: { memory: 1K, isolation: no, x: 1 }, Bad: {} }\n",
      "kanal.yaml:2:18: plugins.path: expected an array of 1 to 64 items, found \"/x\"\n"
      "kanal.yaml:2:42: plugins.telegram.memory: expected a size from 8M to 1T, found 1K\n"
      "kanal.yaml:2:57: plugins.telegram.isolation: expected \"worker\" or \"none\", found \"no\"\n"
      "kanal.yaml:2:61: plugins.telegram.x: unknown key\n"
      "kanal.yaml:2:74: plugins.Bad: expected a plugin's id, 1 to 32 of a-z, 0-9 and -, a letter first, "
      "found \"Bad\"\n" },
    { SALT "plugins: { cgroup: kanal.slice, telegram: { cpu: 0 }, vk: { cpu: 2000 }, viber: { cpu: 50% } }\n",
      "kanal.yaml:2:20: plugins.cgroup: expected auto, off, required or the path of a control group such as "
      "/kanal.slice, found \"kanal.slice\"\n"
      "kanal.yaml:2:50: plugins.telegram.cpu: expected a number from 0.01 to 1024, found the number 0\n"
      "kanal.yaml:2:66: plugins.vk.cpu: expected a number from 0.01 to 1024, found the number 2000\n"
      "kanal.yaml:2:88: plugins.viber.cpu: expected a number from 0.01 to 1024, found \"50%\"\n" },
    { SALT "plugins: { sandbox: off, telegram: { threads: 2 } }\n",
      "kanal.yaml:2:21: plugins.sandbox: expected \"best_effort\" or \"required\", found \"off\"\n"
      "kanal.yaml:2:47: plugins.telegram.threads: expected true or false, found the number 2\n" },
    { SALT "log: { level: verbose }\nidentity: {}\n",
      "kanal.yaml:2:15: log.level: expected \"debug\", \"info\", \"warn\" or \"error\", found "
      "\"verbose\"\n"
      "kanal.yaml:3:1: the key \"identity\" is there already, on line 1\n" },
    { SALT "identity2: *x\n", "kanal.yaml:2:12: aliases (*name) are not supported: write the value out\n" },
    { SALT "data_dir: [\n", "kanal.yaml:3:1: no YAML: did not find expected node content, while parsing "
                            "a flow node that starts on line 3\n" },
};

Test(load, bad_input)
{
    for (size_t i = 0; i < sizeof bad_input / sizeof *bad_input; i++)
        expect_errors(bad_input[i].text, bad_input[i].errors);
}

Test(load, data_dir_is_no_directory)
{
    scratch_write("file", KANAL_LIT("x"));
    expect_errors(
        SALT "data_dir: file\n",
        "kanal.yaml:2:11: data_dir: expected a directory (it is made if it is not there), found \"file\"\n");
}

Test(load, no_file)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;

    cr_expect_eq(config_load(&config, "file", append_error, &errors), KANAL_E_NOT_FOUND);
    cr_expect_null(config);
    kanal_buffer_byte(&errors, 0);
    cr_expect_str_eq(errors.data, "file: No such file or directory\n");
    kanal_buffer_release(&errors);
}

Test(load, too_large)
{
    size_t len = (8u << 20) + 1;
    char *text = malloc(len);
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;

    memset(text, '#', len);
    cr_expect_eq(load_text(&config, kanal_str_of(text, len), &errors), KANAL_E_INVALID);
    cr_expect_str_eq(errors.data, "kanal.yaml: the file is larger than 8 MiB\n");
    kanal_buffer_release(&errors);
    free(text);
}

Test(load, standard_input)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;

    scratch_write("file", KANAL_LIT(SALT));
    cr_assert_not_null(freopen("file", "r", stdin));
    cr_expect_eq(config_load(&config, "-", append_error, &errors), 0);
    config_free(config);
    config = NULL;
    scratch_write("file", KANAL_LIT("a: b\n"));
    cr_assert_not_null(freopen("file", "r", stdin));
    cr_expect_eq(config_load(&config, "-", append_error, &errors), KANAL_E_INVALID);
    kanal_buffer_byte(&errors, 0);
    cr_expect_str_eq(errors.data, "stdin:1:1: a: unknown key\nstdin:1:1: identity: required, but missing\n");
    kanal_buffer_release(&errors);
}

/* ---- Many channels ---- */

Test(load, many_channels)
{
    struct kanal_buffer text = { 0 };
    struct kanal_buffer errors = { 0 };
    struct config *c = NULL;

    kanal_buffer_text(&text, SALT "channels:\n");
    for (int i = 0; i < 5000; i++) {
        kanal_buffer_text(&text, "  - id: c");
        kanal_buffer_int(&text, i);
        kanal_buffer_text(
            &text, "\n    plugin: telegram\n    settings: { mode: webhook }\n    secrets: { token: abc }\n");
    }
    cr_assert_eq(load_text(&c, kanal_buffer_view(&text), &errors), 0, "%s", errors.data);
    cr_expect_eq(c->channel_count, 5000);
    cr_expect_str_eq(c->channels[4999].id, "c4999");
    config_free(c);
    kanal_buffer_release(&errors);
    kanal_buffer_release(&text);
}

/* ---- Fingerprints ---- */

static void fingerprint(char out[65], const char *salt, const char *channel)
{
    struct kanal_buffer text = { 0 };
    struct config *c;

    kanal_buffer_text(&text, "identity: { salt: ");
    kanal_buffer_text(&text, salt);
    kanal_buffer_text(&text, " }\nchannels: [ ");
    kanal_buffer_text(&text, channel);
    kanal_buffer_text(&text, " ]\n");
    kanal_buffer_byte(&text, 0);
    c = load_good(text.data);
    cr_assert_eq(c->channels[0].fingerprint.len, 64);
    memcpy(out, c->channels[0].fingerprint.ptr, 65);
    config_free(c);
    kanal_buffer_release(&text);
}

Test(load, fingerprint_changes_with_the_channel)
{
    static const char *const others[] = {
        "{ id: x, plugin: q, settings: { a: 1 }, secrets: { s: abc } }",
        "{ id: x, plugin: p, settings: { a: 2 }, secrets: { s: abc } }",
        "{ id: x, plugin: p, settings: { a: 1 }, secrets: { s: abd } }",
        "{ id: x, plugin: p, settings: { a: 1 }, secrets: { sa: bc } }",
        "{ id: x, plugin: p, settings: { a: 1 } }",
    };
    char first[65], other[65];

    fingerprint(first, "0123456789abcdef", "{ id: x, plugin: p, settings: { a: 1 }, secrets: { s: abc } }");
    fingerprint(other, "0123456789abcdef",
                "{ id: y, plugin: p, raw: 1d, settings: { a: 1 }, secrets: { s: \"abc\" } }");
    cr_expect_str_eq(first, other, "the id and what only the gateway does are no part of it");
    fingerprint(other, "0123456789abcdeg", "{ id: x, plugin: p, settings: { a: 1 }, secrets: { s: abc } }");
    cr_expect_str_neq(first, other, "the salt keys it");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fingerprint(other, "0123456789abcdef", others[i]);
        cr_expect_str_neq(first, other, "%s", others[i]);
    }
}
