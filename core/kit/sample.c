/* Sample deliveries: one for each capability, as the core would hand it over. */
#include "kit/inside.h"

#include <stdio.h>

#include "kit/caps.h"
#include "kit/embedded.h"

/* The checker's own sample. The document must be freed. */
static yyjson_val *find_sample(const char *cap, yyjson_doc **ret_doc)
{
    *ret_doc = kanal_json_parse(kanal_str_of((const char *)kit_samples, kit_samples_len));
    return kanal_json_at(yyjson_doc_get_root(*ret_doc), cap);
}

static kanal_op hand_over(struct kit_run *run, struct fake_host *host, const char *type, kanal_str target,
                          kanal_str key, kanal_str data)
{
    char command[32], made_key[37];
    snprintf(command, sizeof command, "check-%u", ++run->deliveries);
    snprintf(made_key, sizeof made_key, "check-key-%u-%llu", run->deliveries,
             (unsigned long long)run->seed % 1000);
    const kanal_delivery delivery = { .struct_size = sizeof delivery,
                                      .type = kanal_str_c(type),
                                      .command_id = kanal_str_c(command),
                                      .idempotency_key = key.ptr ? key : kanal_str_c(made_key),
                                      .address = kanal_buffer_view(&run->learned.address),
                                      .chat = kanal_buffer_view(&run->learned.chat),
                                      .target_external_id = target,
                                      .data = data };
    kanal_op op = fake_deliver(host, &delivery);
    play_settle(host, op);
    return op;
}

static kanal_str sent_id(struct fake_host *host, kanal_op op)
{
    return op ? fake_answer(host, op)->result.external_id : kanal_str_of(NULL, 0);
}

/* What an edit, a deletion, a reaction is about. */
static kanal_str find_target(struct kit_run *run, struct fake_host *host, yyjson_val *sample, yyjson_val *own)
{
    kanal_str kind = kanal_json_text_at(sample, "target");
    kanal_str given = kanal_json_text_at(own, "target_external_id");
    if (given.ptr || !kind.ptr)
        return given;
    if (kanal_str_is(kind, "received"))
        return kanal_buffer_view(&run->learned.received_id);
    return sent_id(host, play_sample(run, host, "text", kanal_str_of(NULL, 0)));
}

kanal_op play_sample(struct kit_run *run, struct fake_host *host, const char *cap, kanal_str key)
{
    yyjson_doc *doc;
    size_t length = 0;
    kanal_op op = 0;
    yyjson_val *sample = find_sample(cap, &doc);
    yyjson_val *own = kanal_json_at(kanal_json_at(run->knowledge->root, "deliveries"), cap);
    char *data = yyjson_val_write(kanal_json_at(own ? own : sample, "data"), 0, &length);
    const char *type = yyjson_get_str(kanal_json_at(sample, "type"));
    if (sample && data && run->plugin->deliver &&
        (run->learned.address.len > 0 || run->learned.chat.len > 0)) {
        kanal_str target = find_target(run, host, sample, own);
        kit_step(run, "sample %s", cap);
        op = hand_over(run, host, type ? type : "message.send", target, key, kanal_str_of(data, length));
        if (run->learned.sent_id.len == 0 && strcmp(cap, "text") == 0)
            kanal_buffer_str(&run->learned.sent_id, sent_id(host, op));
    }
    free(data);
    yyjson_doc_free(doc);
    return op;
}

void play_samples(struct kit_run *run, struct fake_host *host)
{
    for (size_t i = 0; i < cap_name_count; i++)
        if (run->plugin->caps & cap_names[i].cap)
            play_sample(run, host, cap_names[i].name, kanal_str_of(NULL, 0));
}
