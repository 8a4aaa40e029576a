#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"
#include "nkey.h"

#define CONNECT_TIMEOUT_MS 2000
#define IO_BUFFER_BYTES 65536 /* one read; at least one TLS record */

struct broker_access {
    atomic_int references;
    char *creds, *nkey_seed, *user, *password, *token, *tls_ca, *tls_cert, *tls_key, *name;
    char nkey_public[BROKER_NKEY_BYTES];
};

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void broker_access_release(struct broker_access *a)
{
    if (!a || atomic_fetch_sub(&a->references, 1) != 1)
        return;
    free(a->creds);
    free(a->nkey_seed);
    free(a->user);
    free_secret(a->password);
    free_secret(a->token);
    free(a->tls_ca);
    free(a->tls_cert);
    free(a->tls_key);
    free(a->name);
    free(a);
}

struct broker_access *broker_access_retain(struct broker_access *a)
{
    atomic_fetch_add(&a->references, 1);
    return a;
}

static int copy(char **ret_copy, const char *text)
{
    if (!text || text[0] == '\0')
        return 0;
    *ret_copy = strdup(text);
    return *ret_copy ? 0 : -1;
}

/* The whole file, at most 64 KiB: what is read here is credentials. */
static int read_file(const char *path, struct kanal_buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1;
    ssize_t n;

    if (fd < 0)
        return -1;
    while (out->len < 65536 && kanal_buffer_reserve(out, 4096) == 0) {
        n = read(fd, out->data + out->len, 4096);
        if (n == 0)
            r = 0;
        if (n <= 0)
            break;
        out->len += (size_t)n;
    }
    close(fd);
    return r;
}

/* The content must hold `what`. */
static int check_file(const char *option, const char *path, const char *what, struct kanal_buffer *content,
                      char reason[256])
{
    if (!path)
        return 0;
    if (read_file(path, content) != 0) {
        snprintf(reason, 256, "broker %s: cannot read %.150s: %s", option, path, strerror(errno));
        return KANAL_E_INVALID;
    }
    if (content->len == 0 || !memmem(content->data, content->len, what, strlen(what))) {
        snprintf(reason, 256, "broker %s: %.150s holds no \"%s\"", option, path, what);
        return KANAL_E_INVALID;
    }
    return 0;
}

static void wipe(struct kanal_buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    kanal_buffer_clear(buffer);
}

static int check_credentials(struct broker_access *a, char reason[256])
{
    struct kanal_buffer content;
    int r;

    kanal_buffer_init(&content);
    r = check_file("creds", a->creds, "-----BEGIN NATS USER JWT-----", &content, reason);
    wipe(&content);
    if (r == 0 && a->nkey_seed) {
        r = check_file("nkey seed", a->nkey_seed, "SU", &content, reason);
        if (r == 0 && broker_nkey_public(kanal_buffer_view(&content), a->nkey_public) != 0) {
            snprintf(reason, 256, "broker nkey seed: %.150s is not a user seed (SU…)", a->nkey_seed);
            r = KANAL_E_INVALID;
        }
        wipe(&content);
    }
    kanal_buffer_release(&content);
    return r;
}

static natsStatus set_tls(const struct broker_access *a, natsOptions *options)
{
    natsStatus s = natsOptions_SetSecure(options, true);

    if (s == NATS_OK && a->tls_ca)
        s = natsOptions_LoadCATrustedCertificates(options, a->tls_ca);
    if (s == NATS_OK && a->tls_cert)
        s = natsOptions_LoadCertificatesChain(options, a->tls_cert, a->tls_key);
    return s;
}

static int check_tls(const struct broker_access *a, char reason[256])
{
    natsOptions *options = NULL;
    natsStatus s;

    if (!a->tls_ca && !a->tls_cert && !a->tls_key)
        return 0;
    if (!a->tls_cert != !a->tls_key) {
        snprintf(reason, 256, "broker tls: a client certificate and its key are needed together");
        return KANAL_E_INVALID;
    }
    s = natsOptions_Create(&options);
    if (s == NATS_OK)
        s = set_tls(a, options);
    if (s != NATS_OK) {
        const char *text = nats_GetLastError(NULL);

        snprintf(reason, 256, "broker tls: %s: check %.60s %.60s %.60s", text ? text : natsStatus_GetText(s),
                 a->tls_ca ? a->tls_ca : "", a->tls_cert ? a->tls_cert : "", a->tls_key ? a->tls_key : "");
    }
    natsOptions_Destroy(options);
    return s == NATS_OK ? 0 : KANAL_E_INVALID;
}

