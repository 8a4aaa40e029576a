#include "events.h"

#include <stdio.h>

#include "address.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/time.h"
#include "kanal/sdk/url.h"
#include "outcome.h"

void tw_told_release(struct tw_told *told)
{
    kanal_batch_release(&told->batch);
}

void tw_ignore(struct tw_told *told, const char *why, kanal_str what)
{
    told->ignored++;
    told->why = why;
    kanal_str cut = kanal_str_of(what.ptr, what.len < sizeof told->what ? what.len : 0);
    kanal_batch_text(told->what, sizeof told->what, kanal_str_ascii(cut) ? cut : kanal_str_of(NULL, 0));
}

/* ---- Reading ---- */

int tw_is_sid(kanal_str text)
{
    if (text.len != TW_SID_BYTES)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (i < 2 ? c < 'A' || c > 'Z' : !is_digit)
            return 0;
    }
    return 1;
}

kanal_str tw_query(const struct tw_source *source, const char *name, char *out, size_t size)
{
    struct kanal_buffer text = { 0 };
    out[0] = 0;
    if (kanal_form_get(source->query, name, &text) == 0 && kanal_str_utf8(kanal_buffer_view(&text)) &&
        !memchr(text.data ? text.data : "", 0, text.len))
        kanal_batch_text(out, size, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return kanal_str_c(out);
}

int64_t tw_time(const struct tw_source *source)
{
    kanal_str text = tw_param(source->params, "Timestamp");
    int64_t ms = 0;
    if (kanal_time_parse_mail(text, &ms) != 0 && kanal_time_parse_rfc3339(text, &ms) != 0)
        return 0;
    return ms > 0 ? ms : 0;
}

/* ---- Writing ---- */

void tw_member(struct kanal_json *json, const char *key, const struct tw_source *source, const char *name,
               size_t max_chars)
{
    kanal_member_text(json, key, tw_param(source->params, name), max_chars);
}

/* Where a number is registered, as Twilio guesses by its prefix: of the party's own side, "From" or "To". */
static void write_place(struct kanal_json *json, const struct tw_source *source, const char *side)
{
    static const char *const names[][2] = {
        { "city", "City" }, { "state", "State" }, { "zip", "Zip" }, { "country", "Country" }
    };
    char name[24];
    struct kanal_provider provider = kanal_provider_begin(json);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s%s", side, names[i][1]);
        tw_member(json, names[i][0], source, name, 64);
    }
    kanal_provider_end(json, &provider);
}

static void write_people(struct kanal_json *json, const struct tw_source *source, kanal_str party)
{
    int is_sender = kanal_str_equal(party, tw_param(source->params, "From"));
    kanal_str profile = tw_param(source->params, "ProfileName");
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    if (is_sender)
        kanal_member_text(json, "name", profile.len > 0 ? profile : tw_param(source->params, "CallerName"),
                          256);
    write_place(json, source, is_sender ? "From" : "To");
    kanal_json_object_end(json);
    kanal_json_key(json, "chat");
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", "private");
    kanal_json_object_end(json);
}

struct kanal_batch_item *tw_begin(struct tw_told *told, const struct tw_source *source, const char *type,
                                  kanal_str party, kanal_str dedupe, const char *suffix)
{
    struct kanal_batch_item *item = kanal_batch_begin(&told->batch, type);
    if (!item)
        return NULL;
    snprintf(item->dedupe, sizeof item->dedupe, "%.*s%s%s", (int)dedupe.len, dedupe.ptr, suffix ? ":" : "",
             suffix ? suffix : "");
    if (tw_address_write(item->address, party))
        kanal_batch_text(item->chat, sizeof item->chat, party);
    if (item->address[0])
        write_people(&item->json, source, party);
    return item;
}

void tw_end(struct tw_told *told, struct kanal_batch_item *item)
{
    kanal_batch_end(&told->batch, item);
}

void tw_say_consent(struct tw_told *told, const struct tw_source *source, kanal_str party, kanal_str dedupe,
                    int is_given, const char *reason, int64_t time_ms)
{
    struct kanal_batch_item *item =
        tw_begin(told, source, is_given ? "consent.given" : "consent.withdrawn", party, dedupe, "consent");
    if (!item)
        return;
    struct kanal_json *json = &item->json;
    item->event.time_ms = time_ms;
    kanal_json_key(json, "consent");
    kanal_json_array(json);
    kanal_json_object(json);
    kanal_json_member_bool(json, "given", is_given);
    kanal_json_member_str(json, "channel", source->channel_id);
    kanal_json_object_end(json);
    kanal_json_array_end(json);
    kanal_json_member_text(json, "reason", reason);
    tw_end(told, item);
}

void tw_write_error(struct kanal_json *json, int64_t code, kanal_str words)
{
    const struct tw_rule *rule = tw_rule_of(code);
    kanal_json_key(json, "error");
    kanal_json_object(json);
    kanal_json_member_text(json, "code", rule->error_code);
    kanal_json_member_text(json, "scope",
                           rule->scope == KANAL_SCOPE_CHANNEL     ? "channel"
                           : rule->scope == KANAL_SCOPE_RECIPIENT ? "recipient"
                                                                  : "message");
    if (code > 0)
        kanal_member_digits(json, "provider_code", code);
    kanal_member_text(json, "provider_message", words, 2048);
    kanal_json_object_end(json);
}
