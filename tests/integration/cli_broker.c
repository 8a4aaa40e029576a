/* Which broker `kanal tail`, `send` and `consumer` go to, and as whom. */
#include "cli_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/embedded.h"
#include "broker_support.h"

#define SHORT "tail", "--timeout", "50ms"

/* A folder to be in, without a kanal.yaml, and no variables. */
static void enter_scratch(char dir[64])
{
    static const char *const variables[] = { "KANAL_SERVER", "KANAL_CREDS", "KANAL_USER", "KANAL_PASSWORD",
                                             "KANAL_TOKEN" };

    snprintf(dir, 64, "/tmp/kanal-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static void leave_scratch(const char *dir)
{
    cr_assert_eq(chdir("/"), 0);
    remove_tree(dir);
}

static void write_file(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_file(const char *name, const char *format, ...)
{
    FILE *f = fopen(name, "we");
    va_list args;

    cr_assert_not_null(f);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

static void expect(int code, const char *says, const char *const *words)
{
    struct child c;

    cr_expect_eq(cli_run(&c, words, NULL), code, "%d instead of %d: %s", c.code, code, c.errors);
    cr_expect_not_null(strstr(c.errors, says), "%s does not say \"%s\"", c.errors, says);
    child_release(&c);
}
#define EXPECT(code, says, ...) expect(code, says, (const char *const[]){ __VA_ARGS__, NULL })

Test(which, by_option_variable_and_configuration, .timeout = 60)
{
    struct nats_server nats;
    char dir[64], text[256];

    enter_scratch(dir);
    nats_start(&nats, NULL);
    EXPECT(4, "no broker is named: use --server URL, KANAL_SERVER, or -c FILE (there is no kanal.yaml here)",
           SHORT);
    EXPECT(4, "no broker at nats://127.0.0.1:1", SHORT, "--server", "nats://127.0.0.1:1");
    EXPECT(0, nats.url, SHORT, "-s", nats.url);
    EXPECT(0, nats.url, SHORT, "-s", "nats://127.0.0.1:1", "-s", nats.url);
    setenv("KANAL_SERVER", nats.url, 1);
    EXPECT(0, nats.url, SHORT);
    snprintf(text, sizeof text, "nats://127.0.0.1:1, %s", nats.url);
    setenv("KANAL_SERVER", text, 1);
    EXPECT(0, nats.url, SHORT);
    EXPECT(4, "no broker at nats://127.0.0.1:2", SHORT, "-s", "nats://127.0.0.1:2");
    unsetenv("KANAL_SERVER");
    write_file("kanal.yaml",
               "broker: { url: \"%s\", prefix: shop }\nidentity: { salt: \"${env:KANAL_ABSENT}\" }\n",
               nats.url);
    EXPECT(0, nats.url, SHORT);
    EXPECT(2, "subjects begin with 'shop'", SHORT, "kanal.events.>");
    EXPECT(2, "subjects begin with 'other'", SHORT, "kanal.events.>", "--prefix", "other");
    EXPECT(0, nats.url, SHORT, "-c", "kanal.yaml", "shop.events.>");
    EXPECT(4, "nats://127.0.0.1:1", SHORT, "-c", "kanal.yaml", "-s", "nats://127.0.0.1:1");
    EXPECT(0, nats.url, SHORT, "-s", nats.url, "kanal.events.>");
    EXPECT(3, "No such file", SHORT, "-c", "absent.yaml");
    write_file("kanal.yaml", "broker: { url: \"http://x\", colour: red }\n");
    EXPECT(3, "kanal.yaml:1:28: broker.colour: unknown key", SHORT);
    EXPECT(2, "expected nats://", SHORT, "-s", "http://x");
    nats_release(&nats);
    leave_scratch(dir);
}

Test(which, as_whom, .timeout = 60)
{
    struct nats_server nats;
    char dir[64], url[128];

    enter_scratch(dir);
    nats_start(&nats, "authorization { user: kanal, password: \"se cret@1\" }");
    EXPECT(4, "refuses these credentials", SHORT, "-s", nats.url);
    EXPECT(4, "refuses these credentials", SHORT, "-s", nats.url, "--user", "kanal");
    setenv("KANAL_PASSWORD", "se cret@1", 1);
    EXPECT(0, nats.url, SHORT, "-s", nats.url, "--user", "kanal");
    setenv("KANAL_USER", "kanal", 1);
    EXPECT(0, nats.url, SHORT, "-s", nats.url);
    unsetenv("KANAL_USER");
    snprintf(url, sizeof url, "nats://kanal:se%%20cret%%401@127.0.0.1:%d", nats.port);
    EXPECT(0, nats.url, SHORT, "-s", url);
    /* The configuration's credentials are for its own servers, unless both are named. */
    setenv("KANAL_CLI_TEST", "se cret@1", 1);
    write_file("kanal.yaml",
               "broker: { url: \"%s\", user: kanal, password: \"${env:KANAL_CLI_TEST}\" }\nidentity: { salt: "
               "0123456789abcdef }\n",
               nats.url);
    EXPECT(0, nats.url, SHORT);
    EXPECT(4, "refuses", SHORT, "-s", nats.url);
    EXPECT(0, nats.url, SHORT, "-s", nats.url, "-c", "kanal.yaml");
    EXPECT(2, "creds: cannot read /nonexistent", SHORT, "-s", nats.url, "--creds", "/nonexistent");
    setenv("KANAL_CREDS", "/nonexistent", 1);
    EXPECT(2, "creds: cannot read /nonexistent", SHORT, "-s", nats.url);
    nats_release(&nats);
    leave_scratch(dir);
}

Test(which, with_keys, .timeout = 60)
{
    struct nats_server nats;
    char dir[64], public[64] = "", config[256];
    FILE *file = fopen(BROKER_FIXTURES "/user.pub", "re");

    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%63s", public), 1);
    fclose(file);
    enter_scratch(dir);
    snprintf(config, sizeof config, "authorization { users: [ { nkey: %s } ] }", public);
    nats_start(&nats, config);
    EXPECT(4, "refuses", SHORT, "-s", nats.url);
    EXPECT(0, nats.url, SHORT, "-s", nats.url, "--nkey", BROKER_FIXTURES "/user.nk");
    nats_release(&nats);
    leave_scratch(dir);
}

Test(which, with_tls, .timeout = 60)
{
    struct nats_server nats;
    char dir[64], url[64];

    enter_scratch(dir);
    nats_start(&nats, "tls { cert_file: \"" BROKER_FIXTURES "/server.pem\", key_file: \"" BROKER_FIXTURES
                      "/server.key\", verify: true, ca_file: \"" BROKER_FIXTURES "/ca.pem\" }");
    snprintf(url, sizeof url, "tls://127.0.0.1:%d", nats.port);
    EXPECT(0, url, SHORT, "-s", url, "--tls-ca", BROKER_FIXTURES "/ca.pem", "--tls-cert",
           BROKER_FIXTURES "/client.pem", "--tls-key", BROKER_FIXTURES "/client.key");
    EXPECT(4, url, SHORT, "-s", url, "--tls-ca", BROKER_FIXTURES "/other-ca.pem", "--tls-cert",
           BROKER_FIXTURES "/client.pem", "--tls-key", BROKER_FIXTURES "/client.key");
    EXPECT(2, "needed together", SHORT, "-s", url, "--tls-cert", BROKER_FIXTURES "/client.pem");
    nats_release(&nats);
    leave_scratch(dir);
}

static void on_exit_of_child(void *user, const char *reason)
{
    (void)user;
    cr_assert_fail("%s", reason);
}

Test(which, the_gateways_own, .timeout = 60)
{
    struct broker_embedded *embedded = NULL;
    char dir[64], data_dir[80], reason[256];
    uv_loop_t loop;

    enter_scratch(dir);
    snprintf(data_dir, sizeof data_dir, "%s/data", dir);
    uv_loop_init(&loop);
    write_file("kanal.yaml", "data_dir: \"%s\"\nidentity: { salt: 0123456789abcdef }\n", data_dir);
    EXPECT(4, "no gateway with a nats-server of its own runs: there is no", SHORT);
    cr_assert_eq(broker_embedded_start(&embedded, &loop, data_dir, on_exit_of_child, NULL, reason), 0, "%s",
                 reason);
    EXPECT(0, broker_embedded_url(embedded), SHORT);
    EXPECT(0, broker_embedded_url(embedded), SHORT, "--data-dir", data_dir);
    EXPECT(4, "refuses", SHORT, "-s", broker_embedded_url(embedded));
    setenv("KANAL_SERVER", "nats://127.0.0.1:1", 1);
    EXPECT(0, broker_embedded_url(embedded), SHORT, "--data-dir", data_dir);
    unsetenv("KANAL_SERVER");
    broker_embedded_stop(embedded);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    EXPECT(4, "no gateway runs on", SHORT);
    leave_scratch(dir);
}

Test(which, a_strange_file_of_the_gateway, .timeout = 60)
{
    struct broker_embedded_access access;
    char dir[64], reason[256];
    FILE *lock;

    enter_scratch(dir);
    cr_assert(mkdir("nats", 0700) == 0);
    write_file("nats/nats.conf",
               "listen: \"127.0.0.1:99999\"\nauthorization { user: kanal, password: \"ab\" }\n");
    lock = fopen("nats/lock", "we");
    cr_assert(lock && lockf(fileno(lock), F_TLOCK, 0) == 0);
    cr_expect_eq(broker_embedded_find(dir, &access, reason), KANAL_E_NOT_FOUND, "a lock of another kind");
    fclose(lock);
    leave_scratch(dir);
}
