/* What becomes of content on channels that can do less. JSON is written with ' for ". */
#include <criterion/criterion.h>
#include <stdio.h>

#include "outbound/adapt/adapt.h"

#define PLAIN KANAL_CAP_TEXT
#define HTML KANAL_CAP_MARKUP_HTML
#define MARKDOWN KANAL_CAP_MARKUP_MARKDOWN
#define IMAGE (KANAL_CAP_TEXT | KANAL_CAP_IMAGE)
#define CAPTION KANAL_CAP_CAPTION
#define BUTTONS (KANAL_CAP_TEXT | KANAL_CAP_BUTTONS)
#define REPLIES (KANAL_CAP_TEXT | KANAL_CAP_QUICK_REPLIES)
#define LIST (KANAL_CAP_TEXT | KANAL_CAP_LIST)
#define ON_MEDIA KANAL_CAP_CHOICE_ON_MEDIA

#define TEXT(text) "{'type':'text','text':'" text "'}"
#define YES_NO "[{'text':'Yes','payload':'Y'},{'text':'No','payload':'N'}]"
#define CHOICE(style, options) "{'type':'choice','style':'" style "','options':" options "}"
#define CHOICE_OUT(style, options) "{'type':'choice','style':'" style "','options':" options "}"
#define PICTURE "{'type':'image','url':'https://x/y.png','caption':'Look'}"
#define CARD                                                                                                 \
    "{'type':'card','title':'Tea','text':'Green','price':'9.50','currency':'EUR','url':'https://x/tea',"     \
    "'image':{'url':'https://x/t.png'},'options':[{'text':'Buy','payload':'B'}]}"

struct row {
    const char *name;
    kanal_caps caps;
    kanal_limits limits;
    const char *content, *parts;
    const char *losses; /* "INDEX CHANGE", with ',' between */
    const char *offer;
};

