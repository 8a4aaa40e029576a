/* Who may enter: credentials of every kind, TLS, and what is said when it fails. */
#include "broker_support.h"

#include <stdlib.h>

#define FIXTURE(name) BROKER_FIXTURES "/" name

static void expect(struct fixture *f, const struct broker_options *options, enum broker_state state,
                   const char *words)
{
    f->state = BROKER_CONNECTING;
    fixture_connect(f, options);
    cr_assert(run_until_state(f, state, 5000), "state %d: %s", f->state, f->reason);
    if (words)
        cr_assert_not_null(strcasestr(f->reason, words), "\"%s\" does not say \"%s\"", f->reason, words);
    broker_free(f->broker);
    f->broker = NULL;
    run_for(&f->loop, 20);
}

static void expect_reason(struct fixture *f, const struct broker_options *options, const char *words)
{
    fixture_connect(f, options);
    for (int i = 0; i < 300 && !strcasestr(f->reason, words); i++)
        run_for(&f->loop, 10);
    cr_assert_not_null(strcasestr(f->reason, words), "\"%s\" does not say \"%s\"", f->reason, words);
    cr_assert_eq(f->state, BROKER_CONNECTING);
    broker_free(f->broker);
    f->broker = NULL;
    run_for(&f->loop, 20);
}

Test(access, user_and_password, .timeout = 30)
{
    struct fixture f;
    char url[128];
    const char *urls[] = { url };
    struct broker_options in_url = { .urls = urls, .url_count = 1 };

    fixture_init(&f);
    nats_start(&f.nats, "authorization { user: kanal, password: \"se cret@1\" }");
    expect(&f, &(struct broker_options){ .user = "kanal", .password = "se cret@1" }, BROKER_UP, NULL);
    expect(&f, &(struct broker_options){ .user = "kanal", .password = "wrong" }, BROKER_CLOSED,
           "authorization violation");
    expect(&f, &(struct broker_options){ 0 }, BROKER_CLOSED, "authorization violation");
    snprintf(url, sizeof url, "nats://kanal:se%%20cret%%401@127.0.0.1:%d", f.nats.port);
    fixture_connect(&f, &in_url);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    cr_assert_str_eq(broker_server(f.broker), f.nats.url, "no credentials in what is shown");
    fixture_down(&f);
}

Test(access, token, .timeout = 30)
{
    struct fixture f;

    fixture_init(&f);
    nats_start(&f.nats, "authorization { token: \"s3cr3t\" }");
    expect(&f, &(struct broker_options){ .token = "s3cr3t" }, BROKER_UP, NULL);
    expect(&f, &(struct broker_options){ .token = "other" }, BROKER_CLOSED, "authorization violation");
    fixture_down(&f);
}

Test(access, nkey, .timeout = 30)
{
    struct fixture f;
    char public[64] = "", config[256];
    FILE *file = fopen(FIXTURE("user.pub"), "re");

    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%63s", public), 1);
    fclose(file);
    snprintf(config, sizeof config, "authorization { users: [ { nkey: %s } ] }", public);
    fixture_init(&f);
    nats_start(&f.nats, config);
    expect(&f, &(struct broker_options){ .nkey_seed = FIXTURE("user.nk") }, BROKER_UP, NULL);
    expect(&f, &(struct broker_options){ 0 }, BROKER_CLOSED, "authorization violation");
    fixture_down(&f);
}

Test(access, creds, .timeout = 30)
{
    struct fixture f;
    char include[256];

    fixture_init(&f);
    snprintf(include, sizeof include, "include \"%s\"", "operator.conf");
    nats_start(&f.nats, NULL);
    nats_stop(&f.nats);
    /* "include" is relative to the configuration. */
    snprintf(include, sizeof include, "cp '%s' '%s/'", FIXTURE("operator.conf"), f.nats.dir);
    cr_assert_eq(system(include), 0);
    nats_reconfigure(&f.nats, "include \"operator.conf\"");
    nats_restart(&f.nats);
    expect(&f, &(struct broker_options){ .creds = FIXTURE("user.creds") }, BROKER_UP, NULL);
    expect(&f, &(struct broker_options){ .creds = FIXTURE("stranger.creds") }, BROKER_CLOSED,
           "authorization violation");
    fixture_down(&f);
}

