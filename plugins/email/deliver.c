/* A delivery: what is known of its thread, the mail, its submission. */
#include "channel.h"
#include "compose.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/outcome.h"
#include "kanal/sdk/url.h"
#include "outcome.h"

#define TIMEOUT_MS 120000u

struct delivery {
    struct kanal_channel *channel;
    struct delivery *next, **place; /* of the channel's list */
    kanal_op op, pending;
    int64_t deadline_ms;
    yyjson_doc *document;
    char recipient[256], chat[520], target[520], key[64];
    struct composed mail;
    int32_t has_files;
};

static void delivery_free(struct delivery *d)
{
    struct kanal_channel *channel = d->channel;
    *d->place = d->next;
    if (d->next)
        d->next->place = d->place;
    yyjson_doc_free(d->document);
    composed_release(&d->mail);
    free(d);
    settle(channel);
}

static void refuse(const kanal_host *host, kanal_op op, int32_t outcome, int32_t scope, const char *code,
                   const char *reason)
{
    kanal_result result;
    kanal_result_set(&result, outcome, scope, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

static void give_up(struct delivery *d, int32_t outcome, int32_t scope, const char *code, const char *reason)
{
    refuse(d->channel->host, d->op, outcome, scope, code, reason);
    delivery_free(d);
}

/* ---- Submission ---- */

static void on_mailed(void *user, kanal_status status, const kanal_mail_result *told)
{
    struct delivery *d = user;
    struct kanal_channel *channel = d->channel;
    char scratch[32] = "";
    kanal_result result;
    uint32_t flags = (channel->stopping != 0 ? OUTCOME_STOPPING : 0) | (d->has_files ? OUTCOME_FILES : 0);
    outcome_of(&result, status, told, flags, scratch);
    if (result.outcome == KANAL_SENT) {
        result.external_id = kanal_buffer_view(&d->mail.id);
        kanal_health_set(&channel->health, EMAIL_ILL_SENDING, KANAL_OK, kanal_str_of(NULL, 0));
    } else if (result.outcome == KANAL_FAILED && result.scope == KANAL_SCOPE_CHANNEL) {
        const char *refused = "the mail server refuses what the channel sends";
        kanal_log(channel->host, d->op, KANAL_LOG_ERROR, refused, result.reason);
        kanal_health_set(&channel->health, EMAIL_ILL_SENDING, KANAL_E_REJECTED,
                         result.reason.len > 0 ? result.reason : kanal_str_c(refused));
    }
    channel->host->delivered(channel->host, d->op, &result);
    delivery_free(d);
}

static kanal_login login_of(const struct settings *s)
{
    kanal_login login = { .url = s->smtp_url };
    if (s->smtp_login == SMTP_LOGIN_PLAIN)
        login.flags = KANAL_LOGIN_PLAIN;
    if (s->smtp_login == SMTP_LOGIN_SAME || s->smtp_login == SMTP_LOGIN_OWN) {
        int is_own = s->smtp_login == SMTP_LOGIN_OWN;
        login.flags = s->is_token ? KANAL_LOGIN_BEARER : 0;
        login.user = is_own ? s->smtp_user : s->user;
        login.secret = is_own ? KANAL_LIT("smtp_password") : KANAL_LIT("password");
    }
    return login;
}

static void submit(struct delivery *d)
{
    struct kanal_channel *channel = d->channel;
    const kanal_str recipient = kanal_str_c(d->recipient);
    const kanal_mail mail = { .struct_size = sizeof mail,
                              .timeout_ms = kanal_call_timeout_ms(channel->host, d->deadline_ms, TIMEOUT_MS),
                              .login = login_of(&channel->settings),
                              .from = channel->settings.address,
                              .recipients = &recipient,
                              .recipient_count = 1,
                              .pieces = d->mail.pieces,
                              .piece_count = d->mail.piece_count };
    d->has_files = d->mail.piece_count > 1;
    d->pending = channel->transfer->mail(channel->host, d->op, &mail, on_mailed, d);
    if (d->pending == 0)
        give_up(d, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "interrupted", "the channel stops");
}

/* ---- The thread ---- */

/* Where the customer wants answers, if the delivery is for the one who wrote there. */
static void take_reply_address(struct delivery *d, kanal_str sender, kanal_str reply_to)
{
    int is_for_sender = d->recipient[0] == 0 || kanal_str_equal_nocase(kanal_str_c(d->recipient), sender);
    kanal_str wanted = reply_to.len > 0 ? reply_to : sender;
    if (is_for_sender && wanted.len > 0)
        kanal_batch_text(d->recipient, sizeof d->recipient, wanted);
}

static void on_thread(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct delivery *d = user;
    struct kanal_channel *channel = d->channel;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *known = yyjson_doc_get_root(doc);
    struct compose_thread thread = { .root = kanal_str_c(d->chat[0] ? d->chat : d->target),
                                     .target = kanal_str_c(d->target),
                                     .subject = kanal_json_text_at(known, "subject") };
    (void)revision;
    d->pending = 0;
    if (thread.target.len == 0)
        thread.target = kanal_json_text_at(known, "last");
    take_reply_address(d, kanal_json_text_at(known, "sender"), kanal_json_text_at(known, "reply_to"));
    int was_auto = kanal_json_bool_at(known, "auto");
    const char *code = NULL, *reason = NULL;
    int32_t scope = KANAL_SCOPE_MESSAGE, outcome = KANAL_FAILED;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        outcome = KANAL_RETRY;
        code = channel->stopping != 0 ? "interrupted" : "unavailable";
        reason = "the thread could not be looked up";
    } else if (d->recipient[0] == 0) {
        scope = KANAL_SCOPE_RECIPIENT;
        code = "recipient_unknown";
        reason = "nobody of this thread is known: give an address";
    } else {
        status = compose(&d->mail, &channel->settings, yyjson_doc_get_root(d->document), &thread,
                         d->recipient, kanal_str_c(d->key), channel->host->now_ms(channel->host));
        if (status != KANAL_OK) {
            code = status == KANAL_E_REJECTED ? d->mail.code : "internal";
            reason = status == KANAL_E_REJECTED ? d->mail.reason : "out of memory";
        } else if (d->mail.is_auto && was_auto) { /* RFC 3834, 2 */
            code = "provider_rejected";
            reason = "loop guard: a program's mail is not answered by a program";
        }
    }
    yyjson_doc_free(doc);
    if (code)
        give_up(d, outcome, scope, code, reason);
    else
        submit(d);
}

/* ---- The slot ---- */

/* "mailto:anna%2Bshop@example.com" as SMTP has it. 1; 0: it is none. */
static int read_recipient(struct delivery *d, kanal_str address)
{
    struct kanal_buffer plain = { 0 };
    int is_right = kanal_str_starts(address, "mailto:") &&
                   kanal_url_decode(&plain, kanal_str_from(address, 7), 0) == KANAL_OK &&
                   kanal_batch_text(d->recipient, sizeof d->recipient, kanal_buffer_view(&plain));
    const char *at = is_right ? strchr(d->recipient, '@') : NULL;
    is_right = is_right && strlen(d->recipient) == plain.len && at && at != d->recipient && at[1];
    for (const char *c = d->recipient; is_right && *c; c++)
        is_right = (unsigned char)*c > 0x20 && *c != 0x7f && *c != '<' && *c != '>' && *c != ',' && *c != ';';
    is_right = is_right && !kanal_str_is(kanal_str_c(d->recipient), "unknown@invalid");
    kanal_buffer_release(&plain);
    return is_right;
}

static const char *why_not(const struct kanal_channel *channel, const kanal_delivery *wanted,
                           const char **ret_reason)
{
    *ret_reason = "e-mail only knows message.send";
    if (!kanal_str_is(wanted->type, "message.send"))
        return "unsupported_verb";
    *ret_reason = "the channel has no smtp_url: it only reads";
    if (channel->settings.smtp_url.len == 0 || !channel->transfer)
        return "unsupported_verb";
    return NULL;
}

void deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    const kanal_host *host = channel->host;
    const char *reason, *code = why_not(channel, wanted, &reason);
    char thread[THREAD_KEY_BYTES];
    struct delivery *d = code ? NULL : calloc(1, sizeof *d);
    if (!d) {
        refuse(host, op, KANAL_FAILED, KANAL_SCOPE_MESSAGE, code ? code : "internal",
               code ? reason : "out of memory");
        return;
    }
    *d = (struct delivery){ .channel = channel,
                            .next = channel->deliveries,
                            .place = &channel->deliveries,
                            .op = op,
                            .deadline_ms = wanted->deadline_ms };
    if (d->next)
        d->next->place = &d->next;
    channel->deliveries = d;
    d->document = kanal_json_parse(wanted->data);
    kanal_batch_text(d->chat, sizeof d->chat, wanted->chat);
    kanal_batch_text(d->target, sizeof d->target, wanted->target_external_id);
    kanal_batch_text(d->key, sizeof d->key, wanted->idempotency_key);
    if (wanted->address.len > 0 && !read_recipient(d, wanted->address)) {
        give_up(d, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown",
                "an address of this channel is mailto:…");
        return;
    }
    if (!d->chat[0] && !d->target[0]) {
        on_thread(d, KANAL_E_NOT_FOUND, kanal_str_of(NULL, 0), 0);
        return;
    }
    store_thread_key(thread, d->chat[0] ? d->chat : d->target);
    d->pending = host->state_get(host, kanal_str_c(thread), on_thread, d);
    if (d->pending == 0)
        give_up(d, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "interrupted", "the channel stops");
}

void deliver_cut_off(struct kanal_channel *channel)
{
    for (struct delivery *d = channel->deliveries; d; d = d->next)
        if (d->pending != 0)
            channel->host->cancel(channel->host, d->pending);
}