static const struct row rows[] = {
    /* What fits */
    { "text", PLAIN, { 0 }, "[" TEXT("a") "]", "[" TEXT("a") "]", "", "" },
    { "buttons",
      BUTTONS,
      { 0 },
      "[" TEXT("a") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("a") "," CHOICE("buttons", YES_NO) "]",
      "",
      "" },
    { "html where it is known",
      PLAIN | HTML,
      { 0 },
      "[{'type':'text','text':'<b>a</b>','markup':'html'}]",
      "[{'type':'text','text':'<b>a</b>','markup':'html'}]",
      "",
      "" },

    /* Texts */
    { "long text",
      PLAIN,
      { .text_chars = 11 },
      "[" TEXT("hello world again") "]",
      "[" TEXT("hello world") "][" TEXT("again") "]",
      "0 split",
      "" },
    { "long text with buttons: they stand under the last",
      BUTTONS,
      { .text_chars = 11 },
      "[" TEXT("hello world again") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("hello world") "][" TEXT("again") "," CHOICE("buttons", YES_NO) "]",
      "0 split",
      "" },
    { "html to plain",
      PLAIN,
      { 0 },
      "[{'type':'text','text':'<b>a</b> &amp; b','markup':'html','preview':false}]",
      "[{'type':'text','text':'a & b','preview':false}]",
      "0 converted",
      "" },
    { "html without any markup loses nothing",
      PLAIN,
      { 0 },
      "[{'type':'text','text':'a &amp; b','markup':'html'}]",
      "[" TEXT("a & b") "]",
      "",
      "" },
    { "html to markdown",
      PLAIN | MARKDOWN,
      { 0 },
      "[{'type':'text','text':'<b>a</b>','markup':'html'}]",
      "[{'type':'text','text':'**a**','markup':'markdown'}]",
      "",
      "" },
    { "what markdown has not",
      PLAIN | MARKDOWN,
      { 0 },
      "[{'type':'text','text':'<u>a</u>','markup':'html'}]",
      "[{'type':'text','text':'a','markup':'markdown'}]",
      "0 converted",
      "" },
    { "markdown to html",
      PLAIN | HTML,
      { 0 },
      "[{'type':'text','text':'**a** < b','markup':'markdown'}]",
      "[{'type':'text','text':'<b>a</b> &lt; b','markup':'html'}]",
      "",
      "" },
    { "no room for markup",
      PLAIN | HTML,
      { .text_chars = 8 },
      "[{'type':'text','text':'<a href=\\'https://x\\'>one two three</a>','markup':'html'}]",
      "[" TEXT("one two") "][" TEXT("three") "][" TEXT("(https:/") "][" TEXT("/x)") "]",
      "0 converted,0 split",
      "" },

    /* Choices */
    { "buttons in words",
      PLAIN,
      { 0 },
      "[" TEXT("Sure?") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("Sure?\\n\\n1. Yes\\n2. No") "]",
      "1 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "a choice with its own question",
      PLAIN,
      { 0 },
      "[{'type':'choice','style':'list','text':'Sure?','options':" YES_NO "}]",
      "[" TEXT("Sure?\\n\\n1. Yes\\n2. No") "]",
      "0 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "two choices count on",
      PLAIN,
      { 0 },
      "[" TEXT("a") "," CHOICE("buttons", "[{'text':'x'}]") "," TEXT("b") "," CHOICE("quick_replies",
                                                                                     "[{'text':'y'}]") "]",
      "[" TEXT("a\\n\\n1. x") "][" TEXT("b\\n\\n2. y") "]",
      "1 converted,3 converted",
      "{'n':1,'text':'x','payload':'x'},{'n':2,'text':'y','payload':'y'}" },
    { "a list's sections, descriptions, pages and calls in words",
      PLAIN,
      { 0 },
      "[" TEXT("a") "," CHOICE(
          "list",
          "[{'text':'x','section':'S','description':'d','payload':'X'},"
          "{'text':'y','section':'S','url':'https://y'},{'text':'z','section':'T','phone':'+7'}]") "]",
      "[" TEXT("a\\n\\nS\\n1. x – d\\ny: https://y\\nT\\nz: +7") "]",
      "1 converted",
      "{'n':1,'text':'x','payload':'X'}" },
    { "quick replies as buttons: the text is the payload",
      BUTTONS,
      { 0 },
      "[" TEXT("a") "," CHOICE("quick_replies", "[{'text':'x'}]") "]",
      "[" TEXT("a") "," CHOICE_OUT("buttons", "[{'text':'x','payload':'x'}]") "]",
      "1 converted",
      "{'text':'x','payload':'x'}" },
    { "buttons as quick replies",
      REPLIES,
      { 0 },
      "[" TEXT("a") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("a") "," CHOICE_OUT("quick_replies", YES_NO) "]",
      "1 converted",
      "{'text':'Yes','payload':'Y'},{'text':'No','payload':'N'}" },
    { "buttons as a list",
      LIST,
      { 0 },
      "[" TEXT("a") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("a") "," CHOICE_OUT("list", YES_NO) "]",
      "1 converted",
      "{'text':'Yes','payload':'Y'},{'text':'No','payload':'N'}" },
    { "pages are no quick replies",
      REPLIES,
      { 0 },
      "[" TEXT("a") "," CHOICE("buttons", "[{'text':'x','url':'https://x'}]") "]",
      "[" TEXT("a\\n\\nx: https://x") "]",
      "1 converted",
      "" },
    { "too many options",
      BUTTONS,
      { .options = 1 },
      "[" TEXT("a") "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("a\\n\\n1. Yes\\n2. No") "]",
      "1 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "long options",
      BUTTONS,
      { .option_chars = 5 },
      "[" TEXT("a") "," CHOICE("buttons",
                               "[{'text':'Certainly','payload':'C'},{'text':'Never','payload':'N'}]") "]",
      "[" TEXT("a") "," CHOICE_OUT("buttons",
                                   "[{'text':'Cert…','payload':'C'},{'text':'Never','payload':'N'}]") "]",
      "1 shortened",
      "{'text':'Cert…','full':'Certainly','payload':'C'}" },
    { "options that would read the same",
      BUTTONS,
      { .option_chars = 5 },
      "[" TEXT("a") "," CHOICE("buttons",
                               "[{'text':'Order A','payload':'A'},{'text':'Order B','payload':'B'}]") "]",
      "[" TEXT("a\\n\\n1. Order A\\n2. Order B") "]",
      "1 converted",
      "{'n':1,'text':'Order A','payload':'A'},{'n':2,'text':'Order B','payload':'B'}" },
    { "a long payload",
      BUTTONS,
      { .payload_bytes = 20 },
      "[" TEXT("a") "," CHOICE("buttons", "[{'text':'x','payload':'123456789012345678901234567890'}]") "]",
      "[" TEXT("a") "," CHOICE_OUT("buttons", "[{'text':'x','payload':'k_6vhfzd4bazeooy4nex'}]") "]",
      "",
      "" },
    { "taking away what is not there",
      PLAIN,
      { 0 },
      "[" TEXT("a") ",{'type':'choice','style':'quick_replies','remove':true,'options':[]}]",
      "[" TEXT("a") "]",
      "",
      "" },

    { "buttons under white space",
      BUTTONS,
      { .text_chars = 2 },
      "[" TEXT("   ") "," CHOICE("buttons", YES_NO) "]",
      "[" CHOICE("buttons", YES_NO) "]",
      "",
      "" },

    /* Media */
    { "an image as a link",
      PLAIN,
      { 0 },
      "[" PICTURE "]",
      "[" TEXT("Look\\nhttps://x/y.png") "]",
      "0 linked",
      "" },
    { "… with its choice",
      PLAIN,
      { 0 },
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "[" TEXT("Look\\nhttps://x/y.png\\n\\n1. Yes\\n2. No") "]",
      "0 linked,1 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "a caption that the channel has not",
      IMAGE,
      { 0 },
      "[" PICTURE "]",
      "[{'type':'image','url':'https://x/y.png'}][" TEXT("Look") "]",
      "0 converted",
      "" },
    { "a caption that is too long",
      IMAGE | CAPTION,
      { .caption_chars = 3 },
      "[" PICTURE "]",
      "[{'type':'image','url':'https://x/y.png'}][" TEXT("Look") "]",
      "0 converted",
      "" },
    { "a caption's markup",
      IMAGE | CAPTION,
      { 0 },
      "[{'type':'image','url':'https://x/y.png','caption':'<b>a</b>','caption_markup':'html'}]",
      "[{'type':'image','url':'https://x/y.png','caption':'a'}]",
      "0 converted",
      "" },
    { "buttons on media",
      IMAGE | BUTTONS | CAPTION | ON_MEDIA,
      { 0 },
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "",
      "" },
    { "buttons beside media have the caption as their words",
      IMAGE | BUTTONS | CAPTION,
      { 0 },
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "[{'type':'image','url':'https://x/y.png'}][" TEXT("Look") "," CHOICE("buttons", YES_NO) "]",
      "0 converted",
      "" },
    { "numbered lines in the caption",
      IMAGE | CAPTION,
      { 0 },
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "[{'type':'image','url':'https://x/y.png','caption':'Look\\n\\n1. Yes\\n2. No'}]",
      "1 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "numbered lines that do not fit into the caption",
      IMAGE | CAPTION,
      { .caption_chars = 6 },
      "[" PICTURE "," CHOICE("buttons", YES_NO) "]",
      "[" PICTURE "][" TEXT("1. Yes\\n2. No") "]",
      "1 converted",
      "{'n':1,'text':'Yes','payload':'Y'},{'n':2,'text':'No','payload':'N'}" },
    { "a sticker as an image",
      IMAGE,
      { 0 },
      "[{'type':'sticker','url':'https://x/s.webp','emoji':'🙂'}]",
      "[{'type':'image','url':'https://x/s.webp'}]",
      "0 converted",
      "" },
    { "an animated sticker as a link",
      IMAGE,
      { 0 },
      "[{'type':'sticker','url':'https://x/s.tgs','mime':'application/x-tgsticker','emoji':'🙂'}]",
      "[" TEXT("🙂\\nhttps://x/s.tgs") "]",
      "0 linked",
      "" },
    { "voice as audio",
      PLAIN | KANAL_CAP_AUDIO | KANAL_CAP_FILE,
      { 0 },
      "[{'type':'voice','url':'https://x/v'}]",
      "[{'type':'audio','url':'https://x/v'}]",
      "0 converted",
      "" },
    { "voice as a file",
      PLAIN | KANAL_CAP_FILE,
      { 0 },
      "[{'type':'voice','url':'https://x/v'}]",
      "[{'type':'file','url':'https://x/v'}]",
      "0 converted",
      "" },
    { "voice as a link",
      PLAIN,
      { 0 },
      "[{'type':'voice','url':'https://x/v'}]",
      "[" TEXT("https://x/v") "]",
      "0 linked",
      "" },
    { "too large",
      IMAGE,
      { .media_bytes = 10 },
      "[{'type':'image','url':'https://x/y','size':11,'name':'y.png'}]",
      "[" TEXT("y.png\\nhttps://x/y") "]",
      "0 linked",
      "" },

    /* Places, people, templates */
    { "a place",
      PLAIN,
      { 0 },
      "[{'type':'location','lat':55.75,'lon':-37.6173,'name':'Shop','address':'Street 1'}]",
      "[" TEXT("Shop\\nStreet "
               "1\\nhttps://www.openstreetmap.org/?mlat=55.75&mlon=-37.6173\\ngeo:55.75,-37.6173") "]",
      "0 converted",
      "" },
    { "a contact",
      PLAIN,
      { 0 },
      "[{'type':'contact','name':'Ann','phones':['+7','+8'],'emails':['a@b'],'organization':'O'}]",
      "[" TEXT("Ann\\nO\\n+7\\n+8\\na@b") "]",
      "0 converted",
      "" },
    { "a template's text",
      PLAIN,
      { 0 },
      "[{'type':'template','name':'t','text':'Hello'}]",
      "[" TEXT("Hello") "]",
      "0 converted",
      "" },

    /* Cards */
    { "a card as a picture with buttons",
      IMAGE | CAPTION | BUTTONS | ON_MEDIA,
      { 0 },
      "[" CARD "]",
      "[{'type':'image','url':'https://x/t.png','caption':'Tea\\nGreen\\n9.50 EUR\\nhttps://x/tea'},"
      "{'type':'choice','style':'buttons','options':[{'text':'Buy','payload':'B'}]}]",
      "0 converted",
      "" },
    { "a card's title stands out",
      PLAIN | HTML,
      { 0 },
      "[{'type':'card','title':'A & B'}]",
      "[{'type':'text','text':'<b>A &amp; B</b>','markup':'html'}]",
      "0 converted",
      "" },
    { "a card in words",
      PLAIN,
      { 0 },
      "[" CARD "]",
      "[" TEXT("Tea\\nGreen\\n9.50 EUR\\nhttps://x/tea\\n\\n1. Buy") "]",
      "0 converted,0 converted,0 dropped",
      "{'n':1,'text':'Buy','payload':'B'}" },
    { "a carousel as cards",
      PLAIN | KANAL_CAP_CARD,
      { 0 },
      "[{'type':'carousel','cards':[{'title':'a'},{'title':'b'}]}]",
      "[{'type':'card','title':'a'}][{'type':'card','title':'b'}]",
      "0 converted",
      "" },
    { "a carousel in words",
      PLAIN,
      { 0 },
      "[{'type':'carousel','cards':[{'title':'a','options':[{'text':'x'}]},{'title':'b','options':[{'text':'"
      "y'}]}]}]",
      "[" TEXT("a\\n\\n1. x") "][" TEXT("b\\n\\n2. y") "]",
      "0 converted,0 converted,0 converted",
      "{'n':1,'text':'x','payload':'x'},{'n':2,'text':'y','payload':'y'}" },
    { "a long payload in a carousel",
      KANAL_CAP_CAROUSEL,
      { .payload_bytes = 20 },
      "[{'type':'carousel','cards':[{'title':'a','options':[{'text':'x','payload':'"
      "123456789012345678901234567890'}]}]}]",
      "[{'type':'carousel','cards':[{'title':'a','options':[{'text':'x','payload':'k_6vhfzd4bazeooy4nex'}]}]}"
      "]",
      "",
      "" },
};

