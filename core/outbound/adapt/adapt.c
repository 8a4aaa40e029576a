#include "outbound/adapt/adapt.h"

#include <openssl/evp.h>

#include "outbound/adapt/inside.h"

const char *adapt_change_name(enum adapt_change change)
{
    static const char *const names[] = { "split", "converted", "linked", "shortened", "dropped" };
    return names[change];
}

void adapted_release(struct adapted *adapted)
{
    kanal_buffer_release(&adapted->json);
    kanal_buffer_release(&adapted->offer);
    kanal_buffer_release(&adapted->tokens);
    free(adapted->parts);
    free(adapted->losses);
    *adapted = (struct adapted){ 0 };
}

kanal_str adapt_token(kanal_str payload, size_t bytes, char ret_text[ADAPT_TOKEN_LEN + 1])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
    EVP_Digest(payload.ptr, payload.len, hash, NULL, EVP_sha256(), NULL);
    ret_text[0] = 'k';
    ret_text[1] = '_';
    for (size_t i = 2; i < ADAPT_TOKEN_LEN; i++) {
        size_t bit = (i - 2) * 5;
        unsigned pair = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
        ret_text[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    ret_text[ADAPT_TOKEN_LEN] = 0;
    return kanal_str_of(ret_text, bytes < ADAPT_TOKEN_LEN ? bytes : ADAPT_TOKEN_LEN);
}

/* ---- Messages ---- */

int has_cap(const struct builder *b, kanal_caps caps)
{
    return (b->target->caps & caps) != 0;
}

void builder_end(struct builder *b)
{
    if (!b->is_open)
        return;
    kanal_json_array_end(&b->json);
    b->is_open = 0;
    b->out->parts[b->out->part_count - 1].end = (uint32_t)b->out->json.len;
}

void builder_begin(struct builder *b)
{
    struct adapted *out = b->out;
    builder_end(b);
    if (out->error)
        return;
    if (out->part_count == ADAPT_PARTS_MAX) {
        builder_fail(b, "payload_too_large");
        return;
    }
    if (out->part_count == out->part_room) {
        uint32_t room = out->part_room > 0 ? 2 * out->part_room : 4;
        struct adapt_part *parts = realloc(out->parts, room * sizeof *parts);
        if (!parts) {
            out->failed = 1;
            builder_fail(b, "internal");
            return;
        }
        out->parts = parts;
        out->part_room = room;
    }
    out->parts[out->part_count++] = (struct adapt_part){ (uint32_t)out->json.len, (uint32_t)out->json.len };
    kanal_json_init(&b->json, &out->json);
    kanal_json_array(&b->json);
    b->is_open = 1;
}

static void add_loss(struct builder *b, uint32_t index, kanal_str type, enum adapt_change change,
                     const char *detail)
{
    struct adapted *out = b->out;
    for (uint32_t i = 0; i < out->loss_count; i++)
        if (out->losses[i].index == index && out->losses[i].detail == detail)
            return;
    if (out->loss_count == ADAPT_LOSSES_MAX)
        return;
    if (out->loss_count == out->loss_room) {
        uint32_t room = out->loss_room > 0 ? 2 * out->loss_room : 4;
        struct adapt_loss *losses = realloc(out->losses, room * sizeof *losses);
        if (!losses) {
            out->failed = 1;
            return;
        }
        out->losses = losses;
        out->loss_room = room;
    }
    out->losses[out->loss_count++] = (struct adapt_loss){ index, type, change, detail };
}

void builder_loss(struct builder *b, enum adapt_change change, const char *detail)
{
    add_loss(b, b->index, b->type, change, detail);
}

void builder_choice_loss(struct builder *b, enum adapt_change change, const char *detail)
{
    int own = b->choice_index != b->index;
    add_loss(b, b->choice_index, own ? KANAL_LIT("choice") : b->type, change, detail);
}

void builder_fail(struct builder *b, const char *error)
{
    if (b->out->error)
        return;
    b->out->error = error;
    b->out->error_type = b->type;
    if (strcmp(error, "unsupported_content") == 0)
        builder_loss(b, ADAPT_DROPPED, "the channel can show neither this nor a replacement of it");
}

/* ---- One content part after the other ---- */

static void words_part_show(struct builder *b, yyjson_val *part, const struct choice *choice,
                            void (*write)(yyjson_val *, struct rich *), const char *detail)
{
    struct rich words = { 0 };
    write(part, &words);
    builder_loss(b, ADAPT_CONVERTED, detail);
    words_and_choice(b, &words, MARKUP_PLAIN, NULL, choice);
    rich_release(&words);
}

static void template_words(yyjson_val *part, struct rich *words)
{
    rich_text(words, kanal_json_text_at(part, "text"));
}

static void show(struct builder *b, yyjson_val *part, const struct choice *choice)
{
    kanal_str type = b->type;
    if (kanal_str_is(type, "text"))
        text_show(b, part, choice);
    else if (is_media(type))
        media_part_show(b, part, choice);
    else if (has_cap(b, cap_of_type(type)) && !kanal_str_is(type, "card") && !kanal_str_is(type, "carousel"))
        part_copy(b, part, choice);
    else if (kanal_str_is(type, "location"))
        words_part_show(b, part, choice, location_words, "the place becomes a text with a link to a map");
    else if (kanal_str_is(type, "contact"))
        words_part_show(b, part, choice, contact_words, "the contact card becomes a text");
    else if (kanal_str_is(type, "template") && kanal_json_text_at(part, "text").len > 0)
        words_part_show(b, part, choice, template_words, "the template becomes its text");
    else if (kanal_str_is(type, "card"))
        card_show(b, part);
    else if (kanal_str_is(type, "carousel"))
        carousel_show(b, part);
    else
        builder_fail(b, "unsupported_content");
}

/* Cards bring their own buttons, and another choice does not. */
static int takes_choice(kanal_str type)
{
    return !kanal_str_is(type, "choice") && !kanal_str_is(type, "card") && !kanal_str_is(type, "carousel");
}

void adapt(struct adapted *out, yyjson_val *content, const struct adapt_target *target)
{
    static const kanal_limits none = { .struct_size = sizeof none };
    struct builder b = { .out = out, .target = target, .limits = target->limits ? target->limits : &none };
    size_t count = yyjson_arr_size(content);
    yyjson_val *part = yyjson_arr_get_first(content);
    for (size_t i = 0; i < count && !out->error && !out->failed; i++) {
        yyjson_val *next = i + 1 < count ? unsafe_yyjson_get_next(part) : NULL;
        b.type = kanal_json_text_at(part, "type");
        b.index = b.choice_index = (uint32_t)i;
        struct choice choice = choice_of(is_choice(part) ? part : next);
        int with_choice = is_choice(next) && takes_choice(b.type);
        if (is_choice(part)) {
            choice_show(&b, &choice);
        } else {
            b.choice_index += (uint32_t)with_choice;
            show(&b, part, with_choice && !choice_is_void(&b, &choice) ? &choice : NULL);
        }
        if (with_choice && i++ < count)
            next = i + 1 < count ? unsafe_yyjson_get_next(next) : NULL;
        part = next;
    }
    builder_end(&b);
    if (out->part_count == 0)
        builder_fail(&b, "unsupported_content");
    out->failed |= out->json.failed || out->offer.failed || out->tokens.failed;
    if (out->failed)
        out->error = "internal";
}
