#include "outbound/offers.h"

#include "broker/kv.h"
#include "outbound/internal.h"

#define AGAIN_MS 1000u
#define KEY_MAX 128u
#define CHANNEL_SLOTS 1024u
#define FRESH_MS (24 * INT64_C(3600000)) /* a token that was stored so lately is not stored again */

struct offer {
    struct offer *next_in_slot;
    struct offer *older, *newer;
    struct kanal_buffer
        value;       /* JSON: {"id", "at", "options", "stays", "by"}, or of a token {"at", "payload"} */
    uint32_t puts;   /* under way: what the watch tells meanwhile is older */
    int is_unstored; /* to be put again */
    char key[];      /* "<channel>.o.<node>", "<channel>.c.<hash of chat>", "<channel>.t.<token>" */
};

struct offers {
    struct host *host;
    char bucket[64];
    struct kv_watch *watch;
    struct offer **slots;
    size_t slot_count, count, bytes, unstored;
    struct offer *oldest, *newest;
    uint32_t of_channel[CHANNEL_SLOTS]; /* how many there are, by a hash of the channel's id */
    uv_timer_t *again;
    struct metric *open;
    int is_freed;
    size_t puts;
};

/* ---- Memory ---- */

static uint32_t *channel_count(struct offers *o, kanal_str key)
{
    const char *dot = memchr(key.ptr, '.', key.len);
    return &o->of_channel[lane_hash(kanal_str_of(key.ptr, dot ? (size_t)(dot - key.ptr) : key.len)) %
                          CHANNEL_SLOTS];
}

static struct offer **place(const struct offers *o, kanal_str key)
{
    struct offer **link = &o->slots[lane_hash(key) % o->slot_count];
    while (*link && !kanal_str_is(key, (*link)->key))
        link = &(*link)->next_in_slot;
    return link;
}

static struct offer *find(const struct offers *o, kanal_str key)
{
    return o->count > 0 ? *place(o, key) : NULL;
}

static void unlink_age(struct offers *o, struct offer *offer)
{
    *(offer->older ? &offer->older->newer : &o->oldest) = offer->newer;
    *(offer->newer ? &offer->newer->older : &o->newest) = offer->older;
}

static void link_newest(struct offers *o, struct offer *offer)
{
    offer->newer = NULL;
    offer->older = o->newest;
    *(o->newest ? &o->newest->newer : &o->oldest) = offer;
    o->newest = offer;
}

static void drop(struct offers *o, struct offer *offer)
{
    kanal_str key = kanal_str_c(offer->key);
    struct offer **link = place(o, key);
    *link = offer->next_in_slot;
    unlink_age(o, offer);
    o->count--;
    o->open->value = (double)o->count;
    o->bytes -= offer->value.len + sizeof *offer + KEY_MAX;
    o->unstored -= offer->is_unstored != 0;
    --*channel_count(o, key);
    kanal_buffer_release(&offer->value);
    free(offer);
}

static void grow(struct offers *o)
{
    size_t slot_count = 2 * o->slot_count;
    struct offer **slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return; /* slower, but right */
    for (struct offer *offer = o->oldest; offer; offer = offer->newer) {
        struct offer **slot = &slots[lane_hash(kanal_str_c(offer->key)) % slot_count];
        offer->next_in_slot = *slot;
        *slot = offer;
    }
    free(o->slots);
    o->slots = slots;
    o->slot_count = slot_count;
}

static struct offer *insert(struct offers *o, kanal_str key)
{
    struct offer *offer = calloc(1, sizeof *offer + key.len + 1);
    if (!offer)
        return NULL;
    memcpy(offer->key, key.ptr, key.len);
    if (o->count >= o->slot_count)
        grow(o);
    struct offer **link = place(o, key);
    *link = offer;
    link_newest(o, offer);
    o->count++;
    o->open->value = (double)o->count;
    o->bytes += sizeof *offer + KEY_MAX;
    ++*channel_count(o, key);
    return offer;
}

