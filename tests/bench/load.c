#include "load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

#define CONNECTIONS_MAX 256u
#define ANSWER_BYTES 2048u
#define ID_DIGITS 10
#define PERSON_DIGITS 7
#define LATENCY_US_MAX 1000000u /* longer ones count as this */
#define PATIENCE_SECONDS 10.0   /* after the end, for the last answers */

static const char head_format[] = "POST /c/" LOAD_CHANNEL "/ HTTP/1.1\r\n"
                                  "Host: 127.0.0.1\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: %d\r\n"
                                  "X-Telegram-Bot-Api-Secret-Token: " LOAD_SECRET "\r\n"
                                  "\r\n";

/* The two places marked with zeros are overwritten; the text is filled up to LOAD_UPDATE_BYTES. */
static const char update_start[] = "{\"update_id\":0000000000,\"message\":{\"message_id\":0000000000,"
                                   "\"from\":{\"id\":3527065,\"is_bot\":false,\"first_name\":\"Анна\",\"last_"
                                   "name\":\"Каренина\",\"username\":\"anna_k\","
                                   "\"language_code\":\"ru\"},"
                                   "\"chat\":{\"id\":3527065,\"first_name\":\"Анна\",\"last_name\":"
                                   "\"Каренина\",\"username\":\"anna_k\",\"type\":\"private\"},"
                                   "\"date\":1795300007,\"text\":\"Здравствуйте! Самовар ещё в наличии? Хочу "
                                   "заказать два, с доставкой в Петербург; "
                                   "второй в подарок, поэтому нужна открытка. ";
static const char update_end[] = "\"}}";

struct connection {
    int fd;
    int is_waiting; /* for an answer */
    double asked_at;
    size_t have; /* bytes of the answer */
    char answer[ANSWER_BYTES];
    char request[2048];
};

struct load {
    struct connection connections[CONNECTIONS_MAX];
    size_t request_bytes;
    char *update_id, *message_id, *from_id, *chat_id; /* in the template */
    char template[2048];
    double end;
    struct load_result result;
    uint32_t *latencies; /* how often each number of microseconds was seen */
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void make_template(struct load *load)
{
    int head = snprintf(load->template, sizeof load->template, head_format, LOAD_UPDATE_BYTES);
    char *body = load->template + head;
    memset(body, '.', LOAD_UPDATE_BYTES);
    memcpy(body, update_start, sizeof update_start - 1);
    memcpy(body + LOAD_UPDATE_BYTES - (sizeof update_end - 1), update_end, sizeof update_end - 1);
    /* Fresh ones: what is late is looked for in the stream, which is another measurement. */
    char now[16];
    snprintf(now, sizeof now, "%010lld", (long long)time(NULL));
    memcpy(strstr(body, "\"date\":") + strlen("\"date\":"), now, 10);
    load->request_bytes = (size_t)head + LOAD_UPDATE_BYTES;
    load->update_id = strstr(body, "\"update_id\":") + strlen("\"update_id\":");
    load->message_id = strstr(body, "\"message_id\":") + strlen("\"message_id\":");
    load->from_id = strstr(body, "\"from\":{\"id\":") + strlen("\"from\":{\"id\":");
    load->chat_id = strstr(body, "\"chat\":{\"id\":") + strlen("\"chat\":{\"id\":");
}

static uint32_t people;

void load_people(uint32_t count)
{
    people = count;
}

static void write_digits(char *at, uint64_t number, int digits)
{
    for (int i = digits; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
}

static void ask(struct load *load, struct connection *c)
{
    static uint64_t last_id = 1000000000; /* for as long as the bench runs */
    last_id++;
    write_digits(c->request + (load->update_id - load->template), last_id, ID_DIGITS);
    write_digits(c->request + (load->message_id - load->template), last_id, ID_DIGITS);
    if (people > 0) {
        uint64_t person = LOAD_FIRST_PERSON + last_id * UINT64_C(2654435761) % people;
        write_digits(c->request + (load->from_id - load->template), person, PERSON_DIGITS);
        write_digits(c->request + (load->chat_id - load->template), person, PERSON_DIGITS);
    }
    c->have = 0;
    c->is_waiting = 1;
    c->asked_at = bench_seconds();
    if (send(c->fd, c->request, load->request_bytes, MSG_NOSIGNAL) != (ssize_t)load->request_bytes)
        die("load: send");
}

/* Is the whole answer there? Its length is what Content-Length says; without one there is no body. */
static int is_complete(const struct connection *c)
{
    const char *end = memmem(c->answer, c->have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t length = 0;
    for (const char *line = c->answer; line < end; line = (const char *)memchr(line, '\n', c->have) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
    return c->have >= (size_t)(end + 4 - c->answer) + length;
}

static void answered(struct load *load, struct connection *c)
{
    double now = bench_seconds();
    double us = (now - c->asked_at) * 1e6;
    c->is_waiting = 0;
    if (memcmp(c->answer, "HTTP/1.1 200", 12) != 0)
        load->result.bad++;
    else if (now < load->end) {
        load->result.good++;
        load->latencies[us < LATENCY_US_MAX ? (uint32_t)us : LATENCY_US_MAX]++;
    }
    if (now < load->end)
        ask(load, c);
}

static void read_answer(struct load *load, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->have, ANSWER_BYTES - c->have - 1, 0);
    if (n <= 0)
        die("load: the server closed a connection");
    c->have += (size_t)n;
    c->answer[c->have] = 0;
    if (is_complete(c))
        answered(load, c);
}

static void open_connections(struct load *load, int epoll, uint16_t port, unsigned count)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &load->connections[i];
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
            die("load: connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
        memcpy(c->request, load->template, load->request_bytes);
    }
}

static unsigned waiting(const struct load *load, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += load->connections[i].is_waiting != 0;
    return n;
}

static double percentile_ms(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)load->result.good * share), seen = 0;
    uint32_t us = 0;
    while (us < LATENCY_US_MAX && (seen += load->latencies[us]) <= wanted)
        us++;
    return us / 1e3;
}

struct load_result load_run(uint16_t port, unsigned connections, double seconds)
{
    struct load *load = calloc(1, sizeof *load);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load || connections > CONNECTIONS_MAX ||
        !(load->latencies = calloc(LATENCY_US_MAX + 1, sizeof *load->latencies)))
        die("load");
    make_template(load);
    open_connections(load, epoll, port, connections);
    load->end = bench_seconds() + seconds;
    for (unsigned i = 0; i < connections; i++)
        ask(load, &load->connections[i]);
    while (bench_seconds() < load->end || waiting(load, connections) > 0) {
        struct epoll_event events[CONNECTIONS_MAX];
        int count = epoll_wait(epoll, events, CONNECTIONS_MAX, 1000);
        if (count == 0 && bench_seconds() > load->end + PATIENCE_SECONDS)
            die("load: answers are missing");
        for (int i = 0; i < count; i++)
            read_answer(load, events[i].data.ptr);
    }
    struct load_result result = load->result;
    result.rate = (double)result.good / seconds;
    result.p50_ms = percentile_ms(load, 0.50);
    result.p99_ms = percentile_ms(load, 0.99);
    for (unsigned i = 0; i < connections; i++)
        close(load->connections[i].fd);
    close(epoll);
    free(load->latencies);
    free(load);
    return result;
}
