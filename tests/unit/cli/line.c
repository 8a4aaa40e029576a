/* One event, one line: every example of the contract, and what is no event. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/line.h"
#include "kanal/sdk/json.h"

static char *write_line(const char *subject, kanal_str payload, int colours)
{
    /* 2026-11-21T21:00:00Z */
    struct line_style style = { .colours = colours, .now_ms = INT64_C(1795294800000) };
    struct kanal_buffer out = { 0 };

    line_write(&out, kanal_str_c(subject), payload, &style);
    kanal_buffer_byte(&out, '\0');
    return out.data;
}

static kanal_str read_file(const char *name)
{
    static char text[65536];
    char path[600];
    FILE *f;
    size_t len;

    snprintf(path, sizeof path, EXAMPLES_DIR "/%s", name);
    f = fopen(path, "re");
    cr_assert_not_null(f, "%s", path);
    len = fread(text, 1, sizeof text, f);
    fclose(f);
    return kanal_str_of(text, len);
}

static void expect_line(const char *file, const char *expected)
{
    char *line = write_line("kanal.events.x", read_file(file), 0);

    cr_expect_str_eq(line, expected);
    free(line);
}

static void set_zone(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
}

TestSuite(line, .init = set_zone);

Test(line, of_the_contracts_examples)
{
    expect_line("message.received.json",
                "20:53:05 shop-whatsapp tel:+79161234567 Анна message.received  Да (ORDER_YES)");
    expect_line("message.failed.json",
                "20:53:05 shop-whatsapp tel:+79161234567 message.failed  crm-7781 (order-512) "
                "recipient_blocked: Message undeliverable (131026) — "
                "The customer does not take messages from this number. Write to them on another channel.");
    expect_line("message.sent.json", "20:53:05 shop-whatsapp tel:+79161234567 message.sent  crm-7781 "
                                     "(order-512) Подтвердить заказ? [Да] [Нет]");
    expect_line("message.rerouted.json", "20:53:05 shop-whatsapp tel:+79161234567 message.rerouted  crm-7781 "
                                         "(order-512) from shop-whatsapp to shop-sms because not_delivered");
    expect_line("message.reacted.json",
                "20:53:05 shop-telegram telegram:3527065 message.reacted  👍 to message 1543");
    expect_line("call.missed.json", "20:53:01 shop-phone tel:+79161234567 call.missed  inbound from "
                                    "tel:+79161234567 to tel:+74951234567 no_answer 21000 ms rung");
    expect_line("channel.down.json", "20:53:05 shop-telegram channel.down  auth_failed: Unauthorized (401) — "
                                     "Telegram refused the token. Set a new one in secrets.token.");
    expect_line("typing.started.json", "20:53:05 site-chat visitor:9b1deb4d typing.started  "
                                       "typing={\"duration_ms\":6000,\"kind\":\"text\"}");
    expect_line("activity.tracked.json", "20:53:05 site-events visitor:9b1deb4d activity.tracked  Product "
                                         "Added https://shop.example.com/delivery?utm_source=instagram "
                                         "{\"cart_id\":\"k1\",\"product_id\":\"sku9\",\"price\":\"1990.00\","
                                         "\"currency\":\"RUB\",\"quantity\":1}");
}

/* Whatever the type: one line, with type and channel, without controls. */
Test(line, of_every_example)
{
    DIR *dir = opendir(EXAMPLES_DIR);
    struct dirent *entry;
    int count = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir))) {
        size_t n = strlen(entry->d_name);
        char type[128], *line;

        if (n < 6 || strcmp(entry->d_name + n - 5, ".json") != 0)
            continue;
        snprintf(type, sizeof type, " %.*s", (int)(n - 5 < 100 ? n - 5 : 100), entry->d_name);
        line = write_line("s", read_file(entry->d_name), 0);
        cr_expect_not_null(strstr(line, type), "%s", line);
        cr_expect_eq(strncmp(line, "20:5", 4), 0, "%s", line);
        for (const char *c = line; *c; c++)
            cr_expect_geq((unsigned char)*c, ' ', "%s", line);
        free(line);
        count++;
    }
    closedir(dir);
    cr_expect_geq(count, 30);
}

