#include "expect.h"
#include "kanal/sdk/report.h"

struct host { /* what it was told */
    kanal_host table;
    char log[1024], metric[32];
    kanal_status health;
    int told;
};

static void on_log(const kanal_host *table, kanal_op cause, int32_t level, kanal_str text)
{
    cr_expect(cause == 7 && level == KANAL_LOG_WARN);
    kanal_str_keep(((struct host *)table->impl)->log, sizeof((struct host *)0)->log, text);
}

static void on_metric(const kanal_host *table, kanal_str name, double by, const kanal_field *labels,
                      size_t count)
{
    (void)labels;
    cr_expect(by > 0.5 && by < 1.5 && count == 0);
    kanal_str_keep(((struct host *)table->impl)->metric, sizeof((struct host *)0)->metric, name);
}

static void on_health(const kanal_host *table, kanal_status status, kanal_str reason)
{
    struct host *host = table->impl;
    cr_expect(status == KANAL_OK || reason.len > 0);
    host->health = status;
    host->told++;
}

static void host_init(struct host *host)
{
    memset(host, 0, sizeof *host);
    host->table = (kanal_host){ .struct_size = sizeof host->table,
                                .impl = host,
                                .log = on_log,
                                .metric_add = on_metric,
                                .health = on_health };
}

Test(report, lines_and_counters)
{
    struct host host;
    char long_detail[600];
    host_init(&host);
    kanal_log(&host.table, 7, KANAL_LOG_WARN, "it failed", KANAL_LIT("no route"));
    cr_expect_str_eq(host.log, "it failed: no route");
    kanal_log(&host.table, 7, KANAL_LOG_WARN, "it failed", kanal_str_of(NULL, 0));
    cr_expect_str_eq(host.log, "it failed");
    memset(long_detail, 'x', sizeof long_detail);
    kanal_log(&host.table, 7, KANAL_LOG_WARN, "", kanal_str_of(long_detail, sizeof long_detail));
    cr_expect_eq(strlen(host.log), 2 + 512);
    kanal_count(&host.table, "updates_ignored");
    cr_expect_str_eq(host.metric, "updates_ignored");
}

Test(report, well_when_nothing_is_wrong)
{
    struct host host;
    struct kanal_health health;
    host_init(&host);
    kanal_health_init(&health, &host.table);
    kanal_health_set(&health, 1, KANAL_OK, kanal_str_of(NULL, 0));
    cr_expect_eq(host.told, 0, "it was well before");
    kanal_health_set(&health, 1, KANAL_E_DENIED, KANAL_LIT("the token"));
    kanal_health_set(&health, 1, KANAL_E_DENIED, KANAL_LIT("the token"));
    cr_expect(host.told == 1 && host.health == KANAL_E_DENIED);
    kanal_health_set(&health, 2, KANAL_E_REJECTED, KANAL_LIT("the account"));
    cr_expect(host.told == 2 && host.health == KANAL_E_REJECTED);
    kanal_health_set(&health, 1, KANAL_OK, kanal_str_of(NULL, 0));
    cr_expect(host.told == 2 && host.health == KANAL_E_REJECTED, "the account is still refused");
    kanal_health_set(&health, 1 | 2, KANAL_OK, kanal_str_of(NULL, 0));
    cr_expect(host.told == 3 && host.health == KANAL_OK);
}
