#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/worker/wire.h"
#include "host/worker/wire_layout.h"
#include "kanal/sdk/str.h"

/* KANAL_LIT() is no constant. */
#define TEXT(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* A request with something in every member. */
static const kanal_field headers[] = { { TEXT("x-one"), TEXT("1") }, { TEXT("x-two"), { 0 } } };
static const kanal_secret_use uses[] = { { KANAL_IN_PATH, 7, TEXT("n"), TEXT("bot"), TEXT("token") } };
static const kanal_part parts[] = { { .name = TEXT("file"), .source_url = TEXT("http://a/") } };
static const kanal_http_request request = { .struct_size = sizeof request,
                                            .timeout_ms = 1,
                                            .max_response = 2,
                                            .method = TEXT("POST"),
                                            .url = TEXT("https://example.org/"),
                                            .path = TEXT("/p"),
                                            .query = TEXT(""),
                                            .body = TEXT("body\0with NUL"),
                                            .headers = headers,
                                            .header_count = 2,
                                            .secrets = uses,
                                            .secret_count = 1,
                                            .parts = parts,
                                            .part_count = 1 };
static const struct wire_http sent = { .op = UINT64_MAX - 5, .cause = 77, .status = -3, .request = &request };

static struct wire_frame only_frame(const struct kanal_buffer *out, enum wire_side side)
{
    struct wire_frame frame;
    size_t bytes;
    cr_assert_eq(wire_next(kanal_buffer_view(out), side, &frame, &bytes), 1);
    cr_assert_eq(bytes, out->len);
    return frame;
}

static int same(kanal_str a, kanal_str b)
{
    return kanal_str_equal(a, b) && !a.ptr == !b.ptr;
}

Test(wire, a_request_comes_back_as_it_was)
{
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_http got;
    cr_assert_eq(wire_put(&out, WIRE_HTTP_SEND, 9, &sent), 0);
    struct wire_frame frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(frame.channel, 9);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_expect(got.op == sent.op && got.cause == 77 && got.status == -3);
    const kanal_http_request *r = got.request;
    cr_expect(r->struct_size == sizeof *r && r->timeout_ms == 1 && r->max_response == 2);
    cr_expect(same(r->method, request.method) && same(r->url, request.url) && same(r->body, request.body));
    cr_expect(same(r->query, request.query), "empty is not absent");
    cr_expect(same(r->remote, request.remote), "absent is not empty");
    cr_assert_eq(r->header_count, 2);
    cr_expect(same(r->headers[1].name, headers[1].name) && same(r->headers[1].value, headers[1].value));
    cr_assert(r->secret_count == 1 && r->secrets[0].position == 7 &&
              same(r->secrets[0].secret, uses[0].secret));
    cr_assert(r->part_count == 1 && same(r->parts[0].source_url, parts[0].source_url));
    wire_scratch_release(&scratch);
    kanal_buffer_release(&out);
}

Test(wire, what_is_cut_anywhere_is_not_whole_and_then_broken)
{
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_http got;
    wire_put(&out, WIRE_HTTP_SEND, 9, &sent);
    for (size_t n = 0; n < out.len; n++) {
        struct wire_frame frame = only_frame(&out, WIRE_FROM_WORKER);
        size_t bytes;
        cr_expect_eq(wire_next(kanal_str_of(out.data, n), WIRE_FROM_WORKER, &frame, &bytes), 0, "%zu", n);
        cr_expect_gt(bytes, n);
        if (n < WIRE_HEADER_BYTES)
            continue;
        frame.body.len = n - WIRE_HEADER_BYTES; /* its length lies */
        wire_scratch_clear(&scratch);
        cr_expect_eq(wire_get(&frame, &scratch, &got), KANAL_E_INVALID, "%zu", n);
    }
    wire_scratch_release(&scratch);
    kanal_buffer_release(&out);
}

