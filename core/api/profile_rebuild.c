/* Asks the projector for a rebuild, and says how far one is. */
#include "api/profiles.h"
#include "broker/kv.h"
#include "kanal/sdk/json.h"

/* A request that waits for the broker. */
struct asking {
    const struct api_profiles *api;
    struct api_request *request;
    struct rebuild rebuild;
    struct kanal_buffer record;
};

static void answer(struct api_request *request, const struct rebuild *rebuild)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    kanal_json_key(&json, "rebuild");
    rebuild_write(&json, rebuild);
    kanal_json_object_end(&json);
    if (out.failed)
        api_unavailable(request, KANAL_E_INTERNAL);
    else
        api_answer(request, kanal_buffer_view(&out));
    kanal_buffer_release(&out);
}

static void asking_free(struct asking *a)
{
    kanal_buffer_release(&a->record);
    free(a);
}

/* ---- Asking for one ---- */

static void on_asked(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct asking *a = user;
    (void)value;
    (void)revision;
    if (status == KANAL_OK)
        answer(a->request, &a->rebuild);
    else
        api_unavailable(a->request, status);
    asking_free(a);
}

static void ask(struct asking *a)
{
    struct kanal_json json;
    kanal_json_init(&json, &a->record);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", a->rebuild.id.text);
    kanal_json_member_int(&json, "asked", a->rebuild.asked_ms);
    kanal_json_object_end(&json);
    kv_put(a->api->host->broker, a->api->bucket, KANAL_LIT(REBUILD_KEY), kanal_buffer_view(&a->record),
           JS_ANY_SEQUENCE, on_asked, a);
}

/* ---- How far it is ---- */

/* What was asked for last, if the projector does not know it yet. */
static void on_wanted(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct asking *a = user;
    yyjson_doc *document = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(document);
    (void)revision;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        api_unavailable(a->request, status);
    } else if (kanal_str_is(kanal_json_text_at(root, "id"), a->rebuild.id.text)) {
        a->rebuild.asked_ms = kanal_json_int_at(root, "asked", 0);
        answer(a->request, &a->rebuild);
    } else {
        api_refuse(a->request, 404, "not_found",
                   KANAL_LIT("there is no rebuild of that id; another one may have followed it"),
                   (kanal_str){ 0 });
    }
    yyjson_doc_free(document);
    asking_free(a);
}

void profile_rebuild(void *user, struct api_request *request, kanal_str body)
{
    const struct api_profiles *api = user;
    const struct rebuild *now = &profile_book_position(api->book)->rebuild;
    yyjson_doc *document = api_read_body(request, body);
    yyjson_val *asked = yyjson_doc_get_root(document);
    kanal_str id = kanal_json_text_at(asked, "id");
    int is_under_way = now->state == REBUILD_RUNNING || now->state == REBUILD_CLEARING;
    if (!document || !api_is_valid(request, *api->contract, "#/$defs/api.profile-rebuild.request", asked)) {
        yyjson_doc_free(document);
        return;
    }
    int is_known = id.len > 0 ? kanal_str_is(id, now->id.text) : is_under_way;
    struct asking *a = is_known ? NULL : calloc(1, sizeof *a);
    if (is_known) {
        answer(request, now);
    } else if (!a) {
        api_unavailable(request, KANAL_E_INTERNAL);
    } else {
        *a = (struct asking){ .api = api,
                              .request = request,
                              .rebuild = { .state = REBUILD_ASKED, .asked_ms = host_now_ms() } };
        if (id.len > 0) {
            kanal_str_keep(a->rebuild.id.text, sizeof a->rebuild.id.text, id);
            kv_get(api->host->broker, api->bucket, KANAL_LIT(REBUILD_KEY), on_wanted, a);
        } else if (ids_random("r_", &a->rebuild.id) == 0) {
            ask(a);
        } else {
            api_unavailable(request, KANAL_E_INTERNAL);
            asking_free(a);
        }
    }
    yyjson_doc_free(document);
}