/* Now the newest; the oldest make room. NULL: no memory, it is forgotten. */
static struct offer *keep(struct offers *o, kanal_str key, kanal_str value)
{
    struct offer *offer = find(o, key);
    if (!offer && !(offer = insert(o, key)))
        return NULL;
    o->bytes -= offer->value.len;
    kanal_buffer_clear(&offer->value);
    kanal_buffer_str(&offer->value, value);
    o->bytes += offer->value.len;
    unlink_age(o, offer);
    link_newest(o, offer);
    if (offer->value.failed) {
        drop(o, offer);
        return NULL;
    }
    while ((o->count > OFFERS_MAX || o->bytes > OFFERS_BYTES_MAX) && o->oldest != offer)
        drop(o, o->oldest);
    return offer;
}

/* ---- The bucket ---- */

/* Outlives the offers, if need be. */
struct put {
    struct offers *offers;
    char key[KEY_MAX];
};

static void put(struct offers *o, struct offer *offer);

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void release(struct offers *o)
{
    for (struct offer *offer = o->oldest, *newer; offer; offer = newer) {
        newer = offer->newer;
        drop(o, offer);
    }
    free(o->slots);
    free(o);
}

static void on_again(uv_timer_t *timer)
{
    struct offers *o = timer->data;
    for (struct offer *offer = o->oldest; offer && o->unstored > 0; offer = offer->newer)
        if (offer->is_unstored)
            put(o, offer);
}

static void unstored(struct offers *o, struct offer *offer)
{
    o->unstored += offer->is_unstored == 0;
    offer->is_unstored = 1;
    uv_timer_start(o->again, on_again, AGAIN_MS, 0);
}

static void on_put(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct put *put = user;
    struct offers *o = put->offers;
    (void)value;
    (void)revision;
    o->puts--;
    if (o->is_freed) {
        if (o->puts == 0)
            release(o);
    } else {
        struct offer *offer = find(o, kanal_str_c(put->key));
        if (offer && offer->puts > 0)
            offer->puts--;
        int hopeless = status == KANAL_E_INVALID || status == KANAL_E_TOO_LARGE || status == KANAL_E_DENIED;
        if (offer && status != KANAL_OK && !hopeless)
            unstored(o, offer);
    }
    free(put);
}

static void put(struct offers *o, struct offer *offer)
{
    struct put *put = malloc(sizeof *put);
    o->unstored -= offer->is_unstored != 0;
    offer->is_unstored = 0;
    if (!put) {
        unstored(o, offer);
        return;
    }
    put->offers = o;
    snprintf(put->key, sizeof put->key, "%s", offer->key);
    offer->puts++;
    o->puts++;
    kv_put(o->host->broker, o->bucket, kanal_str_c(put->key), kanal_buffer_view(&offer->value),
           JS_ANY_SEQUENCE, on_put, put);
}

void offers_take(struct offers *o, kanal_str key, kanal_str value)
{
    struct offer *offer = find(o, key);
    if (key.len == 0 || key.len >= KEY_MAX || (offer && (offer->puts > 0 || offer->is_unstored)))
        return;
    if (value.ptr)
        keep(o, key, value);
    else if (offer)
        drop(o, offer);
}

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    (void)revision;
    if (key.ptr)
        offers_take(user, key, value);
}

size_t offers_count(const struct offers *o)
{
    return o->count;
}

/* ---- Offering ---- */

/* The key of a recipient; 0, or -1. */
static int key_of(const struct offers *o, const struct offer_to *to, char ret_key[KEY_MAX])
{
    struct ids *ids = o->host->envelope.ids;
    struct id id;
    int by_address = to->address.len > 0;
    if (by_address ? ids_node(ids, to->address, &id) != 0
                   : to->chat.len == 0 || ids_event(ids, to->channel, KANAL_LIT("chat"), to->chat, &id) != 0)
        return -1;
    snprintf(ret_key, KEY_MAX, "%.*s.%c.%s", (int)to->channel.len, to->channel.ptr, by_address ? 'o' : 'c',
             by_address ? id.text : id.text + 2);
    return 0;
}

static void store(struct offers *o, const char *key, const struct kanal_buffer *value)
{
    struct offer *offer = value->failed ? NULL : keep(o, kanal_str_c(key), kanal_buffer_view(value));
    if (offer)
        put(o, offer);
}

