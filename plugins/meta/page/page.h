/* page.h - Messenger and Instagram: one inbox of a Facebook page or of an Instagram professional account, one channel. Both speak the
 * same Send API and send the same webhooks; struct page_brand is what differs. Everything runs in the channel's lane. */
#ifndef META_PAGE_H
#define META_PAGE_H
#include "../batch.h"
#include "../channel.h"
#include "../outcome.h"
#include "../parts.h"

#define PAGE_WINDOW_MS (INT64_C(24) * 3600 * 1000)

struct page_brand {
    const char *id;      /* the plugin's; also the scheme of its addresses */
    const char *name;    /* for people */
    const char *object;  /* of its webhooks */
    const char *setting; /* that names the page or account */
    const char *self_fields;
    void (*offer_link)(struct meta_channel *, yyjson_val *self); /* as of struct meta_channel */
    size_t text_max; /* of one text: code points, or bytes if text_in_bytes */
    int text_in_bytes;
    int has_files;     /* any kind of file can be sent */
    int has_uploads;   /* a file can be put into the request */
    int has_phone;     /* buttons that call; quick replies that ask for number and mail */
    int has_reactions; /* ours to the customer's messages */
};

struct kanal_channel {
    struct meta_channel base; /* account: "me", the one that the token is of */
    const struct page_brand *brand;
    char *page_id; /* owned */
};

/* ---- Slots of kanal_plugin (channel.c) ---- */
kanal_channel *page_create(const kanal_host *, const kanal_config *, const struct page_brand *);
void page_start(kanal_channel *, kanal_op);
void page_provision(kanal_channel *, kanal_op, kanal_str public_url, int32_t wanted);
void page_on_http(kanal_channel *, kanal_op, const kanal_http_request *);
void page_deliver(kanal_channel *, kanal_op, const kanal_delivery *);
void page_media(kanal_channel *, kanal_op, kanal_str reference);
void page_stop(kanal_channel *, kanal_op);
void page_destroy(kanal_channel *);

/* ---- In: pure (webhook.c, content.c, referral.c) ---- */

/* Whose inbox it is. */
struct page_self {
    const struct page_brand *brand;
    kanal_str channel_id, page_id;
};
/* Fills the batch. 0, KANAL_E_INVALID (no payload of this product), KANAL_E_INTERNAL. */
kanal_status page_webhook_read(struct meta_batch *, const struct page_self *, yyjson_val *payload);
/* The parts of a message as one JSON array; always at least one. */
void page_content_write(struct kanal_json *, yyjson_val *message);
/* The member "referral". */
void page_referral_write(struct kanal_json *, yyjson_val *referral);
/* The address of a person: "messenger:PAGE/PSID", into out; empty: nobody. */
void page_address(char out[META_ADDRESS_MAX], const struct page_self *, kanal_str person);

/* ---- Out: pure (compose.c, template.c) ---- */

struct page_wish { /* what the delivery asks for; borrowed */
    const struct page_brand *brand;
    kanal_str type; /* the verb */
    yyjson_val *data;
    kanal_str person; /* PSID or IGSID */
    kanal_str target; /* the message that is reacted to */
    enum meta_media_way way;
};

struct page_outgoing {
    struct kanal_buffer
        json;        /* the body: an object, whose members become the fields of a form if there is a file */
    int for_message; /* the answer names a message */
    /* A file to put into the form; absent: there is none. Views into the wish's data. */
    kanal_str url, filename, mime;
    struct meta_refusal refusal;
};

void page_outgoing_release(struct page_outgoing *);
/* 0, or KANAL_E_REJECTED with a refusal, or KANAL_E_INTERNAL. */
kanal_status page_compose(struct page_outgoing *, const struct page_wish *);
/* A person of an address of this page, or of a chat. 0 or -1. */
int page_person_of(kanal_str *ret_person, const struct page_self *, kanal_str chat, kanal_str address);

/* The member "attachment": a button template (words and buttons), a generic template (cards). */
kanal_status page_write_buttons(struct page_outgoing *, struct kanal_json *, const struct page_wish *,
                                kanal_str words, yyjson_val *choice);
kanal_status page_write_cards(struct page_outgoing *, struct kanal_json *, const struct page_wish *,
                              const struct meta_content *);
/* The member "quick_replies". */
kanal_status page_write_quick_replies(struct page_outgoing *, struct kanal_json *, const struct page_wish *,
                                      yyjson_val *choice);

extern const struct meta_rules page_rules;

#endif
