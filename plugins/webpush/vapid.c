/* Voluntary Application Server Identification (RFC 8292): a JWT for each push service, signed by the host, good for twelve hours and used for
 * half of that. */
#include "webpush.h"

#define BASE64URL (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)
#define GOOD_FOR_MS INT64_C(43200000)
#define USED_FOR_MS INT64_C(21600000)

struct signing {
    kanal_channel *channel;
    char audience[AUDIENCE_BYTES];
    struct kanal_buffer token; /* header.claims */
    int64_t until_ms;
    vapid_fn *done;
    void *user;
};

/* "https://host:port", lower case as browsers write it; 0: too long. */
static int audience_of(char out[AUDIENCE_BYTES], kanal_str endpoint)
{
    struct kanal_url url;
    if (kanal_url_parse(endpoint, &url) != KANAL_OK)
        return 0;
    const char *end = url.path.ptr;
    return kanal_batch_text(out, AUDIENCE_BYTES, kanal_str_of(endpoint.ptr, (size_t)(end - endpoint.ptr)));
}

static struct vapid_token *find_token(kanal_channel *channel, const char *audience)
{
    for (size_t i = 0; i < AUDIENCES_MAX; i++) {
        if (channel->tokens[i].header != NULL && strcmp(channel->tokens[i].audience, audience) == 0)
            return &channel->tokens[i];
    }
    return NULL;
}

static void free_token(struct vapid_token *token)
{
    free(token->header);
    memset(token, 0, sizeof *token);
}

void vapid_release(kanal_channel *channel)
{
    for (size_t i = 0; i < AUDIENCES_MAX; i++)
        free_token(&channel->tokens[i]);
}

static void append_part(struct kanal_buffer *out, kanal_str json)
{
    kanal_base64_encode(out, json, BASE64URL);
}

static void write_claims(struct kanal_buffer *out, const kanal_channel *channel, const char *audience,
                         int64_t expires_s)
{
    struct kanal_buffer claims = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &claims);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "aud", audience);
    kanal_json_member_int(&json, "exp", expires_s);
    kanal_json_member_str(&json, "sub", channel->settings.subject);
    kanal_json_object_end(&json);
    append_part(out, KANAL_LIT("{\"typ\":\"JWT\",\"alg\":\"ES256\"}"));
    kanal_buffer_byte(out, '.');
    append_part(out, kanal_buffer_view(&claims));
    if (claims.failed)
        out->failed = 1;
    kanal_buffer_release(&claims);
}

/* Keeps the header for the next messages; the oldest place gives way. NULL: out of memory. */
static const char *keep(kanal_channel *channel, const struct signing *signing, kanal_str mac)
{
    struct kanal_buffer header = { 0 };
    struct vapid_token *token = find_token(channel, signing->audience);
    if (token == NULL)
        token = &channel->tokens[channel->next_token++ % AUDIENCES_MAX];
    free_token(token);
    kanal_buffer_text(&header, "vapid t=");
    kanal_buffer_str(&header, kanal_buffer_view(&signing->token));
    kanal_buffer_byte(&header, '.');
    append_part(&header, mac);
    kanal_buffer_text(&header, ", k=");
    kanal_buffer_str(&header, channel->settings.public_key_text);
    token->header = header.failed ? NULL : kanal_str_dup(kanal_buffer_view(&header));
    memcpy(token->audience, signing->audience, AUDIENCE_BYTES);
    token->until_ms = signing->until_ms;
    kanal_buffer_release(&header);
    return token->header;
}

static void on_signed(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct signing *signing = user;
    kanal_channel *channel = signing->channel;
    (void)revision;
    const char *header = status == KANAL_OK && !signing->token.failed ? keep(channel, signing, mac) : NULL;
    if (header == NULL && status == KANAL_OK)
        status = KANAL_E_INTERNAL;
    signing->done(signing->user, status, header);
    kanal_buffer_release(&signing->token);
    free(signing);
    kanal_calls_let_go(&channel->calls);
}

void vapid_header(kanal_channel *channel, kanal_str endpoint, vapid_fn *done, void *user)
{
    const kanal_host *host = channel->host;
    struct signing *signing = calloc(1, sizeof *signing);
    int64_t now_ms = host->now_ms(host);
    if (signing == NULL || !audience_of(signing->audience, endpoint)) {
        free(signing);
        done(user, KANAL_E_INTERNAL, NULL);
        return;
    }
    struct vapid_token *token = find_token(channel, signing->audience);
    if (token != NULL && now_ms < token->until_ms && now_ms > token->until_ms - USED_FOR_MS - 60000) {
        free(signing);
        done(user, KANAL_OK, token->header);
        return;
    }
    signing->channel = channel;
    signing->done = done;
    signing->user = user;
    signing->until_ms = now_ms + USED_FOR_MS;
    write_claims(&signing->token, channel, signing->audience, (now_ms + GOOD_FOR_MS) / 1000);
    kanal_calls_hold(&channel->calls);
    host->sign(host, KANAL_LIT(VAPID_SECRET), KANAL_LIT("es256"), kanal_buffer_view(&signing->token),
               on_signed, signing);
}

/* ---- At start ---- */

struct checking {
    kanal_channel *channel;
    kanal_op start;
};

static const kanal_str probe = { "kanal", 5 };

/* A public key of another pair would be found only when every push service refuses every message. */
static void on_probe_signed(void *user, kanal_status status, kanal_str signature, uint64_t revision)
{
    struct checking *checking = user;
    kanal_channel *channel = checking->channel;
    const char *words = NULL;
    (void)revision;
    if (status == KANAL_E_NOT_FOUND)
        words = "the secret `vapid` is missing";
    else if (status == KANAL_E_INVALID)
        words = "the secret `vapid` is no private key of P-256 as PEM";
    else if (status == KANAL_OK &&
             !encrypt_verify_es256(kanal_str_of(channel->settings.public_key, PUBLIC_KEY_BYTES), probe,
                                   signature))
        words = "the setting public_key is not the public half of the secret `vapid`";
    if (words != NULL)
        status = KANAL_E_DENIED;
    channel->host->finish(channel->host, checking->start, status, kanal_str_c(words));
    free(checking);
    kanal_calls_let_go(&channel->calls);
}

void vapid_check(kanal_channel *channel, kanal_op start)
{
    struct checking *checking = malloc(sizeof *checking);
    if (checking == NULL) {
        channel->host->finish(channel->host, start, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
        return;
    }
    *checking = (struct checking){ channel, start };
    kanal_calls_hold(&channel->calls);
    channel->host->sign(channel->host, KANAL_LIT(VAPID_SECRET), KANAL_LIT("es256"), probe, on_probe_signed,
                        checking);
}
