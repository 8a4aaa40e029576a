/* upload.c - POST /upload: a visitor's file becomes a blob of the gateway, and the answer a signed ticket for it.
 *
 * The steps: check what the request says; verify the session; put the blob; sign the ticket; ask for the address; answer. The
 * body is copied, for it lives only during on_http(): all uploads under way together are bounded. */
#include <stdlib.h>
#include "channel.h"
#include "content.h"
#include "filetype.h"
#include "kanal/sdk/str.h"

#define UNDER_WAY_BYTES (32u * 1024 * 1024)
#define UPLOADS_PER_MINUTE 10
#define UPLOADS_BURST 10

struct upload {
    struct kanal_channel *channel;
    kanal_op op;
    char *token; /* the claim's views point into it */
    struct session_claim claim;
    struct session_ticket ticket;
    struct kanal_buffer origin, body, text; /* text: the ticket's */
    uint64_t counted_bytes;
};

static void upload_free(struct upload *upload)
{
    upload->channel->upload_bytes -= upload->counted_bytes;
    free(upload->token);
    session_ticket_release(&upload->ticket);
    kanal_buffer_release(&upload->origin);
    kanal_buffer_release(&upload->body);
    kanal_buffer_release(&upload->text);
    free(upload);
}

/* ---- Answers ---- */

static void respond(struct kanal_channel *channel, kanal_op op, int code, kanal_str origin, kanal_str body,
                    uint32_t after_s)
{
    struct kanal_buffer after = { 0 };
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = body };
    kanal_field headers[6];
    size_t count = 0;

    headers[count++] = (kanal_field){ KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    headers[count++] = (kanal_field){ KANAL_LIT("vary"), KANAL_LIT("origin") };
    headers[count++] = (kanal_field){ KANAL_LIT("cache-control"), KANAL_LIT("no-store") };
    if (origin.len > 0)
        headers[count++] = (kanal_field){ KANAL_LIT("access-control-allow-origin"), origin };
    if (after_s > 0) {
        kanal_buffer_uint(&after, after_s);
        headers[count++] = (kanal_field){ KANAL_LIT("retry-after"), kanal_buffer_view(&after) };
    }
    response.headers = headers;
    response.header_count = count;
    channel->host->respond(channel->host, op, &response);
    kanal_buffer_release(&after);
}

static void refuse(struct kanal_channel *channel, kanal_op op, int code, kanal_str origin, const char *error,
                   const char *message, uint32_t after_s)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "error", error);
    kanal_json_member_text(&json, "message", message);
    kanal_json_object_end(&json);
    respond(channel, op, code, origin, kanal_buffer_view(&body), after_s);
    kanal_buffer_release(&body);
}

static void upload_fail(struct upload *upload, int code, const char *error, const char *message,
                        uint32_t after_s)
{
    refuse(upload->channel, upload->op, code, kanal_buffer_view(&upload->origin), error, message, after_s);
}

static void upload_answer(struct upload *upload, kanal_str url)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "ticket", kanal_buffer_view(&upload->text));
    kanal_json_member_text(&json, "type", content_kind_of(kanal_str_c(upload->ticket.mime)));
    kanal_json_member_text(&json, "mime", upload->ticket.mime);
    kanal_json_member_int(&json, "size", (int64_t)upload->ticket.size);
    kanal_json_member_text(&json, "name", upload->ticket.name);
    if (url.len > 0)
        kanal_json_member_str(&json, "url", url);
    kanal_json_object_end(&json);
    respond(upload->channel, upload->op, 201, kanal_buffer_view(&upload->origin), kanal_buffer_view(&body),
            0);
    kanal_buffer_release(&body);
}

/* ---- The steps, last first ---- */

static void on_url(void *user, kanal_status status, kanal_str url, uint64_t revision)
{
    struct upload *upload = user;
    struct kanal_channel *channel = upload->channel;

    (void)revision;
    upload_answer(upload,
                  status == KANAL_OK ? url : kanal_str_c(NULL)); /* without it the page shows the name only */
    upload_free(upload);
    channel_call_end(channel);
}

