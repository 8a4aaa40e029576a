/* layout_extensions.c - what came with further extensions, printed once by layout.py, never edited. See layout_1_0.c. */
/* clang-format off */
#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/stream.h"
#include "kanal/ext/transfer.h"

#define CONSTANT(name, value) _Static_assert((name) == (value), #name " was renumbered")
#define SAME_TEXT(name, text) _Static_assert(sizeof(name) == sizeof(text) && __builtin_strcmp(name, text) == 0, #name " was renamed")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is frozen")
#define LEAST_SIZE(type, size) _Static_assert(sizeof(type) >= (size), #type " shrank")
#define SAME_TYPE(a, ...) _Static_assert(__builtin_types_compatible_p(a, __VA_ARGS__), #a " has another type")
#define MEMBER(type, member, offset, ...)                                                                              \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " moved");                                    \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->member), __VA_ARGS__),                         \
                   #type "." #member " has another type")

/* kanal/ext/lease.h */
SAME_TEXT(KANAL_EXT_LEASE, "kanal.lease/1");
LEAST_SIZE(struct kanal_lease_host, 32);
MEMBER(struct kanal_lease_host, struct_size, 0, uint64_t);
MEMBER(struct kanal_lease_host, acquire, 8, kanal_op (*)(const kanal_host *, kanal_str name, uint32_t ttl_ms));
MEMBER(struct kanal_lease_host, held, 16, int32_t (*)(const kanal_host *, kanal_op lease));
MEMBER(struct kanal_lease_host, release, 24, void (*)(const kanal_host *, kanal_op lease));
LEAST_SIZE(struct kanal_lease_plugin, 24);
MEMBER(struct kanal_lease_plugin, struct_size, 0, uint64_t);
MEMBER(struct kanal_lease_plugin, on_held, 8, void (*)(kanal_channel *, kanal_op lease));
MEMBER(struct kanal_lease_plugin, on_lost, 16, void (*)(kanal_channel *, kanal_op lease));

/* kanal/ext/stream.h */
SAME_TEXT(KANAL_EXT_STREAM, "kanal.stream/1");
CONSTANT(KANAL_STREAM_TLS, 1);
SIZE(struct kanal_stream_target, 40);
MEMBER(struct kanal_stream_target, port, 0, uint32_t);
MEMBER(struct kanal_stream_target, flags, 4, uint32_t);
MEMBER(struct kanal_stream_target, connect_timeout_ms, 8, uint32_t);
MEMBER(struct kanal_stream_target, idle_timeout_ms, 12, uint32_t);
MEMBER(struct kanal_stream_target, credit, 16, uint32_t);
MEMBER(struct kanal_stream_target, reserved, 20, uint32_t);
MEMBER(struct kanal_stream_target, host, 24, kanal_str);
SIZE(struct kanal_stream_secret, 32);
MEMBER(struct kanal_stream_secret, position, 0, uint32_t);
MEMBER(struct kanal_stream_secret, max_bytes, 4, uint32_t);
MEMBER(struct kanal_stream_secret, length_position, 8, uint32_t);
MEMBER(struct kanal_stream_secret, length_bytes, 12, uint32_t);
MEMBER(struct kanal_stream_secret, secret, 16, kanal_str);
LEAST_SIZE(struct kanal_stream_host, 56);
MEMBER(struct kanal_stream_host, struct_size, 0, uint64_t);
MEMBER(struct kanal_stream_host, connect, 8, kanal_op (*)(const kanal_host *, const kanal_stream_target *));
MEMBER(struct kanal_stream_host, start_tls, 16, kanal_op (*)(const kanal_host *, kanal_op stream, kanal_done_fn *, void *user));
MEMBER(struct kanal_stream_host, write, 24, kanal_op (*)(const kanal_host *, kanal_op stream, kanal_str data, const kanal_stream_secret *secrets, size_t secret_count, kanal_done_fn *, void *user));
MEMBER(struct kanal_stream_host, credit, 32, void (*)(const kanal_host *, kanal_op stream, uint32_t bytes));
MEMBER(struct kanal_stream_host, shutdown, 40, void (*)(const kanal_host *, kanal_op stream));
MEMBER(struct kanal_stream_host, close, 48, void (*)(const kanal_host *, kanal_op stream));
LEAST_SIZE(struct kanal_stream_plugin, 40);
MEMBER(struct kanal_stream_plugin, struct_size, 0, uint64_t);
MEMBER(struct kanal_stream_plugin, on_open, 8, void (*)(kanal_channel *, kanal_op stream));
MEMBER(struct kanal_stream_plugin, on_data, 16, void (*)(kanal_channel *, kanal_op stream, kanal_str bytes));
MEMBER(struct kanal_stream_plugin, on_end, 24, void (*)(kanal_channel *, kanal_op stream));
MEMBER(struct kanal_stream_plugin, on_close, 32, void (*)(kanal_channel *, kanal_op stream, kanal_status, kanal_str reason));

