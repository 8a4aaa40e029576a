/* A plugin that is right in its form and hostile in what it does: POST /act with the act's name (and an argument after a space)
 * does it. -DAT_LOAD="socket": the act is done by its ELF constructor instead. For a worker; most acts end a gateway that
 * hosts it in its own process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostile_acts.h"
#include "host/worker/page.h"
#include "host/worker/wire.h"
#include "kanal/plugin.h"

struct kanal_channel {
    const kanal_host *host;
};

#ifdef AT_LOAD
__attribute__((constructor)) static void construct(void)
{
    hostile_act(AT_LOAD);
}
#endif

/* ---- Answers ---- */

static void answer(kanal_channel *channel, kanal_op op, int result)
{
    char text[64];
    int len = snprintf(text, sizeof text, "{\"result\":%d}", result);
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = 200,
                                     .body = { text, (size_t)len } };
    channel->host->respond(channel->host, op, &response);
}

struct asked {
    kanal_channel *channel;
    kanal_op op;
};

static struct asked *asked_new(kanal_channel *channel, kanal_op op)
{
    struct asked *asked = malloc(sizeof *asked);
    if (!asked)
        abort();
    *asked = (struct asked){ channel, op };
    return asked;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct asked *asked = user;
    answer(asked->channel, asked->op, response ? response->code : status);
    free(asked);
}

static void on_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct asked *asked = user;
    (void)value;
    (void)revision;
    answer(asked->channel, asked->op, status);
    free(asked);
}

/* ---- What only a plugin can do ---- */

static kanal_str lit(const char *text)
{
    return (kanal_str){ text, strlen(text) };
}

static void act_request(kanal_channel *channel, kanal_op op, const char *url)
{
    kanal_http_request request = {
        .struct_size = sizeof request, .method = lit("GET"), .url = lit(url), .timeout_ms = 5000
    };
    channel->host->http_send(channel->host, 0, &request, on_response, asked_new(channel, op));
}

/* Another channel's state by a key that climbs. */
static void act_state(kanal_channel *channel, kanal_op op, const char *key)
{
    channel->host->state_get(channel->host, lit(key), on_value, asked_new(channel, op));
}

static void act_flood_log(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)unused;
    for (int i = 0; i < 50000; i++)
        channel->host->log(channel->host, 0, KANAL_LOG_ERROR,
                           lit("%s%n a line without end, again and again"));
    answer(channel, op, 0);
}

static void act_flood_publish(kanal_channel *channel, kanal_op op, const char *unused)
{
    static const char data[] = "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"flood\"}]}}";
    char dedupe[32];
    (void)unused;
    for (int i = 0; i < 5000; i++) {
        snprintf(dedupe, sizeof dedupe, "flood-%d", i);
        kanal_event event = { .struct_size = sizeof event,
                              .type = lit("message.received"),
                              .dedupe = lit(dedupe),
                              .external_id = lit(dedupe),
                              .address = lit("hostile:x"),
                              .data = lit(data) };
        const kanal_event *const events[] = { &event };
        channel->host->publish(channel->host, 0, events, 1, NULL, NULL);
    }
    answer(channel, op, 0);
}

static void act_twice(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        answer(channel, op, i);
}

static void act_never(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)channel;
    (void)op;
    (void)unused;
}

static void send_raw(const void *bytes, size_t len)
{
    send(WORKER_FD_SOCKET, bytes, len, MSG_NOSIGNAL);
}

static void act_garbage(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)channel;
    (void)op;
    (void)unused;
    static const char garbage[] = "GET / HTTP/1.1\r\nHost: not-a-frame\r\n\r\n";
    send_raw(garbage, sizeof garbage);
}

/* A frame of a type, of no more than its header says, in the name of a channel that this worker does not have. */
static void act_forge(kanal_channel *channel, kanal_op op, const char *number)
{
    (void)channel;
    (void)op;
    struct {
        uint32_t bytes;
        uint16_t type, zero;
        uint32_t channel, count;
    } frame = { 4, WIRE_RAN, 0, (uint32_t)strtoul(number, NULL, 10), 1 };
    send_raw(&frame, sizeof frame);
}

/* It says that four gigabytes follow. */
static void act_endless(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)channel;
    (void)op;
    (void)unused;
    const uint32_t header[3] = { UINT32_MAX, WIRE_LOG, 0 };
    send_raw(header, sizeof header);
}

