/* Sources: RFC 3986 (characters of a URI), RFC 6570 (the form of the variables). */
#include "kanal/sdk/link.h"

#include "kanal/sdk/url.h"

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the scheme; 0: the text begins with none. */
static size_t scheme_len(kanal_str text)
{
    size_t i = 0;
    while (i < text.len &&
           (is_letter(text.ptr[i]) || (i > 0 && (is_digit(text.ptr[i]) || text.ptr[i] == '+' ||
                                                 text.ptr[i] == '-' || text.ptr[i] == '.'))))
        i++;
    return i + 1 < text.len && text.ptr[i] == ':' ? i : 0;
}

/* What a page or a mail must never be made to open. */
static int is_harmful(kanal_str scheme)
{
    static const char *const harmful[] = { "javascript", "data", "vbscript", "blob", "file", "about" };
    for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
        if (kanal_str_equal_nocase(scheme, kanal_str_c(harmful[i])))
            return 1;
    return 0;
}

/* Bytes of the variable that begins here; 0: none does. */
static size_t variable_len(kanal_str rest)
{
    return kanal_str_starts(rest, "{ref}") ? 5 : kanal_str_starts(rest, "{text}") ? 6 : 0;
}

static int escapes_are_whole(kanal_str text)
{
    struct kanal_buffer decoded = { 0 };
    int are_whole = kanal_url_decode(&decoded, text, 0) == KANAL_OK;
    kanal_buffer_release(&decoded);
    return are_whole;
}

int kanal_link_template_is_valid(kanal_str uri_template)
{
    static const char others[] = "-._~:/?#[]@!$&'()*+,;=%";
    size_t scheme = scheme_len(uri_template), variables = 0;
    if (uri_template.len > KANAL_LINK_TEMPLATE_MAX || scheme == 0 ||
        is_harmful(kanal_str_of(uri_template.ptr, scheme)) || !escapes_are_whole(uri_template))
        return 0;
    for (size_t i = scheme; i < uri_template.len; i++) {
        char c = uri_template.ptr[i];
        size_t variable = variable_len(kanal_str_from(uri_template, i));
        variables += variable > 0;
        if (variable > 0)
            i += variable - 1;
        else if (c == 0 || !(is_letter(c) || is_digit(c) || strchr(others, c)))
            return 0;
    }
    return variables == 1;
}

void kanal_link_offer_template(const kanal_host *host, kanal_str uri_template)
{
    const kanal_link_host *links = host->extension(host, KANAL_EXT_LINK);
    if (links)
        links->offer(host, uri_template);
}

void kanal_link_offer(const kanal_host *host, const char *before, kanal_str middle, const char *after)
{
    struct kanal_buffer text = { 0 };
    if (middle.len > 0) {
        kanal_buffer_text(&text, before);
        kanal_url_encode(&text, middle);
        kanal_buffer_text(&text, after);
    }
    kanal_link_offer_template(host, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}
