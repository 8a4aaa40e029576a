/* What goes out: capabilities, strange deliveries, and a provider's bad days. */
#include "kit/inside.h"

#include "kit/caps.h"

static const char *outcome_name(int32_t outcome)
{
    static const char *const names[] = { "no outcome", "sent", "retry", "failed", "unknown" };
    return outcome >= 0 && outcome <= KANAL_UNKNOWN ? names[outcome] : "an invented outcome";
}

/* Somebody to write to, on a host that answers; NULL: skipped, with the reason. */
static struct fake_host *begin(struct kit_run *run, enum fake_trouble trouble)
{
    if (!run->plugin->deliver) {
        kit_skip(run, "it has no deliver()");
        return NULL;
    }
    if (!play_know_somebody(run)) {
        kit_skip(run, "nobody to write to: give an address in conformance.json, or a webhook that becomes "
                      "message.received");
        return NULL;
    }
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return NULL;
    play_webhooks(run, host, 0); /* a channel may only know who wrote to it */
    fake_provider_trouble(host, trouble);
    return host;
}

/* ---- Capabilities ---- */

static void check_capability(struct kit_run *run, struct fake_host *host, const char *name)
{
    kanal_op op = play_sample(run, host, name, kanal_str_of(NULL, 0));
    const struct fake_answer *answer = fake_answer(host, op);
    if (op && answer->answered && answer->result.outcome != KANAL_SENT)
        kit_fail(run, "capability %s is declared, but its sample ends as %s (%.*s %.*s)", name,
                 outcome_name(answer->result.outcome), (int)answer->result.code.len,
                 answer->result.code.ptr ? answer->result.code.ptr : "", (int)answer->result.reason.len,
                 answer->result.reason.ptr ? answer->result.reason.ptr : "");
    else if (op && !answer->answered)
        kit_fail(run, "capability %s is declared, but its sample is not answered", name);
}

static void check_receipt(struct kit_run *run, struct fake_host *host, kanal_caps cap, const char *type)
{
    if (!(run->plugin->caps & cap))
        return;
    kit_step(run, "%s", type);
    for (size_t i = 0; i < fake_event_count(host); i++)
        if (kanal_str_is(fake_event_at(host, i)->event.type, type))
            return;
    kit_fail(run, "the channel says that it reports %s, but nothing in conformance.json makes it do so",
             type);
}

static void check_capabilities(struct kit_run *run)
{
    struct fake_host *host = begin(run, FAKE_FINE);
    if (!host)
        return;
    for (size_t i = 0; i < cap_name_count; i++)
        if (run->plugin->caps & cap_names[i].cap)
            check_capability(run, host, cap_names[i].name);
    play_webhooks(run, host, 1);
    check_receipt(run, host, KANAL_CAP_DELIVERED_RECEIPT, "message.delivered");
    check_receipt(run, host, KANAL_CAP_READ_RECEIPT, "message.read");
    play_end(run, host);
}

static void check_idempotent(struct kit_run *run)
{
    static const char key[] = "check-the-same-key-0001";
    kanal_str ids[2];
    if (!(run->plugin->caps & KANAL_CAP_IDEMPOTENT)) {
        kit_skip(run, "it does not declare KANAL_CAP_IDEMPOTENT");
        return;
    }
    struct fake_host *host = begin(run, FAKE_FINE);
    if (!host)
        return;
    for (int i = 0; i < 2; i++) {
        kanal_op op = play_sample(run, host, "text", kanal_str_c(key));
        ids[i] = fake_answer(host, op)->result.external_id;
    }
    if (ids[0].len > 0 && !kanal_str_equal(ids[0], ids[1]))
        kit_warn(run, "the same idempotency key twice gives two ids, %.*s and %.*s", (int)ids[0].len,
                 ids[0].ptr, (int)ids[1].len, ids[1].ptr);
    play_end(run, host);
}

/* ---- Strange deliveries ---- */

