#include "event.h"

#define URL_BYTES_MAX 4096u

static void member_url(struct kanal_json *json, const char *key, kanal_str text)
{
    struct kanal_buffer url = { 0 };
    if (kanal_url_clean(&url, text, URL_BYTES_MAX) == 0)
        kanal_json_member_str(json, key, kanal_buffer_view(&url));
    kanal_buffer_release(&url);
}

/* ---- The members ---- */

static void write_page(struct kanal_json *json, const struct submission *s)
{
    if (s->page_url.len == 0 && s->page_title.len == 0 && s->page_referrer.len == 0)
        return;
    kanal_json_key(json, "page");
    kanal_json_object(json);
    member_url(json, "url", s->page_url);
    kanal_member_text(json, "referrer", s->page_referrer, 4096);
    kanal_member_text(json, "title", s->page_title, 1024);
    kanal_json_object_end(json);
}

static int has_attribution(const struct submission *s)
{
    size_t told = s->click_id_count + s->landing_url.len + s->landing_referrer.len + s->first_visit.len;
    for (size_t i = 0; i < KANAL_UTM_COUNT; i++)
        told += s->utm[i].len;
    return told > 0;
}

static void write_attribution(struct kanal_json *json, const struct submission *s)
{
    int64_t first_visit_ms;
    if (!has_attribution(s))
        return;
    kanal_json_key(json, "attribution");
    kanal_json_object(json);
    for (size_t i = 0; i < KANAL_UTM_COUNT; i++)
        kanal_member_text(json, kanal_utm_names[i], s->utm[i], 512);
    if (s->click_id_count > 0) {
        kanal_json_key(json, "click_ids");
        kanal_json_object(json);
        for (size_t i = 0; i < s->click_id_count; i++) {
            kanal_json_key_str(json, s->click_ids[i].name);
            kanal_json_str(json, kanal_str_cut(s->click_ids[i].value, 1024));
        }
        kanal_json_object_end(json);
    }
    member_url(json, "landing_url", s->landing_url);
    kanal_member_text(json, "referrer", s->landing_referrer, 4096);
    if (kanal_time_parse_rfc3339(s->first_visit, &first_visit_ms) == KANAL_OK)
        kanal_json_member_time(json, "first_visit", first_visit_ms);
    kanal_json_object_end(json);
}

static void write_client(struct kanal_json *json, kanal_str user_agent, kanal_str ip)
{
    if (user_agent.len == 0 && ip.len == 0)
        return;
    kanal_json_key(json, "client");
    kanal_json_object(json);
    kanal_member_text(json, "user_agent", user_agent, 1024);
    if (ip.len <= 45)
        kanal_member_text(json, "ip", ip, 45);
    kanal_json_object_end(json);
}

void event_write(struct kanal_buffer *out, const struct event_parts *parts)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (parts->identifiers.len > 0) {
        kanal_json_key(&json, "customer");
        kanal_json_object(&json);
        kanal_json_key(&json, "identifiers");
        kanal_json_raw(&json, parts->identifiers);
        kanal_json_object_end(&json);
    }
    kanal_json_key(&json, "form");
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", parts->form->id);
    kanal_json_member_str(&json, "name", parts->form->name);
    kanal_json_key(&json, "fields");
    kanal_json_raw(&json, parts->fields);
    kanal_json_object_end(&json);
    write_page(&json, parts->submission);
    write_attribution(&json, parts->submission);
    if (parts->consents.len > 0) {
        kanal_json_key(&json, "consent");
        kanal_json_raw(&json, parts->consents);
    }
    write_client(&json, parts->user_agent, parts->ip);
    kanal_json_object_end(&json);
}