static void quoted(struct kanal_buffer *out, const char *text)
{
    kanal_buffer_clear(out);
    for (; *text; text++) {
        if (text[0] == '\\' && text[1] == '\'')
            continue; /* \' stands for an escaped " */
        kanal_buffer_text(out, text[0] == '\'' && text[-1] == '\\' ? "\\\"" : "");
        if (text[0] == '\'' && text[-1] != '\\')
            kanal_buffer_byte(out, '"');
        else if (text[0] != '\'')
            kanal_buffer_byte(out, text[0]);
    }
    kanal_buffer_byte(out, 0);
}

static void write_losses(struct kanal_buffer *out, const struct adapted *adapted)
{
    char text[64];
    for (uint32_t i = 0; i < adapted->loss_count; i++) {
        snprintf(text, sizeof text, "%s%u %s", i > 0 ? "," : "", adapted->losses[i].index,
                 adapt_change_name(adapted->losses[i].change));
        kanal_buffer_text(out, text);
    }
    kanal_buffer_byte(out, 0);
}

static void check_row(const struct row *row)
{
    struct kanal_buffer content = { 0 }, parts = { 0 }, losses = { 0 }, offer = { 0 };
    struct adapted adapted = { 0 };
    struct adapt_target target = { .caps = row->caps, .limits = &row->limits };
    quoted(&content, row->content);
    quoted(&parts, row->parts);
    quoted(&offer, row->offer);
    yyjson_doc *document = kanal_json_parse(kanal_str_c(content.data));
    cr_assert_not_null(document, "%s: %s", row->name, content.data);
    adapt(&adapted, yyjson_doc_get_root(document), &target);
    cr_assert_null(adapted.error, "%s: %s", row->name, adapted.error);
    kanal_buffer_byte(&adapted.json, 0);
    kanal_buffer_byte(&adapted.offer, 0);
    write_losses(&losses, &adapted);
    cr_expect_str_eq(adapted.json.data, parts.data, "%s:\n got %s\nnot %s", row->name, adapted.json.data,
                     parts.data);
    cr_expect_str_eq(losses.data, row->losses, "%s: %s", row->name, losses.data);
    cr_expect_str_eq(adapted.offer.data, offer.data, "%s: %s", row->name, adapted.offer.data);
    cr_expect_eq(adapted.offer_part > 0, row->offer[0] != 0, "%s", row->name);
    /* What is said to fit is not changed, and what is not changed fits. */
    int changed = strcmp(content.data + 1, adapted.json.data + 1) != 0;
    cr_expect_eq(adapt_fits(yyjson_doc_get_root(document), &target), !changed, "%s", row->name);
    adapted_release(&adapted);
    yyjson_doc_free(document);
    kanal_buffer_release(&content);
    kanal_buffer_release(&parts);
    kanal_buffer_release(&losses);
    kanal_buffer_release(&offer);
}

