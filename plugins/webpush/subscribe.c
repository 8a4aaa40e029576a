/* A page's request is read at once; what remains is in a job, which goes from host call to host call: the visitor's token is verified or made, the
 * kept subscription is looked up, a change is told as consent, and kept. Told first: its dedupe key is made of what was kept before, so a
 * request that is repeated after a failure says the same. */
#include <stdio.h>
#include "webpush.h"

#define TRIES_MAX 3u /* against another replica that changes the same state */

struct job {
    kanal_channel *channel;
    struct kanal_reply reply;
    struct kanal_buffer session;  /* the visitor's token: as shown, or as it is being made */
    struct kanal_visitor visitor; /* its view is not used */
    struct subscription subscription;
    uint64_t revision; /* of what is kept; 0: nothing */
    uint32_t tries;
    int is_leaving; /* unsubscribe */
};

/* ---- Jobs ---- */

static void job_free(struct job *job)
{
    kanal_channel *channel = job->channel;
    kanal_buffer_release(&job->session);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

static void count(kanal_channel *channel, const char *outcome)
{
    const kanal_field label = { KANAL_LIT("outcome"), kanal_str_c(outcome) };
    channel->host->metric_add(channel->host, KANAL_LIT("subscriptions_total"), 1, &label, 1);
}

static void job_fail(struct job *job)
{
    count(job->channel, "unavailable");
    kanal_reply_error(&job->reply, 503, "unavailable", "this cannot be kept at the moment; try again", 5);
    job_free(job);
}

static void job_refuse(struct job *job, int32_t code, const char *name, const char *message)
{
    count(job->channel, "refused");
    kanal_reply_error(&job->reply, code, name, message, 0);
    job_free(job);
}

static void job_answer(struct job *job, const char *outcome)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "ok", 1);
    kanal_json_member_text(&json, "visitor", job->visitor.id);
    kanal_json_member_str(&json, "session", kanal_buffer_view(&job->session));
    kanal_json_object_end(&json);
    count(job->channel, outcome);
    kanal_reply_json(&job->reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
    job_free(job);
}

/* ---- Consent ---- */

static void write_consent(struct kanal_buffer *out, const kanal_channel *channel, int given,
                          const char *reason, const struct subscription *subscription)
{
    struct kanal_url url;
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "consent");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "given", given);
    kanal_json_member_text(&json, "channel", channel->id);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_member_text(&json, "reason", reason);
    if (kanal_url_parse(kanal_str_c(subscription->endpoint), &url) ==
        KANAL_OK) { /* not the rest: who knows it may send */
        kanal_json_key(&json, "provider");
        kanal_json_object(&json);
        kanal_json_member_str(&json, "push_service", url.host);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
}

kanal_op publish_consent(kanal_channel *channel, kanal_op cause, const char *visitor, int given,
                         const char *reason, const struct subscription *subscription, uint64_t revision,
                         kanal_done_fn *done, void *user)
{
    struct kanal_buffer data = { 0 };
    char dedupe[128], address[64], hash[17];
    subscription_hash(hash, subscription);
    snprintf(dedupe, sizeof dedupe, "%s.%s.%s.%llu", given ? "given" : "withdrawn", visitor, hash,
             (unsigned long long)revision);
    snprintf(address, sizeof address, "visitor:%s", visitor);
    write_consent(&data, channel, given, reason, subscription);
    const kanal_event event = { .struct_size = sizeof event,
                                .type = given ? KANAL_LIT("consent.given") : KANAL_LIT("consent.withdrawn"),
                                .dedupe = kanal_str_c(dedupe),
                                .address = kanal_str_c(address),
                                .data = kanal_buffer_view(&data) };
    const kanal_event *const events[] = { &event };
    kanal_op op = event.data.ptr ? channel->host->publish(channel->host, cause, events, 1, done, user) : 0;
    kanal_buffer_release(&data);
    return op;
}

/* ---- Keeping ---- */

static void look_up(struct job *);

static void on_kept(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct job *job = user;
    (void)value;
    (void)revision;
    if (status == KANAL_OK)
        job_answer(job, job->is_leaving ? "left" : "subscribed");
    else if (status == KANAL_E_REJECTED && ++job->tries < TRIES_MAX)
        look_up(job); /* another replica was quicker: what is kept now is looked at again */
    else
        job_fail(job);
}

static void on_told(void *user, kanal_status status)
{
    struct job *job = user;
    const kanal_host *host = job->channel->host;
    struct kanal_buffer value = { 0 };
    char key[STATE_KEY_BYTES];
    if (status != KANAL_OK) {
        job_fail(job);
        return;
    }
    subscription_key(key, job->visitor.id);
    if (job->is_leaving)
        kanal_buffer_text(&value, SUBSCRIPTION_ENDED);
    else
        subscription_write(&value, &job->subscription);
    if (value.failed ||
        host->state_put(host, kanal_str_c(key), kanal_buffer_view(&value), job->revision, on_kept, job) == 0)
        job_fail(job);
    kanal_buffer_release(&value);
}

