#include "cli/draft.h"

#include <stdio.h>

#include "contract.h"
#include "event/address.h"
#include "event/ids.h"
#include "json/schema.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

void draft_release(struct draft *command)
{
    kanal_buffer_release(&command->json);
    *command = (struct draft){ 0 };
}

static int say(struct kanal_buffer *error, const char *text)
{
    kanal_buffer_text(error, text);
    kanal_buffer_byte(error, '\n');
    return KANAL_E_INVALID;
}

static int set_id(struct draft *command, kanal_str id, struct kanal_buffer *error)
{
    struct id random;

    if (!id.ptr) {
        if (ids_random("s_", &random) != 0)
            return say(error, "no random numbers");
        id = kanal_str_c(random.text);
    }
    if (id.len == 0 || id.len >= sizeof command->id)
        return say(error, "the id has 1 to 128 characters");
    memcpy(command->id, id.ptr, id.len);
    command->id[id.len] = '\0';
    return 0;
}

static int set_verb(struct draft *command, kanal_str verb, struct kanal_buffer *error)
{
    const char *dot = verb.len > 0 ? memchr(verb.ptr, '.', verb.len) : NULL;

    if (!dot || verb.len >= sizeof command->verb || dot == verb.ptr ||
        memchr(dot + 1, '.', verb.len - (size_t)(dot - verb.ptr) - 1))
        return say(error, "a verb is two words: message.send");
    memcpy(command->verb, verb.ptr, verb.len);
    command->verb[verb.len] = '\0';
    return 0;
}

/* ---- From words ---- */

static int write_to(struct kanal_json *json, const struct draft_words *words, struct kanal_buffer *error)
{
    struct kanal_buffer address = { 0 };
    int r = 0;

    kanal_json_key(json, "to");
    kanal_json_object(json);
    if (words->chat)
        kanal_json_member_text(json, "chat", words->chat);
    else if (strncmp(words->address, "c_", 2) == 0)
        kanal_json_member_text(json, "customer", words->address);
    else if (strncmp(words->address, "v_", 2) == 0)
        kanal_json_member_text(json, "conversation", words->address);
    else if (address_normalise(kanal_str_c(words->address), &address) == 0)
        kanal_json_member_str(json, "address", kanal_buffer_view(&address));
    else
        r = say(error, "the address is none: a URI with percent-encoded parts is expected (telegram:3527065, "
                       "tel:+79161234567), "
                       "or a customer (c_…), or a conversation (v_…)");
    kanal_json_object_end(json);
    kanal_buffer_release(&address);
    return r;
}

static void write_media(struct kanal_json *json, const struct draft_media *media, const char *caption)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", media->type);
    kanal_json_member_text(json, "url", media->url);
    kanal_json_member_text(json, "caption", caption);
    kanal_json_object_end(json);
}

static void write_button(struct kanal_json *json, const char *button)
{
    const char *equals = strchr(button, '=');
    size_t len = equals ? (size_t)(equals - button) : strlen(button);

    kanal_json_object(json);
    kanal_json_member_str(json, "text", kanal_str_of(button, len));
    kanal_json_member_str(json, "payload", equals ? kanal_str_c(equals + 1) : kanal_str_of(button, len));
    kanal_json_object_end(json);
}

static void write_choice(struct kanal_json *json, const struct draft_words *words)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "choice");
    kanal_json_member_text(json, "style", "buttons");
    kanal_json_key(json, "options");
    kanal_json_array(json);
    for (size_t i = 0; i < words->button_count; i++)
        write_button(json, words->buttons[i]);
    kanal_json_array_end(json);
    kanal_json_object_end(json);
}

static void write_content(struct kanal_json *json, const struct draft_words *words)
{
    /* One picture and a text are a picture with a caption. */
    int is_caption = words->media_count == 1 && words->text;

    kanal_json_key(json, "content");
    kanal_json_array(json);
    for (size_t i = 0; i < words->media_count; i++)
        write_media(json, &words->media[i], is_caption ? words->text : NULL);
    if (words->text && !is_caption) {
        kanal_json_object(json);
        kanal_json_member_text(json, "type", "text");
        kanal_json_member_text(json, "text", words->text);
        kanal_json_object_end(json);
    }
    if (words->button_count > 0)
        write_choice(json, words);
    kanal_json_array_end(json);
}

