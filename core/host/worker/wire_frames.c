/* The types of frames: who sends them, how long they may be, and what they hold. */
#include "wire_layout.h"

#define KIB 1024u
#define MIB (1024u * 1024u)
#define BODY_MOST (66u * MIB) /* the largest body, with its headers: a plugin's upload, a provider's answer */

#define FIELD(kind, type, member)                                                                            \
    {                                                                                                        \
        kind, offsetof(type, member), 0, 0, NULL                                                             \
    }
#define TEXT(type, member, most)                                                                             \
    {                                                                                                        \
        WIRE_STR, offsetof(type, member), 0, most, NULL                                                      \
    }
#define ITEMS(kind, type, member, counter, most, of)                                                         \
    {                                                                                                        \
        kind, offsetof(type, member), offsetof(type, counter), most, &(of)                                   \
    }
#define ONE(type, member, of)                                                                                \
    {                                                                                                        \
        WIRE_POINTER, offsetof(type, member), 0, 0, &(of)                                                    \
    }
#define COUNT_OF(fields) (uint32_t)(sizeof(fields) / sizeof *(fields))
#define FROZEN(name, type, least_bytes)                                                                      \
    static const struct wire_layout name = { sizeof(type), 0, least_bytes, COUNT_OF(name##_fields),          \
                                             name##_fields }
/* last: the last member that minor 0 had. */
#define GROWING(name, type, last)                                                                            \
    static const struct wire_layout name = { sizeof(type), offsetof(type, last) + sizeof(((type *)0)->last), \
                                             4, COUNT_OF(name##_fields), name##_fields }

/* ---- The ABI's structs ---- */

static const struct wire_field header_fields[] = { FIELD(WIRE_STR, kanal_field, name),
                                                   FIELD(WIRE_STR, kanal_field, value) };
FROZEN(header, kanal_field, 8);

static const struct wire_field use_fields[] = {
    FIELD(WIRE_U32, kanal_secret_use, where),  FIELD(WIRE_U32, kanal_secret_use, position),
    FIELD(WIRE_STR, kanal_secret_use, name),   FIELD(WIRE_STR, kanal_secret_use, prefix),
    FIELD(WIRE_STR, kanal_secret_use, secret),
};
FROZEN(use, kanal_secret_use, 20);

static const struct wire_field part_fields[] = {
    FIELD(WIRE_STR, kanal_part, name),         FIELD(WIRE_STR, kanal_part, filename),
    FIELD(WIRE_STR, kanal_part, content_type), FIELD(WIRE_STR, kanal_part, data),
    FIELD(WIRE_STR, kanal_part, source_url),
};
FROZEN(part, kanal_part, 20);

static const struct wire_field request_fields[] = {
    FIELD(WIRE_U32, kanal_http_request, timeout_ms),
    FIELD(WIRE_U32, kanal_http_request, max_response),
    FIELD(WIRE_U32, kanal_http_request, flags),
    FIELD(WIRE_STR, kanal_http_request, method),
    FIELD(WIRE_STR, kanal_http_request, url),
    FIELD(WIRE_STR, kanal_http_request, path),
    FIELD(WIRE_STR, kanal_http_request, query),
    FIELD(WIRE_STR, kanal_http_request, remote),
    FIELD(WIRE_STR, kanal_http_request, body),
    ITEMS(WIRE_LIST, kanal_http_request, headers, header_count, 1024, header),
    ITEMS(WIRE_LIST, kanal_http_request, secrets, secret_count, 64, use),
    ITEMS(WIRE_LIST, kanal_http_request, parts, part_count, 64, part),
};
GROWING(request, kanal_http_request, part_count);

static const struct wire_field response_fields[] = {
    FIELD(WIRE_U32, kanal_http_response, code),
    FIELD(WIRE_STR, kanal_http_response, body),
    ITEMS(WIRE_LIST, kanal_http_response, headers, header_count, 1024, header),
};
GROWING(response, kanal_http_response, header_count);

static const struct wire_field delivery_fields[] = {
    FIELD(WIRE_U32, kanal_delivery, part),
    FIELD(WIRE_U32, kanal_delivery, part_count),
    FIELD(WIRE_U32, kanal_delivery, attempt),
    FIELD(WIRE_U64, kanal_delivery, deadline_ms),
    FIELD(WIRE_STR, kanal_delivery, type),
    FIELD(WIRE_STR, kanal_delivery, command_id),
    FIELD(WIRE_STR, kanal_delivery, idempotency_key),
    FIELD(WIRE_STR, kanal_delivery, address),
    FIELD(WIRE_STR, kanal_delivery, chat),
    FIELD(WIRE_STR, kanal_delivery, target_external_id),
    FIELD(WIRE_STR, kanal_delivery, data),
};
GROWING(delivery, kanal_delivery, data);

static const struct wire_field event_fields[] = {
    FIELD(WIRE_U32, kanal_event, flags),       FIELD(WIRE_U64, kanal_event, time_ms),
    FIELD(WIRE_STR, kanal_event, type),        FIELD(WIRE_STR, kanal_event, dedupe),
    FIELD(WIRE_STR, kanal_event, external_id), FIELD(WIRE_STR, kanal_event, command_id),
    FIELD(WIRE_STR, kanal_event, address),     FIELD(WIRE_STR, kanal_event, chat),
    FIELD(WIRE_STR, kanal_event, data),        FIELD(WIRE_STR, kanal_event, raw),
};
GROWING(event, kanal_event, raw);

static const struct wire_field result_fields[] = {
    FIELD(WIRE_U32, kanal_result, outcome),        FIELD(WIRE_U32, kanal_result, scope),
    FIELD(WIRE_U32, kanal_result, retry_after_ms), FIELD(WIRE_STR, kanal_result, external_id),
    FIELD(WIRE_STR, kanal_result, code),           FIELD(WIRE_STR, kanal_result, provider_code),
    FIELD(WIRE_STR, kanal_result, reason),
};
GROWING(result, kanal_result, reason);

static const struct wire_field limits_fields[] = {
    FIELD(WIRE_U32, kanal_limits, text_chars),           FIELD(WIRE_U32, kanal_limits, text_bytes),
    FIELD(WIRE_U32, kanal_limits, caption_chars),        FIELD(WIRE_U32, kanal_limits, options),
    FIELD(WIRE_U32, kanal_limits, option_chars),         FIELD(WIRE_U32, kanal_limits, payload_bytes),
    FIELD(WIRE_U32, kanal_limits, media_bytes),          FIELD(WIRE_U32, kanal_limits, per_second),
    FIELD(WIRE_U32, kanal_limits, per_recipient_minute),
};
GROWING(limits, kanal_limits, per_recipient_minute);

static const struct wire_field route_fields[] = {
    FIELD(WIRE_C_STRING, kanal_route, method),    FIELD(WIRE_C_STRING, kanal_route, path),
    FIELD(WIRE_C_STRING, kanal_route, algorithm), FIELD(WIRE_C_STRING, kanal_route, name),
    FIELD(WIRE_C_STRING, kanal_route, prefix),    FIELD(WIRE_C_STRING, kanal_route, encoding),
    FIELD(WIRE_C_STRING, kanal_route, secret),    FIELD(WIRE_U32, kanal_route, where),
    FIELD(WIRE_U32, kanal_route, max_body),
};
FROZEN(route, kanal_route, 36);

static const struct wire_field secret_fields[] = {
    FIELD(WIRE_C_STRING, kanal_secret, name),
    FIELD(WIRE_C_STRING, kanal_secret, description),
    FIELD(WIRE_U64, kanal_secret, flags),
};
FROZEN(secret, kanal_secret, 16);

static const struct wire_field target_fields[] = {
    FIELD(WIRE_U32, kanal_stream_target, port),
    FIELD(WIRE_U32, kanal_stream_target, flags),
    FIELD(WIRE_U32, kanal_stream_target, connect_timeout_ms),
    FIELD(WIRE_U32, kanal_stream_target, idle_timeout_ms),
    FIELD(WIRE_U32, kanal_stream_target, credit),
    FIELD(WIRE_U32, kanal_stream_target, reserved),
    FIELD(WIRE_STR, kanal_stream_target, host),
};
FROZEN(target, kanal_stream_target, 28);

static const struct wire_field insert_fields[] = {
    FIELD(WIRE_U32, kanal_stream_secret, position),        FIELD(WIRE_U32, kanal_stream_secret, max_bytes),
    FIELD(WIRE_U32, kanal_stream_secret, length_position), FIELD(WIRE_U32, kanal_stream_secret, length_bytes),
    FIELD(WIRE_STR, kanal_stream_secret, secret),
};
FROZEN(insert, kanal_stream_secret, 20);

static const struct wire_field login_fields[] = {
    FIELD(WIRE_U32, kanal_login, flags),  FIELD(WIRE_U32, kanal_login, connect_timeout_ms),
    FIELD(WIRE_STR, kanal_login, url),    FIELD(WIRE_STR, kanal_login, user),
    FIELD(WIRE_STR, kanal_login, secret), FIELD(WIRE_STR, kanal_login, token),
};
FROZEN(login, kanal_login, 24);

static const struct wire_field piece_fields[] = {
    FIELD(WIRE_STR, kanal_piece, data),
    FIELD(WIRE_STR, kanal_piece, source),
    FIELD(WIRE_U32, kanal_piece, encoding),
    FIELD(WIRE_U32, kanal_piece, max_bytes),
};
FROZEN(piece, kanal_piece, 16);

static const struct wire_field recipient_fields[] = { { WIRE_STR, 0, 0, 0, NULL } };
FROZEN(recipient, kanal_str, 4);

static const struct wire_field mail_fields[] = {
    FIELD(WIRE_U32, kanal_mail, timeout_ms),
    FIELD(WIRE_U32, kanal_mail, login.flags),
    FIELD(WIRE_U32, kanal_mail, login.connect_timeout_ms),
    FIELD(WIRE_STR, kanal_mail, login.url),
    FIELD(WIRE_STR, kanal_mail, login.user),
    FIELD(WIRE_STR, kanal_mail, login.secret),
    FIELD(WIRE_STR, kanal_mail, login.token),
    FIELD(WIRE_STR, kanal_mail, from),
    ITEMS(WIRE_LIST, kanal_mail, recipients, recipient_count, 128, recipient),
    ITEMS(WIRE_LIST, kanal_mail, pieces, piece_count, 64, piece),
};
GROWING(mail, kanal_mail, piece_count);

static const struct wire_field reply_fields[] = {
    FIELD(WIRE_U32, kanal_mail_reply, code),
    FIELD(WIRE_U32, kanal_mail_reply, reserved),
    FIELD(WIRE_STR, kanal_mail_reply, text),
};
FROZEN(reply, kanal_mail_reply, 12);

static const struct wire_field mail_result_fields[] = {
    FIELD(WIRE_U32, kanal_mail_result, accepted),
    FIELD(WIRE_U32, kanal_mail_result, reply.code),
    FIELD(WIRE_U32, kanal_mail_result, reply.reserved),
    FIELD(WIRE_STR, kanal_mail_result, reply.text),
    ITEMS(WIRE_LIST, kanal_mail_result, recipients, recipient_count, 128, reply),
};
GROWING(mail_result, kanal_mail_result, recipient_count);

static const struct wire_field plugin_fields[] = {
    FIELD(WIRE_U32, kanal_plugin, abi_minor),
    FIELD(WIRE_C_STRING, kanal_plugin, id),
    FIELD(WIRE_C_STRING, kanal_plugin, name),
    FIELD(WIRE_C_STRING, kanal_plugin, version),
    FIELD(WIRE_U64, kanal_plugin, caps),
    ONE(kanal_plugin, limits, limits),
    { WIRE_C_STRINGS, offsetof(kanal_plugin, egress), 0, 256, NULL },
    ITEMS(WIRE_LIST, kanal_plugin, routes, route_count, 256, route),
    ITEMS(WIRE_LIST, kanal_plugin, secrets, secret_count, 256, secret),
    FIELD(WIRE_C_STRING, kanal_plugin, settings_schema),
};
GROWING(plugin, kanal_plugin, extension);

/* ---- The frames' structs ---- */

static const struct wire_field hello_fields[] = {
    FIELD(WIRE_U32, struct wire_hello, magic),
    FIELD(WIRE_U32, struct wire_hello, version),
    FIELD(WIRE_U32, struct wire_hello, abi_major),
    FIELD(WIRE_U32, struct wire_hello, abi_minor),
};
FROZEN(hello, struct wire_hello, 16);

static const struct wire_field create_fields[] = {
    TEXT(struct wire_create, channel_id, 64),
    TEXT(struct wire_create, settings, 8 * MIB),
    TEXT(struct wire_create, public_url, 8 * KIB),
};
FROZEN(create, struct wire_create, 12);

static const struct wire_field call_fields[] = { FIELD(WIRE_U64, struct wire_call, op) };
FROZEN(call, struct wire_call, 8);

static const struct wire_field provision_fields[] = {
    FIELD(WIRE_U64, struct wire_provision, op),
    TEXT(struct wire_provision, public_url, 8 * KIB),
    FIELD(WIRE_U32, struct wire_provision, wanted),
};
FROZEN(provision, struct wire_provision, 16);

static const struct wire_field http_fields[] = {
    FIELD(WIRE_U64, struct wire_http, op),
    FIELD(WIRE_U64, struct wire_http, cause),
    FIELD(WIRE_U32, struct wire_http, status),
    ONE(struct wire_http, request, request),
};
FROZEN(http, struct wire_http, 21);

static const struct wire_field deliver_fields[] = {
    FIELD(WIRE_U64, struct wire_deliver, op),
    ONE(struct wire_deliver, delivery, delivery),
};
FROZEN(deliver, struct wire_deliver, 9);

static const struct wire_field text_fields[] = {
    FIELD(WIRE_U64, struct wire_text, op),
    FIELD(WIRE_STR, struct wire_text, text),
};
FROZEN(text, struct wire_text, 12);

static const struct wire_field done_fields[] = {
    FIELD(WIRE_U64, struct wire_done, op),
    FIELD(WIRE_U32, struct wire_done, status),
    FIELD(WIRE_STR, struct wire_done, reason),
};
FROZEN(done, struct wire_done, 16);

static const struct wire_field value_fields[] = {
    FIELD(WIRE_U64, struct wire_value, op),
    FIELD(WIRE_U32, struct wire_value, status),
    FIELD(WIRE_STR, struct wire_value, value),
    FIELD(WIRE_U64, struct wire_value, revision),
};
FROZEN(value, struct wire_value, 24);

static const struct wire_field answer_fields[] = {
    FIELD(WIRE_U64, struct wire_response, op),
    FIELD(WIRE_U32, struct wire_response, status),
    ONE(struct wire_response, response, response),
};
FROZEN(answer, struct wire_response, 13);

static const struct wire_field socket_fields[] = {
    FIELD(WIRE_U64, struct wire_socket, connection),
    FIELD(WIRE_U32, struct wire_socket, number),
    FIELD(WIRE_STR, struct wire_socket, text),
};
FROZEN(socket, struct wire_socket, 16);

static const struct wire_field number_fields[] = { FIELD(WIRE_U32, struct wire_count, count) };
FROZEN(number, struct wire_count, 4);

static const struct wire_field line_fields[] = {
    FIELD(WIRE_U64, struct wire_log, cause),
    FIELD(WIRE_U32, struct wire_log, level),
    FIELD(WIRE_U32, struct wire_log, dropped),
    TEXT(struct wire_log, text, KIB),
};
FROZEN(line, struct wire_log, 20);

static const struct wire_field metric_fields[] = {
    FIELD(WIRE_STR, struct wire_metric, name),
    FIELD(WIRE_U64, struct wire_metric, by),
    ITEMS(WIRE_LIST, struct wire_metric, labels, label_count, 16, header),
};
FROZEN(metric, struct wire_metric, 16);

static const struct wire_field timer_fields[] = {
    FIELD(WIRE_U64, struct wire_timer, op),
    FIELD(WIRE_U32, struct wire_timer, delay_ms),
};
FROZEN(timer, struct wire_timer, 12);

static const struct wire_field sign_fields[] = {
    FIELD(WIRE_U64, struct wire_sign, op),        FIELD(WIRE_STR, struct wire_sign, secret),
    FIELD(WIRE_STR, struct wire_sign, algorithm), FIELD(WIRE_STR, struct wire_sign, data),
    FIELD(WIRE_STR, struct wire_sign, claimed),
};
FROZEN(sign, struct wire_sign, 24);

static const struct wire_field state_fields[] = {
    FIELD(WIRE_U64, struct wire_state, op),
    FIELD(WIRE_STR, struct wire_state, key),
    FIELD(WIRE_STR, struct wire_state, value),
    FIELD(WIRE_U64, struct wire_state, revision),
};
FROZEN(state, struct wire_state, 24);

static const struct wire_field publish_fields[] = {
    FIELD(WIRE_U64, struct wire_publish, op),
    FIELD(WIRE_U64, struct wire_publish, cause),
    FIELD(WIRE_U32, struct wire_publish, is_quiet),
    ITEMS(WIRE_POINTERS, struct wire_publish, events, count, 4096, event),
};
FROZEN(publish, struct wire_publish, 24);

static const struct wire_field delivered_fields[] = {
    FIELD(WIRE_U64, struct wire_delivered, op),
    ONE(struct wire_delivered, result, result),
};
FROZEN(delivered, struct wire_delivered, 9);

static const struct wire_field blob_fields[] = {
    FIELD(WIRE_U64, struct wire_blob, op),
    FIELD(WIRE_STR, struct wire_blob, content_type),
    FIELD(WIRE_STR, struct wire_blob, filename),
    FIELD(WIRE_STR, struct wire_blob, data),
};
FROZEN(blob, struct wire_blob, 20);

static const struct wire_field on_fields[] = {
    FIELD(WIRE_U64, struct wire_on, op),
    FIELD(WIRE_U64, struct wire_on, on),
    FIELD(WIRE_U32, struct wire_on, number),
    FIELD(WIRE_STR, struct wire_on, text),
};
FROZEN(on, struct wire_on, 24);

static const struct wire_field connect_to_fields[] = {
    FIELD(WIRE_U64, struct wire_connect, op),
    ONE(struct wire_connect, target, target),
};
FROZEN(connect_to, struct wire_connect, 9);

static const struct wire_field session_fields[] = {
    FIELD(WIRE_U64, struct wire_login, op),
    ONE(struct wire_login, login, login),
    FIELD(WIRE_U32, struct wire_login, idle_ms),
    FIELD(WIRE_U32, struct wire_login, credit),
};
FROZEN(session, struct wire_login, 17);

static const struct wire_field write_fields[] = {
    FIELD(WIRE_U64, struct wire_write, op),
    FIELD(WIRE_U64, struct wire_write, stream),
    FIELD(WIRE_STR, struct wire_write, data),
    ITEMS(WIRE_LIST, struct wire_write, secrets, secret_count, 64, insert),
};
FROZEN(write, struct wire_write, 24);

static const struct wire_field submission_fields[] = {
    FIELD(WIRE_U64, struct wire_mail, op),
    FIELD(WIRE_U64, struct wire_mail, cause),
    ONE(struct wire_mail, mail, mail),
};
FROZEN(submission, struct wire_mail, 17);

static const struct wire_field mailed_fields[] = {
    FIELD(WIRE_U64, struct wire_mailed, op),
    FIELD(WIRE_U32, struct wire_mailed, status),
    ONE(struct wire_mailed, result, mail_result),
};
FROZEN(mailed, struct wire_mailed, 13);

static const struct wire_field lease_fields[] = {
    FIELD(WIRE_U64, struct wire_lease, lease),
    FIELD(WIRE_U64, struct wire_lease, until_ms),
    FIELD(WIRE_U32, struct wire_lease, ttl_ms),
    FIELD(WIRE_STR, struct wire_lease, name),
};
FROZEN(lease, struct wire_lease, 24);

static const struct wire_field described_fields[] = {
    FIELD(WIRE_U64, struct wire_described, slots),
    ONE(struct wire_described, plugin, plugin),
};
FROZEN(described, struct wire_described, 9);

/* ---- The types ---- */

#define CORE WIRE_FROM_CORE
#define WORKER WIRE_FROM_WORKER

static const struct wire_descriptor descriptors[WIRE_TYPES_END] = {
    [WIRE_HELLO] = { "hello", CORE | WORKER, 16, &hello },
    [WIRE_TAKEN] = { "taken", CORE | WORKER, 4, &number },
    [WIRE_CREATE] = { "create", CORE, 9 * MIB, &create },
    [WIRE_START] = { "start", CORE, 8, &call },
    [WIRE_PROVISION] = { "provision", CORE, 16 * KIB, &provision },
    [WIRE_HTTP] = { "on_http", CORE, BODY_MOST, &http },
    [WIRE_DELIVER] = { "deliver", CORE, 16 * MIB, &deliver },
    [WIRE_MEDIA] = { "media", CORE, 64 * KIB, &text },
    [WIRE_STOP] = { "stop", CORE, 8, &call },
    [WIRE_DESTROY] = { "destroy", CORE, 0, NULL },
    [WIRE_DONE] = { "done", CORE, 16, &done },
    [WIRE_VALUE] = { "value", CORE, 17 * MIB, &value },
    [WIRE_RESPONSE] = { "response", CORE, 18 * MIB, &answer },
    [WIRE_SOCKET_OPENED] = { "socket_opened", CORE, 16, &socket },
    [WIRE_SOCKET_MESSAGE] = { "socket_message", CORE, 17 * MIB, &socket },
    [WIRE_SOCKET_CLOSED] = { "socket_closed", CORE, KIB, &socket },
    [WIRE_SOCKET_SENT] = { "socket_sent", CORE, 16, &socket },
    [WIRE_SOCKET_GONE] = { "socket_gone", CORE, 16, &socket },
    [WIRE_STREAM_OPENED] = { "stream_opened", CORE, 24, &on },
    [WIRE_STREAM_DATA] = { "stream_data", CORE, 128 * KIB, &on },
    [WIRE_STREAM_ENDED] = { "stream_ended", CORE, 24, &on },
    [WIRE_STREAM_CLOSED] = { "stream_closed", CORE, 2 * KIB, &on },
    [WIRE_MAILED] = { "mailed", CORE, MIB, &mailed },
    [WIRE_LEASE_HELD] = { "lease_held", CORE, 24, &lease },
    [WIRE_LEASE_RENEWED] = { "lease_renewed", CORE, 24, &lease },
    [WIRE_LEASE_LOST] = { "lease_lost", CORE, 24, &lease },
    [WIRE_BLOB_GONE] = { "blob_gone", CORE, 24, &on },
    [WIRE_AREA] = { "area", CORE, 4, &number },
    [WIRE_DESCRIBED] = { "described", WORKER, 2 * MIB, &described },
    [WIRE_REFUSED] = { "refused", WORKER, 8 * KIB, &text },
    [WIRE_CREATED] = { "created", WORKER, 4, &number },
    [WIRE_DESTROYED] = { "destroyed", WORKER, 0, NULL },
    [WIRE_RAN] = { "ran", WORKER, 4, &number },
    [WIRE_LOG] = { "log", WORKER, 2 * KIB, &line },
    [WIRE_METRIC] = { "metric_add", WORKER, 64 * KIB, &metric },
    [WIRE_HEALTH] = { "health", WORKER, 64 * KIB, &done },
    [WIRE_CANCEL] = { "cancel", WORKER, 8, &call },
    [WIRE_TIMER] = { "timer", WORKER, 12, &timer },
    [WIRE_VERIFY] = { "verify", WORKER, 18 * MIB, &sign },
    [WIRE_SIGN] = { "sign", WORKER, 18 * MIB, &sign },
    [WIRE_STATE_GET] = { "state_get", WORKER, 64 * KIB, &state },
    [WIRE_STATE_PUT] = { "state_put", WORKER, MIB, &state },
    [WIRE_HTTP_SEND] = { "http_send", WORKER, BODY_MOST, &http },
    [WIRE_PUBLISH] = { "publish", WORKER, BODY_MOST, &publish },
    [WIRE_FINISH] = { "finish", WORKER, 64 * KIB, &done },
    [WIRE_DELIVERED] = { "delivered", WORKER, MIB, &delivered },
    [WIRE_RESPOND] = { "respond", WORKER, BODY_MOST, &answer },
    [WIRE_LOCATE] = { "locate", WORKER, MIB, &http },
    [WIRE_SOCKET_ACCEPT] = { "socket_accept", WORKER, 16, &socket },
    [WIRE_SOCKET_SEND] = { "socket_send", WORKER, 2 * MIB, &socket },
    [WIRE_SOCKET_CLOSE] = { "socket_close", WORKER, 64 * KIB, &socket },
    [WIRE_BLOB_PUT] = { "blob_put", WORKER, 17 * MIB, &blob },
    [WIRE_BLOB_URL] = { "blob_url", WORKER, 64 * KIB, &text },
    [WIRE_STREAM_CONNECT] = { "stream_connect", WORKER, KIB, &connect_to },
    [WIRE_STREAM_LOGIN] = { "stream_login", WORKER, 64 * KIB, &session },
    [WIRE_STREAM_TLS] = { "stream_start_tls", WORKER, 24, &on },
    [WIRE_STREAM_WRITE] = { "stream_write", WORKER, 2 * MIB, &write },
    [WIRE_STREAM_CREDIT] = { "stream_credit", WORKER, 24, &on },
    [WIRE_STREAM_SHUTDOWN] = { "stream_shutdown", WORKER, 24, &on },
    [WIRE_STREAM_CLOSE] = { "stream_close", WORKER, 24, &on },
    [WIRE_MAIL] = { "mail", WORKER, 18 * MIB, &submission },
    [WIRE_LEASE_ACQUIRE] = { "lease_acquire", WORKER, KIB, &lease },
    [WIRE_LEASE_RELEASE] = { "lease_release", WORKER, 24, &lease },
    [WIRE_BLOB_OPEN] = { "blob_open", WORKER, 64 * KIB, &blob },
    [WIRE_BLOB_APPEND] = { "blob_append", WORKER, 2 * MIB, &on },
    [WIRE_BLOB_COMMIT] = { "blob_commit", WORKER, 24, &on },
    [WIRE_BLOB_DISCARD] = { "blob_discard", WORKER, 24, &on },
    [WIRE_LINK_OFFER] = { "link_offer", WORKER, 8 * KIB, &text },
    [WIRE_WAKE] = { "on_wake", 0, 0, NULL },
};

const struct wire_descriptor *wire_descriptor(uint32_t type)
{
    return type < WIRE_TYPES_END && descriptors[type].name ? &descriptors[type] : NULL;
}

const char *wire_name(enum wire_type type)
{
    const struct wire_descriptor *d = wire_descriptor(type);
    return d ? d->name : "?";
}
