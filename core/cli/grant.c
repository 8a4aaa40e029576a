#include "cli/grant.h"

#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define SUBJECTS 3u

/* What the gateway's account exports for all readers; which of it a reader has is said by its own imports. */
static const struct {
    const char *subject;
    int many; /* answers to one request */
} exports[SUBJECTS] = { { "$JS.API.CONSUMER.MSG.NEXT.*.*", 1 },
                        { "$JS.API.CONSUMER.INFO.*.*", 0 },
                        { "$JS.ACK.*.*.>", 0 } };

struct subjects {
    char service[SUBJECTS][160]; /* as the gateway's account calls them */
    char publish[SUBJECTS][200]; /* as the reader does */
    char inbox_prefix[64], inbox[72];
};

void grant_set_password(struct grant *grant, const unsigned char *random, size_t len)
{
    struct kanal_buffer text = { 0 };

    kanal_base32_encode(&text, kanal_str_of((const char *)random, len));
    snprintf(grant->password, sizeof grant->password, "%.*s", (int)text.len, text.data ? text.data : "");
    kanal_buffer_release(&text);
}

static void fill(const struct grant *grant, struct subjects *s)
{
    snprintf(s->service[0], sizeof s->service[0], "$JS.API.CONSUMER.MSG.NEXT.%s.%s", grant->stream,
             grant->name);
    snprintf(s->service[1], sizeof s->service[1], "$JS.API.CONSUMER.INFO.%s.%s", grant->stream, grant->name);
    snprintf(s->service[2], sizeof s->service[2], "$JS.ACK.%s.%s.>", grant->stream, grant->name);
    for (size_t i = 0; i < SUBJECTS; i++)
        snprintf(s->publish[i], sizeof s->publish[i], "%s", s->service[i]);
    for (size_t i = 0; grant->account && i < 2; i++)
        snprintf(s->publish[i], sizeof s->publish[i], "$JS.%s.%s", grant->account,
                 s->service[i] + strlen("$JS."));
    snprintf(s->inbox_prefix, sizeof s->inbox_prefix, "_INBOX_%s", grant->name);
    snprintf(s->inbox, sizeof s->inbox, "%s.>", s->inbox_prefix);
}

static void line(struct kanal_buffer *out, const char *before, const char *text, const char *after)
{
    kanal_buffer_text(out, before);
    kanal_buffer_text(out, text);
    kanal_buffer_text(out, after);
}

static void write_user(const struct grant *grant, const struct subjects *s, struct kanal_buffer *out)
{
    line(out, "    {\n      user: \"", grant->name, "\"\n");
    line(out, "      password: \"", grant->password, "\"\n");
    kanal_buffer_text(out, "      permissions: {\n        publish: {\n          allow: [\n");
    for (size_t i = 0; i < SUBJECTS; i++)
        line(out, "            \"", s->publish[i], "\"\n");
    line(out, "          ]\n        }\n        subscribe: { allow: [ \"", s->inbox, "\" ] }\n");
    kanal_buffer_text(out, "      }\n    }\n");
}

/* A block for inside accounts { }. */
static void write_account(const struct grant *grant, const struct subjects *s, struct kanal_buffer *out)
{
    line(out, "#\n# For nats-server's configuration, inside accounts { }. There the gateway's account, ",
         grant->account, ", exports once, for all readers:\n#   exports: [\n");
    for (size_t i = 0; i < SUBJECTS; i++)
        line(out, "#     { service: \"", exports[i].subject,
             exports[i].many ? "\", response_type: stream }\n" : "\" }\n");
    line(out, "#   ]\n", grant->name, ": {\n  users: [\n");
    write_user(grant, s, out);
    kanal_buffer_text(out, "  ]\n  imports: [\n");
    for (size_t i = 0; i < SUBJECTS; i++) {
        line(out, "    { service: { account: ", grant->account, ", subject: \"");
        line(out, "", s->service[i], "\" }");
        if (strcmp(s->service[i], s->publish[i]) != 0)
            line(out, ", to: \"", s->publish[i], "\"");
        kanal_buffer_text(out, " }\n");
    }
    kanal_buffer_text(out, "  ]\n}\n");
}