static void on_signed(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct upload *upload = user;
    struct kanal_channel *channel = upload->channel;

    (void)revision;
    if (status == KANAL_OK) {
        session_complete(&upload->text, mac);
        channel_call_begin(channel);
        channel->blob->url(channel->host, kanal_str_c(upload->ticket.reference), on_url, upload);
    } else {
        upload_fail(upload, 503, "unavailable", "the ticket cannot be signed now", 5);
        upload_free(upload);
    }
    channel_call_end(channel);
}

static void upload_sign(struct upload *upload)
{
    struct kanal_channel *channel = upload->channel;

    upload->ticket.at_ms = channel_now_ms(channel);
    session_ticket_begin(&upload->text, &upload->ticket);
    channel_call_begin(channel);
    channel->host->sign(channel->host, KANAL_LIT(SESSION_SECRET), KANAL_LIT("hmac-sha256"),
                        kanal_buffer_view(&upload->text), on_signed, upload);
}

static void on_put(void *user, kanal_status status, kanal_str reference, uint64_t revision)
{
    struct upload *upload = user;
    struct kanal_channel *channel = upload->channel;

    (void)revision;
    if (status == KANAL_OK)
        upload->ticket.reference = kanal_str_dup(reference);
    if (upload->ticket.reference) {
        upload_sign(upload);
    } else {
        if (status == KANAL_E_TOO_LARGE)
            upload_fail(upload, 413, "too_large", "the file is too large", 0);
        else
            upload_fail(upload, 503, "unavailable", "the file cannot be stored now", 5);
        upload_free(upload);
    }
    channel_call_end(channel);
}

/* The session is genuine: the visitor's own rate, then the blob. */
static void upload_put(struct upload *upload)
{
    struct kanal_channel *channel = upload->channel;
    struct visitor *visitor = visitor_get(channel, upload->claim.visitor);
    uint32_t wait_ms = 5000;

    if (!visitor || !bucket_take(&visitor->uploads, channel_now_ms(channel), UPLOADS_PER_MINUTE,
                                 UPLOADS_BURST, &wait_ms)) {
        upload_fail(upload, 429, "rate_limited", "too many files", wait_ms / 1000 + 1);
        upload_free(upload);
        return;
    }
    memcpy(upload->ticket.visitor, upload->claim.visitor, sizeof upload->ticket.visitor);
    channel_call_begin(channel);
    channel->blob->put(channel->host, kanal_str_c(upload->ticket.mime), kanal_str_c(upload->ticket.name),
                       kanal_buffer_view(&upload->body), on_put, upload);
    kanal_buffer_release(&upload->body); /* put() has its own */
}

static void on_verified(void *user, kanal_status status)
{
    struct upload *upload = user;
    struct kanal_channel *channel = upload->channel;

    if (status == KANAL_OK) {
        upload_put(upload);
    } else {
        if (status == KANAL_E_REJECTED)
            upload_fail(upload, 401, "bad_token", "the token is not one of this channel's", 0);
        else
            upload_fail(upload, 503, "unavailable", "the token cannot be checked now", 5);
        upload_free(upload);
    }
    channel_call_end(channel);
}

/* ---- The request ---- */

static kanal_str bearer(const kanal_http_request *request)
{
    kanal_str value = kanal_field_get(request->headers, request->header_count, "authorization");

    return value.len > 7 && kanal_str_equal_nocase(kanal_str_of(value.ptr, 7), KANAL_LIT("bearer "))
               ? kanal_str_from(value, 7)
               : kanal_str_c(NULL);
}

/* NULL, or the error; *ret_code is the HTTP status then. */
static const char *check(const struct kanal_channel *channel, const kanal_http_request *request,
                         char *ret_mime, int *ret_code)
{
    kanal_str type = kanal_field_get(request->headers, request->header_count, "content-type");

    *ret_code = 400;
    if (request->body.len == 0)
        return "invalid";
    *ret_code = 413;
    if (request->body.len > channel->settings.upload_bytes)
        return "too_large";
    *ret_code = 415;
    if (filetype_mime(type, ret_mime) != KANAL_OK ||
        !settings_upload_type_ok(&channel->settings, kanal_str_c(ret_mime)) ||
        !filetype_matches(kanal_str_c(ret_mime), request->body))
        return "file_type";
    return NULL;
}