int broker_access_new(struct broker_access **ret_access, const struct broker_options *o, char reason[256])
{
    struct broker_access *a = calloc(1, sizeof *a);
    int r = KANAL_E_INTERNAL;

    snprintf(reason, 256, "out of memory");
    if (!a)
        return r;
    atomic_init(&a->references, 1);
    if (copy(&a->creds, o->creds) != 0 || copy(&a->nkey_seed, o->nkey_seed) != 0 ||
        copy(&a->user, o->user) != 0 || copy(&a->password, o->password) != 0 ||
        copy(&a->token, o->token) != 0 || copy(&a->tls_ca, o->tls_ca) != 0 ||
        copy(&a->tls_cert, o->tls_cert) != 0 || copy(&a->tls_key, o->tls_key) != 0 ||
        copy(&a->name, o->name) != 0)
        goto done;
    if ((a->creds != NULL) + (a->nkey_seed != NULL) + (a->user != NULL) + (a->token != NULL) > 1) {
        snprintf(reason, 256, "broker: give one of creds, nkey seed, user and token");
        r = KANAL_E_INVALID;
        goto done;
    }
    r = check_credentials(a, reason);
    if (r == 0)
        r = check_tls(a, reason);
    if (r == 0) {
        *ret_access = a;
        a = NULL;
        reason[0] = '\0';
    }
done:
    broker_access_release(a);
    return r;
}

int broker_access_is_tls(const struct broker_access *a, const struct broker_server *server)
{
    return broker_server_is_tls(server) || a->tls_ca || a->tls_cert;
}

/* cnats' own handler prints to the standard error output. */
static void ignore_error(natsConnection *nc, natsSubscription *sub, natsStatus err, void *closure)
{
    (void)nc, (void)sub, (void)err, (void)closure;
}

static natsStatus set_identity(const struct broker_access *a, const struct broker_server *server,
                               natsOptions *options)
{
    /* What stands in the URL belongs to that server. */
    if (server->user[0] != '\0' && server->password[0] != '\0')
        return natsOptions_SetUserInfo(options, server->user, server->password);
    if (server->user[0] != '\0')
        return natsOptions_SetToken(options, server->user);
    if (a->creds)
        return natsOptions_SetUserCredentialsFromFiles(options, a->creds, NULL);
    if (a->nkey_seed)
        return natsOptions_SetNKeyFromSeed(options, a->nkey_public, a->nkey_seed);
    if (a->token)
        return natsOptions_SetToken(options, a->token);
    if (a->user)
        return natsOptions_SetUserInfo(options, a->user, a->password ? a->password : "");
    return NATS_OK;
}

natsStatus broker_access_options(const struct broker_access *a, const struct broker_server *server,
                                 natsOptions **ret_options)
{
    natsOptions *options = NULL;
    natsStatus s = natsOptions_Create(&options);

    if (s == NATS_OK)
        s = natsOptions_SetURL(options, server->url);
    if (s == NATS_OK)
        s = natsOptions_SetName(options, a->name ? a->name : "kanal");
    /* Reconnecting is ours: cnats holds the connection's lock while it tries, so that any call of the loop
     * would wait for it, and afterwards sends what was published meanwhile, although that had been
     * reported as failed. */
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(options, false);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(options, CONNECT_TIMEOUT_MS);
    /* No pings by its timer thread: they would find a dead connection outside the loop. */
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(options, 0);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(options, true);
    if (s == NATS_OK)
        s = natsOptions_SetIOBufSize(options, IO_BUFFER_BYTES);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(options, ignore_error, NULL);
    if (s == NATS_OK && broker_access_is_tls(a, server))
        s = set_tls(a, options);
    if (s == NATS_OK)
        s = set_identity(a, server, options);
    if (s == NATS_OK)
        *ret_options = options;
    else
        natsOptions_Destroy(options);
    return s;
}
