#include "host/worker/describe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "host/plugin_file.h"
#include "kanal/sdk/str.h"

#define AT_ONCE 8u
#define DESCRIBE_MS 10000

/* A file that is being described. */
struct candidate {
    const char *path; /* borrowed */
    int is_done, has_hello;
    const struct worker_terms *terms;
    int64_t until_ms;
    struct worker_process *process;
    struct plugin *plugin; /* made when it is done well */
    int fd;
    struct stat file;
    struct kanal_buffer error;
};

struct candidates {
    struct candidate *list;
    size_t count;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The plugin ---- */

void worker_plugin_dismiss(struct worker_plugin *worker)
{
    worker_process_free(worker->process);
    worker->process = NULL;
}

void worker_plugin_free(struct worker_plugin *worker)
{
    if (!worker)
        return;
    worker_plugin_dismiss(worker);
    if (worker->fd >= 0)
        close(worker->fd);
    kanal_buffer_release(&worker->description);
    wire_scratch_release(&worker->memory);
    free(worker);
}

int worker_plugin_same(const struct worker_plugin *worker, const struct wire_frame *described)
{
    return kanal_str_equal(kanal_buffer_view(&worker->description), described->body);
}

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int worker_plugin_changed(const struct worker_plugin *worker, const char *path)
{
    struct stat now;
    return stat(path, &now) != 0 || !same_file(&now, &worker->file);
}

/* Takes over the candidate's descriptor and process. */
static struct plugin *plugin_new(struct candidate *c, const struct wire_frame *frame)
{
    struct wire_described described;
    struct plugin *plugin = calloc(1, sizeof *plugin);
    struct worker_plugin *worker = calloc(1, sizeof *worker);
    if (!plugin || !worker) {
        free(plugin);
        free(worker);
        plugin_refuse(&c->error, "out of memory");
        return NULL;
    }
    *worker = (struct worker_plugin){
        .fd = c->fd, .file = c->file, .terms = *c->terms, .deadline_ms = WORKER_DEADLINE_DEFAULT_MS
    };
    c->fd = -1;
    plugin->worker = worker;
    plugin->path = strdup(c->path);
    kanal_buffer_str(&worker->description, frame->body);
    struct wire_frame own = *frame; /* its texts shall live as long as the plugin */
    own.body = kanal_buffer_view(&worker->description);
    if (!plugin->path || wire_get(&own, &worker->memory, &described) != 0 || !described.plugin) {
        plugin_refuse(&c->error, "its worker described it in a broken frame");
    } else {
        plugin->descriptor = *described.plugin;
        worker_proxy_slots(&plugin->descriptor, described.slots);
        if (plugin_check(&plugin->descriptor, &c->error) == 0 && plugin_compile(plugin, &c->error) == 0)
            return plugin;
    }
    plugin_free(plugin);
    return NULL;
}

/* ---- A file ---- */

static void finish(struct candidate *c)
{
    c->is_done = 1;
    if (!c->plugin) {
        worker_process_free(c->process);
    } else {
        c->plugin->worker->process = c->process;
    }
    c->process = NULL;
}

static void begin(struct candidate *c)
{
    char reason[WORKER_REASON_MAX];
    c->until_ms = now_ms() + DESCRIBE_MS;
    c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
    if (c->fd < 0 || fstat(c->fd, &c->file) != 0)
        plugin_refuse(&c->error, "it cannot be read: %s", strerror(errno));
    else if (!S_ISREG(c->file.st_mode))
        plugin_refuse(&c->error, "it is no regular file");
    else if (worker_process_new(&c->process, c->fd, c->terms, reason) != 0)
        plugin_refuse(&c->error, "%s", reason);
    if (c->error.len > 0)
        finish(c);
}

static void on_frame(struct candidate *c, const struct wire_frame *frame)
{
    char reason[WORKER_REASON_MAX];
    struct wire_scratch scratch = { 0 };
    struct wire_text refused;
    if (!c->has_hello) {
        if (worker_check_hello(frame, reason) != 0) {
            plugin_refuse(&c->error, "%s", reason);
            finish(c);
        }
        c->has_hello = 1;
    } else if (frame->type == WIRE_DESCRIBED) {
        c->plugin = plugin_new(c, frame);
        finish(c);
    } else {
        if (frame->type == WIRE_REFUSED && wire_get(frame, &scratch, &refused) == 0 && refused.text.ptr)
            kanal_buffer_str(&c->error, refused.text);
        else
            plugin_refuse(&c->error, "its worker sent a frame that it may not send now");
        finish(c);
    }
}

/* It ended before it described anything: in a constructor, most likely. */
static void on_end(struct candidate *c)
{
    char text[64], stopped[WORKER_REASON_MAX];
    int status = 0;
    for (int64_t until = now_ms() + 500; !worker_process_reap(c->process, &status) && now_ms() < until;)
        poll(NULL, 0, 1);
    worker_status_text(status, text);
    if (worker_process_stopped_by_sandbox(c->process, status, stopped) ||
        worker_process_stopped_by_group(c->process, c->terms, status, stopped))
        plugin_refuse(&c->error, "while it was being loaded it %s", stopped);
    else
        plugin_refuse(&c->error, "its worker ended while it was being loaded: %s", text);
    finish(c);
}

static void read_candidate(struct candidate *c)
{
    struct wire_frame frame;
    int came = worker_process_read(c->process), found = 0;
    while (!c->is_done && (found = worker_process_next(c->process, &frame)) > 0)
        on_frame(c, &frame);
    if (!c->is_done && found < 0) {
        plugin_refuse(&c->error, "its worker sent a broken frame");
        finish(c);
    } else if (!c->is_done && came < 0) {
        on_end(c);
    }
}

/* ---- All of them ---- */

/* Waits for those of [first, end) that are under way. */
static void wait_for_some(struct candidate *list, size_t first, size_t end)
{
    struct pollfd fds[AT_ONCE];
    struct candidate *of[AT_ONCE];
    nfds_t count = 0;
    int64_t now = now_ms(), next = now + DESCRIBE_MS;
    for (size_t i = first; i < end && count < AT_ONCE; i++)
        if (!list[i].is_done) {
            of[count] = &list[i];
            fds[count++] = (struct pollfd){ .fd = list[i].process->socket, .events = POLLIN };
            next = list[i].until_ms < next ? list[i].until_ms : next;
        }
    if (count == 0)
        return;
    poll(fds, count, (int)(next > now ? next - now : 0));
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents) {
            read_candidate(of[i]);
        } else if (now_ms() >= of[i]->until_ms) {
            plugin_refuse(&of[i]->error, "it did not say what it is within %d s of being loaded",
                          DESCRIBE_MS / 1000);
            finish(of[i]);
        }
    }
}