static void expect(const char *payload, const char *expected)
{
    char *line = write_line("kanal.events.x", kanal_str_c(payload), 0);

    cr_expect_str_eq(line, expected);
    free(line);
}

Test(line, of_another_day_and_zone)
{
    expect("{\"type\":\"x.y\",\"time\":\"2026-11-19T01:02:03Z\",\"data\":{}}", "2026-11-19 01:02:03  x.y");
    setenv("TZ", "Europe/Moscow", 1);
    tzset();
    expect("{\"type\":\"x.y\",\"time\":\"2026-11-21T21:02:03Z\",\"data\":{}}", "00:02:03  x.y");
}

Test(line, of_what_is_no_event)
{
    expect("", "21:00:00 kanal.events.x  not JSON: ");
    expect("\033[2J", "21:00:00 kanal.events.x  not JSON: \\u001b[2J");
    expect("[1,\"\\u001b\"]", "21:00:00 kanal.events.x  [1,\"\\u001B\"]");
    expect("{\"type\":\"a.b\",\"time\":\"yesterday\",\"data\":{}}",
           "21:00:00 kanal.events.x  {\"type\":\"a.b\",\"time\":\"yesterday\",\"data\":{}}");
    expect("{\"type\":1,\"time\":\"2026-11-21T21:00:00Z\",\"data\":[]}",
           "21:00:00 kanal.events.x  {\"type\":1,\"time\":\"2026-11-21T21:00:00Z\",\"data\":[]}");
}

#define EVENT(data)                                                                                          \
    "{\"type\":\"message.received\",\"time\":\"2026-11-21T20:00:00Z\",\"data\":{\"channel\":{\"id\":"        \
    "\"shop\"}," data "}}"

Test(line, of_hostile_members)
{
    expect(EVENT("\"message\":{\"content\":{}}"), "20:00:00 shop message.received");
    expect(EVENT("\"message\":{\"content\":[1,null,{},{\"type\":\"choice\",\"options\":[1,{\"text\":2}]}]}"),
           "20:00:00 shop message.received  [?] [?] [?]");
    expect(EVENT("\"customer\":{\"address\":\"x:\\u001b[1m\",\"name\":\"\\u202eA\\nB\"},\"message\":{"
                 "\"content\":[{\"type\":\"image\\u0007\",\"caption\":\"\\u009bc\"}]}"),
           "20:00:00 shop x:\\u001b[1m \\u202eA \xe2\x86\xb5 B message.received  [image\\u0007] \\u009bc");
    expect(EVENT("\"message\":{\"external_id\":\"7\"}"), "20:00:00 shop message.received  message 7");
}

Test(line, colours)
{
    char *line = write_line("s", kanal_str_c(EVENT("\"customer\":{\"address\":\"a:1\"}")), 1);

    cr_expect_str_eq(
        line, "\033[2m20:00:00\033[0m \033[36mshop\033[0m \033[1ma:1\033[0m \033[32mmessage.received\033[0m");
    free(line);
}

Test(line, long_things_are_cut)
{
    struct kanal_buffer payload = { 0 };
    char *line;

    kanal_buffer_text(&payload, "{\"a\":\"");
    for (int i = 0; i < 10000; i++)
        kanal_buffer_text(&payload, "Ы");
    kanal_buffer_text(&payload, "\"}");
    line = write_line("s", kanal_buffer_view(&payload), 0);
    cr_expect_lt(strlen(line), 500);
    cr_expect_str_eq(line + strlen(line) - 4, " …");
    cr_expect_null(strstr(line, "\xef\xbf\xbd"), "cut inside a character");
    free(line);
    kanal_buffer_release(&payload);
}