static void remember_options(struct offers *o, const struct offer_to *to, kanal_str command_id,
                             const struct adapted *adapted)
{
    struct kanal_buffer value = { 0 };
    struct kanal_json json;
    char key[KEY_MAX];
    if (key_of(o, to, key) != 0)
        return;
    kanal_json_init(&json, &value);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", command_id);
    kanal_json_member_int(&json, "at", host_now_ms());
    if (adapted->offer_stays)
        kanal_json_member_bool(&json, "stays", 1);
    kanal_json_key(&json, "options");
    kanal_buffer_byte(&value, '[');
    kanal_buffer_append(&value, adapted->offer.data, adapted->offer.len);
    kanal_buffer_text(&value, "]}");
    store(o, key, &value);
    kanal_buffer_release(&value);
}

static int64_t time_of(const struct offer *offer)
{
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&offer->value));
    int64_t at = kanal_json_int_at(yyjson_doc_get_root(document), "at", 0);
    yyjson_doc_free(document);
    return at;
}

/* A campaign sends the same payload to many: stored once a day. */
static void remember_token(struct offers *o, kanal_str channel, kanal_str token, kanal_str payload)
{
    struct kanal_buffer value = { 0 };
    struct kanal_json json;
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%.*s.t.%.*s", (int)channel.len, channel.ptr, (int)token.len, token.ptr);
    const struct offer *known = find(o, kanal_str_c(key));
    if (known && time_of(known) > host_now_ms() - FRESH_MS)
        return;
    kanal_json_init(&json, &value);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "at", host_now_ms());
    kanal_json_member_str(&json, "payload", payload);
    kanal_json_object_end(&json);
    store(o, key, &value);
    kanal_buffer_release(&value);
}

static void remember_tokens(struct offers *o, kanal_str channel, const struct kanal_buffer *tokens)
{
    struct kanal_buffer text = { 0 };
    size_t index, max;
    yyjson_val *key, *value;
    kanal_buffer_byte(&text, '{');
    kanal_buffer_append(&text, tokens->data, tokens->len);
    kanal_buffer_byte(&text, '}');
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&text));
    if (document)
        yyjson_obj_foreach (yyjson_doc_get_root(document), index, max, key, value)
            remember_token(o, channel, kanal_json_text(key), kanal_json_text(value));
    yyjson_doc_free(document);
    kanal_buffer_release(&text);
}

void offers_remember(struct offers *o, const struct offer_to *to, kanal_str command_id,
                     const struct adapted *adapted, uint32_t part)
{
    if (adapted->tokens.len > 0 && part == 1)
        remember_tokens(o, to->channel, &adapted->tokens);
    if (adapted->offer_part > 0 && adapted->offer_part == part)
        remember_options(o, to, command_id, adapted);
}

/* ---- Answering ---- */

static int is_open(yyjson_val *record, kanal_str event_id)
{
    kanal_str by = kanal_json_text_at(record, "by");
    return kanal_json_int_at(record, "at", 0) > host_now_ms() - OFFER_LIFE_MS &&
           (by.len == 0 || kanal_str_equal(by, event_id) || kanal_json_bool_at(record, "stays"));
}

/* One answer is all; the event that brought it may come again. */
static void close_offer(struct offers *o, struct offer *offer, yyjson_val *record, kanal_str event_id)
{
    struct kanal_buffer value = { 0 };
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *member;
    if (kanal_json_at(record, "by") || kanal_json_bool_at(record, "stays"))
        return;
    kanal_json_init(&json, &value);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "by", event_id);
    yyjson_obj_foreach (record, index, max, key, member) {
        kanal_json_key_str(&json, kanal_json_text(key));
        kanal_json_value(&json, member);
    }
    kanal_json_object_end(&json);
    store(o, offer->key, &value);
    kanal_buffer_release(&value);
}

static int answer_offer(struct offers *o, const struct offer_to *to, kanal_str event_id, yyjson_val *data,
                        kanal_str typed, struct kanal_buffer *out)
{
    char key[KEY_MAX];
    struct offer *offer = key_of(o, to, key) == 0 ? find(o, kanal_str_c(key)) : NULL;
    if (!offer)
        return 0;
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&offer->value));
    yyjson_val *record = yyjson_doc_get_root(document);
    yyjson_val *option =
        is_open(record, event_id) ? offer_match(kanal_json_at(record, "options"), typed) : NULL;
    if (option) {
        offer_write_answer(data, option, kanal_json_text_at(record, "id"), typed, out);
        close_offer(o, offer, record, event_id);
    }
    yyjson_doc_free(document);
    return option != NULL;
}

