#include "cli/grant.h"

#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define SUBJECTS 3u

struct subjects {
    char publish[SUBJECTS][160], inbox_prefix[64], inbox[72];
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
    snprintf(s->publish[0], sizeof s->publish[0], "$JS.API.CONSUMER.MSG.NEXT.%s.%s", grant->stream,
             grant->name);
    snprintf(s->publish[1], sizeof s->publish[1], "$JS.API.CONSUMER.INFO.%s.%s", grant->stream, grant->name);
    snprintf(s->publish[2], sizeof s->publish[2], "$JS.ACK.%s.%s.>", grant->stream, grant->name);
    snprintf(s->inbox_prefix, sizeof s->inbox_prefix, "_INBOX_%s", grant->name);
    snprintf(s->inbox, sizeof s->inbox, "%s.>", s->inbox_prefix);
}

static void line(struct kanal_buffer *out, const char *before, const char *text, const char *after)
{
    kanal_buffer_text(out, before);
    kanal_buffer_text(out, text);
    kanal_buffer_text(out, after);
}

void grant_write_text(const struct grant *grant, struct kanal_buffer *out)
{
    struct subjects s;

    fill(grant, &s);
    line(out, "# The durable ", grant->name, " of ");
    line(out, "", grant->stream, " reads:\n");
    for (size_t i = 0; i < grant->filter_count; i++)
        line(out, "#   ", grant->filters[i], "\n");
    line(out, "# Its reader is a pull consumer with the inbox prefix ", s.inbox_prefix,
         ". For nats-server's configuration:\n");
    kanal_buffer_text(out, "authorization {\n  users: [\n    {\n");
    line(out, "      user: \"", grant->name, "\"\n");
    line(out, "      password: \"", grant->password, "\"\n");
    kanal_buffer_text(out, "      permissions: {\n        publish: {\n          allow: [\n");
    for (size_t i = 0; i < SUBJECTS; i++)
        line(out, "            \"", s.publish[i], "\"\n");
    line(out, "          ]\n        }\n        subscribe: { allow: [ \"", s.inbox, "\" ] }\n");
    kanal_buffer_text(out, "      }\n    }\n  ]\n}\n");
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
    kanal_json_key(&json, "filters");
    kanal_json_array(&json);
    for (size_t i = 0; i < grant->filter_count; i++)
        kanal_json_str(&json, kanal_str_c(grant->filters[i]));
    kanal_json_array_end(&json);
    kanal_json_key(&json, "permissions");
    kanal_json_object(&json);
    kanal_json_key(&json, "publish");
    kanal_json_object(&json);
    kanal_json_key(&json, "allow");
    kanal_json_array(&json);
    for (size_t i = 0; i < SUBJECTS; i++)
        kanal_json_str(&json, kanal_str_c(s.publish[i]));
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_json_key(&json, "subscribe");
    kanal_json_object(&json);
    kanal_json_key(&json, "allow");
    kanal_json_array(&json);
    kanal_json_str(&json, kanal_str_c(s.inbox));
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    kanal_buffer_byte(out, '\n');
}
