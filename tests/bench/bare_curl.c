#include "bare_curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "process.h"

#define PARALLEL_MAX 256u

struct bare {
    CURLM *multi;
    int epoll;
    long timeout_ms;
    CURL *easy[PARALLEL_MAX];
    struct curl_slist *headers;
    size_t left_to_start, done, failed;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
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

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    ((struct bare *)user)->timeout_ms = timeout_ms;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

static void start_one(struct bare *bare, CURL *easy)
{
    if (bare->left_to_start == 0)
        return;
    bare->left_to_start--;
    curl_multi_add_handle(bare->multi, easy);
}

static void collect(struct bare *bare)
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
        start_one(bare, easy);
    }
}

static void turn(struct bare *bare)
{
    struct epoll_event events[256];
    int running, count = epoll_wait(bare->epoll, events, 256, (int)bare->timeout_ms);
    for (int i = 0; i < count; i++) {
        int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(bare->multi, events[i].data.fd, mask, &running);
    }
    if (count == 0 || bare->timeout_ms == 0)
        curl_multi_socket_action(bare->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(bare);
}

static CURL *new_easy(struct bare *bare, const char *url, const char *body)
{
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, bare->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
    return easy;
}

static void open_all(struct bare *bare, const char *url, const char *body, size_t parallel)
{
    bare->epoll = epoll_create1(EPOLL_CLOEXEC);
    bare->timeout_ms = -1;
    bare->multi = curl_multi_init();
    bare->headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_MAXCONNECTS, 256L);
    for (size_t i = 0; i < parallel; i++)
        bare->easy[i] = new_easy(bare, url, body);
}

double bare_curl_run(const char *url, const char *body, size_t parallel, size_t requests)
{
    struct bare bare = { .left_to_start = requests };
    if (parallel > PARALLEL_MAX)
        exit(2);
    open_all(&bare, url, body, parallel);
    double start = bench_seconds();
    for (size_t i = 0; i < parallel; i++)
        start_one(&bare, bare.easy[i]);
    while (bare.done < requests)
        turn(&bare);
    double took = bench_seconds() - start;
    for (size_t i = 0; i < parallel; i++)
        curl_easy_cleanup(bare.easy[i]);
    curl_multi_cleanup(bare.multi);
    curl_slist_free_all(bare.headers);
    close(bare.epoll);
    if (bare.failed > 0) {
        fprintf(stderr, "bare curl: %zu requests failed\n", bare.failed);
        exit(1);
    }
    return (double)requests / took;
}
