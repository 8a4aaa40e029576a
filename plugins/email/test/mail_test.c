/* Mails as they come, and what they become. */
#include <dirent.h>
#include <stdio.h>

#include "test/peer.h"

static char *read_mail(const char *name, size_t *ret_len)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s.eml", FIXTURES, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    struct kanal_buffer text = { 0 };
    char bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;)
        kanal_buffer_append(&text, bytes, n);
    fclose(file);
    *ret_len = text.len;
    return text.data ? text.data : calloc(1, 1);
}

/* The channel that has read this one mail. */
static struct fake_host *read_one(const char *text, size_t len, const char *settings, uint32_t chunk)
{
    struct peer *p = calloc(1, sizeof *p);
    p->host = peer_host(settings);
    p->chunk = chunk;
    peer_add(p, 41, text, len);
    peer_open(p);
    struct fake_host *host = p->host;
    peer_release(p);
    free(p);
    return host;
}

static void end(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Every fixture ---- */

static size_t each_mail(void (*each)(const char *name, void *user), void *user)
{
    DIR *directory = opendir(FIXTURES);
    size_t count = 0;
    cr_assert_not_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 4, ".eml") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 4), entry->d_name);
        each(name, user);
        count++;
    }
    closedir(directory);
    return count;
}

static void check(const char *name, void *user)
{
    size_t len;
    char *text = read_mail(name, &len);
    (void)user;
    struct fake_host *host = read_one(text, len, NULL, 0);
    fixture_check(host, FIXTURES, name);
    end(host);
    free(text);
}

Test(mail, every_fixture_tells_what_is_expected)
{
    cr_assert_gt(each_mail(check, NULL), 40);
}

/* Whatever the pieces are that the network makes of it. */
static void check_chunks(const char *name, void *user)
{
    static const uint32_t chunks[] = { 1, 7, 64 };
    size_t len;
    char *text = read_mail(name, &len);
    (void)user;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct fake_host *host = read_one(text, len, NULL, chunks[i]);
        fixture_check(host, FIXTURES, name);
        end(host);
    }
    free(text);
}

Test(mail, in_pieces_of_any_size)
{
    if (!getenv("KANAL_WRITE_GOLDEN"))
        each_mail(check_chunks, NULL);
}

/* Cut at any byte, nothing crashes, and every mail that has a sender is told. */
static void check_cut(const char *name, void *user)
{
    size_t len;
    char *text = read_mail(name, &len);
    (void)user;
    for (size_t n = 0; n < len; n += 1 + len / 150) {
        struct fake_host *host = read_one(text, n, NULL, 0);
        cr_expect(fake_event_count(host) > 0 || strcmp(name, "own") == 0, "%s cut at %zu", name, n);
        end(host);
    }
    free(text);
}

Test(mail, cut_anywhere)
{
    each_mail(check_cut, NULL);
}

Test(mail, html_is_kept_where_it_is_wanted)
{
    size_t len;
    char *text = read_mail("alternative", &len);
    struct fake_host *host =
        read_one(text, len,
                 "{\"address\":\"shop@example.com\",\"imap_url\":\"imaps://imap.example.com\","
                 "\"start\":\"all\",\"keep_html\":true}",
                 0);
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Yes, please deliver it today.");
    EXPECT_TEXT(event_value(host, 0, "message/content/1/name"), "message.html");
    EXPECT_TEXT(event_value(host, 0, "message/content/1/mime"), "text/html; charset=UTF-8");
    EXPECT_TEXT(event_value(host, 0, "message/content/1/ref"), "blob:1");
    end(host);
    free(text);
}
