/* compose.h - one delivery to one call of VK's API, and the files that have to be uploaded before. Pure: no host, no
 * state. */
#ifndef VK_COMPOSE_H
#define VK_COMPOSE_H
#include "kanal/sdk/json.h"

#define VK_FILES_MAX 10 /* attachments of a message; cards of a carousel */
#define VK_NAME_MAX 160
#define VK_TEXTS_MAX 8

enum vk_file_kind { VK_PHOTO, VK_DOCUMENT, VK_VOICE, VK_GRAFFITI };

/* A file that goes out, by the three steps of upload.h. Views into the wish's data. */
struct vk_file {
    yyjson_val *part; /* the media part or card that it belongs to */
    enum vk_file_kind kind;
    kanal_str url, filename, mime;
    char name[VK_NAME_MAX]; /* "photo1_2_key", once it is uploaded */
};

struct vk_target {
    int64_t peer; /* 0: nobody */
    int64_t cmid; /* of what is edited, deleted, reacted to, read or replied to; 0: none */
    int64_t cmid_peer;
};

/* A decimal peer. 0 or -1. */
int vk_peer_of_chat(int64_t *ret_peer, kanal_str chat);
/* "vk:123". 0 or -1. */
int vk_peer_of_address(int64_t *ret_peer, kanal_str address);
/* "<peer>/<cmid>". 0 or -1. */
int vk_message_of_id(int64_t *ret_peer, int64_t *ret_cmid, kanal_str external_id);
/* The random_id of a part: a whole number of 32 bits that is not 0, and always the same of the same key: VK drops the
 * second message with it. */
int32_t vk_random_id(kanal_str idempotency_key);

struct vk_wish {    /* what the delivery asks for; borrowed */
    kanal_str type; /* the verb */
    yyjson_val *data;
    struct vk_target target;
    int32_t random_id;
    int has_text_buttons;
    struct vk_file files[VK_FILES_MAX];
    size_t file_count;
};

struct vk_outgoing {
    const char *method;
    struct kanal_buffer form;
    /* Why there is no call. */
    const char *error_code, *reason;
};

void vk_outgoing_release(struct vk_outgoing *);
/* Fills wish->files. 0, or KANAL_E_REJECTED with error_code and reason. */
kanal_status vk_plan_files(struct vk_outgoing *, struct vk_wish *);
/* 0, or KANAL_E_REJECTED with error_code and reason, or KANAL_E_INTERNAL. */
kanal_status vk_compose(struct vk_outgoing *, const struct vk_wish *);

/* ---- Parts of it, for each other ---- */

/* Says why there is no call; returns KANAL_E_REJECTED. */
kanal_status vk_refuse(struct vk_outgoing *, const char *error_code, const char *reason);
/* The fields "keyboard" of a choice, "template" of a carousel. */
kanal_status vk_write_keyboard(struct vk_outgoing *, const struct vk_wish *, yyjson_val *options,
                               yyjson_val *choice);
kanal_status vk_write_carousel(struct vk_outgoing *, const struct vk_wish *, yyjson_val *carousel);
/* One button; inline_only: it stands in a message. */
kanal_status vk_write_button(struct vk_outgoing *, const struct vk_wish *, struct kanal_json *,
                             yyjson_val *option, int inline_only);
/* Our options of a provider's object: provider.vk, or provider itself. */
yyjson_val *vk_options(yyjson_val *object);
/* The name of the file that was uploaded for a part, or NULL. */
const char *vk_uploaded(const struct vk_wish *, const yyjson_val *part);
/* A number as a form's field. */
void vk_form_int(struct kanal_buffer *, const char *name, int64_t number);

#endif
