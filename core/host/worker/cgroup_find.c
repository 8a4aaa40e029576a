/* Where control groups lie: /proc/self/cgroup says which, /proc/self/mountinfo where. proc_pid_cgroup(5), proc_pid_mountinfo(5). */
#include <stdio.h>
#include <string.h>

#include "host/worker/cgroup_private.h"

/* ---- Words ---- */

struct word {
    const char *ptr;
    size_t len;
};

/* What stands before the next separator or the line's end; moves on to behind it. */
static struct word take(const char **at, char separator)
{
    const char stops[] = { separator, '\n', '\0' };
    struct word word = { *at, strcspn(*at, stops) };
    *at += word.len;
    if (**at == separator)
        (*at)++;
    return word;
}

static int is_word(struct word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.ptr, text, word.len) == 0;
}

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

/* Of a list with commas. */
static unsigned controllers_in(struct word list)
{
    unsigned found = 0;
    for (size_t i = 0; i < list.len; i++) {
        const char *comma = memchr(list.ptr + i, ',', list.len - i);
        struct word one = { list.ptr + i, comma ? (size_t)(comma - list.ptr) - i : list.len - i };
        for (unsigned controller = 1; controller <= CGROUP_PIDS; controller <<= 1)
            if (is_word(one, cgroup_controller_name(controller)))
                found |= controller;
        i += one.len;
    }
    return found;
}

static int octal(const char *at)
{
    int value = 0;
    for (int i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '7')
            return -1;
        value = value * 8 + (at[i] - '0');
    }
    return value <= 255 ? value : -1;
}

/* Spaces, tabs, line ends and backslashes stand as \040. -1: too long. */
static int unescape(struct word word, char to[CGROUP_PATH_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        int byte = word.ptr[i] == '\\' && word.len - i > 3 ? octal(word.ptr + i + 1) : -1;
        if (n + 1 >= CGROUP_PATH_MAX)
            return -1;
        to[n++] = byte >= 0 ? (char)byte : word.ptr[i];
        i += byte >= 0 ? 3 : 0;
    }
    to[n] = '\0';
    return 0;
}

/* ---- Mounts ---- */

struct mount {
    int version;
    unsigned controllers;
    char root[CGROUP_PATH_MAX]; /* the group that is mounted: not "/" in a container that sees the host's */
    char at[CGROUP_PATH_MAX];
};

/* 36 35 98:0 /root /at rw,noatime master:1 - cgroup cgroup rw,memory. 0, or -1: another kind. */
static int read_mount(const char *line, struct mount *ret_mount)
{
    struct word field = { 0 };
    for (int i = 0; i < 5; i++) {
        field = take(&line, ' ');
        if ((i == 3 && unescape(field, ret_mount->root) != 0) ||
            (i == 4 && unescape(field, ret_mount->at) != 0))
            return -1;
    }
    while (field.len > 0 && !is_word(field, "-"))
        field = take(&line, ' ');
    struct word type = take(&line, ' ');
    (void)take(&line, ' ');
    ret_mount->controllers = controllers_in(take(&line, ' '));
    ret_mount->version = is_word(type, "cgroup2") ? 2 : 1;
    return is_word(type, "cgroup2") || (is_word(type, "cgroup") && ret_mount->controllers) ? 0 : -1;
}

/* The group's directory below the mount. 0, or -1: it is not to be seen there. */
static int locate(const struct mount *mount, const char *group, char path[CGROUP_PATH_MAX])
{
    size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    if (strncmp(group, mount->root, root) != 0 || (group[root] != '/' && group[root] != '\0') ||
        strstr(group, "/.."))
        return -1;
    group += root;
    int n = snprintf(path, CGROUP_PATH_MAX, "%s%s", mount->at, strcmp(group, "/") == 0 ? "" : group);
    return n > 0 && n < CGROUP_PATH_MAX ? 0 : -1;
}

/* ---- Together ---- */

static void add_place(struct cgroup_places *places, int version, unsigned controllers, const char *mounts,
                      const char *group)
{
    struct mount mount;
    struct cgroup_place *place = &places->list[places->count];
    for (; *mounts; mounts = next_line(mounts))
        if (read_mount(mounts, &mount) == 0 && mount.version == version &&
            (version == 2 || (mount.controllers & controllers)) && places->count < CGROUP_PLACES &&
            locate(&mount, group, place->path) == 0) {
            place->version = version;
            place->controllers = controllers;
            places->count++;
            return;
        }
}

void cgroup_find(struct cgroup_places *ret_places, const char *membership, const char *mounts,
                 const char *group)
{
    unsigned seen = 0, has_unified = 0;
    char own[CGROUP_PATH_MAX];
    ret_places->count = 0;
    for (; *membership; membership = next_line(membership)) {
        const char *at = membership;
        struct word number = take(&at, ':'), names = take(&at, ':'), path = take(&at, '\n');
        unsigned controllers = controllers_in(names) & ~seen;
        int is_unified = is_word(number, "0") && names.len == 0 && !has_unified;
        if (path.len == 0 || path.len >= sizeof own || (!is_unified && !controllers))
            continue;
        memcpy(own, path.ptr, path.len);
        own[path.len] = '\0';
        has_unified |= (unsigned)is_unified;
        seen |= controllers;
        add_place(ret_places, is_unified ? 2 : 1, controllers, mounts, group ? group : own);
    }
}
