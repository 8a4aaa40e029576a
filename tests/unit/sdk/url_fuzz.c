/* URLs and forms: views stay inside the text, what was encoded decodes to itself. */
#include "kanal/sdk/url.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_inside(kanal_str view, kanal_str text)
{
    check(view.ptr == NULL || (view.ptr >= text.ptr && view.ptr + view.len <= text.ptr + text.len));
}

static void fuzz_url(kanal_str text)
{
    struct kanal_url url;
    if (kanal_url_parse(text, &url) != KANAL_OK)
        return;
    const kanal_str views[] = { url.scheme, url.userinfo, url.host,    url.port,
                                url.path,   url.query,    url.fragment };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        check_inside(views[i], text);
        check(memchr(views[i].ptr ? views[i].ptr : "", '\n', views[i].len) == NULL);
    }
    check(url.host.len > 0);
    check(url.path.ptr >= url.host.ptr + url.host.len); /* also an empty path stands at its place */
}

static void fuzz_encoding(kanal_str text)
{
    struct kanal_buffer encoded = { 0 }, decoded = { 0 };
    kanal_url_encode(&encoded, text);
    check(kanal_url_decode(&decoded, kanal_buffer_view(&encoded), 1) == KANAL_OK);
    check(kanal_str_equal(kanal_buffer_view(&decoded), text));
    kanal_url_decode(&decoded, text, 0);
    kanal_buffer_release(&encoded);
    kanal_buffer_release(&decoded);
}

/* Pairs are written again and read again. */
static void fuzz_form(kanal_str text)
{
    struct kanal_buffer scratch = { 0 }, name_copy = { 0 }, again = { 0 }, value_copy = { 0 };
    kanal_str rest = text, name, value;
    int more;
    while ((more = kanal_form_next(&rest, &scratch, &name, &value)) != 0) {
        check_inside(rest, text);
        if (more < 0)
            continue;
        kanal_buffer_clear(&name_copy);
        kanal_buffer_clear(&again);
        kanal_buffer_clear(&value_copy);
        kanal_buffer_str(&name_copy, name);
        kanal_buffer_byte(&name_copy, 0);
        if (memchr(name.ptr, 0, name.len) != NULL)
            continue; /* form_add() takes a C string */
        kanal_form_add(&again, name_copy.data, value);
        check(kanal_form_get(kanal_buffer_view(&again), name_copy.data, &value_copy) == KANAL_OK);
        check(kanal_str_equal(kanal_buffer_view(&value_copy), value));
    }
    kanal_buffer_release(&scratch);
    kanal_buffer_release(&name_copy);
    kanal_buffer_release(&again);
    kanal_buffer_release(&value_copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { (const char *)data, size };
    fuzz_url(text);
    fuzz_encoding(text);
    fuzz_form(text);
    return 0;
}
