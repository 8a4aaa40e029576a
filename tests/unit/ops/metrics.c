#include <criterion/criterion.h>
#include <stdio.h>

#include "kanal/sdk/str.h"
#include "ops/metrics.h"

static struct metrics *metrics;
static struct kanal_buffer out;

static void begin(void)
{
    cr_assert_eq(metrics_new(&metrics), 0);
}

static void end(void)
{
    kanal_buffer_release(&out);
    metrics_free(metrics);
}

TestSuite(metrics, .init = begin, .fini = end);

static const char *const by_channel[] = { "channel", "code", NULL };

static const char *text(void)
{
    kanal_buffer_clear(&out);
    cr_assert_eq(metrics_write(metrics, &out), 0);
    kanal_buffer_byte(&out, 0);
    return out.data;
}

Test(metrics, are_written_as_prometheus_reads_them)
{
    struct metric_family *family =
        metrics_family(metrics, METRIC_COUNTER, "requests_total", "Requests.", by_channel);
    kanal_str values[] = { KANAL_LIT("shop"), KANAL_LIT("200") };
    metric_series(family, values)->value += 2;
    metric_series(family, values)->value += 1;
    cr_assert_str_eq(text(), "# HELP requests_total Requests.\n# TYPE requests_total "
                             "counter\nrequests_total{channel=\"shop\",code=\"200\"} 3\n");
}

Test(metrics, label_values_are_escaped)
{
    kanal_str values[] = { KANAL_LIT("a\"b\\c\nd"), KANAL_LIT("x") };
    metric_series(metrics_family(metrics, METRIC_GAUGE, "g", "h", by_channel), values)->value = 0.5;
    cr_assert_not_null(strstr(text(), "g{channel=\"a\\\"b\\\\c\\nd\",code=\"x\"} 0.5\n"));
}

Test(metrics, a_histogram_is_cumulative_and_sums_up)
{
    struct metric_family *family = metrics_family(metrics, METRIC_HISTOGRAM, "seconds", "h", NULL);
    struct metric *metric = metric_series(family, NULL);
    metric_observe(family, metric, 0.0004);
    metric_observe(family, metric, 0.2);
    metric_observe(family, metric, 1000);
    cr_assert_not_null(strstr(text(), "seconds_bucket{le=\"0.0005\"} 1\n"));
    cr_assert_not_null(strstr(text(), "seconds_bucket{le=\"0.1\"} 1\n"));
    cr_assert_not_null(strstr(text(), "seconds_bucket{le=\"0.25\"} 2\n"));
    cr_assert_not_null(strstr(text(), "seconds_bucket{le=\"60\"} 2\n"));
    cr_assert_not_null(strstr(text(), "seconds_bucket{le=\"+Inf\"} 3\n"));
    cr_assert_not_null(strstr(text(), "seconds_count 3\n"));
}

Test(metrics, the_same_name_is_the_same_family)
{
    cr_assert_eq(metrics_family(metrics, METRIC_COUNTER, "a", "h", NULL),
                 metrics_family(metrics, METRIC_COUNTER, "a", "h", NULL));
}

Test(metrics, a_channel_can_be_forgotten)
{
    struct metric_family *family = metrics_family(metrics, METRIC_COUNTER, "n", "h", by_channel);
    kanal_str shop[] = { KANAL_LIT("shop"), KANAL_LIT("1") }, bank[] = { KANAL_LIT("bank"), KANAL_LIT("1") };
    metric_series(family, shop)->value = 1;
    metric_series(family, bank)->value = 1;
    cr_assert(metric_known(family, shop));
    metrics_forget(metrics, KANAL_LIT("shop"));
    cr_assert_not(metric_known(family, shop));
    cr_assert(metric_known(family, bank));
}

Test(metrics, series_are_bounded)
{
    struct metric_family *family = metrics_family(metrics, METRIC_COUNTER, "n", "h", by_channel);
    char name[16];
    for (int i = 0; i < 100100; i++) {
        snprintf(name, sizeof name, "%d", i);
        kanal_str values[] = { KANAL_LIT("x"), kanal_str_c(name) };
        metric_series(family, values)->value++;
    }
    kanal_str last[] = { KANAL_LIT("x"), KANAL_LIT("100099") };
    kanal_str middle[] = { KANAL_LIT("x"), KANAL_LIT("54321") };
    cr_assert_not(metric_known(family, last));
    cr_assert_eq(metric_series(family, middle)->value, 1);
    metrics_forget(metrics, KANAL_LIT("x"));
    cr_assert_not(metric_known(family, middle));
    cr_assert_eq(metric_series(family, last)->value, 0, "there is room again");
    cr_assert(metric_known(family, last));
}
