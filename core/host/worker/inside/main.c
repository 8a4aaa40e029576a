/* kanal-worker - hosts one plugin for `kanal run`, which starts it; it is of no use by itself.
 *
 *   kanal-worker PARENT MEMORY FLAGS GROUPS   descriptors 3: the socket to the core, 4: the page, 5: the plugin's file, 6 and 7: the areas
 *                                      of what it sends and gets beside the socket, 8 and so many: the entrances of its control group; 2:
 *                                      lines for the log.
 *
 * It maps the plugin, says what the plugin is (or why it was refused), and serves its channels until the socket ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/plugin_file.h"
#include "inside.h"
#include "kanal/sdk/str.h"

#define DESCRIPTORS_MOST 64u
#define FILE_BYTES_MOST (64u * 1024 * 1024)

/* What the core told by the command line. */
struct told {
    pid_t parent;
    uint64_t memory; /* 0: no limit; the core lowers it when it knows the plugin's configuration */
    unsigned flags;
    int entrances;
};

/* The same options serve both stages. */
static struct sandbox_options sandbox_of(const struct told *told, const struct inside *in,
                                         struct sandbox_limit limits[3], int keep[7])
{
    static const int plugin[] = { WORKER_FD_PLUGIN };
    const int kept[] = { STDIN_FILENO,     STDOUT_FILENO,  STDERR_FILENO, WORKER_FD_SOCKET,
                         WORKER_FD_PLUGIN, WORKER_FD_SENT, in->wake };
    memcpy(keep, kept, sizeof kept);
    limits[0] = (struct sandbox_limit){ RLIMIT_NOFILE, DESCRIPTORS_MOST };
    limits[1] = (struct sandbox_limit){ RLIMIT_FSIZE, FILE_BYTES_MOST };
    limits[2] = (struct sandbox_limit){ RLIMIT_DATA, told->memory };
    return (struct sandbox_options){
        .keep = keep,
        .keep_count = sizeof kept / sizeof *kept,
        .read_fds = plugin,
        .read_fd_count = 1,
        .limits = limits,
        .limit_count = told->memory > 0 ? 3 : 2,
        .parent = told->parent,
        .allow = told->flags & WORKER_MAY_THREAD ? SANDBOX_ALLOW_THREADS : 0,
        .require = told->flags & WORKER_NEEDS_LANDLOCK ? SANDBOX_REQUIRED : SANDBOX_BASE,
        .notice = &in->page->notice,
    };
}

static struct worker_page *map_page(void)
{
    void *page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_PAGE, 0);
    close(WORKER_FD_PAGE);
    return page == MAP_FAILED ? NULL : page;
}

/* Before the sandbox, after which no memory is shared any more. -1: errno. */
static int set_areas_up(struct inside *in)
{
    void *got = mmap(NULL, WORKER_AREA_BYTES_MOST, PROT_READ, MAP_SHARED, WORKER_FD_GOT, 0);
    close(WORKER_FD_GOT);
    if (got == MAP_FAILED)
        return -1;
    in->sent.fd = WORKER_FD_SENT;
    in->got = got;
    return 0;
}

static void send_hello(struct inside *in)
{
    struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, KANAL_ABI_MAJOR, KANAL_ABI_MINOR };
    inside_send(in, WIRE_HELLO, NULL, &hello);
}

static void send_refused(struct inside *in, kanal_str words)
{
    struct wire_text refused = { 0, words };
    inside_send(in, WIRE_REFUSED, NULL, &refused);
}

/* Before anything of the plugin is there. What it is entered by is not open to it. -1: the core was told. */
static int enter_groups(struct inside *in, int entrances)
{
    char words[128];
    for (int fd = WORKER_FD_GROUPS; fd < WORKER_FD_GROUPS + entrances && fd < WORKER_FD_END; fd++) {
        if (write(fd, "0", 1) != 1) {
            snprintf(words, sizeof words, "its worker cannot enter its control group: %s", strerror(errno));
            send_refused(in, kanal_str_c(words));
            return -1;
        }
        close(fd);
    }
    return 0;
}

