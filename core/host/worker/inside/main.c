/* kanal-worker - hosts one plugin for `kanal run`, which starts it; it is of no use by itself.
 *
 *   kanal-worker PARENT MEMORY   descriptors 3: the socket to the core, 4: the page, 5: the plugin's file; 2: lines for the log.
 *
 * It maps the plugin, says what the plugin is (or why it was refused), and serves its channels until the socket ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/plugin_file.h"
#include "inside.h"
#include "kanal/sdk/str.h"

#define DESCRIPTORS_MOST 64u
#define FILE_BYTES_MOST (64u * 1024 * 1024)

#if defined __SANITIZE_ADDRESS__
#define IS_SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static int limit(int resource, uint64_t most)
{
    struct rlimit both = { most, most };
    return setrlimit((__rlimit_resource_t)resource, &both);
}

/* The core sets the memory again when it knows the plugin's configuration. AddressSanitizer maps terabytes. */
static int set_limits(uint64_t memory)
{
    int status = limit(RLIMIT_CORE, 0);
    status |= limit(RLIMIT_NOFILE, DESCRIPTORS_MOST);
    status |= limit(RLIMIT_FSIZE, FILE_BYTES_MOST);
    if (!IS_SANITIZED && memory > 0)
        status |= limit(RLIMIT_DATA, memory);
    return status;
}

static struct worker_page *map_page(void)
{
    void *page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_PAGE, 0);
    close(WORKER_FD_PAGE);
    return page == MAP_FAILED ? NULL : page;
}

static void send_hello(struct inside *in)
{
    struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, KANAL_ABI_MAJOR, KANAL_ABI_MINOR };
    inside_send(in, WIRE_HELLO, NULL, &hello);
}

static void send_description(struct inside *in)
{
    const kanal_plugin *p = &in->plugin;
    struct wire_described described = { .plugin = p };
    described.slots = (p->provision ? WIRE_SLOT_PROVISION : 0) | (p->on_http ? WIRE_SLOT_ON_HTTP : 0) |
                      (p->deliver ? WIRE_SLOT_DELIVER : 0) | (p->media ? WIRE_SLOT_MEDIA : 0) |
                      (p->on_wake ? WIRE_SLOT_ON_WAKE : 0);
    if (inside_send(in, WIRE_DESCRIBED, NULL, &described) != 0) {
        struct wire_text refused = { 0, KANAL_LIT("it says more of itself than fits: 2 MiB") };
        inside_send(in, WIRE_REFUSED, NULL, &refused);
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

static int load(struct inside *in)
{
    char path[32];
    const kanal_plugin *descriptor;
    struct kanal_buffer error = { 0 };
    snprintf(path, sizeof path, "/proc/self/fd/%d", WORKER_FD_PLUGIN);
    __atomic_store_n(&in->page->slot, WIRE_DESCRIBED, __ATOMIC_RELAXED);
    int status = plugin_open(&descriptor, path, &error);
    close(WORKER_FD_PLUGIN);
    if (status == 0) {
        plugin_copy(&in->plugin, descriptor);
        send_description(in);
    } else {
        struct wire_text refused = { 0, without_name(kanal_buffer_view(&error), path) };
        inside_send(in, WIRE_REFUSED, NULL, &refused);
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
    if (argc != 3) {
        fprintf(stderr, "kanal-worker is started by `kanal run`\n");
        return 2;
    }
    struct inside in = { .socket = WORKER_FD_SOCKET,
                         .out_lock = PTHREAD_MUTEX_INITIALIZER,
                         .lane = pthread_self() };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(argv[1], NULL, 10))
        return 1; /* the core ended before we asked to be told */
    signal(SIGPIPE, SIG_IGN);
    in.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    in.page = map_page();
    if (in.wake < 0 || !in.page || set_limits(strtoull(argv[2], NULL, 10)) != 0) {
        fprintf(stderr, "kanal-worker: it cannot be set up: %s\n", strerror(errno));
        return 1;
    }
    send_hello(&in);
    int status = load(&in);
    inside_flush(&in);
    if (status == 0)
        inside_run(&in);
    if (has_instances(&in))
        _exit(0); /* the core ended first: nobody is there for destroy() to talk to */
    release(&in);
    return 0;
}
