/* What the HTTP client costs over bare libcurl: CPU time a request of the sending thread, POSTs of 758 bytes to a sink on
 * loopback, 64 at once on kept connections. The two run in turns in the same process; the medians count, and of them the
 * ratio. Bare is curl_multi_socket_action() on epoll with 64 easy handles that are set up once and only added again: no copy
 * of the request, no header kept, no deadline, no check of addresses.
 *
 * http_client_bench [--requests N] [--rounds N] [--json] */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "http/client.h"
#include "kanal/sdk/str.h"

#define PARALLEL 64
#define BODY_BYTES 758
#define ROUNDS_MAX 99

static const char answer_text[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n"
    "{\"ok\":true,\"result\":{\"message_id\":123456}}";

/* ---- The sink: answers every request on every connection at once ---- */

struct sink {
    int fd, epoll;
    uint16_t port;
    pthread_t thread;
    unsigned connections;
};

/* Requests have a known end: the mark that closes the body. */
static void sink_read(int fd)
{
    char bytes[16384];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got == 0)
        close(fd);
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\x01' && send(fd, answer_text, sizeof answer_text - 1, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *sink_run(void *user)
{
    struct sink *sink = user;
    struct epoll_event events[256];

    for (;;) {
        int count = epoll_wait(sink->epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct epoll_event event = { .events = EPOLLIN };
            int one = 1;
            if (events[i].data.fd != sink->fd) {
                sink_read(events[i].data.fd);
                continue;
            }
            event.data.fd = accept4(sink->fd, NULL, NULL, SOCK_CLOEXEC);
            if (event.data.fd < 0)
                return NULL; /* shut down */
            sink->connections++;
            setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            epoll_ctl(sink->epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        }
    }
}

static int sink_start(struct sink *sink)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    struct epoll_event event = { .events = EPOLLIN };

    sink->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sink->epoll = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = sink->fd;
    if (bind(sink->fd, (struct sockaddr *)&address, len) != 0 || listen(sink->fd, 512) != 0 ||
        getsockname(sink->fd, (struct sockaddr *)&address, &len) != 0 ||
        epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->fd, &event) != 0)
        return -1;
    sink->port = ntohs(address.sin_port);
    return pthread_create(&sink->thread, NULL, sink_run, sink);
}

static void sink_stop(struct sink *sink)
{
    shutdown(sink->fd, SHUT_RDWR);
    pthread_join(sink->thread, NULL);
    close(sink->fd);
    close(sink->epoll);
}

/* ---- Bare ---- */

struct bare {
    CURLM *multi;
    int epoll;
    long timeout_ms;
    CURL *easy[PARALLEL];
    struct curl_slist *headers;
    size_t left_to_start, done, failed, bytes;
};

static int bare_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct bare *bare = user;
    struct epoll_event event = { .data.fd = fd };

    (void)easy;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(bare->epoll, EPOLL_CTL_DEL, fd, &event);
    else
        epoll_ctl(bare->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (what != CURL_POLL_REMOVE && !known)
        curl_multi_assign(bare->multi, fd, bare);
    return 0;
}

static int bare_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    ((struct bare *)user)->timeout_ms = timeout_ms;
    return 0;
}

static size_t bare_body(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    ((struct bare *)user)->bytes += size * count;
    return size * count;
}

static void bare_add(struct bare *bare, CURL *easy)
{
    if (bare->left_to_start == 0)
        return;
    bare->left_to_start--;
    curl_multi_add_handle(bare->multi, easy);
}

static void bare_collect(struct bare *bare)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(bare->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        long code = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        bare->failed += message->data.result != CURLE_OK || code != 200;
        bare->done++;
        curl_multi_remove_handle(bare->multi, easy);
        bare_add(bare, easy);
    }
}

static void bare_run(struct bare *bare, size_t requests)
{
    struct epoll_event events[256];
    int running;

    bare->left_to_start = requests;
    bare->done = 0;
    for (size_t i = 0; i < PARALLEL; i++)
        bare_add(bare, bare->easy[i]);
    while (bare->done < requests) {
        int count = epoll_wait(bare->epoll, events, 256, (int)bare->timeout_ms);
        for (int i = 0; i < count; i++) {
            int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
            curl_multi_socket_action(bare->multi, events[i].data.fd, mask, &running);
        }
        if (count == 0 || bare->timeout_ms == 0)
            curl_multi_socket_action(bare->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        bare_collect(bare);
    }
}

static void bare_open(struct bare *bare, const char *url, const char *body)
{
    bare->epoll = epoll_create1(EPOLL_CLOEXEC);
    bare->timeout_ms = -1;
    bare->multi = curl_multi_init();
    bare->headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETFUNCTION, bare_socket);
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERFUNCTION, bare_timer);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_MAXCONNECTS, 256L);
    for (size_t i = 0; i < PARALLEL; i++) {
        CURL *easy = bare->easy[i] = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)BODY_BYTES);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, bare->headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bare_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, bare);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
    }
}

