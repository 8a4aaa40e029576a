/* `kanal plugin new`: the template's files, under another name. */
#include "kit/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kanal/sdk/str.h"
#include "kit/template.h"

#define TEMPLATE_NAME "postbox"
#define TEMPLATE_TITLE "Postbox"
#define NAME_BYTES_MAX 32u

static int refuse(struct kanal_buffer *error, const char *what, const char *path)
{
    kanal_buffer_text(error, path);
    kanal_buffer_text(error, what);
    if (what[strlen(what) - 1] == ' ')
        kanal_buffer_text(error, strerror(errno));
    return KANAL_E_INVALID;
}

static int is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_BYTES_MAX && name[0] >= 'a' && name[0] <= 'z' && name[len - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* The template's text, its names replaced. */
static void rename_text(kanal_str text, const char *name, struct kanal_buffer *out)
{
    const size_t len = strlen(TEMPLATE_NAME);
    for (size_t i = 0; i < text.len;) {
        const int fits = text.len - i >= len;
        if (fits && memcmp(text.ptr + i, TEMPLATE_NAME, len) == 0) {
            kanal_buffer_text(out, name);
            i += len;
        } else if (fits && memcmp(text.ptr + i, TEMPLATE_TITLE, len) == 0) {
            kanal_buffer_byte(out, (char)(name[0] - 'a' + 'A'));
            kanal_buffer_text(out, name + 1);
            i += len;
        } else {
            kanal_buffer_byte(out, text.ptr[i++]);
        }
    }
}

static void make_path(struct kanal_buffer *path, const char *directory, const char *file, const char *name)
{
    kanal_buffer_clear(path);
    kanal_buffer_text(path, directory);
    kanal_buffer_byte(path, '/');
    rename_text(kanal_str_c(file), name, path);
    kanal_buffer_byte(path, 0);
}

/* The folders above a file. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int failed = mkdir(path, 0755) != 0 && errno != EEXIST;
        *slash = '/';
        if (failed)
            return -1;
    }
    return 0;
}

static int write_file(const char *path, kanal_str bytes, mode_t mode)
{
    int file =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode); /* never over one that came meanwhile */
    if (file < 0)
        return -1;
    ssize_t n = bytes.len > 0 ? write(file, bytes.ptr, bytes.len) : 0;
    return close(file) != 0 || n != (ssize_t)bytes.len ? -1 : 0;
}

static int check_free(const char *name, const char *directory, struct kanal_buffer *error)
{
    struct kanal_buffer path = { 0 };
    struct stat st;
    int status = 0;
    for (const struct template_file *file = template_files; file->path && status == 0; file++) {
        make_path(&path, directory, file->path, name);
        if (path.failed)
            status = KANAL_E_INTERNAL;
        else if (lstat(path.data, &st) == 0)
            status = refuse(error, " is there already; nothing was written", path.data);
        else if (errno != ENOENT)
            status = refuse(error, ": ", path.data);
    }
    kanal_buffer_release(&path);
    return status;
}

static int write_all(const char *name, const char *directory, struct kanal_buffer *error)
{
    struct kanal_buffer path = { 0 }, text = { 0 };
    int status = 0;
    for (const struct template_file *file = template_files; file->path && status == 0; file++) {
        make_path(&path, directory, file->path, name);
        kanal_buffer_clear(&text);
        rename_text(kanal_str_of((const char *)file->bytes, file->len), name, &text);
        if (path.failed || text.failed)
            status = KANAL_E_INTERNAL;
        else if (make_folders(path.data) != 0 ||
                 write_file(path.data, kanal_buffer_view(&text), (mode_t)file->mode) != 0)
            status = refuse(error, ": cannot be written: ", path.data);
        else
            printf("%s\n", path.data);
    }
    kanal_buffer_release(&path);
    kanal_buffer_release(&text);
    return status;
}

int kit_new(const char *name, const char *directory, struct kanal_buffer *error)
{
    if (!is_name(name))
        return refuse(error,
                      ": a plugin's name is 1 to 32 of a-z, 0-9 and '-', begins with a letter and does not "
                      "end with '-'",
                      name);
    int status = check_free(name, directory, error);
    if (status == 0)
        status = write_all(name, directory, error);
    if (status == 0)
        printf("\nNext: cd %s && make && make test && make check; docs/plugin-author.md tells the rest.\n",
               directory);
    return status;
}
