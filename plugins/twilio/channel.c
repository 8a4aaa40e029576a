#include "channel.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

/* A text of the settings that may be missing. 0: out of memory. */
static int take(char **out, yyjson_val *object, const char *name)
{
    kanal_str text = kanal_json_text_at(object, name);
    *out = text.len > 0 ? kanal_str_dup(text) : NULL;
    return text.len == 0 || *out;
}

static void take_sid(char out[TW_SID_BYTES + 1], yyjson_val *root, const char *name)
{
    kanal_str sid = kanal_json_text_at(root, name);
    if (sid.len == TW_SID_BYTES)
        memcpy(out, sid.ptr, TW_SID_BYTES);
}

static int choose(yyjson_val *object, const char *name, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (kanal_str_is(kanal_json_text_at(object, name), words[i]))
            return i;
    return 0;
}

static int take_texts(struct tw_settings *settings, yyjson_val *root, yyjson_val *calls)
{
    return take(&settings->from, root, "from") && take(&settings->language, root, "language") &&
           take(&settings->voice, root, "voice") && take(&settings->greeting, calls, "greeting") &&
           take(&settings->dial, calls, "dial");
}

static const char *find_fault(const struct tw_settings *settings)
{
    if (!settings->api_url)
        return "api_url is no http or https URL";
    if (!settings->account[0])
        return "account_sid is required: AC and 32 hexadecimal digits";
    if (!settings->from && !settings->service[0])
        return "from or messaging_service_sid is required: who the messages are from";
    if (settings->answer == TW_ANSWER_DIAL && !settings->dial)
        return "calls.dial is required where calls.answer is dial";
    if (settings->answer == TW_ANSWER_SAY && !settings->greeting)
        return "calls.greeting is required where calls.answer is say";
    return NULL;
}

int tw_settings_read(struct tw_settings *settings, kanal_str json, const char **ret_error)
{
    static const char *const ways[] = { "auto", "mms", "link", NULL };
    static const char *const answers[] = { "reject", "say", "record", "dial", NULL };
    memset(settings, 0, sizeof *settings);
    yyjson_doc *document = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(document), *calls = kanal_json_at(root, "calls");
    kanal_status status = kanal_url_base(kanal_json_text_at(root, "api_url"), &settings->api_url);
    take_sid(settings->account, root, "account_sid");
    take_sid(settings->api_key, root, "api_key_sid");
    take_sid(settings->service, root, "messaging_service_sid");
    take_sid(settings->number_sid, root, "number_sid");
    settings->media = (enum tw_media_way)choose(root, "media", ways);
    settings->answer = (enum tw_answer)choose(calls, "answer", answers);
    settings->validity_s = kanal_json_int_at(root, "validity_s", 0);
    settings->ring_s = kanal_json_int_at(calls, "ring_s", 20);
    settings->message_s = kanal_json_int_at(calls, "message_s", 120);
    settings->records = kanal_json_bool_at(calls, "record");
    int is_complete = status != KANAL_E_INTERNAL && take_texts(settings, root, calls);
    yyjson_doc_free(document);
    *ret_error = is_complete ? find_fault(settings) : "out of memory";
    if (!is_complete)
        return KANAL_E_INTERNAL;
    return *ret_error ? KANAL_E_INVALID : 0;
}

void tw_settings_release(struct tw_settings *settings)
{
    free(settings->api_url);
    free(settings->from);
    free(settings->language);
    free(settings->voice);
    free(settings->greeting);
    free(settings->dial);
    memset(settings, 0, sizeof *settings);
}
