#include "cli/replay_diff.h"

struct diff {
    void (*tell)(void *user, kanal_str pointer, yyjson_val *stored, yyjson_val *made);
    void *user;
    int has_time;
    size_t count;
    struct kanal_buffer pointer;
};

static int is_ignored(const struct diff *d)
{
    static const char *const pointers[] = { "/recordedtime", "/traceparent",     "/corrects",
                                            "/id",           "/data/message/id", "/data/customer/id" };
    kanal_str at = kanal_buffer_view(&d->pointer);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        if (kanal_str_is(at, pointers[i]))
            return 1;
    return kanal_str_is(at, "/time") && !d->has_time;
}

/* Up to the token of a media URL of the gateway, which has its own time in it. */
static kanal_str comparable(kanal_str text)
{
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, "/m/", 3) : NULL;
    if (!at || !(kanal_str_starts(text, "http://") || kanal_str_starts(text, "https://")))
        return text;
    size_t end = (size_t)(at - text.ptr) + 3;
    while (end < text.len && text.ptr[end] != '/')
        end++;
    return kanal_str_from(kanal_str_of(text.ptr, end), (size_t)(at - text.ptr));
}

static void different(struct diff *d, yyjson_val *stored, yyjson_val *made)
{
    d->count++;
    if (d->tell)
        d->tell(d->user, kanal_buffer_view(&d->pointer), stored, made);
}

static void compare(struct diff *d, yyjson_val *stored, yyjson_val *made);

static void step(struct diff *d, kanal_str name, yyjson_val *stored, yyjson_val *made)
{
    size_t len = d->pointer.len;
    kanal_buffer_byte(&d->pointer, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~' || name.ptr[i] == '/')
            kanal_buffer_text(&d->pointer, name.ptr[i] == '~' ? "~0" : "~1");
        else
            kanal_buffer_byte(&d->pointer, name.ptr[i]);
    }
    compare(d, stored, made);
    d->pointer.len = len;
}

static void compare_objects(struct diff *d, yyjson_val *stored, yyjson_val *made)
{
    size_t index, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (stored, index, max, key, value)
        step(d, kanal_json_text(key), value, yyjson_obj_getn(made, yyjson_get_str(key), yyjson_get_len(key)));
    yyjson_obj_foreach (made, index, max, key, value)
        if (!yyjson_obj_getn(stored, yyjson_get_str(key), yyjson_get_len(key)))
            step(d, kanal_json_text(key), NULL, value);
}

static void compare_arrays(struct diff *d, yyjson_val *stored, yyjson_val *made)
{
    size_t a = yyjson_arr_size(stored), b = yyjson_arr_size(made);
    for (size_t i = 0; i < (a > b ? a : b); i++) {
        struct kanal_buffer name = { 0 };
        kanal_buffer_uint(&name, i);
        step(d, kanal_buffer_view(&name), yyjson_arr_get(stored, i), yyjson_arr_get(made, i));
        kanal_buffer_release(&name);
    }
}

static void compare(struct diff *d, yyjson_val *stored, yyjson_val *made)
{
    if (is_ignored(d))
        return;
    if (yyjson_is_obj(stored) && yyjson_is_obj(made))
        compare_objects(d, stored, made);
    else if (yyjson_is_arr(stored) && yyjson_is_arr(made))
        compare_arrays(d, stored, made);
    else if (yyjson_is_str(stored) && yyjson_is_str(made)) {
        if (!kanal_str_equal(comparable(kanal_json_text(stored)), comparable(kanal_json_text(made))))
            different(d, stored, made);
    } else if (!stored || !made || !yyjson_equals(stored, made)) {
        different(d, stored, made);
    }
}

size_t replay_diff(yyjson_val *stored, yyjson_val *made, int has_time,
                   void (*tell)(void *user, kanal_str pointer, yyjson_val *stored, yyjson_val *made),
                   void *user)
{
    struct diff d = { .tell = tell, .user = user, .has_time = has_time };
    compare(&d, stored, made);
    kanal_buffer_release(&d.pointer);
    return d.count;
}