/* A button that had a token: its payload is put back, wherever it stands in the content. */
static int answer_token(struct offers *o, kanal_str channel, yyjson_val *data, struct kanal_buffer *out)
{
    yyjson_val *part = yyjson_arr_get_first(kanal_json_at(kanal_json_at(data, "message"), "content"));
    kanal_str payload = kanal_json_text_at(part, "payload");
    char key[KEY_MAX];
    if (!kanal_str_is(kanal_json_text_at(part, "type"), "answer") || !kanal_str_starts(payload, "k_") ||
        payload.len > ADAPT_TOKEN_LEN)
        return 0;
    snprintf(key, sizeof key, "%.*s.t.%.*s", (int)channel.len, channel.ptr, (int)payload.len, payload.ptr);
    const struct offer *offer = find(o, kanal_str_c(key));
    if (!offer)
        return 0;
    yyjson_doc *record = kanal_json_parse(kanal_buffer_view(&offer->value));
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *copy = document ? yyjson_val_mut_copy(document, data) : NULL;
    kanal_str full = kanal_json_text_at(yyjson_doc_get_root(record), "payload");
    yyjson_mut_val *answer =
        yyjson_mut_arr_get_first(yyjson_mut_obj_get(yyjson_mut_obj_get(copy, "message"), "content"));
    size_t len = 0;
    char *text = NULL;
    if (full.len > 0 && answer &&
        yyjson_mut_set_strn(yyjson_mut_obj_get(answer, "payload"), full.ptr, full.len))
        text = yyjson_mut_val_write(copy, 0, &len);
    kanal_buffer_append(out, text, len);
    free(text);
    yyjson_mut_doc_free(document);
    yyjson_doc_free(record);
    return len > 0;
}

static int answer(void *user, const struct envelope_incoming *in, yyjson_val *data, struct kanal_buffer *out)
{
    struct offers *o = user;
    if (o->count == 0 || o->of_channel[lane_hash(in->channel) % CHANNEL_SLOTS] == 0)
        return 0;
    struct offer_to to = { .channel = in->channel, .address = in->address };
    struct offer_to chat = { .channel = in->channel, .chat = in->chat };
    kanal_str typed = offer_typed(data);
    if (typed.len == 0)
        return answer_token(o, in->channel, data, out);
    return (to.address.len > 0 && answer_offer(o, &to, in->id, data, typed, out)) ||
           (chat.chat.len > 0 && answer_offer(o, &chat, in->id, data, typed, out));
}

/* ---- Life ---- */

struct offers *offers_new(struct host *host, const char *prefix)
{
    struct offers *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->host = host;
    o->slot_count = 256;
    o->slots = calloc(o->slot_count, sizeof(struct offer *));
    o->again = malloc(sizeof *o->again);
    if (!o->slots || !o->again) {
        free(o->slots);
        free(o->again);
        free(o);
        return NULL;
    }
    snprintf(o->bucket, sizeof o->bucket, "%s_offers", prefix);
    o->open = metric_series(metrics_family(host->metrics, METRIC_GAUGE, "kanal_offers_open",
                                           "Offers and tokens in memory, for answers in words.", NULL),
                            NULL);
    uv_timer_init(host->loop, o->again);
    o->again->data = o;
    host->envelope.answer = answer;
    host->envelope.answer_user = o;
    return o;
}

void offers_start(struct offers *o)
{
    if (!o->watch)
        kv_watch_start(o->host->broker, o->bucket, ">", on_entry, o, &o->watch);
}

void offers_free(struct offers *o)
{
    if (!o)
        return;
    o->host->envelope.answer = NULL;
    if (o->watch)
        kv_watch_stop(o->watch);
    uv_close((uv_handle_t *)o->again, on_closed);
    o->is_freed = 1;
    if (o->puts == 0)
        release(o);
}