/* Once it was accepted, a refusal may be a key that is being changed: it goes on trying. */
Test(access, goes_on_after_a_later_refusal, .timeout = 30)
{
    struct fixture f;
    struct broker_options options = { .user = "kanal", .password = "one" };

    fixture_init(&f);
    nats_start(&f.nats, "authorization { user: kanal, password: one }");
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    nats_stop(&f.nats);
    nats_reconfigure(&f.nats, "authorization { user: kanal, password: two }");
    nats_restart(&f.nats);
    for (int i = 0; i < 300 && !strcasestr(f.reason, "authorization"); i++)
        run_for(&f.loop, 10);
    cr_assert_not_null(strcasestr(f.reason, "authorization"), "%s", f.reason);
    cr_assert_eq(f.state, BROKER_DOWN);
    nats_stop(&f.nats);
    nats_reconfigure(&f.nats, "authorization { user: kanal, password: one }");
    nats_restart(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    fixture_down(&f);
}

Test(access, permissions_are_reported, .timeout = 30)
{
    struct fixture f;
    struct broker_options options = { .user = "kanal", .password = "one" };
    struct broker_out out = text_out("forbidden.subject", "x");

    fixture_init(&f);
    nats_start(&f.nats,
               "authorization { users: [ { user: kanal, password: one, permissions: { publish: { deny: "
               "\"forbidden.>\" } } } ] }");
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    cr_assert_str_eq(broker_violation(f.broker), "");
    cr_assert_eq(broker_publish(f.broker, &out), 0);
    for (int i = 0; i < 100 && !broker_violation(f.broker)[0]; i++)
        run_for(&f.loop, 10);
    cr_assert_not_null(strstr(broker_violation(f.broker), "forbidden.subject"), "%s",
                       broker_violation(f.broker));
    cr_assert_eq(f.state, BROKER_UP);
    fixture_down(&f);
}

#define TLS(server, rest)                                                                                    \
    "tls { cert_file: \"" FIXTURE(server) ".pem\", key_file: \"" FIXTURE(server) ".key\" " rest " }"

static void tls_url(struct fixture *f, char url[64])
{
    snprintf(url, 64, "tls://127.0.0.1:%d", f->nats.port);
}

Test(access, tls, .timeout = 30)
{
    struct fixture f;
    char url[64];
    const char *urls[] = { url };
    struct broker_options options = { .urls = urls, .url_count = 1 };

    fixture_init(&f);
    nats_start(&f.nats, TLS("server", ""));
    tls_url(&f, url);
    options.tls_ca = FIXTURE("ca.pem");
    expect(&f, &options, BROKER_UP, NULL);
    options.tls_ca = FIXTURE("other-ca.pem");
    expect_reason(&f, &options, "certificate");
    fixture_down(&f);
}

/* cnats simply does it, without our pump: told by the first byte that comes. */
Test(access, tls_that_the_url_does_not_name, .timeout = 30)
{
    struct fixture f;
    struct broker_options options = { 0 };

    setenv("SSL_CERT_FILE", FIXTURE("ca.pem"), 1);
    fixture_init(&f);
    nats_start(&f.nats, TLS("server", ""));
    fixture_connect(&f, &options);
    for (int i = 0; i < 500 && !strstr(f.reason, "write tls://"); i++)
        run_for(&f.loop, 10);
    cr_assert_not_null(strstr(f.reason, "write tls://"), "%s", f.reason);
    fixture_down(&f);
}

Test(access, tls_checks_the_host_name, .timeout = 30)
{
    struct fixture f;
    char url[64];
    const char *urls[] = { url };
    struct broker_options options = { .urls = urls, .url_count = 1, .tls_ca = FIXTURE("ca.pem") };

    fixture_init(&f);
    nats_start(&f.nats, TLS("elsewhere", ""));
    tls_url(&f, url);
    expect_reason(&f, &options, "mismatch");
    fixture_down(&f);
}

Test(access, tls_with_a_client_certificate, .timeout = 30)
{
    struct fixture f;
    char url[64];
    const char *urls[] = { url };
    struct broker_options options = { .urls = urls, .url_count = 1, .tls_ca = FIXTURE("ca.pem") };

    fixture_init(&f);
    nats_start(&f.nats, TLS("server", ", verify: true, ca_file: \"" FIXTURE("ca.pem") "\""));
    tls_url(&f, url);
    options.tls_cert = FIXTURE("client.pem");
    options.tls_key = FIXTURE("client.key");
    expect(&f, &options, BROKER_UP, NULL);
    options.tls_cert = options.tls_key = NULL;
    expect_reason(&f, &options, url);
    fixture_down(&f);
}

static void count(void *user, const struct broker_in *in)
{
    *(size_t *)user += in->payload.len;
}

/* Through the pump: large messages both ways, a stop, and the end of the server. */
Test(access, tls_under_load_and_stalled, .timeout = 60)
{
    struct fixture f;
    char url[64];
    const char *urls[] = { url };
    struct broker_options options = { .urls = urls, .url_count = 1, .tls_ca = FIXTURE("ca.pem") };
    struct broker_subscription *s;
    struct broker_out out = text_out("load", "");
    char *payload = calloc(1, 1000000);
    size_t seen = 0, sent = 0;
    uint64_t longest = 0;
    int r = 0;

    fixture_init(&f);
    nats_start(&f.nats, TLS("server", ""));
    tls_url(&f, url);
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    cr_assert_eq(broker_subscribe(f.broker, "load", NULL, count, &seen, &s), 0);
    for (int i = 0; i < 30; i++) {
        out.payload = kanal_str_of(payload, (size_t)(1000000 - i * 30011));
        cr_assert_eq(broker_publish(f.broker, &out), 0);
        sent += out.payload.len;
        for (int k = 0; k < 400 && sent - seen > 3000000; k++)
            run_for(&f.loop, 5);
    }
    for (int k = 0; k < 1000 && seen < sent; k++)
        run_for(&f.loop, 5);
    cr_assert_eq(seen, sent);

    nats_pause(&f.nats);
    out.subject = KANAL_LIT("nobody.listens");
    out.payload.len = 100000;
    for (int i = 0; i < 400 && r == 0; i++) {
        uint64_t turn = clock_ms();

        for (int k = 0; k < 10 && r == 0; k++)
            r = broker_publish(f.broker, &out);
        run_for(&f.loop, 1);
        if (clock_ms() - turn > longest)
            longest = clock_ms() - turn;
    }
    cr_assert_eq(r, KANAL_E_BUSY, "%d", r);
    cr_assert(longest < 500, "%d ms: the loop was held up", (int)longest);
    cr_assert(run_until_state(&f, BROKER_STALLED, 6000));
    nats_resume(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    cr_assert_eq(f.downs, 0);
    nats_kill(&f.nats);
    cr_assert(run_until_state(&f, BROKER_DOWN, 1000));
    nats_restart(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    free(payload);
    fixture_down(&f);
}

Test(access, wrong_options_are_named, .timeout = 30)
{
    static const struct {
        struct broker_options options;
        const char *url, *words;
    } wrong[] = {
        { { 0 }, "http://localhost", "expected nats://" },
        { { 0 }, "nats://host:99999", "expected nats://" },
        { { 0 }, "nats://secret:pass@bad host", "…@bad host" },
        { { .creds = "/nonexistent" }, "nats://h", "creds: cannot read /nonexistent: No such file" },
        { { .creds = FIXTURE("user.nk") }, "nats://h", "holds no" },
        { { .nkey_seed = FIXTURE("user.pub") }, "nats://h", "nkey seed" },
        { { .tls_ca = FIXTURE("user.nk") }, "tls://h", "tls" },
        { { .tls_cert = FIXTURE("client.pem") }, "tls://h", "together" },
        { { .user = "a", .token = "b" }, "nats://h", "one of" },
    };
    uv_loop_t loop;

    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct broker_options options = wrong[i].options;
        struct broker *broker = NULL;
        char reason[256] = "";

        options.urls = &wrong[i].url;
        options.url_count = 1;
        cr_assert_eq(broker_new(&broker, &loop, &options, NULL, NULL, reason), KANAL_E_INVALID, "%d", (int)i);
        cr_assert_not_null(strstr(reason, wrong[i].words), "%d: %s", (int)i, reason);
        cr_assert_null(strstr(reason, "secret"), "%s", reason);
    }
    cr_assert_eq(uv_loop_close(&loop), 0);
}
