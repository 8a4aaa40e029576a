/* hook.h - the webhook of a Meta app: the handshake at its registration (GET), and what it tells (POST).
 *
 * The host has checked both already: hub.verify_token against the secret `verify_token`, X-Hub-Signature-256 against the HMAC of
 * the raw body under `app_secret` (META_ROUTES). The 200 of a POST is held back until all of its events are stored; else Meta
 * gets 503 and sends it again, for hours. Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started. */
#ifndef META_HOOK_H
#define META_HOOK_H
#include "batch.h"
#include "channel.h"

#define META_BODY_MAX (3u * 1024 * 1024) /* "Webhooks payloads can be up to 3 MB" */

#define META_ROUTES                                                                                          \
    {                                                                                                        \
        { .method = "GET",                                                                                   \
          .path = "/",                                                                                       \
          .algorithm = "equal",                                                                              \
          .name = "hub.verify_token",                                                                        \
          .secret = "verify_token",                                                                          \
          .where = KANAL_IN_QUERY },                                                                         \
        {                                                                                                    \
            .method = "POST", .path = "/", .algorithm = "hmac-sha256", .name = "x-hub-signature-256",        \
            .prefix = "sha256=", .encoding = "hex", .secret = "app_secret", .where = KANAL_IN_HEADER,        \
            .max_body = META_BODY_MAX                                                                        \
        }                                                                                                    \
    }

#define META_SECRETS                                                                                         \
    {                                                                                                        \
        { "token", "access token that messages are sent with (README, step 3)", KANAL_SECRET_REQUIRED },     \
            { "app_secret", "App Dashboard, App settings, Basic: App secret; Meta signs webhooks with it",   \
              KANAL_SECRET_REQUIRED },                                                                       \
            { "verify_token", "any text, chosen by you; typed at the webhook's registration",                \
              KANAL_SECRET_REQUIRED },                                                                       \
    }

/* Fills the batch of a payload. 0, KANAL_E_INVALID (it is none of this plugin's), KANAL_E_INTERNAL. */
typedef kanal_status meta_translate_fn(struct meta_channel *, struct meta_batch *, yyjson_val *payload);
/* After the events were handed over: what else the plugin keeps of them. May be NULL. */
typedef void meta_noted_fn(struct meta_channel *, const struct meta_batch *);

/* The slot on_http(). */
void meta_on_http(struct meta_channel *, kanal_op, const kanal_http_request *, meta_translate_fn *,
                  meta_noted_fn *);

#endif
