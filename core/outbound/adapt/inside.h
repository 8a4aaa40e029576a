/* outbound/adapt/inside.h - what the files of adapt/ share. */
#ifndef KANAL_ADAPT_INSIDE_H
#define KANAL_ADAPT_INSIDE_H
#include "outbound/adapt/adapt.h"
#include "outbound/adapt/split.h"

struct builder {
    struct adapted *out;
    const struct adapt_target *target;
    const kanal_limits *limits; /* never NULL */
    struct kanal_json json;     /* of the message that is being written */
    int is_open;
    uint32_t index, choice_index; /* of the content parts that are being shown */
    kanal_str type;               /* of the first */
    uint32_t number;              /* of the last option that was numbered, in the whole command */
};

/* adapt.c */
void builder_begin(struct builder *); /* the next message; the one before is done */
void builder_end(struct builder *);
void builder_loss(struct builder *, enum adapt_change, const char *detail);
void builder_choice_loss(struct builder *, enum adapt_change, const char *detail);
void builder_fail(struct builder *, const char *error);
int has_cap(const struct builder *, kanal_caps);

/* ---- fits.c: the checks that both ways share ---- */
struct split_limits text_limits(const kanal_limits *);
struct split_limits caption_limits(const kanal_limits *);
int markup_fits(kanal_caps, enum markup);
kanal_caps cap_of_type(kanal_str type); /* 0: of none */
kanal_caps cap_of_style(kanal_str style);
int is_media(kanal_str type);
int is_choice(yyjson_val *part);
int media_size_fits(yyjson_val *part, const kanal_limits *);
/* Of options on this channel, whatever the style. */
int options_fit(yyjson_val *options, const kanal_limits *);
int option_answers(yyjson_val *option); /* 0: it opens a page, calls or asks for something */

/* ---- words.c ---- */
/* Shows it as one text or several, in the best dialect there is. source: the part whose other members go along; or NULL. */
void words_show(struct builder *, const struct rich *, enum markup from, yyjson_val *source);
/* The same as the caption of the media part that is being written, if it fits: 1. */
int words_as_caption(struct builder *, const struct rich *, enum markup from);
/* In which dialect; PLAIN of something with spans is a loss. */
enum markup words_dialect(const struct builder *, const struct rich *, enum markup from);
void words_new_line(struct rich *); /* unless it is empty */
void words_new_paragraph(struct rich *);

/* ---- choice.c ---- */
struct choice { /* a part of that type, or a card's buttons */
    yyjson_val *options;
    yyjson_val *source; /* the part; NULL: a card's */
    kanal_str asked;    /* style */
    kanal_str text;
};
struct choice choice_of(yyjson_val *part);
/* The style in which the channel can show it; NULL: in none, then it becomes a list in words. */
const char *choice_style(const struct builder *, const struct choice *);
/* 1: nothing is to be shown: it only takes away what the channel does not have. */
int choice_is_void(const struct builder *, const struct choice *);
/* Into the message that is being written. */
void choice_write(struct builder *, const struct choice *, const char *style);
/* As numbered lines behind the words; remembers what is offered. */
void choice_list(struct builder *, const struct choice *, struct rich *words);
/* An array of options, changed as the channel needs them. style: as shown, for the losses. */
void options_write(struct builder *, const struct choice *, const char *style);
/* Can they be made fit by shortening? */
int options_can_fit(yyjson_val *options, const kanal_limits *);

/* ---- show.c, card.c: each shows one content part, and the choice behind it (or NULL) ---- */
struct media {
    kanal_str type;
    yyjson_val *source; /* members to be copied; NULL: url is all */
    kanal_str url;
    struct rich caption;
    enum markup caption_from;
};
void media_show(struct builder *, struct media *, const struct choice *);
/* Words and what can be chosen, in one message if possible. source: the text part, or NULL. */
void words_and_choice(struct builder *, struct rich *, enum markup from, yyjson_val *source,
                      const struct choice *);
void text_show(struct builder *, yyjson_val *part, const struct choice *);
void media_part_show(struct builder *, yyjson_val *part, const struct choice *);
/* What can be copied as it is, with the choice in the same message if the channel can. */
void part_copy(struct builder *, yyjson_val *part, const struct choice *);
void choice_show(struct builder *, const struct choice *);
void location_words(yyjson_val *part, struct rich *words);
void contact_words(yyjson_val *part, struct rich *words);
void card_show(struct builder *, yyjson_val *card);
void carousel_show(struct builder *, yyjson_val *carousel);

#endif
