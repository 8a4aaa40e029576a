/* api/profiles.h - the endpoints customer-get, customer-update and profile-rebuild: what is known of a person. [loop]
 *
 * A change is published as events (profile.updated, consent.*) of one of the person's addresses; the projector folds them, here and in every
 * rebuild. The answer shows them folded already: they are looked up in the stream, and folded into what was read, if the projector was slower. */
#ifndef KANAL_API_PROFILES_H
#define KANAL_API_PROFILES_H
#include "api/service.h"
#include "host/host.h"
#include "project/profiles.h"

#define API_PERSON_NODES 1024u /* the contract's bound */

/* Who belongs together. Without it (functions NULL) each node is a person of its own. */
struct api_people {
    /* The nodes of the person whom a node ("a_…") or a customer's id ("c_…") means; how many there are. */
    size_t (*nodes)(void *user, const struct id *node_or_customer, struct id *ret_nodes, size_t capacity);
    void (*customer)(void *user, const struct id *node, struct id *ret_customer);
    /* A link that joins the node to the others, and the kind of its evidence. 1: there is one. */
    int (*link)(void *user, const struct id *node, struct id *ret_link, const char **ret_kind);
    void *user;
};

struct api_profiles {
    struct host *host;
    struct profile_book *book;
    struct json_schema *const *contract; /* compiled before the first request */
    struct api_people people;
    char bucket[64], events_stream[64];
};

/* Handlers' user: a struct api_profiles, which outlives the broker's requests. */
extern const struct api_endpoint api_profile_endpoints[];
extern const size_t api_profile_endpoint_count;

/* ---- Between the files of this part ---- */

/* An event that was published for the answer. */
struct own_event {
    char subject[200];
    struct kanal_buffer json;
    uint64_t sequence; /* 0: it could not be looked up */
    int64_t stored_ms;
};
#define OWN_EVENTS 3u

/* A person who is asked for. */
struct person {
    const struct api_profiles *api;
    struct api_request *request;
    struct id *nodes; /* API_PERSON_NODES of them; freed with it */
    size_t count;
    struct id node;              /* the one that was named, or the first */
    int is_named;                /* by its node or its address */
    struct kanal_buffer address; /* as it was asked for; or empty */
    struct own_event own[OWN_EVENTS];
    size_t own_count, looking;
};

/* customer_get.c. The person whom the request's customer, node or address means; NULL: refused. */
struct person *person_new(const struct api_profiles *, struct api_request *, yyjson_val *asked);
void person_free(struct person *);
/* Reads the records, folds the person's own events, answers, and frees. */
void person_answer(struct person *);

api_handler_fn customer_update; /* customer_update.c */
api_handler_fn profile_rebuild; /* profile_rebuild.c */

#endif
