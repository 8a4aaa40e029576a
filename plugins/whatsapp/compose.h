/* compose.h - one delivery to one call of the Cloud API: the body of POST /<phone number id>/messages. Pure: no host, no state.
 * Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages. */
#ifndef WHATSAPP_COMPOSE_H
#define WHATSAPP_COMPOSE_H
#include "../meta/channel.h"
#include "../meta/parts.h"

enum wa_to_kind { WA_TO_PHONE, WA_TO_BSUID, WA_TO_GROUP };

struct wa_to { /* whom a message is for; a view */
    enum wa_to_kind kind;
    kanal_str id;
};

/* A chat as events have it: digits, a BSUID or a group's id. 0 or -1. */
int wa_to_of_chat(struct wa_to *, kanal_str chat);
/* "tel:+79161234567", "whatsapp:US.1349…". 0 or -1. */
int wa_to_of_address(struct wa_to *, kanal_str address);

struct wa_wish {    /* what the delivery asks for; borrowed */
    kanal_str type; /* the verb */
    yyjson_val *data;
    struct wa_to to;
    kanal_str
        target; /* the message that is read, reacted or replied to; of typing: the customer's last one */
    kanal_str callback;   /* biz_opaque_callback_data; absent: none */
    kanal_str media_id;   /* of the media, once they are uploaded */
    kanal_str list_label; /* of the button that opens a list, where the choice has none */
    enum meta_media_way way;
};

struct wa_outgoing {
    struct kanal_buffer json;
    int is_free;     /* free content: needs an open window */
    int for_message; /* the answer names a message */
    /* Media that have to be uploaded first; then it is composed again with the media's id. Views into the wish's data. */
    int needs_upload;
    kanal_str url, filename, mime;
    struct meta_refusal refusal;
};

void wa_outgoing_release(struct wa_outgoing *);
/* 0, or KANAL_E_REJECTED with a refusal, or KANAL_E_INTERNAL. */
kanal_status wa_compose(struct wa_outgoing *, const struct wa_wish *);

/* ---- Parts of it, for each other ---- */

/* The member `key`: {"id"} or {"link"} of media, with caption and filename where they may stand. */
kanal_status wa_write_media(struct wa_outgoing *, struct kanal_json *, const struct wa_wish *,
                            const char *key, yyjson_val *media, kanal_str caption);
/* "image", "video", "audio", "document" or "sticker". */
const char *wa_media_kind(yyjson_val *media);
/* interactive.c: type and member "interactive" of a choice. */
kanal_status wa_write_interactive(struct wa_outgoing *, struct kanal_json *, const struct wa_wish *,
                                  const struct meta_content *);
/* template.c: type and member "template". */
kanal_status wa_write_template(struct wa_outgoing *, struct kanal_json *, yyjson_val *template);
/* {"latitude","longitude","name","address"}; -1: it has no place. */
int wa_write_place(struct kanal_json *, double lat, double lon, kanal_str name, kanal_str address);

#endif
