#include "cli/replay_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/worker/sandbox.h"
#include "inbound/kept.h"
#include "kanal/sdk/base64.h"
#include "kanal/testing/fakehost.h"

#define FRAME_MAX (64u * 1024 * 1024)
#define SETTLE_MS 40000u /* longer than a gateway waits for an answer */
#define SETTLE_STEP_MS 500u
#define AFTER_MS 1000u /* what is published a little later belongs to it, too */
#define NOTES_MAX 20u
#define REQUEST_MS_MAX 20000 /* real time; a plugin that goes round for ever is ended */

struct replay_child {
    pid_t pid;
    int to, from;
    volatile struct sandbox_notice *notice; /* shared: what its sandbox refused */
};

/* ---- Frames: 4 bytes of length, then so many ---- */

static int move_all(int fd, char *bytes, size_t len, int is_write)
{
    while (len > 0) {
        ssize_t n = is_write ? write(fd, bytes, len) : read(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_frame(int fd, kanal_str bytes)
{
    uint32_t len = (uint32_t)bytes.len;
    if (bytes.len > FRAME_MAX || move_all(fd, (char *)&len, sizeof len, 1) != 0)
        return -1;
    return move_all(fd, (char *)(uintptr_t)bytes.ptr, bytes.len, 1);
}

/* timeout_ms: until it begins; below 0: for ever. */
static int receive_frame(int fd, struct kanal_buffer *out, int timeout_ms)
{
    uint32_t len = 0;
    struct pollfd waiting = { .fd = fd, .events = POLLIN };
    kanal_buffer_clear(out);
    if (timeout_ms >= 0 && poll(&waiting, 1, timeout_ms) <= 0)
        return -1;
    if (move_all(fd, (char *)&len, sizeof len, 0) != 0 || len > FRAME_MAX ||
        kanal_buffer_reserve(out, (size_t)len + 1) != 0 || move_all(fd, out->data, len, 0) != 0)
        return -1;
    out->len = len;
    return 0;
}

/* ---- In the child ---- */

struct played {
    const kanal_plugin *plugin;
    struct fake_options options;
    struct fake_host *host; /* made with the first request: its clock begins there */
    const char *(*secrets)[2];
    char *path;
    struct kanal_buffer notes[NOTES_MAX];
    size_t note_count;
};

static void on_failure(void *user, enum fake_fault fault, const char *where, const char *text)
{
    struct played *p = user;
    (void)fault;
    if (p->note_count == NOTES_MAX)
        return;
    struct kanal_buffer *note = &p->notes[p->note_count++];
    kanal_buffer_clear(note);
    kanal_buffer_text(note, where);
    kanal_buffer_text(note, ": ");
    kanal_buffer_text(note, text);
}

static int provide(void *user, const struct fake_request *request, struct fake_reply *reply)
{
    (void)user;
    (void)request;
    reply->status = KANAL_E_NETWORK; /* a replay asks nobody */
    return 1;
}

static void show_time(struct played *p, int64_t time_ms)
{
    p->options.now_ms = time_ms > 0 ? time_ms : 1;
    if (!p->host && (p->host = fake_new_with(p->plugin, &p->options)))
        fake_provider(p->host, provide, NULL);
    while (p->host && fake_now(p->host) < time_ms) {
        int64_t ms = time_ms - fake_now(p->host);
        fake_advance(p->host, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX);
    }
}

static const kanal_route *route_of(const kanal_plugin *plugin, const char *method, const char *target)
{
    size_t path = strcspn(target, "?");
    for (size_t i = 0; i < plugin->route_count; i++) {
        const char *pattern = plugin->routes[i].path;
        size_t len = strlen(pattern);
        int fits = len > 1 && pattern[len - 1] == '*'
                       ? path >= len - 1 && strncmp(target, pattern, len - 1) == 0
                       : path == len && strncmp(target, pattern, len) == 0;
        if (fits && strcmp(plugin->routes[i].method, method) == 0)
            return &plugin->routes[i];
    }
    return NULL;
}

/* The gateway has found the proof right when the request came; the secret may have changed since, so it is made anew. */
static size_t without_proof(const kanal_route *route, kanal_field *headers, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!route || !route->algorithm || route->where != KANAL_IN_HEADER ||
            !kanal_str_equal_nocase(headers[i].name, kanal_str_c(route->name)))
            headers[kept++] = headers[i];
    return kept;
}

/* The code of the answer; 0: none came. */
static int play(struct played *p, struct kept_request *request)
{
    char *method = kanal_str_dup(request->method), *target = kanal_str_dup(request->target);
    int code = 0;
    if (method && target) {
        const kanal_route *route = route_of(p->plugin, method, target);
        size_t count = without_proof(route, request->headers, request->header_count);
        kanal_op op = fake_http_signed(p->host, method, target, request->headers, count, request->body);
        for (uint32_t ms = 0; ms < SETTLE_MS && !fake_answer(p->host, op)->answered; ms += SETTLE_STEP_MS)
            fake_advance(p->host, SETTLE_STEP_MS);
        fake_advance(p->host, AFTER_MS);
        code = fake_answer(p->host, op)->answered ? fake_answer(p->host, op)->response.code : 0;
    }
    free(method);
    free(target);
    return code;
}

static void write_event(struct kanal_json *json, const struct fake_event *event)
{
    struct kanal_buffer dedupe = { 0 };
    kanal_base64_encode(&dedupe, event->event.dedupe, 0);
    kanal_json_object(json);
    kanal_json_member_str(json, "type", event->event.type);
    kanal_json_member_str(json, "dedupe", kanal_buffer_view(&dedupe));
    kanal_json_member_nonempty(json, "external_id", event->event.external_id);
    kanal_json_member_nonempty(json, "command_id", event->event.command_id);
    kanal_json_member_nonempty(json, "address", event->event.address);
    kanal_json_member_nonempty(json, "chat", event->event.chat);
    kanal_json_member_int(json, "time_ms", event->event.time_ms);
    kanal_json_key(json, "data");
    if (event->document)
        kanal_json_value(json, yyjson_doc_get_root(event->document));
    else
        kanal_json_null(json);
    kanal_json_object_end(json);
    kanal_buffer_release(&dedupe);
}

static void write_reply(const struct played *p, int code, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "status", code);
    kanal_json_key(&json, "notes");
    kanal_json_array(&json);
    for (size_t i = 0; i < p->note_count; i++)
        kanal_json_str(&json, kanal_buffer_view(&p->notes[i]));
    kanal_json_array_end(&json);
    kanal_json_key(&json, "events");
    kanal_json_array(&json);
    for (size_t i = 0; p->host && i < fake_event_count(p->host); i++)
        write_event(&json, fake_event_at(p->host, i));
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
}

static void serve(struct played *p, int in, int out)
{
    struct kanal_buffer frame = { 0 }, reply = { 0 };
    struct kept_request request;
    int64_t time_ms;
    while (receive_frame(in, &frame, -1) == 0 && frame.len >= sizeof time_ms) {
        memcpy(&time_ms, frame.data, sizeof time_ms);
        p->note_count = 0;
        int code = 0;
        show_time(p, time_ms);
        if (!p->host)
            on_failure(p, FAKE_FAULT_LIFE, "create()", "it refused the channel's settings");
        else if (kept_read(kanal_str_from(kanal_buffer_view(&frame), sizeof time_ms), &request) == 0) {
            fake_events_clear(p->host);
            code = play(p, &request);
        }
        kanal_buffer_clear(&reply);
        write_reply(p, code, &reply);
        if (reply.failed || send_frame(out, kanal_buffer_view(&reply)) != 0)
            break;
    }
    _exit(0);
}

/* What of the configuration the plugin may come near: the rest is wiped. */
static int take_channel(struct played *p, const struct setup *setup, size_t index)
{
    const struct config_channel *channel = &setup->config->channels[index];
    struct kanal_buffer settings = { 0 };
    p->path = strdup(setup->of_channel[index]->path);
    p->secrets = calloc(channel->secret_count + 1, sizeof *p->secrets);
    kanal_buffer_str(&settings, channel->settings);
    kanal_buffer_byte(&settings, '\0');
    if (!p->path || !p->secrets || settings.failed)
        return -1;
    for (size_t i = 0; i < channel->secret_count; i++) {
        p->secrets[i][0] = strdup(channel->secrets[i].name);
        p->secrets[i][1] = kanal_str_dup(channel->secrets[i].value);
        if (!p->secrets[i][0] || !p->secrets[i][1])
            return -1;
    }
    p->options = (struct fake_options){ .settings = settings.data,
                                        .secrets = (const char *const(*)[2])p->secrets,
                                        .secret_count = channel->secret_count,
                                        .channel_id = strdup(channel->id),
                                        .seed = 1,
                                        .on_failure = on_failure,
                                        .user = p };
    return p->options.channel_id ? 0 : -1;
}

static void refuse(int out, const char *text, kanal_str more)
{
    struct kanal_buffer frame = { 0 };
    kanal_buffer_text(&frame, text);
    kanal_buffer_str(&frame, more);
    send_frame(out, kanal_buffer_view(&frame));
    _exit(1);
}

__attribute__((noreturn)) static void child_main(struct setup *setup, size_t index, int in, int out,
                                                 struct replay_child *child, pid_t parent)
{
    struct played played = { 0 };
    struct sandbox_report report = { 0 };
    struct plugin *loaded = NULL;
    struct kanal_buffer error = { 0 };
    if (take_channel(&played, setup, index) != 0)
        refuse(out, "out of memory", (kanal_str){ 0 });
    setup_release(setup);
    const char *const paths[] = { played.path, NULL };
    const int keep[] = { in, out };
    struct sandbox_options options = { .keep = keep,
                                       .keep_count = 2,
                                       .read_paths = paths,
                                       .parent = parent,
                                       .require = SANDBOX_BASE,
                                       .notice = (struct sandbox_notice *)(uintptr_t)child->notice };
    if (sandbox_before_load(&options, &report) != 0)
        refuse(out, "the sandbox cannot be had: ", kanal_str_c(report.problem));
    if (plugin_load(&loaded, played.path, &error) != 0)
        refuse(out, "", kanal_buffer_view(&error));
    if (sandbox_after_load(&options, &report) != 0)
        refuse(out, "the sandbox cannot be had: ", kanal_str_c(report.problem));
    played.plugin = &loaded->descriptor;
    send_frame(out, (kanal_str){ 0 }); /* ready */
    serve(&played, in, out);
    _exit(0);
}

/* ---- In the parent ---- */

static void tell_end(struct replay_child *child, char reason[256])
{
    int status = 0;
    char words[160];
    struct sandbox_notice notice = { 0 };
    pid_t pid = child->pid;
    child->pid = 0;
    if (pid > 0) {
        struct timespec moment = { 0, 200000000 };
        nanosleep(&moment, NULL); /* whoever is just dying of its own says why */
        kill(pid, SIGKILL);
    }
    sandbox_notice_read(child->notice, &notice);
    if (pid <= 0 || waitpid(pid, &status, 0) != pid)
        snprintf(reason, 256, "the plugin's process is gone");
    else if (sandbox_explain(status, &notice, words, sizeof words))
        snprintf(reason, 256, "the plugin %s", words);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        snprintf(reason, 256, "the plugin did not come to an end with a request within %d s",
                 REQUEST_MS_MAX / 1000);
    else if (WIFSIGNALED(status))
        snprintf(reason, 256, "the plugin's process was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(reason, 256, "the plugin's process ended with code %d", WEXITSTATUS(status));
}

static struct replay_child *wait_until_ready(struct replay_child *child, char reason[256])
{
    struct kanal_buffer frame = { 0 };
    if (receive_frame(child->from, &frame, REQUEST_MS_MAX) != 0)
        tell_end(child, reason);
    else
        snprintf(reason, 256, "%.*s", (int)frame.len, frame.len > 0 ? frame.data : "");
    int is_ready = child->pid > 0 && frame.len == 0;
    kanal_buffer_release(&frame);
    if (is_ready)
        return child;
    replay_child_free(child);
    return NULL;
}

struct replay_child *replay_child_new(struct setup *setup, size_t channel, char reason[256])
{
    struct replay_child *child = calloc(1, sizeof *child);
    int down[2] = { -1, -1 }, up[2] = { -1, -1 };
    pid_t self = getpid();
    snprintf(reason, 256, "no process can be made");
    void *page =
        mmap(NULL, sizeof(struct sandbox_notice), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (child && page != MAP_FAILED)
        child->notice = page;
    if (!child || !child->notice || pipe(down) != 0 || pipe(up) != 0 || (child->pid = fork()) < 0) {
        for (int i = 0; i < 2; i++) {
            close(down[i]);
            close(up[i]);
        }
        if (page != MAP_FAILED)
            munmap(page, sizeof(struct sandbox_notice));
        free(child);
        return NULL;
    }
    if (child->pid == 0)
        child_main(setup, channel, down[0], up[1], child, self);
    close(down[0]);
    close(up[1]);
    child->to = down[1];
    child->from = up[0];
    signal(SIGPIPE, SIG_IGN);
    return wait_until_ready(child, reason);
}

yyjson_doc *replay_child_run(struct replay_child *child, int64_t time_ms, kanal_str request, char reason[256])
{
    struct kanal_buffer frame = { 0 };
    yyjson_doc *document = NULL;
    kanal_buffer_append(&frame, &time_ms, sizeof time_ms);
    kanal_buffer_str(&frame, request);
    if (!frame.failed && send_frame(child->to, kanal_buffer_view(&frame)) == 0 &&
        receive_frame(child->from, &frame, REQUEST_MS_MAX) == 0) {
        document = kanal_json_parse(kanal_buffer_view(&frame));
        if (!document)
            snprintf(reason, 256, "the plugin's process does not say what it did");
    } else {
        tell_end(child, reason);
    }
    if (frame.data)
        explicit_bzero(frame.data, frame.capacity); /* a request with its secrets */
    kanal_buffer_release(&frame);
    return document;
}

void replay_child_free(struct replay_child *child)
{
    if (!child)
        return;
    close(child->to);
    close(child->from);
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    munmap((void *)(uintptr_t)child->notice, sizeof *child->notice);
    free(child);
}
