#include "settings.h"

/* clang-format off */
const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"address\"],\"properties\":{"
    "\"address\":{\"type\":\"string\",\"maxLength\":254,\"pattern\":\"^[^@<> \\\\t\\\\r\\\\n]+@[^@<> \\\\t\\\\r\\\\n]+$\","
      "\"description\":\"The mailbox's own address: who mail is from. What comes from it is not told again.\"},"
    "\"name\":{\"type\":\"string\",\"maxLength\":128,\"pattern\":\"^[^\\\\r\\\\n]*$\",\"description\":\"Name shown beside the address.\"},"
    "\"imap_url\":{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":512,\"pattern\":\"^imaps?://[^/?#@]+/?$\","
      "\"description\":\"Where mail is read: imaps://imap.example.com, or imap://… with STARTTLS. Absent: nothing is read.\"},"
    "\"smtp_url\":{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":512,\"pattern\":\"^smtps?://[^/?#@]+/?$\","
      "\"description\":\"Where mail is submitted: smtp://smtp.example.com:587 (STARTTLS) or smtps://…:465. Absent: nothing is sent.\"},"
    "\"user\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":254,\"description\":\"Who logs in; absent: the address.\"},"
    "\"auth\":{\"enum\":[\"password\",\"token\"],\"default\":\"password\","
      "\"description\":\"What the secrets are: passwords, or OAuth 2.0 access tokens (XOAUTH2, OAUTHBEARER).\"},"
    "\"smtp_login\":{\"enum\":[\"same\",\"own\",\"none\",\"plain\"],\"default\":\"same\","
      "\"description\":\"same: as for reading. own: smtp_user and the secret smtp_password. none: TLS without log-in. plain: a relay without both, which `egress` names.\"},"
    "\"smtp_user\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":254,\"description\":\"smtp_login own: who logs in for sending.\"},"
    "\"folders\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":16,\"uniqueItems\":true,\"default\":[\"INBOX\"],"
      "\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,\"pattern\":\"^[^\\\\r\\\\n]+$\"},"
      "\"description\":\"Folders that are read, by their full names.\"},"
    "\"start\":{\"enum\":[\"new\",\"all\"],\"default\":\"new\","
      "\"description\":\"At the first look into a folder: only what comes from now on, or all that is there.\"},"
    "\"mark_seen\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Mark as read what is stored.\"},"
    "\"idle\":{\"type\":\"boolean\",\"default\":true,\"description\":\"Let the server tell of new mail in the first folder (IDLE), where it can.\"},"
    "\"poll_interval\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":3600,\"default\":60,"
      "\"description\":\"Seconds between looks into the folders that IDLE does not watch.\"},"
    "\"message_bytes\":{\"type\":\"integer\",\"minimum\":1048576,\"maximum\":1073741824,\"default\":104857600,"
      "\"description\":\"So much of one mail is read; of a larger one the rest is left out.\"},"
    "\"charset\":{\"type\":\"string\",\"maxLength\":40,\"pattern\":\"^[A-Za-z0-9_.:-]+$\",\"default\":\"windows-1252\","
      "\"description\":\"Of mail that names none and is not UTF-8.\"},"
    "\"keep_html\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Keep the HTML of a mail as a file, beside the text made of it.\"},"
    "\"authserv_id\":{\"type\":\"string\",\"maxLength\":253,"
      "\"description\":\"Your own mail server's name in Authentication-Results. Where that says dmarc=pass the sender is proved.\"},"
    "\"subject\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,\"pattern\":\"^[^\\\\r\\\\n]+$\",\"default\":\"Message\","
      "\"description\":\"Subject of what is sent without one, outside of a thread.\"},"
    "\"auto_submitted\":{\"enum\":[\"bots\",\"always\",\"never\"],\"default\":\"bots\","
      "\"description\":\"What is marked as written by a program (RFC 3834): what a bot sends (the command's agent), all, or nothing.\"}}}";
/* clang-format on */

static int one_of(kanal_str text, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (kanal_str_is(text, names[i]))
            return i;
    return 0;
}

static void read_texts(struct settings *s, yyjson_val *root)
{
    kanal_str charset = kanal_json_text_at(root, "charset");
    s->address = kanal_json_text_at(root, "address");
    s->name = kanal_json_text_at(root, "name");
    s->imap_url = kanal_json_text_at(root, "imap_url");
    s->smtp_url = kanal_json_text_at(root, "smtp_url");
    s->user = kanal_json_text_at(root, "user");
    if (s->user.len == 0)
        s->user = s->address;
    s->smtp_user = kanal_json_text_at(root, "smtp_user");
    if (s->smtp_user.len == 0)
        s->smtp_user = s->user;
    s->subject = kanal_json_text_at(root, "subject");
    if (s->subject.len == 0)
        s->subject = KANAL_LIT("Message");
    s->authserv_id = kanal_json_text_at(root, "authserv_id");
    s->charset = charset.len > 0 ? charset.ptr : "windows-1252";
}

kanal_status settings_read(struct settings *s, kanal_str json, const char **ret_error)
{
    static const char *const logins[] = { "same", "own", "none", "plain", NULL };
    static const char *const marks[] = { "bots", "always", "never", NULL };
    size_t index, max;
    yyjson_val *folder;
    memset(s, 0, sizeof *s);
    *ret_error = "the settings cannot be read";
    s->doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(s->doc);
    if (!root)
        return KANAL_E_INTERNAL;
    read_texts(s, root);
    yyjson_arr_foreach (kanal_json_at(root, "folders"), index, max, folder)
        if (s->folder_count < FOLDERS_MAX)
            s->folders[s->folder_count++] = kanal_json_text(folder);
    if (s->folder_count == 0)
        s->folders[s->folder_count++] = KANAL_LIT("INBOX");
    s->reads_all = kanal_str_is(kanal_json_text_at(root, "start"), "all");
    s->marks_seen = kanal_json_bool_at(root, "mark_seen");
    s->uses_idle = !kanal_json_at(root, "idle") || kanal_json_bool_at(root, "idle");
    s->is_token = kanal_str_is(kanal_json_text_at(root, "auth"), "token");
    s->keeps_html = kanal_json_bool_at(root, "keep_html");
    s->poll_s = (uint32_t)kanal_json_int_at(root, "poll_interval", 60);
    s->message_bytes_max = kanal_json_int_at(root, "message_bytes", 104857600);
    s->smtp_login = (enum smtp_login)one_of(kanal_json_text_at(root, "smtp_login"), logins);
    s->auto_submitted = (enum auto_submitted)one_of(kanal_json_text_at(root, "auto_submitted"), marks);
    *ret_error = s->imap_url.len > 0 || s->smtp_url.len > 0 ? NULL : "neither imap_url nor smtp_url is set";
    return *ret_error ? KANAL_E_INVALID : KANAL_OK;
}

void settings_release(struct settings *s)
{
    yyjson_doc_free(s->doc);
    memset(s, 0, sizeof *s);
}

int settings_is_own(const struct settings *s, kanal_str address)
{
    return address.len > 0 && kanal_str_equal_nocase(s->address, address);
}