static void check_strange(struct kit_run *run)
{
    static const struct {
        const char *type, *address, *data;
        int may_be_sent; /* 2: as something that says so, perhaps */
    } strange[] = {
        { "message.send", NULL, "{}", 0 },
        { "message.send", NULL, "{\"content\":[]}", 0 },
        { "message.send", NULL, "{\"content\":{}}", 0 },
        { "message.send", NULL, "{\"content\":[null,1,\"x\",[]]}", 2 },
        { "message.send", NULL, "{\"content\":[{\"type\":\"hologram\"}]}", 2 },
        { "message.send", NULL, "{\"content\":[{\"type\":\"text\"}]}", 2 },
        { "message.send", NULL, "{\"content\":[{\"type\":\"image\"}]}", 2 },
        { "message.send", NULL, "{\"content\":[{\"type\":\"choice\",\"options\":[]}]}", 2 },
        { "message.send", NULL,
          "{\"content\":[{\"type\":\"text\",\"text\":\"\\u0000\\u202e\\ud83d\\ude00\"}]}", 1 },
        { "message.send", "nobody:1", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", 0 },
        { "message.send", "nobody:%zz%00", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", 0 },
        { "message.send", "", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", 0 },
        { "message.frobnicate", NULL, "{}", 0 },
        { "message.edit", NULL, "{}", 0 },
        { "message.delete", NULL, "{}", 0 },
        { "message.react", NULL, "{\"reactions\":7}", 0 },
        { "typing.start", NULL, "{\"duration_ms\":-1e300}", 1 },
    };
    const kanal_str takes_anything = kanal_json_text_at(run->knowledge->root, "takes_anything");
    struct fake_host *host = begin(run, FAKE_FINE);
    if (!host)
        return;
    kit_step(run, "%s", "");
    if (takes_anything.ptr)
        kit_warn(run, "what is said to be sent is not judged; conformance.json says: %.*s",
                 (int)takes_anything.len, takes_anything.ptr);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        const int is_own = strange[i].address == NULL;
        const kanal_delivery delivery = {
            .struct_size = sizeof delivery,
            .type = kanal_str_c(strange[i].type),
            .address = is_own ? kanal_buffer_view(&run->learned.address) : kanal_str_c(strange[i].address),
            .chat = is_own ? kanal_buffer_view(&run->learned.chat) : kanal_str_of(NULL, 0),
            .data = kanal_str_c(strange[i].data),
        };
        kit_step(run, "%s to %s: %.60s", strange[i].type, is_own ? "somebody" : strange[i].address,
                 strange[i].data);
        kanal_op op = fake_deliver(host, &delivery);
        play_settle(host, op);
        const kanal_result *result = &fake_answer(host, op)->result;
        if (!fake_answer(host, op)->answered)
            kit_fail(run, "not answered within 40 s");
        else if (takes_anything.ptr && result->outcome == KANAL_SENT)
            continue;
        else if (!strange[i].may_be_sent && result->outcome == KANAL_SENT)
            kit_fail(run, "said to be sent: nothing can have been");
        else if (strange[i].may_be_sent == 2 && result->outcome == KANAL_SENT)
            kit_warn(run, "said to be sent: does the customer see that something is missing?");
        else if (strange[i].may_be_sent != 1 && result->outcome == KANAL_RETRY)
            kit_fail(run, "ends as retry: it would be tried again and again");
    }
    play_end(run, host);
}

/* ---- A provider's bad days ---- */

/* How one text ends on such a day; 0: it was not answered, -1: skipped. */
static int32_t send_one(struct kit_run *run, enum fake_trouble trouble, kanal_result *ret_result)
{
    struct fake_host *host = begin(run, trouble);
    if (!host)
        return -1;
    kanal_op op = play_sample(run, host, "text", kanal_str_of(NULL, 0));
    int32_t outcome = fake_answer(host, op)->answered ? fake_answer(host, op)->result.outcome : 0;
    *ret_result = fake_answer(host, op)->result;
    ret_result->code = kanal_str_of(NULL, 0); /* these die with the host */
    if (!fake_asked_provider(host)) {
        kit_skip(run, "a text does not ask any provider");
        outcome = -1;
    } else if (outcome == 0) {
        kit_fail(run, "deliver() was not answered within 40 s");
    }
    kit_step(run, "%s", "everything else on such a day");
    play_all(run, host);
    play_end(run, host);
    /* and the whole life on such a day, from start() on */
    play_end(run, play_begin_as(run, 0, "check", run->seed, 1000, 0, trouble));
    run->step = "";
    return outcome;
}

static void expect(struct kit_run *run, enum fake_trouble trouble, unsigned allowed, const char *because)
{
    kanal_result result = { 0 };
    int32_t outcome = send_one(run, trouble, &result);
    if (outcome > 0 && !(allowed >> outcome & 1))
        kit_fail(run, "a text ends as %s: %s", outcome_name(outcome), because);
    if (trouble == FAKE_429 && outcome == KANAL_RETRY && result.retry_after_ms == 0)
        kit_warn(run, "the provider said Retry-After: 7, the result has no retry_after_ms");
}

#define SENT (1u << KANAL_SENT)
#define RETRY (1u << KANAL_RETRY)
#define FAILED (1u << KANAL_FAILED)
#define UNKNOWN (1u << KANAL_UNKNOWN)

static void check_429(struct kit_run *run)
{
    expect(run, FAKE_429, RETRY, "too many requests is no refusal for good, and nothing was sent");
}
static void check_500(struct kit_run *run)
{
    expect(run, FAKE_500, RETRY | UNKNOWN | FAILED, "the provider failed");
}
static void check_400(struct kit_run *run)
{
    expect(run, FAKE_400, FAILED | RETRY, "the provider refused it");
}
static void check_401(struct kit_run *run)
{
    expect(run, FAKE_401, FAILED | RETRY, "the provider refused the token");
}
static void check_timeout(struct kit_run *run)
{
    expect(run, FAKE_TIMEOUT, RETRY, "KANAL_E_TIMEOUT says that nothing left: it may simply be tried again");
}
static void check_network(struct kit_run *run)
{
    expect(run, FAKE_NETWORK, RETRY, "KANAL_E_NETWORK says that nothing left: it may simply be tried again");
}
static void check_maybe(struct kit_run *run)
{
    expect(run, FAKE_MAYBE, run->plugin->caps & KANAL_CAP_IDEMPOTENT ? UNKNOWN | RETRY : UNKNOWN,
           "KANAL_E_MAYBE says that it may have been taken: only `unknown` neither loses nor doubles it");
}
static void check_garbage(struct kit_run *run)
{
    expect(run, FAKE_GARBAGE, SENT | RETRY | UNKNOWN | FAILED, "");
}
static void check_cut(struct kit_run *run)
{
    expect(run, FAKE_CUT, SENT | RETRY | UNKNOWN | FAILED, "");
}
static void check_empty(struct kit_run *run)
{
    expect(run, FAKE_EMPTY, SENT | RETRY | UNKNOWN | FAILED, "");
}
static void check_odd(struct kit_run *run)
{
    for (int i = 0; i < 4 && !run->is_skipped; i++)
        expect(run, FAKE_STRANGE, SENT | RETRY | UNKNOWN | FAILED, "");
}
static void check_huge(struct kit_run *run)
{
    expect(run, FAKE_HUGE, SENT | RETRY | UNKNOWN | FAILED, "");
}

static void check_media(struct kit_run *run)
{
    struct fake_host *host = play_begin(run, 0);
    if (!host)
        return;
    play_webhooks(run, host, 0);
    size_t asked = play_media(run, host);
    if (run->plugin->media) { /* somebody may ask for anything */
        static const char *const strange[] = { "", "../../etc/passwd", "\xff", "blob:1",
                                               "http://127.0.0.1/" };
        for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
            kit_step(run, "media '%s'", strange[i]);
            play_settle(host, fake_media(host, strange[i]));
        }
    }
    play_end(run, host);
    if (asked == 0 && run->plugin->media)
        kit_warn(
            run,
            "no event of conformance.json holds a ref, and \"media\" names none: media() was only asked for "
            "garbage");
    else if (!run->plugin->media && asked == 0)
        kit_skip(run, "it has no media()");
}

const struct kit_test out_tests[] = {
    { .name = "out.capabilities",
      .what = "every declared capability is shown by a sample delivery or receipt",
      .advice = "implement it, give the provider's answer in conformance.json, or do not declare it",
      .run = check_capabilities },
    { .name = "out.idempotent",
      .what = "the same idempotency key twice",
      .advice = "hand the key to the provider, or drop the repeat yourself",
      .run = check_idempotent },
    { .name = "out.strange",
      .what = "deliveries without sense are refused for good",
      .advice = "answer KANAL_FAILED with unsupported_verb, unsupported_content or recipient_unknown",
      .run = check_strange },
    { .name = "out.media",
      .what = "media() is answered for each reference, and for garbage",
      .advice = "locate() with the request that fetches it, or with KANAL_E_NOT_FOUND",
      .run = check_media },
#define BAD_DAY(word, what_it_is, call)                                                                      \
    {                                                                                                        \
        .name = "provider." word, .what = what_it_is,                                                        \
        .advice = "map what the host and the provider say to the right outcome, see KANAL_SENT … in "      \
                  "kanal/plugin.h",                                                                          \
        .run = call                                                                                          \
    }
    BAD_DAY("429", "the provider says: too many requests", check_429),
    BAD_DAY("500", "the provider fails, with an HTML page", check_500),
    BAD_DAY("400", "the provider refuses", check_400),
    BAD_DAY("401", "the provider refuses the token", check_401),
    BAD_DAY("timeout", "no connection in time: nothing left", check_timeout),
    BAD_DAY("network", "no connection: nothing left", check_network),
    BAD_DAY("maybe", "the answer is lost: it may have been taken", check_maybe),
    BAD_DAY("garbage", "200 and random bytes", check_garbage),
    BAD_DAY("cut", "200 and half an answer", check_cut),
    BAD_DAY("empty", "200 and nothing", check_empty),
    BAD_DAY("odd", "200 and JSON of another shape", check_odd),
    BAD_DAY("huge", "200 and a megabyte", check_huge),
    { 0 },
};
