/* What one request costs: a POST that is answered 200 in a later turn of the same loop, as a webhook is whose event had to be
 * stored first. Not a test; run it beside a load generator:
 *
 *   http-server-bench 18080 &            the server of core/http
 *   http-server-bench 18080 bare &       libmicrohttpd alone, run by hand as its examples do: the floor
 *   wrk -t1 -c64 -d5s -s post.lua http://127.0.0.1:18080/c/shop/
 *
 * On SIGINT or SIGTERM it prints the requests it answered and its own CPU time for each. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <uv.h>
#include "http/server.h"
#include "kanal/sdk/str.h"

#define PENDING 4096

struct bench {
    uv_loop_t loop;
    uv_idle_t idle;
    uv_signal_t interrupted, terminated;
    struct http_server *server;
    struct http_exchange *pending[PENDING];
    size_t pending_count;
    uint64_t answered, body_bytes;
};

static void report(uint64_t answered)
{
    struct rusage used;
    double us;

    getrusage(RUSAGE_SELF, &used);
    us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("%llu requests, %.2f us CPU each (%.0f%% of it in the kernel), %ld KiB resident at most\n",
           (unsigned long long)answered, answered ? us / (double)answered : 0,
           100.0 * ((double)used.ru_stime.tv_sec * 1e6 + (double)used.ru_stime.tv_usec) / us, used.ru_maxrss);
}

/* ---- core/http ------------------------------------------------------------------------------------------------------------ */

static int64_t begin(void *user, struct http_exchange *x, const struct http_request *request)
{
    (void)user;
    (void)x;
    (void)request;
    return 1024 * 1024;
}

static void answer_pending(uv_idle_t *idle)
{
    struct bench *b = idle->data;

    for (size_t i = 0; i < b->pending_count; i++)
        http_respond(b->pending[i], 200, NULL, 0, KANAL_LIT("ok"));
    b->answered += b->pending_count;
    b->pending_count = 0;
    uv_idle_stop(idle);
}

static void run(void *user, struct http_exchange *x, const struct http_request *request)
{
    struct bench *b = user;

    b->body_bytes += request->body.len;
    if (b->pending_count == 0)
        uv_idle_start(&b->idle, answer_pending);
    b->pending[b->pending_count++] = x;
}

static void gone(void *user, struct http_exchange *x)
{
    struct bench *b = user;

    for (size_t i = 0; i < b->pending_count; i++)
        if (b->pending[i] == x)
            b->pending[i] = b->pending[--b->pending_count];
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct bench *b = signal->data;

    (void)number;
    report(b->answered);
    http_server_free(b->server);
    uv_close((uv_handle_t *)&b->idle, NULL);
    uv_close((uv_handle_t *)&b->interrupted, NULL);
    uv_close((uv_handle_t *)&b->terminated, NULL);
}

static int serve(const char *port)
{
    static const struct http_handler handler = { begin, run, gone };
    struct http_server_options options = { .limits = { .connections_per_address = PENDING } };
    static struct bench b;
    char listen[32];

    snprintf(listen, sizeof listen, "127.0.0.1:%s", port);
    options.listen = listen;
    uv_loop_init(&b.loop);
    uv_idle_init(&b.loop, &b.idle);
    uv_signal_init(&b.loop, &b.interrupted);
    uv_signal_init(&b.loop, &b.terminated);
    b.idle.data = b.interrupted.data = b.terminated.data = &b;
    uv_signal_start(&b.interrupted, on_signal, SIGINT);
    uv_signal_start(&b.terminated, on_signal, SIGTERM);
    if (http_server_new(&b.server, &b.loop, &options, &handler, &b) != 0) {
        perror(listen);
        return 1;
    }
    uv_run(&b.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&b.loop) != 0;
}

/* ---- libmicrohttpd alone ------------------------------------------------------------------------------------------------------ */

struct bare {
    struct MHD_Daemon *daemon;
    struct MHD_Response *ok;
    struct MHD_Connection *pending[PENDING];
    size_t pending_count;
    uint64_t answered;
    int seen, done; /* two addresses, for the state of a request */
};

static volatile sig_atomic_t bare_stop;

static void on_bare_signal(int number)
{
    (void)number;
    bare_stop = 1;
}

static enum MHD_Result bare_request(void *user, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **state)
{
    struct bare *b = user;

    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*state) {
        *state = &b->seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (*state == &b->done)
        return MHD_queue_response(connection, 200, b->ok);
    *state = &b->done;
    MHD_suspend_connection(connection);
    b->pending[b->pending_count++] = connection;
    return MHD_YES;
}

static int serve_bare(const char *port)
{
    static struct bare b;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    static char ok[] = "ok";
    struct epoll_event event = { .events = EPOLLIN };
    int outer = epoll_create1(EPOLL_CLOEXEC);

    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    signal(SIGINT, on_bare_signal);
    signal(SIGTERM, on_bare_signal);
    b.ok = MHD_create_response_from_buffer(2, ok, MHD_RESPMEM_PERSISTENT);
    b.daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, bare_request, &b,
                                MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    if (!b.daemon || outer < 0) {
        perror("bare");
        return 1;
    }
    epoll_ctl(outer, EPOLL_CTL_ADD, MHD_get_daemon_info(b.daemon, MHD_DAEMON_INFO_EPOLL_FD)->listen_fd,
              &event);
    while (!bare_stop) {
        MHD_UNSIGNED_LONG_LONG timeout_ms = 1000;

        MHD_get_timeout(b.daemon, &timeout_ms);
        epoll_wait(outer, &event, 1, b.pending_count ? 0 : (int)timeout_ms);
        for (size_t i = 0; i < b.pending_count; i++)
            MHD_resume_connection(b.pending[i]);
        b.answered += b.pending_count;
        b.pending_count = 0;
        MHD_run(b.daemon);
    }
    report(b.answered);
    MHD_run(b.daemon);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s PORT [bare]\n", argv[0]);
        return 2;
    }
    return argc == 3 ? serve_bare(argv[1]) : serve(argv[1]);
}
