#include "kanal/sdk/origin.h"
#include "kanal/sdk/url.h"

/* A star in the place of the first label is every name below, not the name itself. */
static int matches(kanal_str pattern, kanal_str origin)
{
    const char *star = memmem(pattern.ptr, pattern.len, "://*.", 5);
    if (star == NULL)
        return kanal_str_equal(pattern, origin);
    size_t head = (size_t)(star - pattern.ptr) + 3; /* with "://" */
    kanal_str tail = kanal_str_from(pattern, head + 1);
    return origin.len > head + tail.len && memcmp(origin.ptr, pattern.ptr, head) == 0 &&
           memcmp(origin.ptr + origin.len - tail.len, tail.ptr, tail.len) == 0;
}

int kanal_origin_allowed(yyjson_val *patterns, kanal_str origin)
{
    struct kanal_url url;
    if (origin.len > KANAL_ORIGIN_BYTES_MAX || kanal_url_parse(origin, &url) != KANAL_OK ||
        url.path.len > 0 || url.userinfo.ptr != NULL || url.query.ptr != NULL || url.fragment.ptr != NULL)
        return 0; /* also "null" */
    for (size_t i = 0; i < yyjson_arr_size(patterns); i++) {
        kanal_str pattern = kanal_json_text(yyjson_arr_get(patterns, i));
        if (kanal_str_is(pattern, "*") || matches(pattern, origin))
            return 1;
    }
    return 0;
}
