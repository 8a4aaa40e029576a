#include "api/customers.h"

#include "event/address.h"
#include "kanal/sdk/json.h"

static api_handler_fn link_customers, unlink_customers;

const struct api_endpoint api_customer_endpoints[] = {
    { "customer-link", "Says that two addresses are one person.", link_customers },
    { "customer-unlink", "Undoes one link, exactly.", unlink_customers },
};
const size_t api_customer_endpoint_count = sizeof api_customer_endpoints / sizeof *api_customer_endpoints;

/* ---- The request ---- */

/* The request by the contract, to be freed; NULL: refused. */
static yyjson_doc *read_request(const struct api_customers *api, struct api_request *request, kanal_str body,
                                const char *definition)
{
    yyjson_doc *document = api_read_body(request, body);
    if (document && !api_is_valid(request, *api->contract, definition, yyjson_doc_get_root(document))) {
        yyjson_doc_free(document);
        return NULL;
    }
    return document;
}

static struct identity_agent agent_of(yyjson_val *asked, struct kanal_buffer *memory)
{
    yyjson_val *agent = kanal_json_at(asked, "agent");
    struct kanal_json json;
    if (!agent)
        return (struct identity_agent){ 0 };
    kanal_json_init(&json, memory);
    kanal_json_value(&json, agent);
    return (struct identity_agent){ kanal_buffer_view(memory) };
}

/* ---- customer-link ---- */

static void refuse_text(struct api_request *request, int status, const char *code, const char *text)
{
    api_refuse(request, status, code, kanal_str_c(text), (kanal_str){ 0 });
}

static void on_linked(void *user, const struct identity_outcome *outcome)
{
    struct api_request *request = user;
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    if (outcome->status == KANAL_E_INVALID) {
        refuse_text(request, 400, "invalid_request", "both name the same address");
    } else if (outcome->status != KANAL_OK) {
        api_unavailable(request, outcome->status);
    } else {
        kanal_json_init(&json, &out);
        kanal_json_object(&json);
        kanal_json_key(&json, "link");
        kanal_json_raw(&json, outcome->link);
        kanal_json_member_text(&json, "customer", outcome->customer.text);
        kanal_json_object_end(&json);
        api_answer(request, kanal_buffer_view(&out));
    }
    kanal_buffer_release(&out);
}

/* addresses, brought to the normal form in memory, or nodes. NULL, or what is wrong. */
static const char *read_ends(const struct api_customers *api, yyjson_val *asked,
                             struct kanal_buffer memory[2], struct identity_link *link)
{
    yyjson_val *addresses = kanal_json_at(asked, "addresses"), *nodes = kanal_json_at(asked, "nodes");
    for (size_t i = 0; i < 2; i++) {
        unsigned char bytes[16];
        if (addresses) {
            if (address_normalise(kanal_json_text(yyjson_arr_get(addresses, i)), &memory[i]) != 0)
                return "addresses: not a URI of a known form, such as tel:+79161234567 or telegram:3527065";
            link->addresses[i] = kanal_buffer_view(&memory[i]);
            if (ids_node(api->ids, link->addresses[i], &link->nodes[i]) != 0)
                return "addresses: hashing failed";
        } else if (ids_bytes(kanal_json_text(yyjson_arr_get(nodes, i)), bytes) == 0) {
            ids_text("a_", bytes, &link->nodes[i]);
        } else {
            return "nodes: no id that Kanal made";
        }
    }
    return NULL;
}

static void link_customers(void *user, struct api_request *request, kanal_str body)
{
    const struct api_customers *api = user;
    struct kanal_buffer memory[2] = { { 0 } }, agent = { 0 };
    struct identity_link link = { .strength = IDENTITY_MANUAL, .evidence = { .kind = IDENTITY_BY_HAND } };
    yyjson_doc *document = read_request(api, request, body, "#/$defs/api.customer-link.request");
    yyjson_val *asked = yyjson_doc_get_root(document);
    if (!document)
        return;
    const char *wrong = read_ends(api, asked, memory, &link);
    link.evidence.text = link.reason = kanal_json_text_at(asked, "reason");
    link.agent = agent_of(asked, &agent);
    if (wrong)
        refuse_text(request, 400, "invalid_request", wrong);
    else
        identity_link(api->identity, &link, on_linked, request);
    kanal_buffer_release(&memory[0]);
    kanal_buffer_release(&memory[1]);
    kanal_buffer_release(&agent);
    yyjson_doc_free(document);
}

/* ---- customer-unlink ---- */

static void on_unlinked(void *user, const struct identity_outcome *outcome)
{
    struct api_request *request = user;
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    if (outcome->status == KANAL_E_NOT_FOUND) {
        refuse_text(request, 404, "not_found", "there is no link of that id");
    } else if (outcome->status != KANAL_OK) {
        api_unavailable(request, outcome->status);
    } else {
        kanal_json_init(&json, &out);
        kanal_json_object(&json);
        kanal_json_key(&json, "split");
        kanal_json_array(&json);
        for (size_t i = 0; i < outcome->customer_count; i++)
            kanal_json_str(&json, kanal_str_c(outcome->customers[i].text));
        kanal_json_array_end(&json);
        kanal_json_object_end(&json);
        api_answer(request, kanal_buffer_view(&out));
    }
    kanal_buffer_release(&out);
}

static void unlink_customers(void *user, struct api_request *request, kanal_str body)
{
    const struct api_customers *api = user;
    struct kanal_buffer memory = { 0 };
    yyjson_doc *document = read_request(api, request, body, "#/$defs/api.customer-unlink.request");
    yyjson_val *asked = yyjson_doc_get_root(document);
    if (!document)
        return;
    struct identity_agent agent = agent_of(asked, &memory);
    identity_unlink(api->identity, kanal_json_text_at(asked, "link"), kanal_json_text_at(asked, "reason"),
                    &agent, on_unlinked, request);
    kanal_buffer_release(&memory);
    yyjson_doc_free(document);
}
