/* identity/record.h - a link as the bucket <prefix>_links has it (identity.h says the form). Pure. */
#ifndef KANAL_IDENTITY_RECORD_H
#define KANAL_IDENTITY_RECORD_H
#include "identity/graph.h"
#include "identity/identity.h"
#include "kanal/sdk/json.h"

/* A record that was read. Everything is borrowed from document. */
struct link_record {
    yyjson_doc *document;
    yyjson_val *link, *agent; /* the contract's identity_link; its party or NULL */
    struct id nodes[2];       /* in the record's order, as are the addresses */
    kanal_str addresses[2];   /* absent where not known */
    enum identity_kind kind;
    enum graph_state state; /* GRAPH_LINKED or GRAPH_UNDONE */
    int64_t count, changed_ms;
    struct id customers[2];
    size_t customer_count;
    kanal_str reason;
    int is_told;
};

/* key: the link's id. 0, or KANAL_E_INVALID: it is no record of that link. */
int link_record_read(struct link_record *, struct ids *, kanal_str key, kanal_str value);
void link_record_release(struct link_record *);

/* A record that is to be written. */
struct link_draft {
    struct kanal_buffer link, agent, reason; /* JSON, JSON, text; each may be empty but the first */
    struct kanal_buffer address;             /* of nodes[0], or empty */
    struct id nodes[2];
    enum graph_state state;
    int64_t count, changed_ms;
    struct id customers[2];
    size_t customer_count;
};

/* The link as it is to be; state, count and customers are left. 0, or KANAL_E_INVALID: the nodes are no ids, or equal. */
int link_draft_init(struct link_draft *, struct ids *, const struct identity_link *, int64_t now_ms,
                    struct id *ret_link_id);
/* As it stands in the record. 0, or KANAL_E_INTERNAL: no memory. */
int link_draft_take(struct link_draft *, const struct link_record *);
void link_draft_say(struct link_draft *, kanal_str reason, const struct identity_agent *);
void link_draft_release(struct link_draft *);
void link_draft_write(const struct link_draft *, int is_told, struct kanal_buffer *out);

/* The id of a link: of both nodes, in whichever order, and the kind. */
int link_id_of(struct ids *, const struct id nodes[2], enum identity_kind, struct id *ret_id);
/* Two nodes as the graph knows them. 0, or KANAL_E_INVALID. */
int link_edge(const struct id nodes[2], enum identity_kind, const struct id *link_id,
              struct graph_link *ret_edge);
void evidence_write(struct kanal_json *, const struct identity_evidence *);
/* The word's kind; IDENTITY_OTHER if it is none of the contract's. */
enum identity_kind identity_kind_of(kanal_str word);

#endif
