#include "upload.h"

#include <stdio.h>

#include "kanal/sdk/outcome.h"
#include "kanal/sdk/url.h"

static const struct sort { /* how a kind of file is uploaded */
    const char *server, *type, *field, *answer, *save;
} sorts[] = {
    [VK_PHOTO] = { "photos.getMessagesUploadServer", NULL, "photo", "photo", "photos.saveMessagesPhoto" },
    [VK_DOCUMENT] = { "docs.getMessagesUploadServer", "doc", "file", "file", "docs.save" },
    [VK_VOICE] = { "docs.getMessagesUploadServer", "audio_message", "file", "file", "docs.save" },
    [VK_GRAFFITI] = { "docs.getMessagesUploadServer", "graffiti", "file", "file", "docs.save" },
};

struct upload {
    struct kanal_channel *channel;
    kanal_op cause;
    struct vk_file *file;
    const struct sort *sort;
    uint32_t timeout_ms;
    vk_uploaded_fn *done;
    void *user;
};

static void end(struct upload *upload, const struct vk_reply *reply, uint32_t exchange)
{
    vk_uploaded_fn *done = upload->done;
    void *user = upload->user;
    free(upload);
    done(user, reply, exchange);
}

/* An answer that came, but is not what it should be. */
static void end_wrong(struct upload *upload, int http_code, const char *words, uint32_t exchange)
{
    struct vk_reply reply = { .status = KANAL_OK, .http_code = http_code, .words = kanal_str_c(words) };
    end(upload, &reply, exchange);
}

static void out_of_memory(struct upload *upload)
{
    struct vk_reply reply = { .status = KANAL_E_INTERNAL, .words = KANAL_LIT("out of memory") };
    end(upload, &reply, KANAL_EXCHANGE_PREPARES);
}

/* ---- 3: what was saved ---- */

/* A photo in an array; of a document the object beside its type, or (before API 5.74) an array of them. */
static yyjson_val *saved_of(yyjson_val *response, const char **ret_kind)
{
    static const char *const kinds[][2] = { { "doc", "doc" },
                                            { "audio_message", "audio_message" },
                                            { "graffiti", "doc" } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        yyjson_val *value = kanal_json_at(response, kinds[i][0]);
        if (yyjson_is_obj(value)) {
            *ret_kind = kinds[i][1];
            return value;
        }
    }
    return yyjson_arr_get_first(response);
}

static void on_saved(void *user, const struct vk_reply *reply)
{
    struct upload *upload = user;
    struct vk_file *file = upload->file;
    if (!reply->is_ok) {
        end(upload, reply, KANAL_EXCHANGE_PREPARES);
        return;
    }
    const char *kind = file->kind == VK_PHOTO ? "photo" : "doc";
    yyjson_val *saved = saved_of(reply->response, &kind);
    int64_t owner = kanal_json_int_at(saved, "owner_id", 0), id = kanal_json_int_at(saved, "id", 0);
    kanal_str key = kanal_json_text_at(saved, "access_key");
    if (owner == 0 || id <= 0 || key.len > 64 || !kanal_str_utf8(key)) {
        end_wrong(upload, reply->http_code, "what was saved has no number", KANAL_EXCHANGE_PREPARES);
        return;
    }
    snprintf(file->name, sizeof file->name, "%s%lld_%lld%s%.*s", kind, (long long)owner, (long long)id,
             key.len > 0 ? "_" : "", (int)key.len, key.len > 0 ? key.ptr : "");
    end(upload, NULL, 0);
}

/* ---- 2: what was posted ---- */

static void add_member(struct kanal_buffer *form, const char *name, yyjson_val *object)
{
    char scratch[24];
    kanal_str text = kanal_json_id_at(object, name, scratch);
    if (text.len > 0)
        kanal_form_add(form, name, text);
}

static void on_posted(void *user, const struct vk_reply *reply)
{
    struct upload *upload = user;
    struct kanal_buffer form = { 0 };
    if (!reply->is_ok) {
        end(upload, reply, KANAL_EXCHANGE_PREPARES | KANAL_EXCHANGE_MEDIA);
        return;
    }
    kanal_str told = kanal_json_text_at(reply->response, upload->sort->answer);
    if (told.len == 0 || kanal_str_is(told, "[]")) {
        end_wrong(upload, reply->http_code, "VK could not use the file",
                  KANAL_EXCHANGE_PREPARES | KANAL_EXCHANGE_MEDIA);
        return;
    }
    kanal_form_add(&form, upload->sort->answer, told);
    if (upload->file->kind == VK_PHOTO) {
        add_member(&form, "server", reply->response);
        add_member(&form, "hash", reply->response);
    } else if (upload->file->kind == VK_DOCUMENT) {
        kanal_form_add(&form, "title", upload->file->filename);
    }
    struct vk_request request = { .method = upload->sort->save, .form = kanal_buffer_view(&form) };
    if (form.failed || vk_api_call(upload->channel, upload->cause, &request, on_saved, upload) != KANAL_OK)
        out_of_memory(upload);
    kanal_buffer_release(&form);
}

/* ---- 1: where to post ---- */

static void on_server(void *user, const struct vk_reply *reply)
{
    struct upload *upload = user;
    const struct vk_file *file = upload->file;
    kanal_str url = kanal_json_text_at(reply->response, "upload_url");
    if (!reply->is_ok || url.len == 0) {
        if (reply->is_ok)
            end_wrong(upload, reply->http_code, "VK told no upload_url", KANAL_EXCHANGE_PREPARES);
        else
            end(upload, reply, KANAL_EXCHANGE_PREPARES);
        return;
    }
    struct vk_upload_request request = {
        .url = url,
        .field = upload->sort->field,
        .wanted = upload->sort->answer,
        .source_url = file->url,
        .filename = file->filename,
        .mime = file->mime,
        .timeout_ms = upload->timeout_ms,
    };
    if (vk_api_upload(upload->channel, upload->cause, &request, on_posted, upload) != KANAL_OK)
        out_of_memory(upload);
}

kanal_status vk_upload(struct kanal_channel *channel, kanal_op cause, struct vk_file *file, int64_t peer,
                       uint32_t timeout_ms, vk_uploaded_fn *done, void *user)
{
    struct kanal_buffer form = { 0 };
    struct upload *upload = malloc(sizeof *upload);
    if (!upload)
        return KANAL_E_INTERNAL;
    *upload = (struct upload){ channel, cause, file, &sorts[file->kind], timeout_ms, done, user };
    vk_form_int(&form, "peer_id", peer);
    if (upload->sort->type)
        kanal_form_add(&form, "type", kanal_str_c(upload->sort->type));
    struct vk_request request = { .method = upload->sort->server, .form = kanal_buffer_view(&form) };
    kanal_status status =
        form.failed ? KANAL_E_INTERNAL : vk_api_call(channel, cause, &request, on_server, upload);
    if (status != KANAL_OK)
        free(upload);
    kanal_buffer_release(&form);
    return status;
}
