#include "host/redact.h"

#include <ctype.h>
#include <strings.h>

#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

#define SECRET_MIN 4u
#define MASK "***"

/* What stands here, as far as the text goes; a cut end may hold a secret's beginning. 0: no secret. */
static size_t secret_at(kanal_str rest, int is_cut, kanal_str secret)
{
    if (secret.len < SECRET_MIN || rest.len < SECRET_MIN)
        return 0;
    if (rest.len >= secret.len)
        return memcmp(rest.ptr, secret.ptr, secret.len) == 0 ? secret.len : 0;
    return is_cut && memcmp(rest.ptr, secret.ptr, rest.len) == 0 ? rest.len : 0;
}

static size_t any_secret_at(kanal_str rest, int is_cut, const kanal_str *secrets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = secret_at(rest, is_cut, secrets[i]);
        if (len > 0)
            return len;
    }
    return 0;
}

static int is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Does a name that says so end before `at`, perhaps in quotes? */
static int names_secret(kanal_str text, size_t at)
{
    static const char *const names[] = { "token",   "secret", "password",      "passwd",
                                         "api_key", "apikey", "authorization", "signature" };
    while (at > 0 && strchr(" \t\"'\\", text.ptr[at - 1]) && text.ptr[at - 1] != '\0')
        at--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i]);
        if (at >= len && strncasecmp(text.ptr + at - len, names[i], len) == 0)
            return 1;
    }
    return 0;
}

static size_t skip_any(kanal_str text, size_t at, const char *of)
{
    while (at < text.len && text.ptr[at] != '\0' && strchr(of, text.ptr[at]))
        at++;
    return at;
}

static size_t skip_until(kanal_str text, size_t at, const char *of)
{
    while (at < text.len && (text.ptr[at] == '\0' || !strchr(of, text.ptr[at])))
        at++;
    return at;
}

/* The value behind ':' or '='; *ret_end: behind it. 1: there is one. */
static int find_value(kanal_str text, size_t at, size_t *ret_start, size_t *ret_end)
{
    size_t start = skip_any(text, at, " \t\\"), end;
    int is_quoted = start < text.len && (text.ptr[start] == '"' || text.ptr[start] == '\'');
    if (is_quoted) {
        start++;
        end = skip_until(text, start, text.ptr[start - 1] == '"' ? "\"\\" : "'\\");
    } else {
        end = skip_until(text, start, "&,;}<>\"' \t\r\n\\");
        kanal_str word = kanal_str_of(text.ptr + start, end - start);
        if (kanal_str_equal_nocase(word, KANAL_LIT("bearer")) ||
            kanal_str_equal_nocase(word, KANAL_LIT("basic")))
            end = skip_until(text, skip_any(text, end, " \t"), "&,;}<>\"' \t\r\n\\");
    }
    *ret_start = start;
    *ret_end = end;
    return end > start && text.ptr[start] != '{' && text.ptr[start] != '[';
}

/* "/m/<channel>/": the length of that, or 0. */
static size_t media_at(kanal_str rest)
{
    size_t at = 3;
    if (!kanal_str_starts(rest, "/m/"))
        return 0;
    while (at < rest.len && is_word(rest.ptr[at]))
        at++;
    return at > 3 && at < rest.len && rest.ptr[at] == '/' ? at + 1 : 0;
}

static void redact_with(struct kanal_buffer *out, kanal_str text, int is_cut, const kanal_str *secrets,
                        size_t count)
{
    for (size_t at = 0; at < text.len;) {
        kanal_str rest = kanal_str_from(text, at);
        size_t start = 0, end = 0, len = any_secret_at(rest, is_cut, secrets, count);
        if (len > 0) {
            kanal_buffer_text(out, MASK);
            at += len;
        } else if ((len = media_at(rest)) > 0) {
            kanal_buffer_append(out, rest.ptr, len);
            kanal_buffer_text(out, MASK);
            at = skip_until(text, at + len, "\"'<>)(,; \t\r\n\\");
        } else if ((text.ptr[at] == ':' || text.ptr[at] == '=') && names_secret(text, at) &&
                   find_value(text, at + 1, &start, &end)) {
            len = any_secret_at(kanal_str_from(text, start), is_cut, secrets, count);
            end = start + len > end ? start + len : end; /* one with a delimiter in it */
            kanal_buffer_append(out, text.ptr + at, start - at);
            kanal_buffer_text(out, MASK);
            at = end;
        } else {
            kanal_buffer_byte(out, text.ptr[at++]);
        }
    }
}

void redact(struct kanal_buffer *out, kanal_str text, int is_cut, const kanal_str *secrets,
            size_t secret_count)
{
    struct kanal_buffer encoded = { 0 };
    kanal_str *all = calloc(2 * secret_count + 1, sizeof *all);
    size_t *begins = calloc(secret_count + 1, sizeof *begins);
    if (!all || !begins) { /* rather nothing than a secret */
        kanal_buffer_text(out, MASK);
        goto out;
    }
    for (size_t i = 0; i < secret_count; i++) {
        begins[i] = encoded.len;
        kanal_url_encode(&encoded, secrets[i]);
    }
    begins[secret_count] = encoded.len;
    if (encoded.failed) {
        kanal_buffer_text(out, MASK);
        goto out;
    }
    for (size_t i = 0; i < secret_count; i++) {
        all[i] = secrets[i];
        all[secret_count + i] =
            kanal_str_of(encoded.len > 0 ? encoded.data + begins[i] : NULL, begins[i + 1] - begins[i]);
    }
    redact_with(out, text, is_cut, all, 2 * secret_count);
out:
    if (encoded.data)
        explicit_bzero(encoded.data, encoded.capacity);
    kanal_buffer_release(&encoded);
    free(begins);
    free(all);
}
