/* session.c - see session.h. */
#include <stdlib.h>
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "session.h"

#define TICKET_MAX 4096
#define NO_PADDING (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)

int session_visitor_ok(kanal_str id)
{
    if (id.len != SESSION_VISITOR_LEN)
        return 0;
    for (size_t i = 0; i < id.len; i++) {
        if (!(id.ptr[i] >= 'a' && id.ptr[i] <= 'z') && !(id.ptr[i] >= '2' && id.ptr[i] <= '7'))
            return 0;
    }
    return 1;
}

void session_visitor_new(const kanal_host *host, char *ret_id)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[SESSION_VISITOR_LEN];

    host->random(host, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        ret_id[i] = digits[bytes[i] & 31];
    ret_id[SESSION_VISITOR_LEN] = '\0';
}

kanal_status session_visitor_of(kanal_str address, char *ret_id)
{
    kanal_str id = kanal_str_from(address, strlen(SESSION_ADDRESS_PREFIX));

    if (!kanal_str_starts(address, SESSION_ADDRESS_PREFIX) || !session_visitor_ok(id))
        return KANAL_E_INVALID;
    memcpy(ret_id, id.ptr, id.len);
    ret_id[id.len] = '\0';
    return KANAL_OK;
}

/* Splits PREFIX . middle . mac; the MAC must be whole. */
static kanal_status claim_parse(kanal_str text, const char *prefix, struct session_claim *claim,
                                kanal_str *ret_middle)
{
    struct kanal_buffer mac = { 0 };
    size_t begin = strlen(prefix), dot = text.len;
    kanal_status status = KANAL_E_INVALID;

    if (!kanal_str_starts(text, prefix))
        return KANAL_E_INVALID;
    while (dot > begin && text.ptr[dot - 1] != '.')
        dot--;
    if (dot <= begin + 1 || kanal_base64_decode(&mac, kanal_str_from(text, dot), NO_PADDING) != KANAL_OK)
        goto out;
    if (mac.len != SESSION_MAC_BYTES)
        goto out;
    memcpy(claim->mac, mac.data, SESSION_MAC_BYTES);
    claim->signed_text = kanal_str_of(text.ptr, dot - 1);
    *ret_middle = kanal_str_of(text.ptr + begin, dot - 1 - begin);
    status = KANAL_OK;
out:
    kanal_buffer_release(&mac);
    return status;
}

kanal_status session_parse(kanal_str token, struct session_claim *ret_claim)
{
    kanal_str id;

    if (token.len > 128 || claim_parse(token, "v1.", ret_claim, &id) != KANAL_OK || !session_visitor_ok(id))
        return KANAL_E_INVALID;
    memcpy(ret_claim->visitor, id.ptr, id.len);
    ret_claim->visitor[id.len] = '\0';
    return KANAL_OK;
}

void session_begin(struct kanal_buffer *out, const char *visitor)
{
    kanal_buffer_text(out, "v1.");
    kanal_buffer_text(out, visitor);
}

void session_complete(struct kanal_buffer *out, kanal_str mac)
{
    kanal_buffer_byte(out, '.');
    kanal_base64_encode(out, mac, NO_PADDING);
}

void session_ticket_begin(struct kanal_buffer *out, const struct session_ticket *ticket)
{
    struct kanal_buffer payload = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &payload);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "v", ticket->visitor);
    kanal_json_member_text(&json, "r", ticket->reference);
    kanal_json_member_text(&json, "m", ticket->mime);
    kanal_json_member_text(&json, "n", ticket->name);
    kanal_json_member_int(&json, "s", (int64_t)ticket->size);
    kanal_json_member_int(&json, "t", ticket->at_ms);
    kanal_json_object_end(&json);
    kanal_buffer_text(out, "u1.");
    kanal_base64_encode(out, kanal_buffer_view(&payload), NO_PADDING);
    kanal_buffer_release(&payload);
}

static kanal_status ticket_read(yyjson_val *root, struct session_ticket *ticket)
{
    kanal_str visitor = kanal_json_text_at(root, "v");
    int64_t size = kanal_json_int_at(root, "s", -1);

    if (!session_visitor_ok(visitor) || size < 0)
        return KANAL_E_INVALID;
    memcpy(ticket->visitor, visitor.ptr, visitor.len);
    ticket->size = (uint64_t)size;
    ticket->at_ms = kanal_json_int_at(root, "t", 0);
    ticket->reference = kanal_str_dup(kanal_json_text_at(root, "r"));
    ticket->mime = kanal_str_dup(kanal_json_text_at(root, "m"));
    ticket->name = kanal_str_dup(kanal_json_text_at(root, "n"));
    return ticket->reference && ticket->mime && ticket->name ? KANAL_OK : KANAL_E_INVALID;
}

kanal_status session_ticket_parse(kanal_str text, struct session_claim *ret_claim,
                                  struct session_ticket *ret_ticket)
{
    struct kanal_buffer payload = { 0 };
    yyjson_doc *doc = NULL;
    kanal_str middle;
    kanal_status status = KANAL_E_INVALID;

    memset(ret_ticket, 0, sizeof *ret_ticket);
    if (text.len > TICKET_MAX || claim_parse(text, "u1.", ret_claim, &middle) != KANAL_OK)
        goto out;
    if (kanal_base64_decode(&payload, middle, NO_PADDING) != KANAL_OK)
        goto out;
    doc = kanal_json_parse(kanal_buffer_view(&payload));
    if (doc)
        status = ticket_read(yyjson_doc_get_root(doc), ret_ticket);
out:
    yyjson_doc_free(doc);
    kanal_buffer_release(&payload);
    return status;
}

void session_ticket_release(struct session_ticket *ticket)
{
    free(ticket->reference);
    free(ticket->mime);
    free(ticket->name);
    memset(ticket, 0, sizeof *ticket);
}
