#include "incoming.h"

#include <stdio.h>

#include "channel.h"
#include "event.h"

/* A publish() under way. */
struct arrival {
    struct kanal_channel *channel;
    struct sms_question question;
    struct sms_recent *recent; /* NULL: of a receipt */
    struct sms_recent found;
};

void sms_incoming_begin(struct kanal_channel *channel)
{
    channel->incoming.under_way++;
}

void sms_incoming_answer(struct kanal_channel *channel, const struct sms_question *question, uint32_t status)
{
    channel->incoming.under_way--;
    sms_link_respond(channel, question->session, question->command, status, question->sequence);
    sms_link_resume(channel);
    sms_settle(channel);
}

static void on_stored(void *user, kanal_status status)
{
    struct arrival arrival = *(struct arrival *)user;
    struct kanal_channel *channel = arrival.channel;
    free(user);
    if (arrival.recent)
        sms_recent_answered(arrival.recent, &arrival.found, status == KANAL_OK);
    if (status != KANAL_OK)
        kanal_count(channel->host, "messages_put_off");
    /* What the host calls malformed will be so the next time too. */
    sms_incoming_answer(channel, &arrival.question,
                        status == KANAL_OK          ? SMS_OK
                        : status == KANAL_E_INVALID ? SMS_PERMANENT
                                                    : SMS_TEMPORARY);
    kanal_calls_let_go(&channel->calls);
}

static void publish(struct kanal_channel *channel, struct kanal_batch *batch,
                    const struct sms_question *question, struct sms_recent *recent, kanal_str raw)
{
    struct arrival *arrival = malloc(sizeof *arrival);
    if (arrival) {
        *arrival = (struct arrival){ .channel = channel, .question = *question, .recent = recent };
        if (recent)
            arrival->found = *recent;
        sms_incoming_begin(channel);
        if (kanal_batch_publish(batch, channel->host, 0, raw, on_stored, arrival) != 0) {
            kanal_calls_hold(&channel->calls);
            return;
        }
        channel->incoming.under_way--;
    }
    free(arrival);
    if (recent)
        sms_recent_answered(recent, recent, 0);
    sms_link_respond(channel, question->session, question->command, SMS_TEMPORARY, question->sequence);
    sms_settle(channel);
}

static void take_receipt(struct kanal_channel *channel, const struct sms_message *message,
                         const struct sms_question *question, kanal_str raw)
{
    struct sms_receipt receipt;
    struct kanal_batch batch = { 0 };
    if (sms_receipt_read(&receipt, message, channel->settings.ids) != KANAL_OK) {
        /* Of no message, or of no state: nothing would be gained by hearing it again. */
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "a receipt says no id or no known state",
                  kanal_str_utf8(message->text) ? message->text : kanal_str_of(NULL, 0));
        kanal_count(channel->host, "receipts_unreadable");
        sms_link_respond(channel, question->session, question->command, SMS_OK, question->sequence);
    } else if (!sms_event_receipt(&batch, &channel->settings, message, &receipt)) {
        kanal_log(channel->host, 0, KANAL_LOG_DEBUG, "on its way", kanal_str_c(receipt.id));
        kanal_count(channel->host, "receipts_intermediate");
        sms_link_respond(channel, question->session, question->command, SMS_OK, question->sequence);
    } else {
        publish(channel, &batch, question, NULL, raw);
    }
    kanal_batch_release(&batch);
}

static void take_message(struct kanal_channel *channel, const struct sms_message *message,
                         const struct sms_part *part, const struct sms_question *question, kanal_str raw)
{
    char key[SMS_KEY_BYTES], id[SMS_ID_BYTES_MAX + 1];
    struct kanal_batch batch = { 0 };
    struct sms_recent *recent = NULL;
    sms_id_write(id, SMS_IDS_SAME, SMS_ID_OF_SUBMIT, message->receipted);
    if (id[0]) /* some give one after all */
        snprintf(key, sizeof key, "mo-id:%s", id);
    else
        recent = sms_recent_find(channel->incoming.recent, message, question->session,
                                 channel->host->now_ms(channel->host), channel->settings.dedupe_ms, key);
    const struct sms_arrival arrival = { .source_ton = message->source_ton,
                                         .source = message->source,
                                         .destination_ton = message->destination_ton,
                                         .destination = message->destination,
                                         .data_coding = message->data_coding,
                                         .bytes = part->bytes,
                                         .service_type = message->service_type,
                                         .has_port = part->has_port,
                                         .port = part->port,
                                         .external_id = kanal_str_c(id[0] ? id : NULL),
                                         .segments = 1,
                                         .dedupe = key };
    sms_event_message(&batch, &channel->settings, &arrival);
    publish(channel, &batch, question, recent, raw);
    kanal_batch_release(&batch);
}

void sms_incoming_take(struct kanal_channel *channel, const struct sms_header *header, kanal_str body)
{
    const struct sms_question question = { channel->link.session, header->command, header->sequence };
    struct sms_message message;
    struct sms_part part;
    uint32_t status = sms_message_read(&message, header->command, body);
    if (status != SMS_OK) {
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "a message of the SMS centre cannot be read",
                  kanal_str_of(NULL, 0));
        kanal_count(channel->host, "messages_unreadable");
        sms_link_respond(channel, question.session, question.command, status, question.sequence);
        return;
    }
    if (sms_is_receipt(&message)) {
        take_receipt(channel, &message, &question, body);
        return;
    }
    sms_part_read(&part, &message);
    if (part.total > 1)
        sms_reassembly_take(channel, &message, &part, &question);
    else
        take_message(channel, &message, &part, &question, body);
}
