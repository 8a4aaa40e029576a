/* A submission is read and checked at once, while the request is there; what remains is in a job, which goes from host call to
 * host call: the token is verified, the session is verified or made, the event is published. */
#include "event.h"
#include "fields.h"
#include "webform.h"

struct job {
    kanal_channel *channel;
    struct kanal_reply reply;
    const struct form *form;
    struct kanal_buffer data;           /* of the event */
    struct kanal_buffer session;        /* the visitor's token: as shown, or as it is being made */
    struct kanal_buffer token;          /* the double-submit token, likewise */
    struct kanal_visitor session_claim; /* its views, and those of the next, are not used */
    struct token token_claim;
    uint64_t content;
    int redirects; /* a browser without a script waits for a page */
};

/* ---- Jobs ---- */

static struct job *job_new(kanal_channel *channel, const struct kanal_reply *reply, const struct form *form)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->channel = channel;
    job->reply = *reply;
    job->form = form;
    kanal_calls_hold(&channel->calls);
    return job;
}

static void job_free(struct job *job)
{
    kanal_channel *channel = job->channel;
    kanal_buffer_release(&job->data);
    kanal_buffer_release(&job->session);
    kanal_buffer_release(&job->token);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

/* A host call that gave no op will not call back (the channel has stopped). */
static void job_wait(struct job *job, kanal_op op)
{
    if (op == 0)
        job_free(job);
}

static void job_fail(struct job *job)
{
    answer_unavailable(job->channel, &job->reply);
    job_free(job);
}

static void job_refuse(struct job *job, int32_t code, const char *name, const char *message)
{
    count_outcome(job->channel, "refused");
    kanal_reply_error(&job->reply, code, name, message, 0);
    job_free(job);
}

static kanal_str signed_part(const struct kanal_buffer *text)
{
    kanal_str view = kanal_buffer_view(text);
    while (view.len > 0 && view.ptr[view.len - 1] != '.')
        view.len--;
    return kanal_str_of(view.ptr, view.len > 0 ? view.len - 1 : 0);
}

/* ---- Third: publish ---- */

static void answer_accepted(struct job *job, int is_duplicate)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "ok", 1);
    if (is_duplicate) {
        kanal_json_member_bool(&json, "duplicate", 1);
    } else {
        kanal_json_member_text(&json, "visitor", job->session_claim.id);
        kanal_json_member_str(&json, "session", kanal_buffer_view(&job->session));
    }
    kanal_json_object_end(&json);
    kanal_reply_json(&job->reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
}

static void on_published(void *user, kanal_status status)
{
    struct job *job = user;
    kanal_channel *channel = job->channel;
    if (status == KANAL_OK && job->token.len > 0)
        spent_add(&channel->spent, job->token_claim.id, job->content, job->token_claim.expires_s,
                  channel->host->now_ms(channel->host) / 1000);
    if (status == KANAL_OK)
        count_outcome(channel, "accepted");
    if (!job->redirects) { /* answered already: the host held the 200 back, or made it a 503 */
        if (status != KANAL_OK)
            count_outcome(channel, "unavailable");
        job_free(job);
    } else if (status != KANAL_OK) {
        job_fail(job);
    } else {
        kanal_reply_redirect(&job->reply, channel->settings.thanks_url);
        job_free(job);
    }
}

static void publish(struct job *job)
{
    const kanal_host *host = job->channel->host;
    char random_id[TOKEN_ID_LEN + 1];
    struct kanal_buffer address = { 0 }, dedupe = { 0 };
    if (job->token.len == 0)
        kanal_visitor_new_id(host, random_id);
    kanal_buffer_text(&dedupe, job->token.len > 0 ? "t." : "r.");
    kanal_buffer_text(&dedupe, job->token.len > 0 ? job->token_claim.id : random_id);
    kanal_buffer_text(&address, "visitor:");
    kanal_buffer_text(&address, job->session_claim.id);
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("form.submitted"),
                                .dedupe = kanal_buffer_view(&dedupe),
                                .address = kanal_buffer_view(&address),
                                .data = kanal_buffer_view(&job->data) };
    const kanal_event *const events[] = { &event };
    if (event.dedupe.len == 0 || event.address.len == 0 || event.data.len == 0 || job->session.failed) {
        job_fail(job); /* out of memory */
    } else {
        kanal_op op = host->publish(host, job->reply.op, events, 1, on_published, job);
        if (op != 0 && !job->redirects)
            answer_accepted(job, 0);
        job_wait(job, op);
    }
    kanal_buffer_release(&address);
    kanal_buffer_release(&dedupe);
}

/* ---- Second: whose is it ---- */

static void on_session_made(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct job *job = user;
    (void)revision;
    if (status != KANAL_OK) {
        job_fail(job);
        return;
    }
    kanal_visitor_seal(&job->session, mac);
    publish(job);
}

static void make_session(struct job *job)
{
    const kanal_host *host = job->channel->host;
    kanal_visitor_new_id(host, job->session_claim.id);
    kanal_buffer_clear(&job->session);
    kanal_visitor_begin(&job->session, job->session_claim.id);
    job_wait(job, host->sign(host, KANAL_LIT(TOKEN_SECRET), KANAL_LIT(TOKEN_ALGORITHM),
                             kanal_buffer_view(&job->session), on_session_made, job));
}