Test(wire, bytes_that_are_left_over_break_it)
{
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_call call = { 5 };
    wire_put(&out, WIRE_CANCEL, 1, &call);
    kanal_buffer_byte(&out, 0);
    struct wire_frame frame = { .type = WIRE_CANCEL,
                                .channel = 1,
                                .body =
                                    kanal_str_of(out.data + WIRE_HEADER_BYTES, out.len - WIRE_HEADER_BYTES) };
    cr_expect_eq(wire_get(&frame, &scratch, &call), KANAL_E_INVALID);
    kanal_buffer_release(&out);
    wire_scratch_release(&scratch);
}

/* A plugin's defects stay defects on the other side, and reach it. */
Test(wire, wrong_arguments_are_as_wrong_there)
{
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_http got;
    kanal_http_request wrong = request;
    wrong.url = (kanal_str){ NULL, 5 };
    wrong.headers = NULL;
    wrong.part_count = SIZE_MAX;
    wire_put(&out, WIRE_HTTP_SEND, 0, &(struct wire_http){ .request = &wrong });
    struct wire_frame frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_expect(!got.request->url.ptr && got.request->url.len > 0);
    cr_expect(!got.request->headers && got.request->header_count > 1000);
    cr_expect(!got.request->parts && got.request->part_count > 1000);
    kanal_buffer_clear(&out);
    wrong = request;
    wrong.struct_size = 16;
    wire_put(&out, WIRE_HTTP_SEND, 0, &(struct wire_http){ .request = &wrong });
    frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_expect_eq(got.request->struct_size, 16);
    kanal_buffer_clear(&out);
    wire_put(&out, WIRE_HTTP_SEND, 0, &(struct wire_http){ .request = NULL });
    frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_expect_null(got.request);
    wire_scratch_release(&scratch);
    kanal_buffer_release(&out);
}

Test(wire, events_with_one_that_is_missing)
{
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_publish got;
    kanal_event event = { .struct_size = sizeof event, .time_ms = -5, .type = KANAL_LIT("message.received") };
    const kanal_event *events[] = { &event, NULL, &event };
    wire_put(&out, WIRE_PUBLISH, 3, &(struct wire_publish){ 1, 2, events, 3, 1 });
    struct wire_frame frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_assert_eq(got.count, 3);
    cr_expect(got.events[0]->time_ms == -5 && !got.events[1] && same(got.events[2]->type, event.type));
    wire_scratch_release(&scratch);
    kanal_buffer_release(&out);
}

Test(wire, a_description_comes_back)
{
    static const kanal_limits limits = { .struct_size = sizeof limits, .text_chars = 4096 };
    static const kanal_route routes[] = { { .method = "POST", .path = "/", .max_body = 5 } };
    static const kanal_secret secrets[] = { { "token", "the token", KANAL_SECRET_REQUIRED } };
    static const char *const egress[] = { "api.example.org", "${setting:url}", NULL };
    const kanal_plugin plugin = { .struct_size = sizeof plugin,
                                  .id = "x",
                                  .name = "X",
                                  .version = "1.0.0",
                                  .caps = KANAL_CAP_TEXT,
                                  .limits = &limits,
                                  .egress = egress,
                                  .routes = routes,
                                  .route_count = 1,
                                  .secrets = secrets,
                                  .secret_count = 1,
                                  .settings_schema = "{}" };
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_described got;
    wire_put(&out, WIRE_DESCRIBED, WIRE_NOBODY, &(struct wire_described){ 3, &plugin });
    struct wire_frame frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_assert_str_eq(got.plugin->id, "x");
    cr_expect(got.slots == 3 && got.plugin->caps == KANAL_CAP_TEXT && got.plugin->limits->text_chars == 4096);
    cr_expect_str_eq(got.plugin->egress[1], "${setting:url}");
    cr_expect_null(got.plugin->egress[2]);
    cr_expect(got.plugin->routes[0].max_body == 5 && !got.plugin->routes[0].algorithm);
    cr_expect_str_eq(got.plugin->secrets[0].description, "the token");
    cr_expect_null(got.plugin->create);
    wire_scratch_release(&scratch);
    kanal_buffer_release(&out);
}

