/* Intake: what is said of commands that go nowhere, and those that are done here: link.create, and calling back another one. */
#include <stdio.h>

#include "broker/kv.h"
#include "outbound/cancel.h"
#include "outbound/intake.h"
#include "outbound/ledger.h"

/* Who speaks in the event of a command that reached no channel. */
static struct envelope_source source_of(const struct intake *in)
{
    struct envelope_source nobody = { .channel = KANAL_LIT("_"), .plugin = KANAL_LIT("kanal") };
    return in->command.channel ? in->command.channel->source : nobody;
}

static void tell_refusal(struct intake *in)
{
    struct command *c = &in->command;
    struct envelope_source source = source_of(in);
    struct dead_letter dead = { .channel = c->channel ? c->channel->id : (kanal_str){ 0 },
                                .subject = c->subject,
                                .verb = c->verb,
                                .payload = c->payload,
                                .command = yyjson_is_obj(c->root) ? c->root : NULL,
                                .report = &c->report };
    in->waiting++;
    report_dead(in->outbound, &dead, intake_stored, in);
    if (c->report.command_id.len == 0)
        return;
    in->waiting++;
    c->report.type = "message.failed";
    report_event(in->outbound, &source, &c->report, intake_stored, in);
}

static void tell_cancelled(struct intake *in)
{
    struct report *report = &in->command.report;
    in->waiting++;
    report->type = "message.cancelled";
    report->reason = "request";
    struct envelope_source source = source_of(in);
    report_event(in->outbound, &source, report, intake_stored, in);
}

void intake_tell(struct intake *in)
{
    in->state = IN_ENDING;
    in->status = KANAL_OK;
    in->waiting = 1; /* without memory a store may end at once: the command must outlive this */
    if (in->command.report.code)
        tell_refusal(in);
    else if (cancels_have(in->outbound->cancels, in->key.text + 2))
        tell_cancelled(in);
    intake_stored(in, KANAL_OK);
}

/* ---- Hand-off links ---- */

static void on_link(void *user, kanal_status status, const char *code, kanal_str detail)
{
    struct intake *in = user;
    struct report *report = &in->command.report;
    if (status == KANAL_OK && code) {
        kanal_buffer_str(&in->command.detail, detail);
        report->code = code;
        report->scope = KANAL_SCOPE_MESSAGE;
        report->detail = kanal_buffer_view(&in->command.detail);
        tell_refusal(in);
    }
    intake_stored(in, status);
}

/* Nobody is answered: kanal.api.link-create with the same command tells the link. */
void intake_link(struct intake *in)
{
    const struct outbound *o = in->outbound;
    in->state = IN_ENDING;
    in->status = KANAL_OK;
    in->waiting = 2; /* the answer may come at once, and the command must outlive this */
    o->make_link(o->make_link_user, in->command.root, on_link, in);
    intake_stored(in, KANAL_OK);
}

/* ---- Calling back ---- */

static void on_cancel_found(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    (void)value, (void)revision;
    if (status == KANAL_OK) {
        cancels_add(in->outbound->cancels, in->key.text + 2, intake_stored, in);
        return;
    }
    if (status == KANAL_E_NOT_FOUND) {
        in->command.report.code = "message_not_found";
        in->command.report.detail = KANAL_LIT("no message of that id was accepted");
        tell_refusal(in);
    }
    intake_stored(in, status == KANAL_E_NOT_FOUND ? KANAL_OK : status);
}

void intake_cancel(struct intake *in)
{
    struct outbound *o = in->outbound;
    kanal_str id = kanal_json_text_at(kanal_json_at(in->command.root, "message"), "id");
    char key[ID_LEN + 3];
    in->state = IN_ENDING;
    in->status = KANAL_OK;
    in->waiting = 1;
    ledger_command_key(o, (kanal_str){ 0 }, KANAL_LIT("message.send"), id, (kanal_str){ 0 }, &in->key);
    snprintf(key, sizeof key, "c.%s", in->key.text + 2);
    kv_get(o->broker, o->host->names.sent, kanal_str_c(key), on_cancel_found, in);
}
