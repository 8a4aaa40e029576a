/* Requests of any shape, as forms and as JSON, and what is signed of them: what is told must be well-formed JSON with a key, and every
 * place must survive any of it. The first byte chooses the place, the second the settings; a line end parts query and body. */
#include <stdint.h>

#include "address.h"
#include "events.h"
#include "media.h"
#include "signature.h"
#include "twiml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static tw_read_fn *const readers[] = { tw_read_message, tw_read_status, tw_read_ringing,
                                       tw_read_call,    tw_read_leg,    tw_read_recording };
#define READERS (sizeof readers / sizeof *readers)

static void check(struct tw_told *told)
{
    for (uint32_t i = 0; i < told->batch.count; i++) {
        const kanal_event *event = &told->batch.items[i]->event;
        char party[TW_PARTY_BYTES_MAX + 1];
        yyjson_doc *data = kanal_json_parse(event->data);
        if (!yyjson_is_obj(yyjson_doc_get_root(data)) || event->dedupe.len == 0 ||
            (event->address.len > 0 && tw_address_read(party, event->address) != 0))
            __builtin_trap();
        yyjson_doc_free(data);
    }
    if (told->ignored > 0 && !told->why)
        __builtin_trap();
    tw_told_release(told);
}

static void read_json(struct tw_source *source, struct tw_params *params, kanal_str body, size_t place)
{
    struct tw_told told = { 0 };
    yyjson_doc *document = kanal_json_parse(body);
    yyjson_val *root = yyjson_doc_get_root(document);
    if (place == READERS)
        tw_read_stream(&told, source, root);
    else if (tw_params_read_json(params, root) == KANAL_OK)
        readers[place](&told, source);
    check(&told);
    yyjson_doc_free(document);
}

static void read_form(struct tw_source *source, struct tw_params *params, kanal_str body, size_t place)
{
    struct tw_told told = { 0 };
    struct kanal_buffer text = { 0 };
    if (tw_params_read_form(params, body) == KANAL_OK) {
        tw_signature_params(&text, params);
        readers[place](&told, source);
        kanal_buffer_clear(&text);
        tw_twiml_incoming(&text, source->settings, KANAL_LIT("https://hub.example.com/c/shop"),
                          tw_param(params, "From"), tw_param(params, "To"));
        if (memchr(text.data, 0, text.len))
            __builtin_trap();
    }
    check(&told);
    kanal_buffer_release(&text);
}

static void sign(kanal_str query, kanal_str body)
{
    struct kanal_buffer url = { 0 };
    unsigned char mac[TW_MAC_BYTES];
    for (unsigned i = 0; i < TW_URL_FORMS; i++)
        tw_signature_url(&url, body, i);
    tw_signature_read(mac, query);
    tw_signature_body_is(query, body);
    tw_media_reference(body, "AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f");
    kanal_buffer_release(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct tw_settings settings = { .account = "AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f",
                                    .dial = (char[]){ "+14155550122" } };
    struct tw_params *params = calloc(1, sizeof *params);
    struct tw_source source = { .settings = &settings,
                                .channel_id = KANAL_LIT("shop"),
                                .params = params,
                                .now_ms = INT64_C(1795294385000) };
    if (len >= 2 && params) {
        kanal_str rest = kanal_str_of((const char *)bytes + 2, len - 2);
        const char *split = memchr(rest.ptr, '\n', rest.len);
        size_t place = (bytes[0] >> 1) % (READERS + 1);
        settings.answer = (enum tw_answer)(bytes[1] % 4);
        source.query = kanal_str_of(rest.ptr, split ? (size_t)(split - rest.ptr) : 0);
        kanal_str body = kanal_str_from(rest, split ? source.query.len + 1 : 0);
        if ((bytes[0] & 1) || place == READERS)
            read_json(&source, params, body, place);
        else
            read_form(&source, params, body, place);
        sign(source.query, body);
    }
    if (params)
        tw_params_release(params);
    free(params);
    return 0;
}
