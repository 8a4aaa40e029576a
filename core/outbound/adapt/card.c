/* Cards: as they are, or as a picture with words and buttons. */
#include "outbound/adapt/inside.h"

static struct choice buttons_of(yyjson_val *card)
{
    return (struct choice){ .options = kanal_json_at(card, "options"), .asked = KANAL_LIT("buttons") };
}

/* type: "card", or absent in a carousel. */
static void write_card(struct builder *b, yyjson_val *card, const char *type)
{
    struct choice choice = buttons_of(card);
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_object(&b->json);
    kanal_json_member_text(&b->json, "type", type);
    yyjson_obj_foreach (card, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_is(name, "type"))
            continue;
        kanal_json_key_str(&b->json, name);
        if (kanal_str_is(name, "options"))
            options_write(b, &choice, "buttons");
        else
            kanal_json_value(&b->json, value);
    }
    kanal_json_object_end(&b->json);
}

static void card_words(yyjson_val *card, struct rich *words)
{
    kanal_str price = kanal_json_text_at(card, "price"), currency = kanal_json_text_at(card, "currency");
    kanal_str text = kanal_json_text_at(card, "text"), url = kanal_json_text_at(card, "url");
    uint32_t bold = rich_open(words, RICH_BOLD, (kanal_str){ 0 });
    rich_text(words, kanal_json_text_at(card, "title"));
    rich_close(words, bold);
    if (text.len > 0) {
        words_new_line(words);
        rich_text(words, text);
    }
    if (price.len > 0) {
        words_new_line(words);
        rich_text(words, price);
        rich_text(words, currency.len > 0 ? KANAL_LIT(" ") : (kanal_str){ 0 });
        rich_text(words, currency);
    }
    if (url.len > 0) {
        words_new_line(words);
        rich_text(words, url);
    }
}

/* The title stands out only where that costs nothing. */
static void forget_title(const struct builder *b, struct rich *words)
{
    if (words_dialect(b, words, MARKUP_PLAIN) == MARKUP_PLAIN)
        words->count = 0;
}

static void show_apart(struct builder *b, yyjson_val *card)
{
    struct choice choice = buttons_of(card);
    struct media media = { .type = KANAL_LIT("image"),
                           .url = kanal_json_text_at(kanal_json_at(card, "image"), "url") };
    const struct choice *with = yyjson_arr_size(choice.options) > 0 ? &choice : NULL;
    card_words(card, &media.caption);
    b->out->failed |= rich_failed(&media.caption);
    forget_title(b, &media.caption);
    if (media.url.len > 0 && has_cap(b, KANAL_CAP_IMAGE))
        media_show(b, &media, with);
    else
        words_and_choice(b, &media.caption, MARKUP_PLAIN, NULL, with);
    if (media.url.len > 0 && !has_cap(b, KANAL_CAP_IMAGE))
        builder_loss(b, ADAPT_DROPPED, "the card's picture");
    rich_release(&media.caption);
}

void card_show(struct builder *b, yyjson_val *card)
{
    if (!has_cap(b, KANAL_CAP_CARD) || !options_can_fit(kanal_json_at(card, "options"), b->limits)) {
        builder_loss(b, ADAPT_CONVERTED, "the card becomes a picture, words and options");
        show_apart(b, card);
        return;
    }
    builder_begin(b);
    if (!b->out->error)
        write_card(b, card, "card");
}

static int cards_can_fit(const struct builder *b, yyjson_val *cards)
{
    size_t index, max;
    yyjson_val *card;
    yyjson_arr_foreach (cards, index, max, card)
        if (!options_can_fit(kanal_json_at(card, "options"), b->limits))
            return 0;
    return 1;
}

static void write_carousel(struct builder *b, yyjson_val *carousel, yyjson_val *cards)
{
    size_t index, max;
    yyjson_val *card;
    builder_begin(b);
    if (b->out->error)
        return;
    kanal_json_object(&b->json);
    kanal_json_member_text(&b->json, "type", "carousel");
    kanal_json_key(&b->json, "cards");
    kanal_json_array(&b->json);
    yyjson_arr_foreach (cards, index, max, card)
        write_card(b, card, NULL);
    kanal_json_array_end(&b->json);
    if (kanal_json_at(carousel, "provider")) {
        kanal_json_key(&b->json, "provider");
        kanal_json_value(&b->json, kanal_json_at(carousel, "provider"));
    }
    kanal_json_object_end(&b->json);
}

void carousel_show(struct builder *b, yyjson_val *carousel)
{
    yyjson_val *cards = kanal_json_at(carousel, "cards"), *card;
    size_t index, max;
    if (!yyjson_is_arr(cards)) {
        builder_fail(b, "unsupported_content");
        return;
    }
    if (has_cap(b, KANAL_CAP_CAROUSEL) && cards_can_fit(b, cards)) {
        write_carousel(b, carousel, cards);
        return;
    }
    builder_loss(b, ADAPT_CONVERTED, "the carousel becomes single cards");
    yyjson_arr_foreach (cards, index, max, card)
        card_show(b, card);
}
