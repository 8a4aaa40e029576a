#include "host/provision.h"

#include <openssl/evp.h>

#include "broker/kv.h"
#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"

#define TAKE_OVER_MS 60000
#define LOOK_AGAIN_MS 30000u
#define RETRY_MS_MIN 2000u
#define RETRY_MS_MAX 300000u
#define CALL_MS 60000u

static void begin(struct channel *channel);

static void later(struct channel *channel, uint32_t delay_ms)
{
    channel_timer(channel, delay_ms, begin);
}

static uint32_t backoff_ms(struct channel *channel)
{
    uint32_t shift = channel->provision_attempts < 8 ? channel->provision_attempts : 8;
    uint32_t delay = RETRY_MS_MIN << shift;
    channel->provision_attempts++;
    return delay < RETRY_MS_MAX ? delay : RETRY_MS_MAX;
}

/* What the registration depends on: the channel's configuration, where it is reached, and the plugin's version. */
static void fingerprint(const struct channel *channel, struct kanal_buffer *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    struct kanal_buffer text = { 0 };
    kanal_buffer_str(&text, channel->config->fingerprint);
    kanal_buffer_byte(&text, 0);
    channel_public_url(channel, &text);
    kanal_buffer_byte(&text, 0);
    kanal_buffer_text(&text, channel->plugin->descriptor.version);
    if (!text.failed && EVP_Digest(text.data, text.len, digest, &len, EVP_sha256(), NULL) == 1)
        kanal_hex_encode(out, kanal_str_of((char *)digest, len));
    kanal_buffer_release(&text);
}

static void write_record(const struct channel *channel, const char *state, struct kanal_buffer *out)
{
    struct kanal_buffer print = { 0 };
    struct kanal_json json;
    fingerprint(channel, &print);
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "fingerprint", kanal_buffer_view(&print));
    kanal_json_member_text(&json, "state", state);
    kanal_json_member_int(&json, "at", host_now_ms());
    kanal_json_object_end(&json);
    kanal_buffer_release(&print);
}

static void put_record(struct channel *channel, const char *state, uint64_t revision, kv_value_fn *done)
{
    struct kanal_buffer key = { 0 }, value = { 0 };
    kanal_buffer_text(&key, "provision.");
    kanal_buffer_str(&key, channel->id);
    write_record(channel, state, &value);
    kv_put(channel->host->broker, channel->host->names.channels, kanal_buffer_view(&key),
           kanal_buffer_view(&value), revision, done, channel);
    kanal_buffer_release(&key);
    kanal_buffer_release(&value);
}

static void on_recorded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct channel *channel = user;
    (void)value;
    (void)revision;
    /* If this could not be written it is done once more later, which providers allow. */
    if (status != KANAL_OK)
        log_write(channel->host->log, KANAL_LOG_WARN, "provision", channel->id.ptr,
                  "the registration could not be recorded: status %d", status);
}

static int worth_trying_again(kanal_status status)
{
    return status == KANAL_E_NETWORK || status == KANAL_E_TIMEOUT || status == KANAL_E_BUSY ||
           status == KANAL_E_MAYBE;
}

static void on_provisioned(struct op *op, const void *answer)
{
    struct channel *channel = op->channel;
    const struct channel_finish *finish = answer;
    channel->finishing = NULL;
    channel_timer(channel, 0, NULL);
    if (finish->status == KANAL_OK) {
        channel->provision_attempts = 0;
        log_write(channel->host->log, KANAL_LOG_INFO, "provision", channel->id.ptr,
                  "registered at the provider");
        channel_set_health(channel, KANAL_OK, (kanal_str){ 0 });
        put_record(channel, "done", JS_ANY_SEQUENCE, on_recorded);
        return;
    }
    int again = worth_trying_again(finish->status);
    uint32_t delay = backoff_ms(channel);
    log_write(channel->host->log, again ? KANAL_LOG_WARN : KANAL_LOG_ERROR, "provision", channel->id.ptr,
              "registering at the provider failed: %.*s (%s)", (int)finish->reason.len,
              finish->reason.ptr ? finish->reason.ptr : "",
              again ? "tried again later" : "mend the configuration");
    channel_set_health(channel, finish->status, finish->reason);
    if (again)
        later(channel, delay);
}

static void on_deadline(struct channel *channel)
{
    if (channel->finishing)
        channel_forget(channel->finishing);
    channel->finishing = NULL;
    channel_set_health(channel, KANAL_E_TIMEOUT,
                       KANAL_LIT("the plugin did not finish registering at the provider"));
    later(channel, backoff_ms(channel));
}

static void run_provision(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    struct kanal_buffer url = { 0 };
    op->item.run = NULL;
    channel_public_url(channel, &url);
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.provision(channel->instance, op->id, kanal_buffer_view(&url), 1);
    channel_leave(channel, entered, "provision");
    kanal_buffer_release(&url);
}

static void on_claimed(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct channel *channel = user;
    (void)value;
    (void)revision;
    if (channel->state != CHANNEL_UP)
        return;
    if (status != KANAL_OK) { /* another replica was faster, or the broker is away */
        later(channel, status == KANAL_E_REJECTED ? LOOK_AGAIN_MS : RETRY_MS_MIN);
        return;
    }
    channel->finishing = channel_ask(channel, run_provision, on_provisioned);
    channel_timer(channel, CALL_MS, channel->finishing ? on_deadline : begin);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct channel *channel = user;
    if (channel->state != CHANNEL_UP)
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        later(channel, RETRY_MS_MIN);
        return;
    }
    struct kanal_buffer print = { 0 };
    fingerprint(channel, &print);
    yyjson_doc *document = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *record = yyjson_doc_get_root(document);
    int same = kanal_str_equal(kanal_json_text_at(record, "fingerprint"), kanal_buffer_view(&print));
    int done = kanal_str_is(kanal_json_text_at(record, "state"), "done");
    int64_t age_ms = host_now_ms() - kanal_json_int_at(record, "at", 0);
    yyjson_doc_free(document);
    kanal_buffer_release(&print);
    if (same && done) {
        if (channel->provision_attempts > 0) { /* we could not, another replica could */
            channel->provision_attempts = 0;
            channel_set_health(channel, KANAL_OK, (kanal_str){ 0 });
        }
        return;
    }
    if (document && same && age_ms < TAKE_OVER_MS && channel->provision_attempts == 0)
        later(channel, LOOK_AGAIN_MS);
    else
        put_record(channel, "doing", status == KANAL_OK ? revision : 0, on_claimed);
}

static void begin(struct channel *channel)
{
    struct kanal_buffer key = { 0 };
    kanal_buffer_text(&key, "provision.");
    kanal_buffer_str(&key, channel->id);
    kv_get(channel->host->broker, channel->host->names.channels, kanal_buffer_view(&key), on_record, channel);
    kanal_buffer_release(&key);
}

void provision_begin(struct channel *channel)
{
    if (channel->plugin->descriptor.provision)
        begin(channel);
}