static void on_found(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct job *job = user;
    struct subscription kept;
    int has_none =
        status == KANAL_E_NOT_FOUND || (status == KANAL_OK && kanal_str_is(value, SUBSCRIPTION_ENDED));
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    int has_kept =
        doc != NULL && subscription_read(&kept, &job->channel->settings, yyjson_doc_get_root(doc)) == NULL;
    yyjson_doc_free(doc);
    job->revision = status == KANAL_OK ? revision : 0;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        job_fail(job);
    } else if (job->is_leaving && has_none) {
        job_answer(job, "unchanged");
    } else if (!job->is_leaving && has_kept && subscription_equal(&kept, &job->subscription)) {
        job_answer(job, "unchanged"); /* a page says it at each visit */
    } else {
        if (job->is_leaving && has_kept)
            job->subscription = kept;
        if (publish_consent(job->channel, 0, job->visitor.id, !job->is_leaving,
                            job->is_leaving ? "unsubscribed" : "subscribed", &job->subscription,
                            job->revision, on_told, job) == 0)
            job_fail(job);
    }
}

static void look_up(struct job *job)
{
    const kanal_host *host = job->channel->host;
    char key[STATE_KEY_BYTES];
    subscription_key(key, job->visitor.id);
    if (host->state_get(host, kanal_str_c(key), on_found, job) == 0)
        job_free(job);
}

/* ---- Whose it is ---- */

static void on_session_made(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct job *job = user;
    (void)revision;
    if (status == KANAL_OK)
        kanal_visitor_seal(&job->session, mac);
    if (status != KANAL_OK || job->session.failed)
        job_fail(job);
    else
        look_up(job);
}

static void make_session(struct job *job)
{
    const kanal_host *host = job->channel->host;
    if (job->is_leaving) {
        job_refuse(job, 403, "wrong_session", "the session is not one of this gateway");
        return;
    }
    kanal_visitor_new_id(host, job->visitor.id);
    kanal_buffer_clear(&job->session);
    kanal_visitor_begin(&job->session, job->visitor.id);
    if (host->sign(host, KANAL_LIT(KANAL_VISITOR_SECRET), KANAL_LIT(KANAL_VISITOR_ALGORITHM),
                   kanal_buffer_view(&job->session), on_session_made, job) == 0)
        job_free(job);
}

static void on_session_verified(void *user, kanal_status status)
{
    struct job *job = user;
    if (status == KANAL_OK)
        look_up(job);
    else if (status == KANAL_E_REJECTED)
        make_session(job); /* forged, or of another gateway: a new visitor */
    else
        job_fail(job);
}

static void find_visitor(struct job *job)
{
    const kanal_host *host = job->channel->host;
    if (kanal_visitor_parse(kanal_buffer_view(&job->session), &job->visitor) != KANAL_OK) {
        make_session(job);
        return;
    }
    if (host->verify(host, KANAL_LIT(KANAL_VISITOR_SECRET), KANAL_LIT(KANAL_VISITOR_ALGORITHM),
                     job->visitor.signed_text, kanal_str_of(job->visitor.mac, KANAL_VISITOR_MAC_BYTES),
                     on_session_verified, job) == 0)
        job_free(job);
}

/* ---- Requests ---- */

static struct job *job_new(kanal_channel *channel, const struct kanal_reply *reply, kanal_str session)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->channel = channel;
    job->reply = *reply;
    kanal_buffer_str(&job->session, session);
    kanal_calls_hold(&channel->calls);
    return job;
}

static void begin(kanal_channel *channel, const struct kanal_reply *reply, yyjson_val *root, int is_leaving)
{
    struct job *job = job_new(channel, reply, kanal_json_text_at(root, "session"));
    const char *fault = NULL;
    if (job == NULL) {
        count(channel, "unavailable");
        kanal_reply_error(reply, 503, "unavailable", "out of memory; try again", 5);
        return;
    }
    job->is_leaving = is_leaving;
    if (!yyjson_is_obj(root))
        job_refuse(job, 400, "malformed_body", "the body is no JSON object");
    else if (!is_leaving && (fault = subscription_read(&job->subscription, &channel->settings,
                                                       kanal_json_at(root, "subscription"))) != NULL)
        job_refuse(job, 422, "wrong_subscription", fault);
    else
        find_visitor(job);
}

void subscribe(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body);
    begin(channel, reply, yyjson_doc_get_root(doc), 0);
    yyjson_doc_free(doc);
}

void unsubscribe(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body);
    begin(channel, reply, yyjson_doc_get_root(doc), 1);
    yyjson_doc_free(doc);
}