void grant_write_text(const struct grant *grant, struct kanal_buffer *out)
{
    struct subjects s;

    fill(grant, &s);
    line(out, "# The durable ", grant->name, " of ");
    line(out, "", grant->stream, " reads:\n");
    for (size_t i = 0; i < grant->filter_count; i++)
        line(out, "#   ", grant->filters[i], "\n");
    line(out, "# Its reader is a pull consumer with the inbox prefix ", s.inbox_prefix, "");
    if (grant->account)
        line(out, " and the JetStream domain ", grant->account, "");
    kanal_buffer_text(out, ".\n");
    if (grant->account) {
        write_account(grant, &s, out);
        return;
    }
    kanal_buffer_text(out,
                      "#\n# For nats-server's configuration. The reader shares the gateway's account: these "
                      "permissions keep it from\n"
                      "# reading anything else, but not from doing harm on purpose, up to deleting streams.\n"
                      "authorization {\n  users: [\n");
    write_user(grant, &s, out);
    kanal_buffer_text(out, "  ]\n}\n");
}

static void write_list(struct kanal_json *json, const char *key, const char *const *texts, size_t count)
{
    kanal_json_key(json, key);
    kanal_json_array(json);
    for (size_t i = 0; i < count; i++)
        kanal_json_str(json, kanal_str_c(texts[i]));
    kanal_json_array_end(json);
}

static void write_permissions(const struct subjects *s, struct kanal_json *json)
{
    const char *const publish[] = { s->publish[0], s->publish[1], s->publish[2] }, *const subscribe[] = {
        s->inbox
    };

    kanal_json_key(json, "permissions");
    kanal_json_object(json);
    kanal_json_key(json, "publish");
    kanal_json_object(json);
    write_list(json, "allow", publish, SUBJECTS);
    kanal_json_object_end(json);
    kanal_json_key(json, "subscribe");
    kanal_json_object(json);
    write_list(json, "allow", subscribe, 1);
    kanal_json_object_end(json);
    kanal_json_object_end(json);
}

static void write_sharing(const struct grant *grant, const struct subjects *s, struct kanal_json *json)
{
    kanal_json_member_text(json, "account", grant->name);
    kanal_json_member_text(json, "gateway_account", grant->account);
    kanal_json_member_text(json, "domain", grant->account);
    kanal_json_key(json, "imports");
    kanal_json_array(json);
    for (size_t i = 0; i < SUBJECTS; i++) {
        kanal_json_object(json);
        kanal_json_member_text(json, "service", s->service[i]);
        kanal_json_member_text(json, "to", s->publish[i]);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    kanal_json_key(json, "gateway_exports");
    kanal_json_array(json);
    for (size_t i = 0; i < SUBJECTS; i++) {
        kanal_json_object(json);
        kanal_json_member_text(json, "service", exports[i].subject);
        kanal_json_member_text(json, "response_type", exports[i].many ? "stream" : "singleton");
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

void grant_write_json(const struct grant *grant, struct kanal_buffer *out)
{
    struct subjects s;
    struct kanal_json json;

    fill(grant, &s);
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "user", grant->name);
    kanal_json_member_text(&json, "password", grant->password);
    kanal_json_member_text(&json, "stream", grant->stream);
    kanal_json_member_text(&json, "durable", grant->name);
    kanal_json_member_text(&json, "inbox_prefix", s.inbox_prefix);
    write_list(&json, "filters", grant->filters, grant->filter_count);
    write_permissions(&s, &json);
    if (grant->account)
        write_sharing(grant, &s, &json);
    kanal_json_object_end(&json);
    kanal_buffer_byte(out, '\n');
}
