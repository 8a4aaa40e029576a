/* Deliveries of any shape: what is asked must be a form, or refused with a code. The first byte chooses the verb. */
#include <stdint.h>
#include <stdio.h>

#include "compose.h"
#include "kanal/sdk/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct vk_outgoing *outgoing)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str rest = kanal_buffer_view(&outgoing->form), name, value;
    int found, embedded = 0;
    while ((found = kanal_form_next(&rest, &scratch, &name, &value)) == 1) {
        embedded =
            kanal_str_is(name, "keyboard") || kanal_str_is(name, "template") || kanal_str_is(name, "forward");
        yyjson_doc *document = embedded ? kanal_json_parse(value) : NULL;
        if (kanal_str_is(name, "access_token") || (embedded && !yyjson_is_obj(yyjson_doc_get_root(document))))
            __builtin_trap();
        yyjson_doc_free(document);
    }
    if (found != 0 || !outgoing->method)
        __builtin_trap();
    kanal_buffer_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const verbs[] = { "message.send",  "message.edit", "message.delete",
                                         "message.react", "message.read", "typing.start" };
    if (len == 0)
        return 0;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes + 1, len - 1));
    struct vk_wish wish = { .type = kanal_str_c(verbs[bytes[0] % 6]), .data = yyjson_doc_get_root(document) };
    struct vk_outgoing outgoing = { 0 };
    wish.has_text_buttons = bytes[0] >> 7;
    wish.random_id = vk_random_id(kanal_str_of((const char *)bytes, len));
    wish.target.peer = 41887;
    kanal_str target = kanal_json_text_at(wish.data, "target");
    vk_message_of_id(&wish.target.cmid_peer, &wish.target.cmid, target);
    kanal_status status = vk_plan_files(&outgoing, &wish);
    for (size_t i = 0; i < wish.file_count; i++)
        snprintf(wish.files[i].name, sizeof wish.files[i].name, "photo-1_%zu_k", i);
    if (status == KANAL_OK)
        status = vk_compose(&outgoing, &wish);
    if (status == KANAL_OK)
        check(&outgoing);
    else if (status == KANAL_E_REJECTED && (!outgoing.error_code || !outgoing.reason))
        __builtin_trap();
    vk_outgoing_release(&outgoing);
    yyjson_doc_free(document);
    return 0;
}