static void describe_all(struct candidates *all)
{
    size_t first = 0, begun = 0;
    while (first < all->count) {
        while (begun < all->count && begun - first < AT_ONCE)
            begin(&all->list[begun++]);
        wait_for_some(all->list, first, begun);
        while (first < begun && all->list[first].is_done)
            first++;
    }
}

int plugin_describe(struct plugin **ret_plugin, const char *path, const struct worker_terms *terms,
                    struct kanal_buffer *error)
{
    struct candidate one = { .path = path, .fd = -1, .terms = terms };
    struct candidates all = { .list = &one, .count = 1 };
    describe_all(&all);
    if (one.fd >= 0)
        close(one.fd);
    kanal_buffer_str(error, kanal_buffer_view(&one.error));
    kanal_buffer_release(&one.error);
    if (one.plugin)
        *ret_plugin = one.plugin;
    return one.plugin ? 0 : KANAL_E_INVALID;
}

struct plugin *plugins_describe_files(char *const *paths, size_t count, const struct worker_terms *terms,
                                      plugin_error_fn *tell, void *user)
{
    struct candidates all = { calloc(count + 1, sizeof *all.list), count };
    struct plugin *list = NULL;
    if (!all.list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        all.list[i] = (struct candidate){ .path = paths[i], .fd = -1, .terms = terms };
    describe_all(&all);
    for (size_t i = 0; i < count; i++) {
        struct candidate *c = &all.list[i];
        if (c->plugin)
            plugins_add(&list, c->plugin, tell, user);
        else
            tell(user, c->path, kanal_buffer_view(&c->error));
        if (c->fd >= 0)
            close(c->fd);
        kanal_buffer_release(&c->error);
    }
    free(all.list);
    return list;
}

struct plugin *plugins_describe(const char *const *directories, const struct worker_terms *terms,
                                plugin_error_fn *tell, void *user)
{
    struct plugin_paths paths = { 0 };
    plugin_paths_find(&paths, directories, tell, user);
    struct plugin *list = plugins_describe_files(paths.list, paths.count, terms, tell, user);
    plugin_paths_release(&paths);
    return list;
}
