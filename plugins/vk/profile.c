#include "profile.h"

#include <stdio.h>

#include "api.h"
#include "content.h"
#include "kanal/sdk/batch.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define NAME_CHARS_MAX 256
#define DAY_MS INT64_C(86400000)

struct question {
    struct kanal_channel *channel;
    int64_t person;
};

static int64_t *place_of(struct kanal_channel *channel, int64_t person)
{
    uint64_t h = (uint64_t)person * UINT64_C(0x9e3779b97f4a7c15);
    return &channel->known[(h >> 32) & (VK_KNOWN_MAX - 1)];
}

static void forget(struct kanal_channel *channel, int64_t person)
{
    int64_t *place = place_of(channel, person);
    if (*place == person)
        *place = 0;
}

static void write_names(struct kanal_json *json, yyjson_val *user)
{
    kanal_str first = kanal_json_text_at(user, "first_name"), last = kanal_json_text_at(user, "last_name");
    struct kanal_buffer name = { 0 };
    kanal_buffer_str(&name, first);
    if (first.len > 0 && last.len > 0)
        kanal_buffer_byte(&name, ' ');
    kanal_buffer_str(&name, last);
    vk_member_text(json, "name", kanal_buffer_view(&name), NAME_CHARS_MAX);
    vk_member_text(json, "first_name", first, NAME_CHARS_MAX);
    vk_member_text(json, "last_name", last, NAME_CHARS_MAX);
    kanal_member_text_of(json, "username", user, "screen_name", NAME_CHARS_MAX);
    kanal_str photo = kanal_json_text_at(user, "photo_200");
    if (vk_is_reference(photo)) {
        kanal_json_key(json, "avatar");
        kanal_json_object(json);
        kanal_json_member_str(json, "ref", photo);
        kanal_json_object_end(json);
    }
    kanal_buffer_release(&name);
}

static void on_stored(void *user, kanal_status status)
{
    struct question question = *(struct question *)user;
    free(user);
    if (status != KANAL_OK)
        forget(question.channel, question.person);
    kanal_calls_let_go(&question.channel->calls);
}

/* 1: it is being stored, and on_stored() follows. */
static int tell(struct question *question, yyjson_val *user)
{
    const kanal_host *host = question->channel->host;
    struct kanal_batch batch = { 0 };
    struct kanal_batch_item *item = kanal_batch_begin(&batch, "profile.observed");
    if (item) { /* once a day and person, whoever asks */
        snprintf(item->dedupe, sizeof item->dedupe, "profile:%lld:%lld", (long long)question->person,
                 (long long)(host->now_ms(host) / DAY_MS));
        snprintf(item->address, sizeof item->address, "vk:%lld", (long long)question->person);
        kanal_json_key(&item->json, "customer");
        kanal_json_object(&item->json);
        write_names(&item->json, user);
        kanal_json_object_end(&item->json);
        kanal_json_key(&item->json, "profile");
        kanal_json_object(&item->json);
        write_names(&item->json, user);
        kanal_json_object_end(&item->json);
        kanal_batch_end(&batch, item);
    }
    kanal_op op = kanal_batch_publish(&batch, host, 0, kanal_str_of(NULL, 0), on_stored, question);
    kanal_batch_release(&batch);
    return op != 0;
}

static void on_user(void *user, const struct vk_reply *reply)
{
    struct question *question = user;
    struct kanal_channel *channel = question->channel;
    yyjson_val *person = yyjson_arr_get_first(reply->response);
    if (reply->is_ok && kanal_json_text_at(person, "first_name").len > 0) {
        kanal_calls_hold(&channel->calls);
        if (tell(question, person))
            return;
        kanal_calls_let_go(&channel->calls);
    }
    if (!reply->is_ok)
        kanal_log(channel->host, 0, KANAL_LOG_DEBUG, "users.get failed", reply->words);
    forget(channel, question->person);
    free(question);
}

void vk_profile_see(struct kanal_channel *channel, int64_t person)
{
    int64_t *place = place_of(channel, person);
    if (!channel->settings.has_profiles || person <= 0 || *place == person || channel->calls.stopping != 0)
        return;
    struct question *question = malloc(sizeof *question);
    struct kanal_buffer form = { 0 };
    char id[24];
    int n = snprintf(id, sizeof id, "%lld", (long long)person);
    kanal_form_add(&form, "user_ids", kanal_str_of(id, (size_t)n));
    kanal_form_add(&form, "fields", KANAL_LIT("screen_name,photo_200"));
    struct vk_request request = { .method = "users.get",
                                  .form = kanal_buffer_view(&form),
                                  .timeout_ms = 10000 };
    if (question)
        *question = (struct question){ channel, person };
    if (!question || form.failed || vk_api_call(channel, 0, &request, on_user, question) != KANAL_OK)
        free(question);
    else
        *place = person;
    kanal_buffer_release(&form);
}
