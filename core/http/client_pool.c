#include <stdlib.h>
#include <unistd.h>
#include "http/client_private.h"

/* ---- Watches ---- */

static struct http_watch *watch_find(const struct http_client *client, int fd)
{
    return fd >= 0 && (size_t)fd < client->watch_capacity ? client->watches[fd] : NULL;
}

static int watch_room(struct http_client *client, int fd)
{
    size_t capacity = client->watch_capacity ? client->watch_capacity : 64;
    struct http_watch **watches;

    if ((size_t)fd < client->watch_capacity)
        return 0;
    while (capacity <= (size_t)fd)
        capacity *= 2;
    watches = realloc(client->watches, capacity * sizeof *watches);
    if (!watches)
        return -1;
    memset(watches + client->watch_capacity, 0, (capacity - client->watch_capacity) * sizeof *watches);
    client->watches = watches;
    client->watch_capacity = capacity;
    return 0;
}

static struct http_watch *watch_new(struct http_pool *pool, int fd)
{
    struct http_client *client = pool->client;
    struct http_watch *watch;

    if (watch_room(client, fd) != 0)
        return NULL;
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    if (uv_poll_init(client->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    uv_unref((uv_handle_t *)&watch->poll); /* calls keep the loop alive, kept connections do not */
    watch->poll.data = watch;
    watch->pool = pool;
    watch->fd = fd;
    client->watches[fd] = watch;
    client->open_handles++;
    return watch;
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct http_watch *watch = handle->data;
    struct http_client *client = watch->pool->client;

    free(watch);
    http_client_handle_closed(client);
}

static void watch_drop(struct http_watch *watch)
{
    watch->pool->client->watches[watch->fd] = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void on_watch_event(uv_poll_t *poll, int status, int events);

static void watch_arm(struct http_watch *watch, int events)
{
    if (events == watch->armed)
        return;
    watch->armed = events;
    if (events == 0)
        uv_poll_stop(&watch->poll);
    else if (uv_poll_start(&watch->poll, events, on_watch_event) != 0)
        watch->armed = 0; /* the call's deadline ends what then never hears of its socket */
}

static void watch_want(struct http_watch *watch, int wanted)
{
    watch->wanted = wanted;
    if (watch->keep && !(watch->armed & UV_WRITABLE) && (wanted & ~watch->armed) == 0)
        return; /* armed for more than is wanted: see on_watch_event() */
    watch_arm(watch, wanted);
}

static void pool_act(struct http_pool *pool, curl_socket_t fd, int mask)
{
    struct http_client *client = pool->client;
    int running;

    client->in_curl++;
    curl_multi_socket_action(pool->multi, fd, mask, &running);
    client->in_curl--;
    http_pool_drain(pool);
}

static void on_watch_event(uv_poll_t *poll, int status, int events)
{
    struct http_watch *watch = poll->data;
    struct http_pool *pool = watch->pool;
    struct http_client *client = pool->client;
    int fd = watch->fd, mask = 0;

    if (status < 0) { /* an error on the socket: libuv has disarmed it, libcurl finds out which */
        watch->armed = 0;
        events = watch->wanted;
        mask = CURL_CSELECT_ERR;
    }
    events &= watch->wanted;
    if (events == 0) {
        /* Something came that nobody waits for: the server closed a kept connection, or the reader has paused. */
        watch_arm(watch, watch->wanted);
        return;
    }
    mask |= (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    pool_act(pool, fd, mask);
    watch = watch_find(client, fd);
    if (watch && &watch->poll == poll && watch->armed == 0 && watch->wanted != 0)
        watch_arm(watch, watch->wanted);
}

int http_pool_adopt(struct http_call *call, int fd)
{
    struct http_watch *stale = watch_find(call->client, fd), *watch;
    int wanted = 0;

    if (stale) {
        /* libcurl 7.88 closes a socket whose connecting failed without a word, and does not tell of the next one either if
         * it has the same number and waits for the same thing. */
        wanted = stale->wanted;
        watch_drop(stale);
    }
    watch = watch_new(call->pool, fd);
    if (!watch)
        return -1;
    watch->opened = 1;
    watch->opener = call;
    watch_want(watch, wanted);
    return 0;
}

/* An address refused: libcurl 7.88 has chosen the next one, but tries it only when a timer of some hundred milliseconds or
 * some seconds runs out. */
static void hurry(struct http_client *client, const struct http_call *opener)
{
    for (struct http_call *call = TAILQ_FIRST(&client->calls); call; call = TAILQ_NEXT(call, link)) {
        if (call == opener && call->connecting)
            http_call_do(call, HTTP_TODO_POKE);
    }
}

int http_pool_close_socket(void *user, curl_socket_t fd)
{
    struct http_client *client = user;
    struct http_watch *watch = watch_find(client, fd);

    if (watch && watch->opened && !watch->keep)
        hurry(client, watch->opener);
    if (watch)
        watch_drop(watch);
    return close(fd);
}

/* ---- What libcurl calls ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct http_pool *pool = user;
    struct http_watch *watch = watch_find(pool->client, fd);
    struct http_call *call = NULL;

    (void)unused;
    if (watch && watch->opened && !watch->keep &&
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK && call)
        watch->keep = !call->connecting;
    if (what == CURL_POLL_REMOVE) {
        if (watch && watch->keep) {
            watch->wanted = 0;
        } else if (watch) {
            if (watch->opened)
                hurry(pool->client, watch->opener);
            watch_drop(watch);
        }
        return 0;
    }
    if (!watch)
        watch = watch_new(pool, fd);
    if (!watch)
        return 0; /* out of memory: the call's deadline ends it */
    watch_want(watch, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    pool_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct http_pool *pool = user;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&pool->timer);
    else if (!pool->client->closing)
        uv_timer_start(&pool->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

void http_pool_drain(struct http_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode result = message->data.result;
        struct http_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK && call)
            http_call_end(call, result);
    }
}

/* ---- Life ---- */

int http_pool_init(struct http_pool *pool, struct http_client *client, long kept, long per_host)
{
    pool->client = client;
    if (uv_timer_init(client->loop, &pool->timer) != 0)
        return -1;
    pool->timer.data = pool;
    client->open_handles++;
    uv_unref((uv_handle_t *)&pool->timer);
    pool->multi = curl_multi_init();
    if (!pool->multi)
        return -1;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, kept);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    http_client_handle_closed(((struct http_pool *)handle->data)->client);
}

void http_pool_release(struct http_pool *pool)
{
    if (!pool->timer.data)
        return; /* never initialised */
    curl_multi_cleanup(pool->multi);
    pool->multi = NULL;
    uv_close((uv_handle_t *)&pool->timer, on_handle_closed);
}
