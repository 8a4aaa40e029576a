#include "page.h"

/* https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messaging_referrals. */
static const char *kind_of(kanal_str source)
{
    static const char *const kinds[][2] = { { "SHORTLINK", "link" },     { "ADS", "ad" },
                                            { "MESSENGER_CODE", "qr" },  { "CUSTOMER_CHAT_PLUGIN", "widget" },
                                            { "CHAT_PLUGIN", "widget" }, { "POST", "post" },
                                            { "STORY", "story" } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(source, kinds[i][0]))
            return kinds[i][1];
    return source.len == 0 ? "link" : "other";
}

static void write_ad(struct kanal_json *json, yyjson_val *referral)
{
    yyjson_val *context = kanal_json_at(referral, "ads_context_data");
    char scratch[24];
    kanal_str id = kanal_json_id_at(referral, "ad_id", scratch);
    if (id.len == 0 && !context)
        return;
    kanal_json_key(json, "ad");
    kanal_json_object(json);
    kanal_member_text(json, "id", id, 256);
    kanal_member_text_of(json, "title", context, "ad_title", 1024);
    kanal_json_object_end(json);
}

void page_referral_write(struct kanal_json *json, yyjson_val *referral)
{
    kanal_str source = kanal_json_text_at(referral, "source");
    yyjson_val *context = kanal_json_at(referral, "ads_context_data"),
               *product = kanal_json_at(referral, "product");
    char scratch[24];
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    kanal_member_text_of(json, "payload", referral, "ref", 2048);
    kanal_json_member_text(json, "kind", product && source.len == 0 ? "other" : kind_of(source));
    kanal_member_text(json, "source", source, 128);
    kanal_member_uri(json, "url", kanal_json_text_at(referral, "referer_uri"));
    write_ad(json, referral);
    kanal_str id = kanal_json_id_at(product ? product : context, product ? "id" : "product_id", scratch);
    kanal_member_text(json, "product", id, 256);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "type", referral, "type", 64);
    kanal_member_text_of(json, "photo_url", context, "photo_url", 4096);
    kanal_member_text_of(json, "video_url", context, "video_url", 4096);
    kanal_member_text_of(json, "post_id", context, "post_id", 128);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}