static void send_description(struct inside *in)
{
    const kanal_plugin *p = &in->plugin;
    struct wire_described described = { .plugin = p };
    described.slots = (p->provision ? WIRE_SLOT_PROVISION : 0) | (p->on_http ? WIRE_SLOT_ON_HTTP : 0) |
                      (p->deliver ? WIRE_SLOT_DELIVER : 0) | (p->media ? WIRE_SLOT_MEDIA : 0) |
                      (p->on_wake ? WIRE_SLOT_ON_WAKE : 0);
    if (inside_send(in, WIRE_DESCRIBED, NULL, &described) != 0) {
        send_refused(in, KANAL_LIT("it says more of itself than fits: 2 MiB"));
    }
}

/* What the dynamic linker says begins with the name that we opened it by. */
static kanal_str without_name(kanal_str text, const char *name)
{
    const char *at = text.ptr ? memmem(text.ptr, text.len, name, strlen(name)) : NULL;
    static char cut[512];
    size_t before = at ? (size_t)(at - text.ptr) : 0, skipped = strlen(name) + 2;
    if (!at || before + skipped > text.len || text.len > sizeof cut)
        return text;
    memcpy(cut, text.ptr, before);
    memcpy(cut + before, text.ptr + before + skipped, text.len - before - skipped);
    return kanal_str_of(cut, text.len - skipped);
}

/* The control group, the first stage of the sandbox, the plugin, the second. 0, or the core was told why not. */
static int load(struct inside *in, const struct told *told, const struct sandbox_options *sandbox)
{
    char path[32];
    const kanal_plugin *descriptor;
    struct kanal_buffer error = { 0 };
    struct sandbox_report *report = &in->page->sandbox;
    if (enter_groups(in, told->entrances) != 0)
        return -1;
    if (sandbox_before_load(sandbox, report) != 0) {
        send_refused(in, kanal_str_c(report->problem));
        return -1;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", WORKER_FD_PLUGIN);
    __atomic_store_n(&in->page->slot, WIRE_DESCRIBED, __ATOMIC_RELAXED);
    int status = plugin_open(&descriptor, path, &error);
    close(WORKER_FD_PLUGIN);
    if (status != 0) {
        send_refused(in, without_name(kanal_buffer_view(&error), path));
    } else if (sandbox_after_load(sandbox, report) != 0) {
        send_refused(in, kanal_str_c(report->problem));
        status = -1;
    } else {
        plugin_copy(&in->plugin, descriptor);
        send_description(in);
    }
    kanal_buffer_release(&error);
    return status;
}

static void release(struct inside *in)
{
    inside_free_channels(in);
    inside_ops_release(in);
    inside_sockets_release(in);
    wire_scratch_release(&in->scratch);
    kanal_buffer_release(&in->out);
    free(in->todo);
    free(in->in);
}

static int has_instances(const struct inside *in)
{
    for (size_t i = 0; i < in->channel_room; i++)
        if (in->channels[i] && in->channels[i]->instance)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    struct sandbox_limit limits[3];
    int keep[7];
    if (argc != 5) {
        fprintf(stderr, "kanal-worker is started by `kanal run`\n");
        return 2;
    }
    struct inside in = { .socket = WORKER_FD_SOCKET,
                         .out_lock = PTHREAD_MUTEX_INITIALIZER,
                         .lane = pthread_self() };
    const struct told told = { .parent = (pid_t)strtol(argv[1], NULL, 10),
                               .memory = strtoull(argv[2], NULL, 10),
                               .flags = (unsigned)strtoul(argv[3], NULL, 10),
                               .entrances = (int)strtol(argv[4], NULL, 10) };
    signal(SIGPIPE, SIG_IGN);
    in.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    in.page = map_page();
    if (in.wake < 0 || !in.page || set_areas_up(&in) != 0) {
        fprintf(stderr, "kanal-worker: it cannot be set up: %s\n", strerror(errno));
        return 1;
    }
    send_hello(&in);
    const struct sandbox_options sandbox = sandbox_of(&told, &in, limits, keep);
    int status = load(&in, &told, &sandbox);
    inside_flush(&in);
    if (status == 0)
        inside_run(&in);
    if (has_instances(&in))
        _exit(0); /* the core ended first: nobody is there for destroy() to talk to */
    release(&in);
    return 0;
}