static void bare_close(struct bare *bare)
{
    for (size_t i = 0; i < PARALLEL; i++)
        curl_easy_cleanup(bare->easy[i]);
    curl_multi_cleanup(bare->multi);
    curl_slist_free_all(bare->headers);
    close(bare->epoll);
}

/* ---- Ours ---- */

struct ours {
    uv_loop_t loop;
    struct http_client *client;
    struct http_out out;
    size_t left_to_start, failed, bytes;
};

static int ours_allow(void *user, const struct sockaddr *address)
{
    (void)user;
    return address->sa_family == AF_INET;
}

static void ours_done(void *user, kanal_status status, const struct http_in *in, const char *message);

static void ours_send(struct ours *ours)
{
    if (ours->left_to_start == 0)
        return;
    ours->left_to_start--;
    if (!http_client_send(ours->client, &ours->out, ours_done, ours))
        abort();
}

static void ours_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct ours *ours = user;

    (void)message;
    ours->failed += status != KANAL_OK || in->code != 200;
    ours->bytes += in ? in->body.len : 0;
    ours_send(ours);
}

static void ours_run(struct ours *ours, size_t requests)
{
    ours->left_to_start = requests;
    for (size_t i = 0; i < PARALLEL; i++)
        ours_send(ours);
    uv_run(&ours->loop, UV_RUN_DEFAULT);
}

/* ---- Rounds ---- */

static double cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static long number(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *end != '\0' || value < 1 || value > max ? -1 : value;
}

int main(int argc, char **argv)
{
    static struct sink sink;
    static struct bare bare;
    static struct ours ours;
    static char body[BODY_BYTES + 1];
    double bare_us[ROUNDS_MAX], ours_us[ROUNDS_MAX], start, ratio;
    long requests = 50000, rounds = 9;
    int json = 0;
    char url[64];
    kanal_field type = { KANAL_LIT("Content-Type"), KANAL_LIT("application/json") };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc)
            requests = number(argv[++i], 100000000);
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = number(argv[++i], ROUNDS_MAX);
        else if (strcmp(argv[i], "--json") == 0)
            json = 1;
        else
            requests = -1;
    }
    if (requests < 0 || rounds < 0) {
        fprintf(stderr, "usage: http_client_bench [--requests N] [--rounds N (at most %d)] [--json]\n",
                ROUNDS_MAX);
        return 2;
    }
    memset(body, 'x', BODY_BYTES - 1);
    body[BODY_BYTES - 1] = '\x01';
    if (sink_start(&sink) != 0) {
        perror("sink");
        return 1;
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%u/bot/sendMessage", (unsigned)sink.port);
    uv_loop_init(&ours.loop);
    if (http_client_new(&ours.client, &ours.loop, NULL) != 0)
        return 1;
    ours.out = (struct http_out){ .method = KANAL_LIT("POST"),
                                  .url = kanal_str_c(url),
                                  .headers = &type,
                                  .header_count = 1,
                                  .body = kanal_str_of(body, BODY_BYTES),
                                  .timeout_ms = 30000,
                                  .max_response = 1 << 20,
                                  .allow = ours_allow };
    bare_open(&bare, url, body);
    bare_run(&bare, PARALLEL * 4);
    ours_run(&ours, PARALLEL * 4);
    for (long i = 0; i < rounds; i++) {
        start = cpu_us();
        bare_run(&bare, (size_t)requests);
        bare_us[i] = (cpu_us() - start) / (double)requests;
        start = cpu_us();
        ours_run(&ours, (size_t)requests);
        ours_us[i] = (cpu_us() - start) / (double)requests;
    }
    qsort(bare_us, (size_t)rounds, sizeof *bare_us, compare);
    qsort(ours_us, (size_t)rounds, sizeof *ours_us, compare);
    ratio = bare_us[rounds / 2] / ours_us[rounds / 2];
    printf("%-12s %8s %8s %8s   CPU us/request, %ld rounds of %ld, %d at once\n", "", "median", "min", "max",
           rounds, requests, PARALLEL);
    printf("%-12s %8.2f %8.2f %8.2f\n", "bare libcurl", bare_us[rounds / 2], bare_us[0], bare_us[rounds - 1]);
    printf("%-12s %8.2f %8.2f %8.2f\n", "http client", ours_us[rounds / 2], ours_us[0], ours_us[rounds - 1]);
    printf("ratio bare/ours %.2f, failed %zu and %zu\n", ratio, bare.failed, ours.failed);
    if (json)
        printf("{\"http_client.ratio_curl\":%.3f,\"http_client.us\":%.2f,\"curl.us\":%.2f}\n", ratio,
               ours_us[rounds / 2], bare_us[rounds / 2]);
    bare_close(&bare);
    http_client_free(ours.client);
    uv_run(&ours.loop, UV_RUN_DEFAULT);
    uv_loop_close(&ours.loop);
    sink_stop(&sink);
    if (sink.connections > 2 * PARALLEL) {
        fprintf(stderr, "%u connections were opened: they are not kept\n", sink.connections);
        return 1;
    }
    return bare.failed + ours.failed > 0;
}