Test(adapt, every_downgrade)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static const char *error_of(kanal_caps caps, uint32_t text_chars, const char *json)
{
    struct kanal_buffer content = { 0 };
    struct adapted adapted = { 0 };
    kanal_limits limits = { .text_chars = text_chars };
    struct adapt_target target = { .caps = caps, .limits = &limits };
    quoted(&content, json);
    yyjson_doc *document = kanal_json_parse(kanal_str_c(content.data));
    adapt(&adapted, yyjson_doc_get_root(document), &target);
    const char *error = adapted.error;
    adapted_release(&adapted);
    yyjson_doc_free(document);
    kanal_buffer_release(&content);
    return error;
}

Test(adapt, what_can_be_shown_in_no_way)
{
    cr_expect_str_eq(error_of(KANAL_CAP_IMAGE, 0, "[" TEXT("a") "]"), "unsupported_content");
    cr_expect_str_eq(error_of(KANAL_CAP_IMAGE, 0, "[" PICTURE "]"), "unsupported_content");
    cr_expect_str_eq(error_of(PLAIN, 0, "[{'type':'template','name':'t'}]"), "unsupported_content");
    cr_expect_str_eq(error_of(PLAIN, 0, "[{'type':'hologram'}]"), "unsupported_content");
    cr_expect_str_eq(
        error_of(PLAIN, 0, "[{'type':'choice','style':'quick_replies','remove':true,'options':[]}]"),
        "unsupported_content");
}

