/* What the plugin answers, and the host's holding back of a 2xx. */
#include "inside.h"
#include "kanal/sdk/url.h"

struct owed *fake_owe(struct fake_host *host, enum call_kind kind)
{
    struct owed *owed = fake_arena_zeroed(&host->kept, sizeof *owed);
    owed->op = fake_next_op(host);
    owed->kind = kind;
    owed->next = host->owed;
    host->owed = owed;
    return owed;
}

struct owed *fake_owed(struct fake_host *host, kanal_op op)
{
    struct owed *owed = host->owed;
    while (owed != NULL && owed->op != op)
        owed = owed->next;
    return owed;
}

const struct fake_answer *fake_answer(struct fake_host *host, kanal_op op)
{
    static const struct fake_answer none;
    struct owed *owed = fake_owed(host, op);
    return owed ? &owed->answer : &none;
}

int fake_answered(struct fake_host *host, kanal_op op)
{
    const struct owed *owed = fake_owed(host, op);
    return owed != NULL && owed->done;
}

size_t fake_owed_count(const struct fake_host *host)
{
    size_t count = 0;
    for (const struct owed *owed = host->owed; owed != NULL; owed = owed->next)
        count += !owed->done;
    return count;
}

/* The op's record if it may be answered by this slot now, else NULL and a failure. */
static struct owed *take_answer(const kanal_host *table, kanal_op op, const char *slot, unsigned kinds)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed = fake_owed(host, op);
    fake_check_lane(host, slot);
    if (owed == NULL) {
        fake_fault(host, FAKE_FAULT_ANSWER, "%s() of an op that was never handed out: %llu", slot,
                   (unsigned long long)op);
        return NULL;
    }
    if ((kinds >> owed->kind & 1) == 0) {
        fake_fault(host, FAKE_FAULT_ANSWER, "%s() is not the answer to this op", slot);
        return NULL;
    }
    if (owed->done) {
        fake_fault(host, FAKE_FAULT_ANSWER, "%s(): op %llu was answered already", slot,
                   (unsigned long long)op);
        return NULL;
    }
    owed->done = 1;
    return owed;
}

void fake_finish(const kanal_host *table, kanal_op op, kanal_status status, kanal_str reason)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed =
        take_answer(table, op, "finish", 1u << CALL_START | 1u << CALL_STOP | 1u << CALL_PROVISION);
    if (owed == NULL)
        return;
    owed->answer.answered = 1;
    owed->answer.status = status;
    owed->answer.reason = fake_arena_str(&host->kept, reason);
    if (owed->kind == CALL_STOP)
        host->stopped = 1;
}

/* ---- deliver ---- */

static int is_error_code(kanal_str code)
{
    static const char *const codes[] = { "recipient_unknown",
                                         "recipient_blocked",
                                         "opted_out",
                                         "rate_limited",
                                         "invalid_content",
                                         "unsupported_content",
                                         "payload_too_large",
                                         "media_unavailable",
                                         "window_closed",
                                         "template_required",
                                         "auth_failed",
                                         "provider_error",
                                         "provider_rejected",
                                         "message_not_found",
                                         "network",
                                         "timeout",
                                         "interrupted",
                                         "expired",
                                         "cancelled",
                                         "channel_unknown",
                                         "channel_down",
                                         "customer_unknown",
                                         "conversation_unknown",
                                         "consent_missing",
                                         "quiet_hours",
                                         "invalid_command",
                                         "unsupported_verb",
                                         "duplicate_id",
                                         "invalid_request",
                                         "not_found",
                                         "conflict",
                                         "denied",
                                         "unavailable",
                                         "internal" };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (kanal_str_is(code, codes[i]))
            return 1;
    }
    return 0;
}