static void put_header(unsigned char header[WIRE_HEADER_BYTES], uint32_t length, uint32_t type)
{
    memset(header, 0, WIRE_HEADER_BYTES);
    for (int i = 0; i < 4; i++) {
        header[i] = (unsigned char)(length >> (8 * i));
        header[4 + i] = (unsigned char)(type >> (8 * i));
    }
}

Test(wire, a_header_is_judged_before_its_body_comes)
{
    unsigned char header[WIRE_HEADER_BYTES];
    struct wire_frame frame;
    size_t bytes;
    for (uint32_t type = 0; type < 70000; type += type < WIRE_TYPES_END + 5 ? 1 : 4096) {
        const struct wire_descriptor *d = wire_descriptor(type);
        for (int side = WIRE_FROM_CORE; side <= WIRE_FROM_WORKER; side++) {
            int may = d && (d->sides & (uint32_t)side);
            put_header(header, d ? d->most : 0, type);
            int found =
                wire_next(kanal_str_of((char *)header, sizeof header), (enum wire_side)side, &frame, &bytes);
            cr_expect_eq(found >= 0, may, "type %u, side %d", type, side);
            put_header(header, (d ? d->most : 0) + 1, type);
            cr_expect_eq(
                wire_next(kanal_str_of((char *)header, sizeof header), (enum wire_side)side, &frame, &bytes),
                KANAL_E_INVALID, "type %u over its limit", type);
        }
    }
}

Test(wire, a_frame_over_its_limit_is_not_made)
{
    struct kanal_buffer out = { 0 }, large = { 0 };
    cr_assert_eq(kanal_buffer_reserve(&large, 2 * 1024 * 1024), 0);
    memset(large.data, 'x', large.len = 1024 * 1024);
    struct wire_state state = { .op = 1, .key = KANAL_LIT("k"), .value = kanal_buffer_view(&large) };
    kanal_buffer_text(&out, "before");
    cr_expect_eq(wire_put(&out, WIRE_STATE_PUT, 0, &state), KANAL_E_TOO_LARGE);
    cr_expect_eq(out.len, 6);
    state.value.len = 256 * 1024 + 1; /* what the core calls too large must reach it */
    cr_expect_eq(wire_put(&out, WIRE_STATE_PUT, 0, &state), 0);
    kanal_buffer_release(&out);
    kanal_buffer_release(&large);
}

Test(wire, lists_longer_than_the_frame_allocate_nothing)
{
    /* publish: op, cause, quiet, and four thousand events that are not there */
    unsigned char body[24] = { [20] = 0xa0, [21] = 0x0f };
    struct wire_frame frame = { .type = WIRE_PUBLISH, .body = { (char *)body, sizeof body } };
    struct wire_scratch scratch = { 0 };
    struct wire_publish got;
    cr_expect_eq(wire_get(&frame, &scratch, &got), KANAL_E_INVALID);
    cr_expect_null(scratch.first);
}

static void expect_aside(uint32_t length, uint32_t type, uint32_t bytes, int expected)
{
    unsigned char raw[WIRE_HEADER_BYTES + WIRE_ASIDE_BYTES];
    struct wire_frame frame;
    size_t used;
    put_header(raw, length, type | WIRE_ASIDE);
    memset(raw + WIRE_HEADER_BYTES, 0, WIRE_ASIDE_BYTES);
    for (int i = 0; i < 4; i++)
        raw[WIRE_HEADER_BYTES + 4 + i] = (unsigned char)(bytes >> (8 * i));
    cr_expect_eq(wire_next(kanal_str_of((char *)raw, sizeof raw), WIRE_FROM_WORKER, &frame, &used), expected,
                 "%u bytes of type %u, frame of %u", bytes, type, length);
}

