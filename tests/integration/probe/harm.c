/* What a broken or malicious plugin does to its own process. The test's gateway must live on. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "probe.h"

/* Without a sanitizer's report: the death is what is wanted. */
static void die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* {"signal": NUMBER} */
static void slot_die(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)channel;
    (void)op;
    die((int)kanal_json_int_at(arguments, "signal", SIGSEGV));
}

static void slot_exit(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)channel;
    (void)op;
    _exit((int)kanal_json_int_at(arguments, "code", 7));
}

static void slot_spin(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)channel;
    (void)op;
    (void)arguments;
    for (volatile uint64_t i = 0;; i++)
        ;
}

/* Takes memory until there is none, and then uses what it did not get. */
static void slot_hoard(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)channel;
    (void)op;
    (void)arguments;
    for (size_t piece = 1024 * 1024;;) {
        char *memory = malloc(piece);
        if (!memory)
            break;
        memset(memory, 1, piece);
    }
    die(SIGSEGV);
}

/* Closes everything it has, its socket among it, and sleeps. */
static void slot_close(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)channel;
    (void)op;
    (void)arguments;
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    sleep(1000);
}

/* Writes lines of its own where the worker's frames go, and says much on stderr. */
static void slot_scribble(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    int64_t fd = kanal_json_int_at(arguments, "fd", 3);
    for (int i = 0; i < 200; i++)
        if (write((int)fd, "this is not a frame, whoever reads it\n", 38) < 0)
            break;
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* Counters and events without end. */
static void slot_flood(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    const kanal_host *host = channel->host;
    kanal_str what = kanal_json_text_at(arguments, "what");
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = KANAL_LIT("flood"),
                                .address = KANAL_LIT("probe:flood"),
                                .data = KANAL_LIT(
                                    "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}}") };
    const kanal_event *events[] = { &event };
    for (int64_t i = kanal_json_int_at(arguments, "count", 100000); i > 0; i--) {
        if (kanal_str_is(what, "metric"))
            host->metric_add(host, KANAL_LIT("flood"), 1, NULL, 0);
        else if (kanal_str_is(what, "publish"))
            host->publish(host, 0, events, 1, NULL, NULL);
        else
            host->health(host, i % 2 ? KANAL_OK : KANAL_E_NETWORK, KANAL_LIT("flood"));
    }
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

const struct slot probe_harm_slots[] = {
    { "die", slot_die },     { "exit", slot_exit },         { "spin", slot_spin },   { "hoard", slot_hoard },
    { "close", slot_close }, { "scribble", slot_scribble }, { "flood", slot_flood }, { 0 },
};

/* ---- Deliveries that bring the worker down ---- */

static void on_sent(void *user, kanal_status status, const kanal_http_response *response)
{
    (void)user;
    (void)status;
    (void)response;
    die(SIGSEGV);
}

int harm_deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery, kanal_str text)
{
    const kanal_host *host = channel->host;
    if (kanal_str_is(text, "die once")) {
        if (delivery->attempt > 1)
            return 0;
        die(SIGSEGV);
    }
    if (kanal_str_starts(text, "send and die ")) {
        kanal_http_request request = { .struct_size = sizeof request,
                                       .method = KANAL_LIT("POST"),
                                       .url = kanal_str_from(text, 13) };
        host->http_send(host, op, &request, on_sent, channel);
        return 1;
    }
    return 0;
}
