#include "test/capture.h"

#include <dirent.h>
#include <stdio.h>

#include "kanal/sdk/base64.h"

static const char *const channel_secrets[][2] = { { "password", PASSWORD } };

/* What was written and not taken yet, of the one channel that a test has. */
static struct kanal_buffer written;

struct fake_host *channel_new(const char *settings)
{
    kanal_buffer_release(&written);
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), settings ? settings : SETTINGS(""), channel_secrets, 1);
    cr_assert_not_null(host);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK);
    return host;
}

struct fake_host *channel_bound(const char *settings)
{
    struct fake_host *host = channel_new(settings);
    answer_bind(host, SMS_OK);
    cr_assert_eq(fake_health(host), KANAL_OK);
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
    kanal_buffer_release(&written);
}

/* ---- The SMS centre ---- */

kanal_op stream_of(struct fake_host *host)
{
    cr_assert_gt(fake_stream_count(host), 0, "nothing was connected");
    return fake_stream_at(host, fake_stream_count(host) - 1)->op;
}

int take(struct fake_host *host, struct pdu *pdu)
{
    static struct kanal_buffer kept; /* bodies stay */
    kanal_buffer_str(&written, fake_stream_take(host, stream_of(host)));
    memset(pdu, 0, sizeof *pdu);
    int found = sms_header_read(&pdu->header, kanal_buffer_view(&written));
    cr_assert_geq(found, 0, "a PDU with a wrong length");
    if (found == 0)
        return 0;
    char *copy = malloc(pdu->header.length);
    cr_assert_not_null(copy);
    memcpy(copy, written.data, pdu->header.length);
    kanal_buffer_append(&kept, &copy, sizeof copy);
    pdu->body = kanal_str_of(copy + 16, pdu->header.length - 16);
    memmove(written.data, written.data + pdu->header.length, written.len - pdu->header.length);
    written.len -= pdu->header.length;
    if (pdu->header.command == SMS_SUBMIT_SM)
        cr_assert_eq(sms_message_read(&pdu->message, SMS_SUBMIT_SM, pdu->body), SMS_OK);
    return 1;
}

struct pdu take_command(struct fake_host *host, uint32_t command)
{
    struct pdu pdu;
    cr_assert(take(host, &pdu), "nothing was written, not 0x%08x", (unsigned)command);
    cr_assert_eq(pdu.header.command, command, "0x%08x was written, not 0x%08x", (unsigned)pdu.header.command,
                 (unsigned)command);
    return pdu;
}

void expect_nothing(struct fake_host *host)
{
    struct pdu pdu;
    cr_expect_not(take(host, &pdu), "0x%08x was written", (unsigned)pdu.header.command);
}

void say_bytes(struct fake_host *host, kanal_str bytes)
{
    fake_stream_receive(host, stream_of(host), bytes.ptr, bytes.len);
}

void say(struct fake_host *host, uint32_t command, uint32_t status, uint32_t sequence, const char *text)
{
    struct kanal_buffer pdu = { 0 };
    sms_plain_write(&pdu, command, status, sequence, 0);
    if (text)
        kanal_buffer_append(&pdu, text, strlen(text) + 1);
    pdu.data[2] = (char)(pdu.len >> 8);
    pdu.data[3] = (char)(pdu.len & 0xff);
    say_bytes(host, kanal_buffer_view(&pdu));
    kanal_buffer_release(&pdu);
}

void say_message(struct fake_host *host, uint32_t sequence, const struct sms_message *message)
{
    struct kanal_buffer pdu = { 0 };
    cr_assert_eq(sms_message_write(&pdu, SMS_DELIVER_SM, sequence, message), KANAL_OK);
    say_bytes(host, kanal_buffer_view(&pdu));
    kanal_buffer_release(&pdu);
}

void answer_bind(struct fake_host *host, uint32_t status)
{
    fake_stream_open(host, stream_of(host));
    struct pdu bind = take_command(host, SMS_BIND_TRANSCEIVER);
    say(host, SMS_BIND_TRANSCEIVER | SMS_RESPONSE, status, bind.header.sequence, "smsc");
}

void answer(struct fake_host *host, const struct pdu *pdu, uint32_t status, const char *id)
{
    say(host, pdu->header.command | SMS_RESPONSE, status, pdu->header.sequence, id);
}

/* ---- Deliveries ---- */

kanal_op deliver_attempt(struct fake_host *host, const char *key, uint32_t attempt, const char *data)
{
    kanal_delivery delivery = { .attempt = attempt,
                                .type = KANAL_LIT("message.send"),
                                .command_id = KANAL_LIT("crm-1"),
                                .deadline_ms = fake_now(host) + 60000,
                                .idempotency_key = kanal_str_c(key),
                                .address = KANAL_LIT(ADDRESS),
                                .data = kanal_str_c(data) };
    return fake_deliver(host, &delivery);
}

kanal_op deliver(struct fake_host *host, const char *data)
{
    return deliver_attempt(host, "k-1", 1, data);
}

const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the delivery is not answered");
    return &answer->result;
}

void expect_result(struct fake_host *host, kanal_op op, int32_t outcome, int32_t scope, const char *code)
{
    const kanal_result *result = result_of(host, op);
    cr_expect(result->outcome == outcome && (scope == 0 || result->scope == scope),
              "outcome %d, scope %d: %.*s", result->outcome, result->scope, (int)result->reason.len,
              result->reason.ptr);
    cr_expect(kanal_str_is(result->code, code), "code is %.*s, not %s", (int)result->code.len,
              result->code.ptr, code);
    cr_expect_gt(result->reason.len, 0);
}

void expect_sent(struct fake_host *host, kanal_op op, const char *id)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_SENT, "outcome %d: %.*s", result->outcome, (int)result->reason.len,
                 result->reason.ptr);
    cr_expect(kanal_str_is(result->external_id, id), "the id is %.*s, not %s", (int)result->external_id.len,
              result->external_id.ptr, id);
}

/* ---- Fixtures ---- */

char *read_hex(const char *name, size_t *ret_len)
{
    char path[600], line[256];
    struct kanal_buffer bytes = { 0 };
    snprintf(path, sizeof path, "%s/%s.hex", FIXTURES, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s cannot be read", path);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] != '#')
            cr_assert_eq(kanal_hex_decode(&bytes, kanal_str_c(line)), KANAL_OK, "%s: %s", path, line);
    }
    fclose(file);
    *ret_len = bytes.len;
    return bytes.data;
}

size_t each_hex(fixture_fn *each, void *user)
{
    DIR *directory = opendir(FIXTURES);
    size_t count = 0;
    cr_assert_not_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 4, ".hex") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 4), entry->d_name);
        each(name, user);
        count++;
    }
    closedir(directory);
    return count;
}
