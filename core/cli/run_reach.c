/* `kanal run`: what is known of a customer, for whoever looks for a way to them (outbound/reach.h). */
#include "cli/run_inside.h"

#define NODES_MAX 256u /* as many as are looked at */

struct finding {
    reach_found_fn *done;
    void *user;
    struct id customer;
    size_t count;
    struct id nodes[NODES_MAX];
};

static void answer(struct finding *finding, yyjson_val *const *records)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    struct profile_member *members = calloc(finding->count, sizeof *members);
    kanal_json_init(&json, &text);
    for (size_t i = 0; members && i < finding->count; i++)
        members[i] =
            (struct profile_member){ .node = kanal_str_c(finding->nodes[i].text), .record = records[i] };
    if (members)
        profile_merge(&json, kanal_str_c(finding->customer.text), members, finding->count);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&text));
    finding->done(finding->user, doc ? KANAL_OK : KANAL_E_BUSY, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    free(members);
}

static void on_records(void *user, kanal_status status, yyjson_val *const *records, size_t count)
{
    struct finding *finding = user;
    int is_known = 0;
    for (size_t i = 0; status == KANAL_OK && i < count; i++)
        is_known |= records[i] != NULL;
    if (status != KANAL_OK || !is_known)
        finding->done(finding->user, status == KANAL_OK ? KANAL_E_NOT_FOUND : status, NULL);
    else
        answer(finding, records);
    free(finding);
}

static void find(void *user, const struct id *who, reach_found_fn *done, void *done_user)
{
    struct gateway *g = user;
    struct finding *finding = malloc(sizeof *finding);
    if (!finding) {
        done(done_user, KANAL_E_BUSY, NULL);
        return;
    }
    *finding = (struct finding){ .done = done, .user = done_user, .count = 1 };
    finding->nodes[0] = *who;
    finding->nodes[0].text[0] = 'a';
    ids_customer(&finding->nodes[0], &finding->customer);
    profile_book_get(g->profile_book, finding->nodes, finding->count, on_records, finding);
}

struct reach_source gateway_reach(struct gateway *g)
{
    return (struct reach_source){ find, g };
}
