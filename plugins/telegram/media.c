#include "media.h"

#include "api.h"
#include "kanal/sdk/url.h"
#include "outcome.h"

#define PATH_BYTES_MAX 1024
#define GET_FILE_TIMEOUT_MS 10000

struct fetch {
    struct kanal_channel *channel;
    kanal_op op;
};

int tg_file_path(struct kanal_buffer *out, kanal_str path)
{
    size_t before = out->len;
    if (path.len == 0 || path.len > PATH_BYTES_MAX)
        return -1;
    kanal_buffer_text(out, "/file");
    while (path.len > 0) {
        size_t n = 0;
        while (n < path.len && path.ptr[n] != '/')
            n++;
        kanal_str segment = kanal_str_of(path.ptr, n);
        /* An empty segment, as the first of an absolute path: a local Bot API server, whose files are on its
         * own disk. */
        if (n == 0 || kanal_str_is(segment, ".") || kanal_str_is(segment, "..") || n + 1 == path.len) {
            out->len = before;
            return -1;
        }
        kanal_buffer_byte(out, '/');
        kanal_url_encode(out, segment);
        path = kanal_str_from(path, n + 1);
    }
    return 0;
}

static void fail(struct kanal_channel *channel, kanal_op op, kanal_status status)
{
    channel->host->locate(channel->host, op, status, NULL);
}

static kanal_status status_of(const struct tg_reply *reply)
{
    kanal_status status = tg_status_of_reply(reply);
    if (status != KANAL_E_REJECTED)
        return status;
    int is_too_big = reply->description.len > 0 &&
                     memmem(reply->description.ptr, reply->description.len, "too big", 7) != NULL;
    return is_too_big ? KANAL_E_TOO_LARGE : KANAL_E_NOT_FOUND;
}

static void on_file(void *user, const struct tg_reply *reply)
{
    struct fetch fetch = *(struct fetch *)user;
    struct kanal_channel *channel = fetch.channel;
    struct kanal_buffer url = { 0 };
    free(user);
    if (!reply->is_ok) {
        kanal_log(channel->host, fetch.op, KANAL_LOG_WARN, "getFile failed", reply->description);
        fail(channel, fetch.op, status_of(reply));
        return;
    }
    kanal_buffer_text(&url, channel->settings.api_url);
    if (tg_file_path(&url, kanal_json_text_at(reply->result, "file_path")) != 0 || url.failed) {
        kanal_log(channel->host, fetch.op, KANAL_LOG_WARN, "getFile told no path that can be fetched",
                  kanal_str_of(NULL, 0));
        fail(channel, fetch.op, KANAL_E_NOT_FOUND);
        kanal_buffer_release(&url);
        return;
    }
    const kanal_secret_use token = {
        .where = KANAL_IN_PATH,
        .position = (uint32_t)(strlen(channel->settings.api_url) + strlen("/file")),
        .prefix = KANAL_LIT("bot"),
        .secret = KANAL_LIT("token"),
    };
    kanal_http_request request = {
        .struct_size = sizeof request,
        .method = KANAL_LIT("GET"),
        .url = kanal_buffer_view(&url),
        .secrets = &token,
        .secret_count = 1,
    };
    channel->host->locate(channel->host, fetch.op, KANAL_OK, &request);
    kanal_buffer_release(&url);
}

void tg_media(struct kanal_channel *channel, kanal_op op, kanal_str reference)
{
    struct fetch *fetch = malloc(sizeof *fetch);
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "file_id", reference.ptr ? reference : KANAL_LIT(""));
    kanal_json_object_end(&json);
    struct tg_request request = { .method = "getFile",
                                  .json = kanal_buffer_view(&body),
                                  .timeout_ms = GET_FILE_TIMEOUT_MS };
    struct kanal_call *call = NULL;
    if (fetch && request.json.ptr) {
        fetch->channel = channel;
        fetch->op = op;
        call = tg_api_call(channel, op, &request, on_file, fetch);
    }
    if (!call) {
        free(fetch);
        fail(channel, op, KANAL_E_INTERNAL);
    }
    kanal_buffer_release(&body);
}
