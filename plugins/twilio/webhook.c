/* What Twilio signs is no MAC of the body alone, so the routes are open and the host's verify() is asked: first for the URL as it
 * came, then for its other forms. A request is kept until then. */
#include "webhook.h"

#include "events.h"
#include "kanal/sdk/url.h"
#include "signature.h"
#include "twiml.h"

#define FORM_TYPE "application/x-www-form-urlencoded"

enum reply_kind { REPLY_NOTHING, REPLY_EMPTY, REPLY_CALL, REPLY_HANGUP };

static const struct place {
    const char *path;
    tw_read_fn *read; /* NULL: nothing to be told, or a stream */
    enum reply_kind reply;
    int is_stream;
} places[] = {
    { "/", tw_read_message, REPLY_EMPTY, 0 },     { "/status", tw_read_status, REPLY_NOTHING, 0 },
    { "/voice", tw_read_ringing, REPLY_CALL, 0 }, { "/call", tw_read_call, REPLY_NOTHING, 0 },
    { "/leg", tw_read_leg, REPLY_NOTHING, 0 },    { "/recording", tw_read_recording, REPLY_NOTHING, 0 },
    { "/hangup", NULL, REPLY_HANGUP, 0 },         { "/events", NULL, REPLY_NOTHING, 1 },
};

struct job { /* a request whose signature is being checked */
    struct kanal_channel *channel;
    kanal_op op;
    const struct place *place;
    int is_form;
    unsigned char mac[TW_MAC_BYTES];
    unsigned form_of_url; /* the next to be tried */
    struct kanal_buffer url, query, body, signed_text;
    struct tw_params params;
};

static void job_free(struct job *job)
{
    struct kanal_channel *channel = job->channel;
    kanal_buffer_release(&job->url);
    kanal_buffer_release(&job->query);
    kanal_buffer_release(&job->body);
    kanal_buffer_release(&job->signed_text);
    tw_params_release(&job->params);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

/* ---- Answers ---- */

static void respond(struct kanal_channel *channel, kanal_op op, int32_t code, kanal_str body,
                    const char *type)
{
    const kanal_field header = { KANAL_LIT("content-type"), kanal_str_c(type) };
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = body };
    if (body.len > 0) {
        response.headers = &header;
        response.header_count = 1;
    }
    channel->host->respond(channel->host, op, &response);
}

static void refuse(struct kanal_channel *channel, kanal_op op, int32_t code, const char *words)
{
    if (code != 503)
        kanal_count(channel->host, "requests_refused");
    respond(channel, op, code, kanal_str_c(words), "text/plain; charset=utf-8");
}

static void respond_twiml(struct job *job)
{
    struct kanal_channel *channel = job->channel;
    struct kanal_buffer xml = { 0 };
    tw_twiml_incoming(&xml, &channel->settings, kanal_str_c(channel->public_url),
                      tw_param(&job->params, "From"), tw_param(&job->params, "To"));
    if (xml.failed)
        refuse(channel, job->op, 503, "out of memory");
    else
        respond(channel, job->op, 200, kanal_buffer_view(&xml), "text/xml; charset=utf-8");
    kanal_buffer_release(&xml);
}

static void respond_well(struct job *job)
{
    switch (job->place->reply) {
    case REPLY_EMPTY:
        respond(job->channel, job->op, 200, KANAL_LIT(TW_TWIML_EMPTY), "text/xml; charset=utf-8");
        break;
    case REPLY_HANGUP:
        respond(job->channel, job->op, 200, KANAL_LIT(TW_TWIML_HANGUP), "text/xml; charset=utf-8");
        break;
    case REPLY_CALL:
        respond_twiml(job);
        break;
    case REPLY_NOTHING:
        respond(job->channel, job->op, 204, kanal_str_of(NULL, 0), "");
        break;
    }
}

/* ---- An authentic request ---- */

static kanal_status read_json(struct job *job, struct tw_told *told, struct tw_source *source)
{
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&job->body));
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_status status = KANAL_E_INVALID;
    if (job->place->is_stream && root)
        status = tw_read_stream(told, source, root);
    else if (yyjson_is_obj(root))
        status = tw_params_read_json(&job->params, root);
    if (status == KANAL_OK && job->place->read)
        job->place->read(told, source);
    yyjson_doc_free(document);
    return status;
}

static kanal_status read_request(struct job *job, struct tw_told *told)
{
    const kanal_host *host = job->channel->host;
    struct tw_source source = { .settings = &job->channel->settings,
                                .channel_id = kanal_str_c(job->channel->id),
                                .params = &job->params,
                                .query = kanal_buffer_view(&job->query),
                                .now_ms = host->now_ms(host) };
    kanal_status status = KANAL_OK;
    if (!job->is_form)
        status = read_json(job, told, &source);
    else if (job->place->is_stream)
        status = KANAL_E_INVALID;
    else if (job->place->read)
        job->place->read(told, &source);
    return told->batch.failed ? KANAL_E_INTERNAL : status;
}

