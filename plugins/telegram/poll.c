#include "poll.h"

#include "api.h"
#include "outcome.h"

#define LIMIT 100
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 60000
#define STAND_BY_MS 60000
#define TOKEN_REFUSED_MS 300000
#define ANSWER_MARGIN_MS 10000 /* on top of Telegram's own waiting */

static void ask(struct kanal_channel *);
static void store_next(struct kanal_channel *);

static void drop_updates(struct tg_poll *poll)
{
    yyjson_doc_free(poll->document);
    poll->document = NULL;
    poll->updates = NULL;
    poll->next = 0;
}

static void ask_again(void *user)
{
    ask(user);
}

static void wait_and_ask(struct kanal_channel *channel, uint32_t delay_ms)
{
    drop_updates(&channel->poll);
    kanal_timer_set(&channel->poll.timer, &channel->calls, delay_ms, ask_again, channel);
}

static void wait_after_failure(struct kanal_channel *channel)
{
    uint32_t delay = kanal_backoff_ms(channel->host, channel->poll.failures, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    channel->poll.failures++;
    wait_and_ask(channel, delay);
}

/* Asked right before whatever only one replica may do. */
static int is_ours(const struct kanal_channel *channel)
{
    const struct tg_poll *poll = &channel->poll;
    return !poll->leases || poll->leases->held(channel->host, poll->lease);
}

/* ---- Storing ---- */

static void acknowledge(struct tg_poll *poll)
{
    if (poll->batch.update_id >= poll->offset)
        poll->offset = poll->batch.update_id + 1;
}

static void advance(struct kanal_channel *channel)
{
    struct tg_poll *poll = &channel->poll;
    acknowledge(poll);
    poll->next++;
    store_next(channel);
}

static int is_for_good(kanal_status status)
{
    return status == KANAL_E_INVALID || status == KANAL_E_TOO_LARGE || status == KANAL_E_REJECTED;
}

static void publish_batch(struct kanal_channel *channel);

static void take_published(struct kanal_channel *channel, kanal_status status)
{
    struct tg_poll *poll = &channel->poll;
    if (status == KANAL_OK) {
        poll->failures = 0;
        kanal_health_set(&channel->health, TG_ILL_POLL, KANAL_OK, kanal_str_of(NULL, 0));
        if (poll->batch.callback_id.len > 0)
            tg_answer_callback(channel, 0, poll->batch.callback_id);
        advance(channel);
    } else if (is_for_good(status) && !poll->has_fallen_back &&
               tg_update_fallback(&poll->batch, yyjson_arr_get(poll->updates, poll->next)) == KANAL_OK) {
        /* The host will never take these events: at least it is told that there was something. */
        kanal_log(channel->host, 0, KANAL_LOG_ERROR,
                  "the host refuses the events of an update; it is told as unsupported", poll->batch.kind);
        poll->has_fallen_back = 1;
        publish_batch(channel);
    } else if (is_for_good(status)) {
        kanal_log(channel->host, 0, KANAL_LOG_ERROR, "an update is left out: the host refuses its events",
                  poll->batch.kind);
        kanal_count(channel->host, "updates_refused");
        advance(channel);
    } else { /* Telegram keeps them until they are acknowledged */
        wait_after_failure(channel);
    }
}

static void on_published(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;
    channel->poll.publishing = 0;
    if (channel->calls.stopping == 0)
        take_published(channel, status);
    kanal_calls_let_go(&channel->calls);
}

static void publish_batch(struct kanal_channel *channel)
{
    struct tg_poll *poll = &channel->poll;
    char *raw = yyjson_val_write(yyjson_arr_get(poll->updates, poll->next), 0, NULL);
    poll->publishing =
        kanal_batch_publish(&poll->batch.events, channel->host, 0, kanal_str_c(raw), on_published, channel);
    free(raw);
    if (poll->publishing != 0)
        kanal_calls_hold(&channel->calls);
    else
        wait_after_failure(channel);
}

/* The next update, or the next question. */
static void store_next(struct kanal_channel *channel)
{
    struct tg_poll *poll = &channel->poll;
    for (; poll->next < yyjson_arr_size(poll->updates); poll->next++) {
        yyjson_val *update = yyjson_arr_get(poll->updates, poll->next);
        tg_batch_release(&poll->batch);
        tg_batch_init(&poll->batch, &channel->self, kanal_str_c(channel->id));
        poll->has_fallen_back = 0;
        kanal_status status = tg_update_read(&poll->batch, update);
        if (status == KANAL_E_INTERNAL) {
            wait_after_failure(channel);
            return;
        }
        if (status == KANAL_OK && poll->batch.events.count > 0) {
            publish_batch(channel);
            return;
        }
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "an update names neither a user nor a chat: no event",
                  poll->batch.kind);
        kanal_count(channel->host, "updates_ignored");
        if (status == KANAL_OK)
            acknowledge(poll);
    }
    int has_moved = poll->offset > poll->asked_offset || yyjson_arr_size(poll->updates) == 0;
    drop_updates(poll);
    if (has_moved)
        ask(channel);
    else /* nothing of the answer could be acknowledged, so it would come again at once */
        wait_after_failure(channel);
}