static void on_session_verified(void *user, kanal_status status)
{
    struct job *job = user;
    if (status == KANAL_OK)
        publish(job);
    else if (status == KANAL_E_REJECTED)
        make_session(job); /* forged, or of another gateway: a new visitor */
    else
        job_fail(job);
}

static void find_visitor(struct job *job)
{
    const kanal_host *host = job->channel->host;
    if (kanal_visitor_parse(kanal_buffer_view(&job->session), &job->session_claim) != KANAL_OK) {
        make_session(job);
        return;
    }
    job_wait(job, host->verify(
                      host, KANAL_LIT(TOKEN_SECRET), KANAL_LIT(TOKEN_ALGORITHM), signed_part(&job->session),
                      kanal_str_of(job->session_claim.mac, TOKEN_MAC_BYTES), on_session_verified, job));
}

/* ---- First: the token ---- */

static void answer_repeated(struct job *job)
{
    count_outcome(job->channel, "duplicate");
    if (job->redirects)
        kanal_reply_redirect(&job->reply, job->channel->settings.thanks_url);
    else
        answer_accepted(job, 1);
    job_free(job);
}

static void on_token_verified(void *user, kanal_status status)
{
    struct job *job = user;
    kanal_channel *channel = job->channel;
    struct token token;
    if (status != KANAL_OK && status != KANAL_E_REJECTED) {
        job_fail(job);
        return;
    }
    token_parse_form(kanal_buffer_view(&job->token), &token); /* again: for the views */
    if (status == KANAL_E_REJECTED || !kanal_str_equal(token.form, job->form->id)) {
        job_refuse(job, 403, "token_invalid", "the token is not one of this form");
        return;
    }
    if (token.expires_s < channel->host->now_ms(channel->host) / 1000) {
        job_refuse(job, 403, "token_expired", "the token has expired; get a new one");
        return;
    }
    const struct spent_token *spent = spent_find(&channel->spent, token.id);
    if (spent == NULL)
        find_visitor(job);
    else if (spent->content == job->content)
        answer_repeated(job);
    else
        job_refuse(job, 409, "token_used", "the token was used for another content; get a new one");
}

static void check_token(struct job *job)
{
    const kanal_host *host = job->channel->host;
    enum token_policy policy = job->channel->settings.token;
    if (policy == TOKEN_OFF)
        kanal_buffer_clear(&job->token);
    if (job->token.len == 0) {
        if (policy == TOKEN_REQUIRED)
            job_refuse(job, 403, "token_missing", "get a token first: GET token?form=ID");
        else
            find_visitor(job);
        return;
    }
    if (token_parse_form(kanal_buffer_view(&job->token), &job->token_claim) != KANAL_OK) {
        job_refuse(job, 403, "token_invalid", "the token is malformed");
        return;
    }
    job_wait(job,
             host->verify(host, KANAL_LIT(TOKEN_SECRET), KANAL_LIT(TOKEN_ALGORITHM), signed_part(&job->token),
                          kanal_str_of(job->token_claim.mac, TOKEN_MAC_BYTES), on_token_verified, job));
}

/* ---- Reading and checking, at once ---- */

static kanal_str header(const kanal_http_request *request, const char *name)
{
    return kanal_field_get(request->headers, request->header_count, name);
}

static int has_type(const kanal_http_request *request, const char *wanted)
{
    kanal_str type = header(request, "content-type");
    size_t end = 0;
    while (end < type.len && type.ptr[end] != ';' && type.ptr[end] != ' ')
        end++;
    return kanal_str_equal_nocase(kanal_str_of(type.ptr, end), kanal_str_c(wanted));
}

/* A form that the browser itself sends, and whose answer it will show. */
static int is_navigation(const kanal_http_request *request)
{
    kanal_str mode = header(request, "sec-fetch-mode"), accept = header(request, "accept");
    if (mode.ptr != NULL)
        return kanal_str_is(mode, "navigate");
    return accept.len > 0 && memmem(accept.ptr, accept.len, "text/html", 9) != NULL;
}

/* True if the field that people do not see was filled in. */
static int is_spam(const struct settings *settings, const struct submission *submission)
{
    for (size_t i = 0; settings->honeypot.len > 0 && i < submission->field_count; i++) {
        if (kanal_str_equal(submission->fields[i].name, settings->honeypot) &&
            submission->fields[i].value.len > 0)
            return 1;
    }
    return 0;
}

static void refuse(kanal_channel *channel, const struct kanal_reply *reply,
                   const struct complaints *complaints)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "error");
    kanal_json_raw(&json, kanal_buffer_view(&complaints->first));
    kanal_json_key(&json, "errors");
    kanal_json_raw(&json, kanal_buffer_view(&complaints->all));
    kanal_json_object_end(&json);
    count_outcome(channel, "refused");
    kanal_reply_json(reply, 422, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
}