Test(adapt, there_are_not_endlessly_many_messages)
{
    struct kanal_buffer json = { 0 };
    kanal_buffer_text(&json, "[{'type':'text','text':'");
    for (int i = 0; i < 1000; i++)
        kanal_buffer_text(&json, "abcd ");
    kanal_buffer_text(&json, "'}]");
    kanal_buffer_byte(&json, 0);
    cr_expect_str_eq(error_of(PLAIN, 4, json.data), "payload_too_large");
    kanal_buffer_release(&json);
}

static void expect_variant(const char *channel, const char *when, int expected)
{
    struct kanal_buffer json = { 0 };
    int variant = -2;
    struct adapt_target target = { .channel = kanal_str_c(channel),
                                   .plugin = KANAL_LIT("p"),
                                   .when = kanal_str_c(when) };
    quoted(&json, "{'content':[0],'variants':[{'channel':'w','when':'outside_window','content':[1]},"
                  "{'channel':'w','when':'inside_window','content':[2]},{'channel':'w','content':[3]},"
                  "{'plugin':'q','content':[4]},{'plugin':'p','channel':'v','content':[5]}]}");
    yyjson_doc *document = kanal_json_parse(kanal_str_c(json.data));
    yyjson_val *content = adapt_content(yyjson_doc_get_root(document), &target, &variant);
    cr_expect_eq(variant, expected, "%s %s: %d", channel, when ? when : "", variant);
    cr_expect_eq(yyjson_get_int(yyjson_arr_get_first(content)), expected + 1);
    yyjson_doc_free(document);
    kanal_buffer_release(&json);
}

Test(adapt, the_first_variant_that_fits)
{
    expect_variant("w", "outside_window", 0);
    expect_variant("w", "inside_window", 1);
    expect_variant("w", NULL, 2); /* nobody knows */
    expect_variant("v", NULL, 4);
    expect_variant("other", "outside_window", -1);
}

Test(adapt, a_token_is_of_the_payload_alone)
{
    char a[ADAPT_TOKEN_LEN + 1], b[ADAPT_TOKEN_LEN + 1];
    kanal_str first = adapt_token(KANAL_LIT("payload"), 64, a),
              second = adapt_token(KANAL_LIT("payload"), 12, b);
    cr_expect_eq(first.len, ADAPT_TOKEN_LEN);
    cr_expect_eq(second.len, 12);
    cr_expect_eq(memcmp(a, b, 12), 0);
    adapt_token(KANAL_LIT("payloae"), 64, b);
    cr_expect_neq(memcmp(a, b, 12), 0);
}