/* kanal/ext/transfer.h */
SAME_TEXT(KANAL_EXT_TRANSFER, "kanal.transfer/1");
CONSTANT(KANAL_LOGIN_BEARER, 1);
CONSTANT(KANAL_LOGIN_PLAIN, 2);
CONSTANT(KANAL_PIECE_BASE64, 1);
SAME_TYPE(kanal_mail_fn, void(void *user, kanal_status, const kanal_mail_result *result));
SIZE(struct kanal_login, 72);
MEMBER(struct kanal_login, flags, 0, uint32_t);
MEMBER(struct kanal_login, connect_timeout_ms, 4, uint32_t);
MEMBER(struct kanal_login, url, 8, kanal_str);
MEMBER(struct kanal_login, user, 24, kanal_str);
MEMBER(struct kanal_login, secret, 40, kanal_str);
MEMBER(struct kanal_login, token, 56, kanal_str);
SIZE(struct kanal_piece, 40);
MEMBER(struct kanal_piece, data, 0, kanal_str);
MEMBER(struct kanal_piece, source, 16, kanal_str);
MEMBER(struct kanal_piece, encoding, 32, uint32_t);
MEMBER(struct kanal_piece, max_bytes, 36, uint32_t);
LEAST_SIZE(struct kanal_mail, 128);
MEMBER(struct kanal_mail, struct_size, 0, uint32_t);
MEMBER(struct kanal_mail, timeout_ms, 4, uint32_t);
MEMBER(struct kanal_mail, login, 8, kanal_login);
MEMBER(struct kanal_mail, from, 80, kanal_str);
MEMBER(struct kanal_mail, recipients, 96, const kanal_str *);
MEMBER(struct kanal_mail, recipient_count, 104, size_t);
MEMBER(struct kanal_mail, pieces, 112, const kanal_piece *);
MEMBER(struct kanal_mail, piece_count, 120, size_t);
SIZE(struct kanal_mail_reply, 24);
MEMBER(struct kanal_mail_reply, code, 0, int32_t);
MEMBER(struct kanal_mail_reply, reserved, 4, uint32_t);
MEMBER(struct kanal_mail_reply, text, 8, kanal_str);
LEAST_SIZE(struct kanal_mail_result, 48);
MEMBER(struct kanal_mail_result, struct_size, 0, uint32_t);
MEMBER(struct kanal_mail_result, accepted, 4, uint32_t);
MEMBER(struct kanal_mail_result, reply, 8, kanal_mail_reply);
MEMBER(struct kanal_mail_result, recipients, 32, const kanal_mail_reply *);
MEMBER(struct kanal_mail_result, recipient_count, 40, size_t);
LEAST_SIZE(struct kanal_transfer_host, 24);
MEMBER(struct kanal_transfer_host, struct_size, 0, uint64_t);
MEMBER(struct kanal_transfer_host, mail, 8, kanal_op (*)(const kanal_host *, kanal_op cause, const kanal_mail *, kanal_mail_fn *, void *user));
MEMBER(struct kanal_transfer_host, login, 16, kanal_op (*)(const kanal_host *, const kanal_login *, uint32_t idle_timeout_ms, uint32_t credit));

/* kanal/ext/blob.h */
SAME_TEXT(KANAL_EXT_BLOB_2, "kanal.blob/2");
LEAST_SIZE(struct kanal_blob2_host, 56);
MEMBER(struct kanal_blob2_host, struct_size, 0, uint64_t);
MEMBER(struct kanal_blob2_host, put, 8, kanal_op (*)(const kanal_host *, kanal_str content_type, kanal_str filename, kanal_str data, kanal_value_fn *, void *user));
MEMBER(struct kanal_blob2_host, url, 16, kanal_op (*)(const kanal_host *, kanal_str reference, kanal_value_fn *, void *user));
MEMBER(struct kanal_blob2_host, open, 24, kanal_op (*)(const kanal_host *, kanal_str content_type, kanal_str filename));
MEMBER(struct kanal_blob2_host, append, 32, kanal_op (*)(const kanal_host *, kanal_op blob, kanal_str piece, kanal_done_fn *, void *user));
MEMBER(struct kanal_blob2_host, commit, 40, kanal_op (*)(const kanal_host *, kanal_op blob, kanal_value_fn *, void *user));
MEMBER(struct kanal_blob2_host, discard, 48, void (*)(const kanal_host *, kanal_op blob));