static void begin_job(kanal_channel *channel, const struct kanal_reply *reply,
                      const struct event_parts *parts, int redirects)
{
    struct job *job = job_new(channel, reply, parts->form);
    if (job == NULL) {
        answer_unavailable(channel, reply);
        return;
    }
    job->redirects = redirects;
    job->content = spent_hash(parts->fields, parts->consents);
    event_write(&job->data, parts);
    kanal_buffer_str(&job->session, parts->submission->session);
    kanal_buffer_str(&job->token, parts->submission->token);
    check_token(job);
}

static void check(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request,
                  struct submission *submission, const struct form *form)
{
    struct kanal_buffer fields = { 0 }, identifiers = { 0 }, consents = { 0 }, query = { 0 };
    struct complaints complaints;
    complaints_init(&complaints);
    fields_check(&channel->settings, form, submission, &complaints, &fields, &identifiers);
    consents_check(form, submission, &complaints, &consents);
    kanal_json_array_end(&complaints.list);
    if (complaints.count > 0) {
        refuse(channel, reply, &complaints);
    } else {
        if (submission->page_url.len == 0)
            submission->page_url = header(request, "referer");
        submission_read_page_query(submission, &query);
        const struct event_parts parts = { .form = form,
                                           .submission = submission,
                                           .fields = kanal_buffer_view(&fields),
                                           .identifiers = kanal_buffer_view(&identifiers),
                                           .consents = kanal_buffer_view(&consents),
                                           .user_agent = header(request, "user-agent"),
                                           .ip = channel->settings.keep_ip ? request->remote
                                                                           : kanal_str_of(NULL, 0) };
        int redirects =
            channel->settings.thanks_url.len > 0 && submission->doc == NULL && is_navigation(request);
        begin_job(channel, reply, &parts, redirects);
    }
    complaints_release(&complaints);
    kanal_buffer_release(&fields);
    kanal_buffer_release(&identifiers);
    kanal_buffer_release(&consents);
    kanal_buffer_release(&query);
}

/* A bot is told what it wants to hear. */
static void pretend(kanal_channel *channel, const struct kanal_reply *reply,
                    const kanal_http_request *request)
{
    count_outcome(channel, "spam");
    if (channel->settings.thanks_url.len > 0 && is_navigation(request))
        kanal_reply_redirect(reply, channel->settings.thanks_url);
    else
        kanal_reply_json(reply, 200, KANAL_LIT("{\"ok\":true}"), 0);
}

void submit(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request)
{
    struct submission submission;
    const char *error;
    if (has_type(request, "application/x-www-form-urlencoded")) {
        error = submission_read_form(&submission, request->body);
    } else if (has_type(request, "application/json")) {
        error = submission_read_json(&submission, request->body);
    } else {
        count_outcome(channel, "refused");
        kanal_reply_error(reply, 415, "unsupported_type",
                          "send application/json or application/x-www-form-urlencoded", 0);
        return;
    }
    kanal_str id =
        kanal_str_starts(request->path, "/forms/") ? kanal_str_from(request->path, 7) : submission.form;
    const struct form *form = settings_form(&channel->settings, id);
    if (error != NULL) {
        count_outcome(channel, "refused");
        kanal_reply_error(reply, 400, "malformed_body", error, 0);
    } else if (form == NULL) {
        count_outcome(channel, "refused");
        kanal_reply_error(reply, 404, "unknown_form", "no form has this id", 0);
    } else if (is_spam(&channel->settings, &submission)) {
        pretend(channel, reply, request);
    } else {
        check(channel, reply, request, &submission, form);
    }
    submission_release(&submission);
}

/* ---- GET /token ---- */

static void on_token_made(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct job *job = user;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    (void)revision;
    if (status == KANAL_OK)
        kanal_visitor_seal(&job->token, mac);
    if (status != KANAL_OK || job->token.failed) {
        job_fail(job);
        return;
    }
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "token", kanal_buffer_view(&job->token));
    kanal_json_member_int(&json, "expires_in", job->channel->settings.token_life_s);
    kanal_json_object_end(&json);
    kanal_reply_json(&job->reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
    job_free(job);
}

void give_token(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request)
{
    const kanal_host *host = channel->host;
    struct kanal_buffer id = { 0 };
    char nonce[TOKEN_ID_LEN + 1];
    kanal_form_get(request->query, "form", &id); /* absent: the only form */
    const struct form *form = settings_form(&channel->settings, kanal_buffer_view(&id));
    struct job *job = form ? job_new(channel, reply, form) : NULL;
    if (form == NULL) {
        kanal_reply_error(reply, 404, "unknown_form", "no form has this id; ask with ?form=ID", 0);
    } else if (job == NULL) {
        answer_unavailable(channel, reply);
    } else {
        kanal_visitor_new_id(host, nonce);
        token_begin_form(&job->token, form->id, host->now_ms(host) / 1000 + channel->settings.token_life_s,
                         nonce);
        job_wait(job, host->sign(host, KANAL_LIT(TOKEN_SECRET), KANAL_LIT(TOKEN_ALGORITHM),
                                 kanal_buffer_view(&job->token), on_token_made, job));
    }
    kanal_buffer_release(&id);
}