/* ---- Asking ---- */

static void on_webhook_deleted(void *user, const struct tg_reply *reply)
{
    struct kanal_channel *channel = user;
    channel->poll.call = NULL;
    if (channel->calls.stopping != 0 || !is_ours(channel))
        return;
    if (reply->is_ok)
        ask(channel);
    else
        wait_after_failure(channel);
}

static void delete_webhook(struct kanal_channel *channel)
{
    struct tg_request request = { .method = "deleteWebhook" };
    if (!is_ours(channel))
        return;
    kanal_log(channel->host, 0, KANAL_LOG_WARN,
              "a webhook was set for this bot; it is deleted, since the channel polls",
              kanal_str_of(NULL, 0));
    channel->poll.call = tg_api_call(channel, 0, &request, on_webhook_deleted, channel);
    if (!channel->poll.call)
        wait_after_failure(channel);
}

static int says_webhook(kanal_str description)
{
    return description.len > 0 && memmem(description.ptr, description.len, "webhook", 7) != NULL;
}

static void on_refused(struct kanal_channel *channel, const struct tg_reply *reply)
{
    kanal_status status = tg_status_of_reply(reply);
    kanal_count(channel->host, "poll_errors");
    if (reply->error_code == 409 && says_webhook(reply->description)) {
        delete_webhook(channel);
        return;
    }
    if (reply->error_code == 409) { /* another replica, or somebody else who has the token */
        kanal_log(channel->host, 0, KANAL_LOG_INFO, "another poll of this bot is under way; standing by",
                  reply->description);
        wait_and_ask(channel, kanal_backoff_ms(channel->host, 0, STAND_BY_MS, STAND_BY_MS));
        return;
    }
    kanal_log(channel->host, 0, status == KANAL_E_DENIED ? KANAL_LOG_ERROR : KANAL_LOG_WARN,
              "getUpdates failed", reply->description);
    if (status == KANAL_E_DENIED || channel->poll.failures >= 2) /* one lost connection is nothing */
        kanal_health_set(&channel->health, TG_ILL_POLL, status, reply->description);
    if (status == KANAL_E_DENIED)
        wait_and_ask(channel, kanal_backoff_ms(channel->host, 0, TOKEN_REFUSED_MS, TOKEN_REFUSED_MS));
    else if (reply->retry_after_s > 0)
        wait_and_ask(channel, (uint32_t)(reply->retry_after_s < 3600 ? reply->retry_after_s : 3600) * 1000);
    else
        wait_after_failure(channel);
}

