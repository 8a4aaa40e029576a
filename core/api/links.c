#include "api/links.h"

#include "kanal/sdk/json.h"

static api_handler_fn create;

const struct api_endpoint api_link_endpoints[] = {
    { "link-create", "Makes a link that brings the customer to another channel.", create },
};
const size_t api_link_endpoint_count = sizeof api_link_endpoints / sizeof *api_link_endpoints;

static void on_answer(void *user, const struct handoff_answer *answer)
{
    if (answer->status == 200)
        api_answer(user, answer->body);
    else
        api_refuse(user, answer->status, answer->code, answer->detail, (kanal_str){ 0 });
}

static void create(void *user, struct api_request *request, kanal_str body)
{
    const struct api_links *api = user;
    yyjson_doc *document = api_read_body(request, body);
    yyjson_val *asked = yyjson_doc_get_root(document);
    if (document && api_is_valid(request, *api->contract, "#/$defs/api.link-create.request", asked))
        handoff_create(api->handoff, asked, on_answer, request);
    yyjson_doc_free(document);
}