int draft_make(struct draft *command, const struct draft_words *words, struct kanal_buffer *error)
{
    struct kanal_json json;
    int r;

    *command = (struct draft){ 0 };
    r = set_verb(command, kanal_str_c("message.send"), error);
    if (r == 0)
        r = set_id(command, kanal_str_c(words->id), error);
    if (r != 0)
        return r;
    kanal_json_init(&json, &command->json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", command->id);
    r = write_to(&json, words, error);
    kanal_json_member_text(&json, "reference", words->reference);
    if (words->expires_ms)
        kanal_json_member_time(&json, "expires", words->expires_ms);
    if (words->reply_to) {
        kanal_json_key(&json, "reply_to");
        kanal_json_object(&json);
        kanal_json_member_text(&json, "external_id", words->reply_to);
        kanal_json_object_end(&json);
    }
    write_content(&json, words);
    kanal_json_object_end(&json);
    return r == 0 && command->json.failed ? say(error, "out of memory") : r;
}

/* ---- From JSON ---- */

int draft_read(struct draft *command, kanal_str text, const struct draft_words *words,
               struct kanal_buffer *error)
{
    yyjson_doc *document = text.len <= DRAFT_BYTES ? kanal_json_parse(text) : NULL;
    yyjson_val *root = yyjson_doc_get_root(document), *key, *value;
    kanal_str verb = kanal_json_text_at(root, "type"), id = kanal_json_text_at(root, "id");
    struct kanal_json json;
    size_t i, max;
    int r;

    *command = (struct draft){ 0 };
    if (!yyjson_is_obj(root)) {
        yyjson_doc_free(document);
        return say(error, text.len > DRAFT_BYTES ? "the command is larger than 512 KiB"
                                                 : "a command is one JSON object");
    }
    r = set_verb(command,
                 words->verb    ? kanal_str_c(words->verb)
                 : verb.len > 0 ? verb
                                : KANAL_LIT("message.send"),
                 error);
    if (r == 0)
        r = set_id(command, words->id ? kanal_str_c(words->id) : id, error);
    command->is_routed = kanal_json_at(root, "route") || kanal_json_at(root, "variants");
    kanal_json_init(&json, &command->json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", command->id);
    yyjson_obj_foreach (root, i, max, key, value) {
        if (yyjson_equals_str(key, "id"))
            continue;
        kanal_json_key_str(&json, kanal_json_text(key));
        kanal_json_value(&json, value);
    }
    kanal_json_object_end(&json);
    yyjson_doc_free(document);
    return r == 0 && command->json.failed ? say(error, "out of memory") : r;
}

/* ---- Checking ---- */

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct kanal_buffer *error = user;

    kanal_buffer_str(error, pointer.len > 0 ? pointer : KANAL_LIT("the command"));
    if (member.len > 0) {
        kanal_buffer_byte(error, '/');
        kanal_buffer_str(error, member);
    }
    kanal_buffer_text(error, ": ");
    kanal_buffer_str(error, message);
    kanal_buffer_byte(error, '\n');
}

int draft_check(const struct draft *command, struct kanal_buffer *error)
{
    struct json_schema *schema = NULL;
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&command->json));
    char definition[96];
    size_t wrong = SIZE_MAX;

    snprintf(definition, sizeof definition, "#/$defs/command.%s", command->verb);
    if (json_schema_new(&schema, kanal_str_of((const char *)contract_schema, contract_schema_len), error) ==
        0)
        wrong = json_schema_check_at(schema, definition, yyjson_doc_get_root(document), on_violation, error);
    if (wrong == SIZE_MAX)
        say(error, "this kanal knows no such verb; proto/subjects.md lists them");
    json_schema_free(schema);
    yyjson_doc_free(document);
    return wrong == 0 ? 0 : KANAL_E_INVALID;
}