static void send_aside(enum wire_type type, uint32_t at, uint32_t bytes)
{
    const uint32_t frame[] = { WIRE_ASIDE_BYTES, (uint32_t)type | WIRE_ASIDE, 0, at, bytes };
    send_raw(frame, sizeof frame);
}

/* It says that something stands where nothing of its own can. */
static void act_beyond(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)channel;
    (void)op;
    (void)unused;
    send_aside(WIRE_PUBLISH, UINT32_MAX - WIRE_LARGE, WIRE_LARGE);
}

/* What stands there is no frame. */
static void act_hollow(kanal_channel *channel, kanal_op op, const char *unused)
{
    (void)channel;
    (void)op;
    (void)unused;
    send_aside(WIRE_PUBLISH, 0, WIRE_LARGE);
}

/* Memory that it was given for what it sends: written to beyond its end, cut off, made larger. How often that was possible. */
static void act_area(kanal_channel *channel, kanal_op op, const char *unused)
{
    char bytes[4096] = { 0 };
    int done = 0;
    (void)unused;
    off_t end = lseek(WORKER_FD_SENT, 0, SEEK_END);
    done += end <= 0 || end > 8 * 1024 * 1024;
    done += write(WORKER_FD_SENT, bytes, sizeof bytes) >= 0;
    done += lseek(WORKER_FD_SENT, 0, SEEK_END) != end;
    answer(channel, op, done);
}

/* Descriptors that nobody has asked for, with a frame that is right. */
static void act_descriptors(kanal_channel *channel, kanal_op op, const char *unused)
{
    struct {
        uint32_t bytes, type, channel;
        uint32_t members[4];
    } frame = { 16, WIRE_HEALTH, 0, { 0, 0, 0, UINT32_MAX } };
    int fds[8] = { WORKER_FD_SOCKET, WORKER_FD_SENT, 0, 1, 2, 0, 1, 2 };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fds)];
    } control = { .header = { CMSG_LEN(sizeof fds), SOL_SOCKET, SCM_RIGHTS } };
    memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
    struct iovec part = { &frame, sizeof frame };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    int failed = 0;
    (void)unused;
    for (int i = 0; i < 50; i++)
        failed +=
            sendmsg(WORKER_FD_SOCKET, &message, MSG_NOSIGNAL) != sizeof frame &&
            errno != ETOOMANYREFS; /* its limit of descriptors holds for those that are under way, too */
    answer(channel, op, failed);
}

/* Out of its control group: by an entrance that was left open, or by that of another group. 0: one let it in. */
static void act_leave_group(kanal_channel *channel, kanal_op op, const char *entrance)
{
    for (int fd = WORKER_FD_GROUPS; fd < 64; fd++)
        if (write(fd, "0", 1) == 1) {
            answer(channel, op, 0);
            return;
        }
    int fd = open(entrance, O_WRONLY | O_CLOEXEC);
    answer(channel, op, fd < 0 ? -errno : write(fd, "0", 1) == 1 ? 0 : -errno);
}

static const struct {
    const char *name;
    void (*run)(kanal_channel *, kanal_op, const char *argument);
} acts[] = {
    { "request", act_request },
    { "state", act_state },
    { "flood_log", act_flood_log },
    { "flood_publish", act_flood_publish },
    { "twice", act_twice },
    { "never", act_never },
    { "garbage", act_garbage },
    { "forge", act_forge },
    { "endless", act_endless },
    { "beyond", act_beyond },
    { "hollow", act_hollow },
    { "area", act_area },
    { "descriptors", act_descriptors },
    { "leave_group", act_leave_group },
};

/* ---- The plugin ---- */

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    char text[512];
    size_t len = request->body.len < sizeof text ? request->body.len : sizeof text - 1;
    memcpy(text, request->body.ptr, len);
    text[len] = '\0';
    char *argument = strchr(text, ' ');
    if (argument)
        *argument++ = '\0';
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, text) == 0) {
            acts[i].run(channel, op, argument ? argument : "");
            return;
        }
    answer(channel, op, hostile_act(text));
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    (void)config;
    if (channel)
        channel->host = host;
    return channel;
}

static void done(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, (kanal_str){ NULL, 0 });
}

static void destroy(kanal_channel *channel)
{
    free(channel);
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_route routes[] = { { .method = "POST", .path = "/act" } };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "hostile",
        .name = "Hostile",
        .version = "1.0.0",
        .routes = routes,
        .route_count = 1,
        .settings_schema = "{\"type\":\"object\"}",
        .create = create,
        .start = done,
        .on_http = on_http,
        .stop = done,
        .destroy = destroy,
    };
    return &plugin;
}