Test(wire, what_stands_aside_is_judged_by_its_length)
{
    uint32_t most = wire_descriptor(WIRE_BLOB_PUT)->most;
    expect_aside(WIRE_ASIDE_BYTES, WIRE_BLOB_PUT, most, 1);
    expect_aside(WIRE_ASIDE_BYTES, WIRE_BLOB_PUT, most + 1, KANAL_E_INVALID);
    expect_aside(WIRE_ASIDE_BYTES, WIRE_BLOB_PUT, UINT32_MAX, KANAL_E_INVALID);
    expect_aside(WIRE_ASIDE_BYTES, WIRE_BLOB_PUT, WIRE_LARGE - 1, KANAL_E_INVALID);
    expect_aside(WIRE_ASIDE_BYTES, WIRE_RAN, WIRE_LARGE, KANAL_E_INVALID);  /* shorter by its type */
    expect_aside(WIRE_ASIDE_BYTES, WIRE_HTTP, WIRE_LARGE, KANAL_E_INVALID); /* of the other side */
    expect_aside(WIRE_ASIDE_BYTES - 1, WIRE_BLOB_PUT, most, KANAL_E_INVALID);
    expect_aside(WIRE_ASIDE_BYTES + 1, WIRE_BLOB_PUT, most, KANAL_E_INVALID);
}

Test(wire, a_large_text_stands_aside_if_there_is_room)
{
    static char text[WIRE_LARGE + 5000], shared[48 * AREA_PAGE_BYTES];
    int fd = memfd_create("area", MFD_CLOEXEC);
    struct area area = { .fd = fd, .bytes = sizeof shared };
    struct kanal_buffer out = { 0 };
    struct wire_scratch scratch = { 0 };
    struct wire_blob blob = { 7, KANAL_LIT("a/b"), KANAL_LIT("f"), { text, sizeof text } }, got;
    struct wire_frame frame;
    memset(text, 'x', sizeof text);
    cr_assert_eq(wire_put_large(&out, &area, WIRE_BLOB_PUT, 3, &blob), 0);
    cr_expect_eq(out.len, WIRE_HEADER_BYTES + WIRE_ASIDE_BYTES);
    frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_expect(frame.is_aside && frame.channel == 3 && !frame.body.ptr);
    cr_expect_eq(wire_get(&frame, &scratch, &got), KANAL_E_INVALID, "nobody has looked it up");
    cr_assert_eq(pread(fd, shared, frame.body.len, frame.at), (ssize_t)frame.body.len);
    frame.body.ptr = shared;
    cr_assert_eq(wire_get(&frame, &scratch, &got), 0);
    cr_expect(got.op == 7 && kanal_str_equal(got.data, blob.data));
    /* The area is taken: the second goes into the socket. A smaller one does in any case. */
    kanal_buffer_clear(&out);
    cr_assert_eq(wire_put_large(&out, &area, WIRE_BLOB_PUT, 3, &blob), 0);
    frame = only_frame(&out, WIRE_FROM_WORKER);
    cr_expect(!frame.is_aside && wire_get(&frame, &scratch, &got) == 0 && got.data.len == sizeof text);
    kanal_buffer_clear(&out);
    area.count = 0;
    blob.data.len = WIRE_LARGE - 1;
    cr_assert_eq(wire_put_large(&out, &area, WIRE_BLOB_PUT, 3, &blob), 0);
    cr_expect(!only_frame(&out, WIRE_FROM_WORKER).is_aside && area.count == 0);
    wire_scratch_release(&scratch);
    close(fd);
    kanal_buffer_release(&out);
}

Test(wire, every_type_has_a_name)
{
    cr_expect_str_eq(wire_name(WIRE_HTTP), "on_http");
    cr_expect_str_eq(wire_name((enum wire_type)4711), "?");
    for (uint32_t type = 0; type < WIRE_TYPES_END; type++)
        if (wire_descriptor(type))
            cr_expect_str_neq(wire_name((enum wire_type)type), "?");
}
