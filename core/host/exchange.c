#include "host/exchange.h"

#include "host/host.h"
#include "host/redact.h"
#include "host/services/services.h"

#define RECIPIENTS_SHOWN 10u
#define PART_TEXT_MAX 256u

/* A text of which only the beginning may have been kept. */
struct kept {
    struct kanal_buffer text;
    size_t bytes; /* it had */
    int is_cut;
};

struct exchange {
    struct exchange *next;
    kanal_op request;
    int64_t time_ms;
    uint64_t started_ns;
    struct kept asked, answered;
    int is_answered, code;
    kanal_status status;
    uint32_t took_ms;
};

struct exchanges {
    struct exchange *first, **last;
    size_t count, left_out;
};

static void keep(struct kept *kept, kanal_str text)
{
    kept->bytes = text.len;
    kept->is_cut = text.len > EXCHANGE_TEXT_MAX;
    kanal_buffer_append(&kept->text, text.ptr, kept->is_cut ? EXCHANGE_TEXT_MAX : text.len);
}

/* NULL: none is to be noted. */
static struct exchange *begin(struct channel *channel, kanal_op cause, kanal_op request)
{
    struct op *delivery = op_find(channel->host->ops, channel, cause);
    if (!delivery || delivery->kind != OP_DELIVER || channel->config->log == CONFIG_LOG_OFF)
        return NULL;
    struct exchanges *all = delivery->exchanges;
    if (!all && (all = calloc(1, sizeof *all))) {
        all->last = &all->first;
        delivery->exchanges = all;
    }
    if (!all || all->count >= EXCHANGES_MAX) {
        if (all)
            all->left_out++;
        return NULL;
    }
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->request = request;
    exchange->time_ms = host_now_ms();
    exchange->started_ns = uv_hrtime();
    *all->last = exchange;
    all->last = &exchange->next;
    all->count++;
    return exchange;
}

static void add_number(struct kanal_buffer *b, size_t number, const char *unit)
{
    kanal_buffer_uint(b, number);
    kanal_buffer_text(b, unit);
}

static void add_part(struct kanal_buffer *b, const kanal_part *part)
{
    kanal_buffer_text(b, "\n");
    kanal_buffer_str(b, part->name);
    kanal_buffer_text(b, ": ");
    if (part->source_url.len > 0) {
        kanal_buffer_text(b, "streamed from ");
        kanal_buffer_append(b, part->source_url.ptr,
                            part->source_url.len < PART_TEXT_MAX ? part->source_url.len : PART_TEXT_MAX);
    } else if (part->filename.len > 0 || part->data.len > PART_TEXT_MAX) {
        add_number(b, part->data.len, " bytes");
    } else {
        kanal_buffer_str(b, part->data);
    }
}

void exchange_asked_http(struct channel *channel, kanal_op cause, kanal_op request,
                         const kanal_http_request *asked)
{
    struct exchange *exchange = begin(channel, cause, request);
    if (!exchange)
        return;
    struct kept *kept = &exchange->asked;
    size_t url_len = asked->url.len < EXCHANGE_TEXT_MAX ? asked->url.len : EXCHANGE_TEXT_MAX;
    size_t body_len = asked->body.len < EXCHANGE_TEXT_MAX ? asked->body.len : EXCHANGE_TEXT_MAX;
    kanal_buffer_reserve(&kept->text, url_len + body_len + 128); /* one allocation for most */
    kanal_buffer_str(&kept->text, asked->method);
    kanal_buffer_byte(&kept->text, ' ');
    kanal_buffer_append(&kept->text, asked->url.ptr, url_len);
    for (size_t i = 0; i < asked->secret_count; i++) {
        kanal_buffer_text(&kept->text, i == 0 ? " (with the secret " : ", ");
        kanal_buffer_str(&kept->text, asked->secrets[i].secret);
        if (i + 1 == asked->secret_count)
            kanal_buffer_text(&kept->text, ")");
    }
    if (asked->body.len > 0) {
        kanal_buffer_text(&kept->text, "\n\n");
        keep(kept, asked->body);
    }
    for (size_t i = 0; i < asked->part_count && kept->text.len < 2 * EXCHANGE_TEXT_MAX; i++)
        add_part(&kept->text, &asked->parts[i]);
}

void exchange_asked_mail(struct channel *channel, kanal_op cause, kanal_op request, const kanal_mail *mail)
{
    struct exchange *exchange = begin(channel, cause, request);
    if (!exchange)
        return;
    struct kanal_buffer *b = &exchange->asked.text;
    kanal_buffer_text(b, "MAIL by ");
    kanal_buffer_str(b, mail->login.url);
    kanal_buffer_text(b, " from <");
    kanal_buffer_str(b, mail->from);
    kanal_buffer_text(b, "> to");
    for (size_t i = 0; i < mail->recipient_count && i < RECIPIENTS_SHOWN; i++) {
        kanal_buffer_text(b, " <");
        kanal_buffer_str(b, mail->recipients[i]);
        kanal_buffer_text(b, ">");
    }
    if (mail->recipient_count > RECIPIENTS_SHOWN)
        kanal_buffer_text(b, " …");
}

