/* The detour's spool: opened when it is wanted, counted, and shown. And the detour's metrics. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inbound/detour_inside.h"
#include "kanal/sdk/str.h"

#define MARK "spool: " /* begins what the spool says of a channel's health */

int detour_spool_is_wanted(const struct detour *d)
{
    char path[460];
    for (const struct channel *channel = d->host->first_channel; channel; channel = channel->next)
        if (channel->config->spool)
            return 1;
    snprintf(path, sizeof path, "%s/spool.db", d->directory);
    return access(path, F_OK) == 0;
}

static void count_row(void *user, kanal_str channel, const uint64_t keys[2])
{
    detour_spool_count(user, channel, keys, 1);
}

static void tell_aside(struct detour *d, const struct store_opened *opened)
{
    snprintf(d->aside, sizeof d->aside,
             "a damaged spool was set aside as %s (%s); what was in it is not in the broker", opened->aside,
             opened->aside_reason);
    log_write(d->host->log, KANAL_LOG_ERROR, "spool", NULL, "%s", d->aside);
    snprintf(d->told, sizeof d->told, MARK "%.*s", (int)(sizeof d->told - sizeof MARK), d->aside);
    d->set_aside->value++;
}

int detour_spool_open(struct detour *d, char reason[STORE_REASON_BYTES])
{
    struct spool_options options = { d->host->loop, d->directory, d->max_bytes, d->max_events };
    struct store_opened opened;
    int status = drain_init(&d->drain);
    if (status == 0)
        status = spool_new(&d->spool, &options, &opened, reason);
    else
        snprintf(reason, STORE_REASON_BYTES, "out of memory");
    if (status != 0)
        return status;
    d->cannot[0] = 0;
    if (opened.aside[0])
        tell_aside(d, &opened);
    if (spool_each(d->spool, count_row, d) != 0)
        log_write(d->host->log, KANAL_LOG_ERROR, "spool", NULL, "not all of %s can be read", d->directory);
    if (opened.size.rows > 0)
        log_write(d->host->log, KANAL_LOG_INFO, "spool", NULL, "%llu events wait in %s for the broker",
                  (unsigned long long)opened.size.rows, d->directory);
    return 0;
}

void detour_spool_count(struct detour *d, kanal_str channel_id, const uint64_t keys[2], int is_in)
{
    struct channel *channel = host_find(d->host, channel_id);
    if (channel)
        channel->spooled = is_in ? channel->spooled + 1 : channel->spooled - (channel->spooled > 0);
    for (size_t i = 0; i < 2; i++) {
        struct key *key = !keys[i] ? NULL : is_in ? keys_get(d->keys, keys[i]) : keys_find(d->keys, keys[i]);
        if (key && is_in) {
            key->rows++;
        } else if (key && key->rows > 0) {
            key->rows--;
            keys_settle(d->keys, key);
        }
    }
}

/* ---- What a person sees ---- */

void detour_metrics_init(struct detour *d)
{
    static const char *const by_outcome[] = { "outcome", NULL }, *const by_cause[] = { "cause", NULL };
    static const struct {
        enum metric_kind kind;
        size_t offset;
        const char *name, *help;
    } facts[] = {
        { METRIC_GAUGE, offsetof(struct detour, rows), "kanal_spool_events",
          "Events that wait on local disk." },
        { METRIC_GAUGE, offsetof(struct detour, bytes), "kanal_spool_bytes", "What they take." },
        { METRIC_GAUGE, offsetof(struct detour, age), "kanal_spool_oldest_seconds",
          "How long the oldest one has been waiting." },
        { METRIC_COUNTER, offsetof(struct detour, spooled), "kanal_spool_stored_total",
          "Events put on local disk." },
        { METRIC_COUNTER, offsetof(struct detour, drained), "kanal_spool_drained_total",
          "Events of the spool that the broker has now." },
        { METRIC_COUNTER, offsetof(struct detour, refused), "kanal_spool_refused_total",
          "Batches that the spool did not take: it is full, or the disk fails." },
        { METRIC_COUNTER, offsetof(struct detour, set_aside), "kanal_spool_set_aside_total",
          "Damaged files, and events that can never be stored, kept for a person to look at." },
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        struct metric *metric = metric_series(
            metrics_family(d->host->metrics, facts[i].kind, facts[i].name, facts[i].help, NULL), NULL);
        memcpy((char *)d + facts[i].offset, &metric, sizeof(struct metric *));
    }
    d->lookups = metrics_family(d->host->metrics, METRIC_COUNTER, "kanal_events_looked_up_total",
                                "Late events that were looked for in their stream.", by_outcome);
    d->failed = metrics_family(d->host->metrics, METRIC_COUNTER, "kanal_events_store_failed_total",
                               "Events that the broker did not confirm.", by_cause);
}

static void describe(const struct detour *d, const struct spool_state *state, char *text, size_t size)
{
    const char *last = d->aside;
    if (d->cannot[0])
        snprintf(text, size, MARK "it cannot be opened: %s", d->cannot);
    else if (state->is_full)
        snprintf(text, size, MARK "it is full: what comes in is refused%s%s", state->trouble[0] ? ": " : "",
                 state->trouble);
    else if (state->trouble[0])
        snprintf(text, size, MARK "%s", state->trouble);
    else if (*last)
        snprintf(text, size, MARK "%s", last);
    else
        text[0] = 0;
}

/* Beside what the plugin says of itself, never instead of it. */
static void show_health(struct channel *channel, const char *text)
{
    int is_ours = strncmp(channel->reason, MARK, sizeof MARK - 1) == 0;
    if (!channel->config->spool || channel->state != CHANNEL_UP || (channel->health != KANAL_OK && !is_ours))
        return;
    if (*text && strncmp(channel->reason, text, sizeof channel->reason - 1) != 0)
        channel_set_health(channel, KANAL_E_INTERNAL, kanal_str_c(text));
    else if (!*text && is_ours)
        channel_set_health(channel, KANAL_OK, KANAL_LIT(""));
}

void detour_spool_show(struct detour *d)
{
    struct host_spool *shown = &d->host->spool;
    struct spool_state state = { .trouble = "" };
    int64_t now_ms = host_now_ms();
    if (d->spool)
        spool_state(d->spool, &state);
    d->rows->value = (double)state.rows;
    d->bytes->value = (double)state.bytes;
    d->age->value =
        state.oldest_ms > 0 && state.oldest_ms < now_ms ? (double)(now_ms - state.oldest_ms) / 1000 : 0;
    shown->is_open = d->spool != NULL;
    shown->events = state.rows;
    shown->bytes = state.bytes;
    shown->oldest_ms = state.oldest_ms;
    describe(d, &state, shown->trouble, sizeof shown->trouble);
}

void detour_spool_tick(struct detour *d)
{
    const char *trouble = d->host->spool.trouble;
    if (d->spool)
        spool_retry(d->spool);
    detour_spool_show(d);
    if (*trouble && strncmp(d->told, trouble, sizeof d->told - 1) != 0)
        log_write(d->host->log, KANAL_LOG_ERROR, "spool", NULL, "%s", trouble + sizeof MARK - 1);
    snprintf(d->told, sizeof d->told, "%.*s", (int)sizeof d->told - 1, trouble);
    for (struct channel *channel = d->host->first_channel; channel; channel = channel->next)
        show_health(channel, trouble);
}