static void on_updates(void *user, const struct tg_reply *reply)
{
    struct kanal_channel *channel = user;
    struct tg_poll *poll = &channel->poll;
    poll->call = NULL;
    if (channel->calls.stopping != 0 || (!reply->is_ok && !is_ours(channel)))
        return;
    if (!reply->is_ok || !yyjson_is_arr(reply->result)) {
        on_refused(channel, reply);
        return;
    }
    /* The reply's document ends with this call; the updates are needed for longer. */
    char *text = yyjson_val_write(reply->result, 0, NULL);
    poll->document = kanal_json_parse(kanal_str_c(text));
    free(text);
    poll->updates = yyjson_doc_get_root(poll->document);
    poll->next = 0;
    if (!poll->document) {
        wait_after_failure(channel);
        return;
    }
    if (yyjson_arr_size(poll->updates) == 0) {
        poll->failures = 0;
        kanal_health_set(&channel->health, TG_ILL_POLL, KANAL_OK, kanal_str_of(NULL, 0));
    }
    store_next(channel);
}

static void ask(struct kanal_channel *channel)
{
    struct tg_poll *poll = &channel->poll;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    if (channel->calls.stopping != 0 || !is_ours(channel))
        return; /* when the lease comes back, on_held() goes on */
    poll->asked_offset = poll->offset;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    if (poll->offset > 0)
        kanal_json_member_int(&json, "offset", poll->offset);
    kanal_json_member_int(&json, "limit", LIMIT);
    kanal_json_member_int(&json, "timeout", channel->settings.poll_timeout_s);
    kanal_json_key(&json, "allowed_updates");
    kanal_json_raw(&json, kanal_str_c(channel->settings.allowed_updates));
    kanal_json_object_end(&json);
    struct tg_request request = {
        .method = "getUpdates",
        .json = kanal_buffer_view(&body),
        .timeout_ms = (uint32_t)channel->settings.poll_timeout_s * 1000 + ANSWER_MARGIN_MS,
    };
    if (request.json.ptr)
        poll->call = tg_api_call(channel, 0, &request, on_updates, channel);
    if (!poll->call)
        wait_after_failure(channel);
    kanal_buffer_release(&body);
}

/* ---- The lease ---- */

static void on_held(struct kanal_channel *channel, kanal_op lease)
{
    const struct tg_poll *poll = &channel->poll;
    /* What was under way when it was lost, asks again by itself when it ends. */
    if (lease == poll->lease && !poll->call && poll->timer.op == 0 && poll->publishing == 0)
        ask(channel);
}

static void on_lost(struct kanal_channel *channel, kanal_op lease)
{
    if (lease != channel->poll.lease)
        return;
    kanal_log(channel->host, 0, KANAL_LOG_INFO,
              "the lease is lost: this replica does not poll until it is back", kanal_str_of(NULL, 0));
    kanal_calls_cancel(&channel->calls, channel->poll.call);
}

const kanal_lease_plugin tg_poll_leases = { .struct_size = sizeof tg_poll_leases,
                                            .on_held = on_held,
                                            .on_lost = on_lost };

void tg_poll_start(struct kanal_channel *channel)
{
    struct tg_poll *poll = &channel->poll;
    poll->leases = channel->host->extension(channel->host, KANAL_EXT_LEASE);
    if (poll->leases)
        poll->lease = poll->leases->acquire(channel->host, KANAL_LIT("poll"), 0);
    if (poll->lease == 0) {
        poll->leases = NULL; /* as without leases: Telegram itself lets only one poll through */
        ask(channel);
    }
}

void tg_poll_stop(struct kanal_channel *channel)
{
    kanal_calls_cancel(&channel->calls, channel->poll.call);
    kanal_timer_cancel(&channel->poll.timer);
    if (channel->poll.publishing != 0)
        channel->host->cancel(channel->host, channel->poll.publishing);
}

void tg_poll_release(struct kanal_channel *channel)
{
    drop_updates(&channel->poll);
    tg_batch_release(&channel->poll.batch);
}