void exchange_answered(struct channel *channel, kanal_op cause, kanal_op request, kanal_status status,
                       int code, kanal_str text)
{
    const struct op *delivery = cause ? op_find(channel->host->ops, channel, cause) : NULL;
    if (!delivery || delivery->kind != OP_DELIVER || !delivery->exchanges)
        return;
    struct exchange *exchange = delivery->exchanges->first;
    while (exchange && exchange->request != request)
        exchange = exchange->next;
    if (!exchange || exchange->is_answered)
        return;
    exchange->is_answered = 1;
    exchange->status = status;
    exchange->code = code;
    exchange->took_ms = (uint32_t)((uv_hrtime() - exchange->started_ns) / 1000000);
    keep(&exchange->answered, text);
}

struct exchanges *exchanges_take(struct op *op)
{
    struct exchanges *all = op->exchanges;
    op->exchanges = NULL;
    return all;
}

void exchanges_free(struct exchanges *all)
{
    for (struct exchange *exchange = all ? all->first : NULL, *next; exchange; exchange = next) {
        next = exchange->next;
        kanal_buffer_release(&exchange->asked.text);
        kanal_buffer_release(&exchange->answered.text);
        free(exchange);
    }
    free(all);
}

/* ---- As the contract has it ---- */

struct entry {
    const struct channel *channel;
    uint32_t part, attempt;
    const char *replica;
    struct kanal_json *json;
};

static void write_text(const struct entry *entry, const struct kept *kept)
{
    struct kanal_buffer text = { 0 };
    const struct config_channel *config = entry->channel->config;
    kanal_str *secrets = calloc(config->secret_count + 1, sizeof *secrets);
    for (size_t i = 0; secrets && i < config->secret_count; i++)
        secrets[i] = config->secrets[i].value;
    if (secrets)
        redact(&text, kanal_buffer_view(&kept->text), kept->is_cut, secrets, config->secret_count);
    else if (kept->text.len > 0)
        kanal_buffer_text(&text, "***"); /* rather nothing than a secret */
    free(secrets);
    if (kept->is_cut) {
        kanal_buffer_text(&text, "… (");
        add_number(&text, kept->bytes, " bytes)");
    }
    if (text.len > 0)
        kanal_json_member_str(entry->json, "text", kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

static void open_entry(const struct entry *entry, const char *kind, int64_t time_ms)
{
    struct kanal_json *json = entry->json;
    kanal_json_object(json);
    kanal_json_member_time(json, "time", time_ms);
    kanal_json_member_text(json, "kind", kind);
    if (entry->part > 0)
        kanal_json_member_int(json, "part", entry->part);
    if (entry->attempt > 0)
        kanal_json_member_int(json, "attempt", entry->attempt);
    kanal_json_member_text(json, "replica", entry->replica);
}

static const char *words_of(kanal_status status)
{
    switch (status) {
    case KANAL_E_NETWORK:
        return "no connection: nothing was sent";
    case KANAL_E_TIMEOUT:
        return "no connection in time: nothing was sent";
    case KANAL_E_MAYBE:
        return "no whole answer: it may have arrived";
    case KANAL_E_DENIED:
        return "the address is not granted: nothing was sent";
    case KANAL_E_TOO_LARGE:
        return "the answer was too large";
    case KANAL_E_CANCELLED:
        return "given up";
    case KANAL_E_REJECTED:
        return "refused";
    default:
        return "the request could not be made";
    }
}

static void write_answer(const struct entry *entry, const struct exchange *exchange)
{
    open_entry(entry, "answer", exchange->time_ms + exchange->took_ms);
    kanal_json_member_int(entry->json, "duration_ms", exchange->took_ms);
    if (exchange->code != 0)
        kanal_json_member_int(entry->json, "status", exchange->code);
    if (exchange->status == KANAL_OK || exchange->answered.text.len > 0)
        write_text(entry, &exchange->answered);
    else
        kanal_json_member_text(entry->json, "text", words_of(exchange->status));
    kanal_json_object_end(entry->json);
}

void exchanges_write(const struct exchanges *all, const struct channel *channel, uint32_t part,
                     uint32_t attempt, const char *replica, struct kanal_json *json)
{
    struct entry entry = { channel, part, attempt, replica, json };
    for (const struct exchange *exchange = all ? all->first : NULL; exchange; exchange = exchange->next) {
        open_entry(&entry, "request", exchange->time_ms);
        write_text(&entry, &exchange->asked);
        kanal_json_object_end(json);
        if (exchange->is_answered)
            write_answer(&entry, exchange);
    }
    if (!all || all->left_out == 0)
        return;
    open_entry(&entry, "note", host_now_ms());
    struct kanal_buffer text = { 0 };
    add_number(&text, all->left_out, " more requests are not shown");
    kanal_json_member_str(json, "text", kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    kanal_json_object_end(json);
}