static struct upload *upload_new(struct kanal_channel *channel, kanal_op op,
                                 const kanal_http_request *request, const char *mime, kanal_str origin)
{
    struct upload *upload = calloc(1, sizeof *upload);
    struct kanal_buffer name = { 0 };

    if (!upload)
        return NULL;
    filetype_name(kanal_field_get(request->headers, request->header_count, "x-filename"), &name);
    upload->channel = channel;
    upload->op = op;
    upload->counted_bytes = request->body.len;
    channel->upload_bytes += upload->counted_bytes;
    upload->token = kanal_str_dup(bearer(request));
    upload->ticket.mime = kanal_str_dup(kanal_str_c(mime));
    upload->ticket.name = kanal_str_dup(kanal_buffer_view(&name));
    upload->ticket.size = request->body.len;
    kanal_buffer_str(&upload->origin, origin);
    kanal_buffer_str(&upload->body, request->body);
    kanal_buffer_release(&name);
    if (upload->token && upload->ticket.mime && upload->ticket.name && !upload->body.failed)
        return upload;
    upload_free(upload);
    return NULL;
}

static void upload_start(struct kanal_channel *channel, kanal_op op, const kanal_http_request *request,
                         const char *mime, kanal_str origin)
{
    struct upload *upload;

    if (channel->stopping || channel->upload_bytes + request->body.len > UNDER_WAY_BYTES ||
        !(upload = upload_new(channel, op, request, mime, origin))) {
        refuse(channel, op, 503, origin, "unavailable", "too many uploads at once", 2);
        return;
    }
    if (session_parse(kanal_str_c(upload->token), &upload->claim) != KANAL_OK) {
        upload_fail(upload, 401, "bad_token", "Authorization: Bearer and the session token", 0);
        upload_free(upload);
        return;
    }
    channel_call_begin(channel);
    channel->host->verify(channel->host, KANAL_LIT(SESSION_SECRET), KANAL_LIT("hmac-sha256"),
                          upload->claim.signed_text, kanal_str_of(upload->claim.mac, SESSION_MAC_BYTES),
                          on_verified, upload);
}

static void preflight(struct kanal_channel *channel, kanal_op op, kanal_str origin)
{
    const kanal_field headers[] = {
        { KANAL_LIT("access-control-allow-origin"), origin },
        { KANAL_LIT("access-control-allow-methods"), KANAL_LIT("POST") },
        { KANAL_LIT("access-control-allow-headers"), KANAL_LIT("authorization, content-type, x-filename") },
        { KANAL_LIT("access-control-max-age"), KANAL_LIT("600") },
        { KANAL_LIT("vary"), KANAL_LIT("origin") },
    };
    kanal_http_response response = { .struct_size = sizeof response, .code = 204 };

    response.headers = headers;
    response.header_count = sizeof headers / sizeof *headers;
    channel->host->respond(channel->host, op, &response);
}

void upload_request(struct kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    kanal_str origin = kanal_field_get(request->headers, request->header_count, "origin");
    char mime[FILETYPE_MIME_BYTES + 1];
    const char *error;
    int code;

    if (!settings_origin_ok(&channel->settings, origin)) {
        refuse(channel, op, 403, kanal_str_c(NULL), "origin",
               "this site is not in the channel's setting `origins`", 0);
    } else if (kanal_str_is(request->method, "OPTIONS")) {
        preflight(channel, op, origin);
    } else if (!channel->blob || channel->settings.upload_bytes == 0) {
        refuse(channel, op, 403, origin, "file_type", "this channel takes no files", 0);
    } else if ((error = check(channel, request, mime, &code))) {
        refuse(channel, op, code, origin, error, "see the limits in the welcome", 0);
    } else {
        upload_start(channel, op, request, mime, origin);
    }
}
