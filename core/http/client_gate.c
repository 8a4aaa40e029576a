#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>
#include "http/client_private.h"

int http_gate_sent(const struct http_call *call)
{
    long request_bytes = 0;

    if (call->attempts == 0)
        return 0;
    /* libcurl counts what a write took. Of TLS a first record can leave although the write as a whole is to be repeated,
     * and then counts as nothing: there, being ready to send is taken for having sent. */
    if (call->is_tls)
        return 1;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return request_bytes > 0;
}

/* libcurl sends a request again by itself when a kept connection ends before the first byte of an answer. The server may
 * have done the work all the same, so that is right only for methods that may be repeated (RFC 9110, 9.2.2). */
static int may_attempt(struct http_call *call)
{
    if (call->resend || !http_gate_sent(call))
        return 1;
    http_call_fail(call, KANAL_E_MAYBE, "the server closed the connection without an answer");
    return 0;
}

static int is_allowed(struct http_call *call, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const void *bytes;

    if (!call->allow || call->allow(call->allow_user, address))
        return 1;
    bytes = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                                           : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    inet_ntop(address->sa_family, bytes, text, sizeof text);
    snprintf(call->message, sizeof call->message, "the address %s is not granted", text);
    call->denied++;
    return 0;
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_call *call = user;
    int fd;

    if (purpose != CURLSOCKTYPE_IPCXN || (address->family != AF_INET && address->family != AF_INET6))
        return CURL_SOCKET_BAD;
    call->connecting = 1;
    if (call->verdict != KANAL_OK) /* it is over, and whom to ask may be gone */
        return CURL_SOCKET_BAD;
    if (!may_attempt(call) || !is_allowed(call, &address->addr))
        return CURL_SOCKET_BAD;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (http_pool_adopt(call, fd) != 0) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    call->opened++;
    return fd;
}

/* The address of the connection that libcurl is about to use, as text. 0 or -1. */
static int parse_address(const char *text, int port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
    struct sockaddr_in *four = (struct sockaddr_in *)ret_address;

    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return 0;
    }
    return -1;
}

/* A connection is ready, new or kept, and the request would leave now. A kept one may have been opened by a request that was
 * allowed more than this one. */
static int on_ready(void *user, char *ip, char *local_ip, int port, int local_port)
{
    struct http_call *call = user;
    struct sockaddr_storage address;

    (void)local_ip;
    (void)local_port;
    if (call->verdict != KANAL_OK || !may_attempt(call))
        return CURL_PREREQFUNC_ABORT;
    if (call->allow) {
        if (parse_address(ip, port, &address) != 0) {
            http_call_fail(call, KANAL_E_DENIED, "the address is not known");
            return CURL_PREREQFUNC_ABORT;
        }
        if (!is_allowed(call, (const struct sockaddr *)&address)) {
            /* Of an earlier attempt that was allowed, bytes may have left. */
            http_call_fail(call, http_gate_sent(call) ? KANAL_E_MAYBE : KANAL_E_DENIED, "%s", call->message);
            return CURL_PREREQFUNC_ABORT;
        }
    }
    call->connecting = 0;
    call->attempts++;
    return CURL_PREREQFUNC_OK;
}

int http_gate_install(struct http_call *call)
{
    CURL *easy = call->easy;
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_pool_close_socket) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call->client) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, call) != CURLE_OK;
    return failed ? -1 : 0;
}
