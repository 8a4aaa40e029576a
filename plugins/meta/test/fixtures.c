/* Golden files, and fixtures with every value replaced. */
#include "support.h"

char *read_fixture(const char *name, size_t *ret_len)
{
    return fixture_read(FIXTURES, name, ret_len);
}

static void check_fixture(const char *name, void *user)
{
    struct fake_host *host = tell(name);
    (void)user;
    fixture_check(host, FIXTURES, name);
    cr_expect(fake_event_count(host) > 0 || fake_metric(host, "webhook_ignored") > 0,
              "%s tells nothing, and nobody knows", name);
    channel_free(host);
}

void check_fixtures(size_t at_least)
{
    size_t count = fixture_each(FIXTURES, check_fixture, NULL);
    cr_expect_geq(count, at_least, "only %zu fixtures were found", count);
}

struct mutation {
    struct fake_host *host;
    const char *name;
};

static void post_mutant(kanal_str body, void *user)
{
    const struct mutation *m = user;
    int code = post_hook(m->host, body.ptr, body.len);
    cr_assert(code == 200 || code == 400, "%s as %.*s: %d", m->name, (int)body.len, body.ptr, code);
}

static void mutate(const char *name, void *user)
{
    size_t len, *posts = user;
    char *text = read_fixture(name, &len);
    struct mutation m = { channel_new(NULL), name };
    *posts += fixture_mutate(kanal_str_of(text, len), post_mutant, &m);
    channel_free(m.host);
    free(text);
}

size_t mutate_fixtures(void)
{
    size_t posts = 0;
    fixture_each(FIXTURES, mutate, &posts);
    return posts;
}