/* Publishes what it says. The host holds back the 2xx until it is stored, and answers 503 otherwise. */
static void take(struct job *job)
{
    struct kanal_channel *channel = job->channel;
    struct tw_told told = { 0 };
    kanal_status status = read_request(job, &told);
    for (uint32_t i = 0; i < told.ignored; i++)
        kanal_count(channel->host, "events_ignored");
    if (told.ignored > 0)
        kanal_log(channel->host, job->op, KANAL_LOG_DEBUG, told.why, kanal_str_c(told.what));
    if (status == KANAL_E_INVALID)
        refuse(channel, job->op, 400, "expected a request of Twilio's");
    else if (status != KANAL_OK)
        refuse(channel, job->op, 503, "out of memory");
    else if (told.batch.count > 0 && kanal_batch_publish(&told.batch, channel->host, job->op,
                                                         kanal_buffer_view(&job->body), NULL, NULL) == 0)
        refuse(channel, job->op, 503, "out of memory");
    else
        respond_well(job);
    tw_told_release(&told);
}

/* ---- Its signature ---- */

static void try_next(struct job *);

static void on_verified(void *user, kanal_status status)
{
    struct job *job = user;
    struct kanal_channel *channel = job->channel;
    if (status == KANAL_E_REJECTED && job->form_of_url < TW_URL_FORMS) {
        try_next(job);
        return;
    }
    if (status == KANAL_OK)
        take(job);
    else if (status == KANAL_E_REJECTED)
        refuse(channel, job->op, 401, "the signature is wrong");
    else
        refuse(channel, job->op, 503, "the signature cannot be checked at the moment");
    job_free(job);
}

static void try_next(struct job *job)
{
    const kanal_host *host = job->channel->host;
    const kanal_str mac = kanal_str_of((const char *)job->mac, sizeof job->mac);
    kanal_buffer_clear(&job->signed_text);
    kanal_status status =
        tw_signature_url(&job->signed_text, kanal_buffer_view(&job->url), job->form_of_url++);
    if (status == KANAL_OK && job->is_form)
        tw_signature_params(&job->signed_text, &job->params);
    if (status != KANAL_OK || job->signed_text.failed) {
        refuse(job->channel, job->op, status == KANAL_OK ? 503 : 400, "the URL cannot be checked");
        job_free(job);
        return;
    }
    if (host->verify(host, KANAL_LIT("auth_token"), KANAL_LIT("hmac-sha1"),
                     kanal_buffer_view(&job->signed_text), mac, on_verified, job) == 0)
        job_free(job);
}

/* The MAC holds for a form's fields, and for any other body only by its digest in the URL. */
static const char *find_fault(struct job *job, const kanal_http_request *request)
{
    struct kanal_buffer digest = { 0 };
    const char *fault = NULL;
    kanal_str type = kanal_field_get(request->headers, request->header_count, "content-type");
    int has_digest = kanal_form_get(request->query, "bodySHA256", &digest) == 0;
    job->is_form = !has_digest;
    if (tw_signature_read(
            job->mac, kanal_field_get(request->headers, request->header_count, "x-twilio-signature")) != 0)
        fault = "the header X-Twilio-Signature is missing or malformed";
    else if (has_digest && !tw_signature_body_is(kanal_buffer_view(&digest), request->body))
        fault = "bodySHA256 is not the body's";
    else if (!has_digest && !kanal_str_starts(type, FORM_TYPE))
        fault = "a body that is no form needs bodySHA256 in the URL";
    kanal_buffer_release(&digest);
    return fault;
}

static const struct place *place_of(kanal_str path)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (kanal_str_is(path, places[i].path))
            return &places[i];
    return NULL;
}

void tw_on_http(struct kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    const struct place *place = place_of(request->path);
    struct job *job = channel->calls.stopping == 0 && place ? calloc(1, sizeof *job) : NULL;
    if (!job) {
        refuse(channel, op, place ? 503 : 404, place ? "the channel is being stopped" : "no such path");
        return;
    }
    job->channel = channel;
    job->op = op;
    job->place = place;
    kanal_calls_hold(&channel->calls);
    const char *fault = find_fault(job, request);
    kanal_status status = KANAL_OK;
    kanal_buffer_str(&job->url, request->url);
    kanal_buffer_str(&job->query, request->query);
    kanal_buffer_str(&job->body, request->body);
    if (!fault && job->is_form)
        status = tw_params_read_form(&job->params, request->body);
    if (job->url.failed || job->query.failed || job->body.failed)
        status = KANAL_E_INTERNAL;
    if (fault || status != KANAL_OK) {
        refuse(channel, op,
               fault                       ? 401
               : status == KANAL_E_INVALID ? 400
                                           : 503,
               fault                       ? fault
               : status == KANAL_E_INVALID ? "the form is malformed"
                                           : "out of memory");
        job_free(job);
        return;
    }
    try_next(job);
}
