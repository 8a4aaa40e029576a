#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

void broker_servers_init(struct broker_servers *s)
{
    memset(s, 0, sizeof *s);
}

void broker_servers_release(struct broker_servers *s)
{
    if (s->list)
        explicit_bzero(s->list, BROKER_SERVERS * sizeof *s->list);
    free(s->list);
    memset(s, 0, sizeof *s);
}

static const char *find(kanal_str s, char c)
{
    return s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
}

static int decode_into(char *out, size_t size, kanal_str text)
{
    struct kanal_buffer buffer;
    int r = -1;

    kanal_buffer_init(&buffer);
    if (kanal_url_decode(&buffer, text, 0) == 0 && !buffer.failed && buffer.len < size &&
        (buffer.len == 0 || memchr(buffer.data, '\0', buffer.len) == NULL)) {
        if (buffer.len > 0)
            memcpy(out, buffer.data, buffer.len);
        out[buffer.len] = '\0';
        r = 0;
    }
    if (buffer.data)
        explicit_bzero(buffer.data, buffer.capacity);
    kanal_buffer_release(&buffer);
    return r;
}

static int parse_userinfo(kanal_str info, struct broker_server *server)
{
    const char *colon = find(info, ':');
    kanal_str user = info, password = { "", 0 };

    if (colon) {
        user.len = (size_t)(colon - info.ptr);
        password = kanal_str_from(info, user.len + 1);
    }
    return decode_into(server->user, sizeof server->user, user) != 0 ||
                   decode_into(server->password, sizeof server->password, password) != 0
               ? -1
               : 0;
}

static int valid_host(kanal_str host, int brackets)
{
    if (host.len == 0 || host.len > 200)
        return 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '.' || c == '_';

        if (!plain && !(brackets && (c == ':' || c == '%')))
            return 0;
    }
    return 1;
}

/* host[:port] or [ipv6][:port]; the port is 4222 if it is not there. */
static int parse_address(kanal_str text, kanal_str *ret_host, int *ret_brackets, int64_t *ret_port)
{
    kanal_str host = text, port = { NULL, 0 };
    int brackets = text.len > 0 && text.ptr[0] == '[';
    const char *end;

    if (brackets) {
        end = find(text, ']');
        if (!end)
            return -1;
        host = kanal_str_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
        port = kanal_str_from(text, host.len + 2);
        if (port.len > 0 && port.ptr[0] != ':')
            return -1;
    } else if ((end = find(text, ':')) != NULL) {
        host.len = (size_t)(end - text.ptr);
        port = kanal_str_from(text, host.len);
    }
    *ret_port = 4222;
    if (port.len > 0 && (kanal_str_int(kanal_str_from(port, 1), ret_port) != 0 || port.ptr[1] == '+'))
        return -1;
    *ret_host = host;
    *ret_brackets = brackets;
    return *ret_port >= 1 && *ret_port <= 65535 && valid_host(host, brackets) ? 0 : -1;
}

int broker_server_parse(kanal_str url, struct broker_server *ret_server, char reason[256])
{
    struct broker_server server = { .configured = 1 };
    const char *scheme = "nats", *at = NULL;
    kanal_str rest = url, host;
    int64_t port;
    int brackets, r = KANAL_E_INVALID;

    if (kanal_str_starts(rest, "nats://")) {
        rest = kanal_str_from(rest, 7);
    } else if (kanal_str_starts(rest, "tls://")) {
        scheme = "tls";
        rest = kanal_str_from(rest, 6);
    }
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    at = rest.len > 0 ? memrchr(rest.ptr, '@', rest.len) : NULL;
    /* The URL itself is not repeated in the reason: it may hold a password. */
    if (at && parse_userinfo(kanal_str_of(rest.ptr, (size_t)(at - rest.ptr)), &server) != 0) {
        snprintf(reason, 256, "broker url: the user name or password is malformed or too long");
        goto done;
    }
    if (at)
        rest = kanal_str_from(rest, (size_t)(at - rest.ptr) + 1);
    if (parse_address(rest, &host, &brackets, &port) != 0) {
        snprintf(reason, 256, "broker url: expected nats://host:port or tls://host:port, found \"%s%.*s\"",
                 at ? "…@" : "", (int)(rest.len < 100 ? rest.len : 100), rest.ptr ? rest.ptr : "");
        goto done;
    }
    snprintf(server.url, sizeof server.url, "%s://%s%.*s%s:%d", scheme, brackets ? "[" : "", (int)host.len,
             host.ptr, brackets ? "]" : "", (int)port);
    *ret_server = server;
    r = 0;
done:
    explicit_bzero(&server, sizeof server);
    return r;
}

int broker_server_is_tls(const struct broker_server *server)
{
    return strncmp(server->url, "tls:", 4) == 0;
}

/* Where "host:port" begins: the same server may be known as nats:// and be told of without a scheme. */
static const char *address_of(const struct broker_server *server)
{
    const char *p = strstr(server->url, "://");

    return p ? p + 3 : server->url;
}

static int append(struct broker_servers *s, const struct broker_server *server)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (strcmp(address_of(&s->list[i]), address_of(server)) == 0)
            return 0;
    if (!s->list)
        s->list = calloc(BROKER_SERVERS, sizeof *s->list);
    if (!s->list || s->count == BROKER_SERVERS)
        return KANAL_E_BUSY;
    s->list[s->count++] = *server;
    return 0;
}

int broker_servers_add(struct broker_servers *s, kanal_str url, char reason[256])
{
    struct broker_server server;
    int r = broker_server_parse(url, &server, reason);

    if (r == 0) {
        r = append(s, &server);
        if (r != 0)
            snprintf(reason, 256, "broker url: more than %u servers", BROKER_SERVERS);
        explicit_bzero(&server, sizeof server);
    }
    return r;
}

void broker_servers_forget(struct broker_servers *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->count; i++)
        if (s->list[i].configured)
            s->list[kept++] = s->list[i];
    s->count = kept;
}

void broker_servers_learn(struct broker_servers *s, kanal_str address, const struct broker_server *teller)
{
    struct broker_server server;
    const char *scheme = broker_server_is_tls(teller) ? "tls" : "nats";
    char url[280], reason[256];
    const char *at = address.len > 0 ? memmem(address.ptr, address.len, "://", 3) : NULL;

    /* cnats gives them with a scheme of its own guess. */
    if (at)
        address = kanal_str_from(address, (size_t)(at - address.ptr) + 3);
    if (address.len > 200 || find(address, '@'))
        return;
    snprintf(url, sizeof url, "%s://%.*s", scheme, (int)address.len, address.ptr ? address.ptr : "");
    if (broker_server_parse(kanal_str_c(url), &server, reason) != 0)
        return;
    memcpy(server.user, teller->user, sizeof server.user);
    memcpy(server.password, teller->password, sizeof server.password);
    server.configured = 0;
    (void)append(s, &server);
    explicit_bzero(&server, sizeof server);
}

const struct broker_server *broker_servers_next(struct broker_servers *s)
{
    const struct broker_server *server;

    if (s->count == 0)
        return NULL;
    if (s->next >= s->count)
        s->next = 0;
    server = &s->list[s->next++];
    return server;
}