void fake_delivered(const kanal_host *table, kanal_op op, const kanal_result *result)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed = take_answer(table, op, "delivered", 1u << CALL_DELIVER);
    if (owed == NULL)
        return;
    owed->answer.answered = 1;
    fake_arena_result(&host->kept, &owed->answer.result, result);
    if (result->struct_size < FAKE_RESULT_LEAST)
        fake_fail(host, "delivered(): struct_size is %u", result->struct_size);
    if (result->outcome < KANAL_SENT || result->outcome > KANAL_UNKNOWN)
        fake_fail(host, "delivered(): outcome %d", result->outcome);
    if (result->scope < 0 || result->scope > KANAL_SCOPE_CHANNEL)
        fake_fail(host, "delivered(): scope %d", result->scope);
    if (result->outcome != KANAL_SENT && !is_error_code(result->code))
        fake_fail(host, "delivered(): '%.*s' is no error code of proto/", (int)result->code.len,
                  result->code.ptr);
}

/* ---- on_http ---- */

static void check_headers(struct fake_host *host, const char *slot, const kanal_field *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kanal_str name = headers[i].name, value = headers[i].value;
        int wrong = name.len == 0;
        for (size_t k = 0; k < name.len; k++)
            wrong |= name.ptr[k] <= ' ' || name.ptr[k] == ':' || (name.ptr[k] >= 'A' && name.ptr[k] <= 'Z');
        for (size_t k = 0; k < value.len; k++)
            wrong |= value.ptr[k] == '\r' || value.ptr[k] == '\n' || value.ptr[k] == 0;
        if (wrong)
            fake_fail(host, "%s(): header '%.*s' is not a lower-case name with a clean value", slot,
                      (int)name.len, name.ptr);
    }
}

/* The answer goes out once nothing holds it back. */
static void let_go(struct owed *owed)
{
    int is_success = owed->answer.response.code < 300;
    if (!owed->done || owed->answer.answered || (is_success && owed->held_by > 0))
        return;
    if (owed->hold_failed && is_success) {
        memset(&owed->answer.response, 0, sizeof owed->answer.response);
        owed->answer.response.struct_size = sizeof owed->answer.response;
        owed->answer.response.code = 503;
    }
    owed->answer.answered = 1;
}

void fake_respond(const kanal_host *table, kanal_op op, const kanal_http_response *response)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed = take_answer(table, op, "respond", 1u << CALL_HTTP);
    if (owed == NULL)
        return;
    if (response->struct_size < FAKE_RESPONSE_LEAST)
        fake_fail(host, "respond(): struct_size is %u", response->struct_size);
    if (response->code < 200 || response->code > 599)
        fake_fail(host, "respond(): code %d", response->code);
    check_headers(host, "respond", response->headers, response->header_count);
    fake_arena_response(&host->kept, &owed->answer.response, response);
    let_go(owed);
}

void fake_respond_as_host(struct fake_host *host, struct owed *owed, int code)
{
    kanal_http_response response = { .struct_size = sizeof response, .code = code };
    fake_respond(&host->table, owed->op, &response);
}

void fake_release_hold(struct fake_host *host, kanal_op held, kanal_status status)
{
    struct owed *owed = fake_owed(host, held);
    owed->held_by--;
    owed->hold_failed |= status != KANAL_OK;
    let_go(owed);
}

/* ---- media ---- */

void fake_locate(const kanal_host *table, kanal_op op, kanal_status status, const kanal_http_request *request)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed = take_answer(table, op, "locate", 1u << CALL_MEDIA);
    if (owed == NULL)
        return;
    owed->answer.answered = 1;
    owed->answer.status = status;
    if (status != KANAL_OK)
        return;
    if (request == NULL || request->struct_size < FAKE_REQUEST_LEAST) {
        fake_fail(host, "locate(): no request");
        return;
    }
    struct kanal_url url;
    if (kanal_url_parse(request->url, &url) != KANAL_OK)
        fake_fail(host, "locate(): '%.*s' is no absolute URL", (int)request->url.len, request->url.ptr);
    check_headers(host, "locate", request->headers, request->header_count);
    fake_arena_request(&host->kept, &owed->answer.location, request);
}
