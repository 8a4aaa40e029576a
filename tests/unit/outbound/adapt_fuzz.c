/* Content of any form, on channels of any kind: parts are well-formed JSON, within the limits, and the same the second time.
 * The input: 16 bytes of capabilities and limits, then the content. */
#include <stdlib.h>

#include "kanal/sdk/json.h"
#include "outbound/adapt/adapt.h"
#include "outbound/adapt/grapheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_texts(const struct adapted *adapted, const kanal_limits *limits)
{
    size_t index, max;
    yyjson_val *item;
    for (uint32_t i = 0; i < adapted->part_count; i++) {
        const struct adapt_part *part = &adapted->parts[i];
        yyjson_doc *doc =
            kanal_json_parse(kanal_str_of(adapted->json.data + part->first, part->end - part->first));
        require(doc != NULL);
        yyjson_arr_foreach (yyjson_doc_get_root(doc), index, max, item) {
            kanal_str text = kanal_json_text_at(item, "text");
            if (!kanal_str_is(kanal_json_text_at(item, "type"), "text"))
                continue;
            require(limits->text_chars == 0 || grapheme_count_points(text) <= limits->text_chars);
            require(limits->text_bytes < 4 || text.len <= limits->text_bytes);
            require(kanal_str_utf8(text));
        }
        yyjson_doc_free(doc);
    }
}

static void check_list(const struct kanal_buffer *list, const char *open, const char *close)
{
    struct kanal_buffer whole = { 0 };
    kanal_buffer_text(&whole, open);
    kanal_buffer_append(&whole, list->data, list->len);
    kanal_buffer_text(&whole, close);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&whole));
    require(doc != NULL);
    yyjson_doc_free(doc);
    kanal_buffer_release(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 16)
        return 0;
    uint32_t caps;
    memcpy(&caps, data, 4);
    kanal_limits limits = { .struct_size = sizeof limits,
                            .text_chars = data[4],
                            .text_bytes = data[5],
                            .caption_chars = data[6],
                            .options = data[7],
                            .option_chars = data[8],
                            .payload_bytes = data[9],
                            .media_bytes = data[10] };
    struct adapt_target target = { .caps = caps, .limits = &limits };
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)data + 16, size - 16));
    yyjson_val *content = yyjson_doc_get_root(document);
    struct adapt_range ranges[ADAPT_RANGES_MAX];
    struct adapted first = { 0 }, second = { 0 };
    adapt_fits(content, &target);
    adapt_ranges(content, caps, ranges);
    adapt(&first, content, &target);
    if (!first.error)
        check_texts(&first, &limits);
    check_list(&first.offer, "[", "]");
    check_list(&first.tokens, "{", "}");
    adapt(&second, content, &target);
    require(kanal_str_equal(kanal_buffer_view(&first.json), kanal_buffer_view(&second.json)));
    adapted_release(&first);
    adapted_release(&second);
    yyjson_doc_free(document);
    return 0;
}
