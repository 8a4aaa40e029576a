#include "test/delivery.h"

kanal_op deliver(struct fake_host *host, const char *type, const char *target, const char *data)
{
    kanal_delivery delivery = {
        .type = kanal_str_c(type),
        .command_id = KANAL_LIT("crm-1"),
        .idempotency_key = KANAL_LIT("k-1"),
        .address = KANAL_LIT("telegram:3527065"),
        .chat = KANAL_LIT("3527065"),
        .target_external_id = kanal_str_c(target),
        .data = kanal_str_c(data),
    };
    return fake_deliver(host, &delivery);
}

kanal_op send_content(struct fake_host *host, const char *data)
{
    return deliver(host, "message.send", NULL, data);
}

kanal_op send_to(struct fake_host *host, const char *chat, const char *address, const char *data)
{
    kanal_delivery delivery = { .chat = kanal_str_c(chat),
                                .address = kanal_str_c(address),
                                .data = kanal_str_c(data) };
    return fake_deliver(host, &delivery);
}

const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the delivery is not answered");
    return &answer->result;
}

void expect_sent(struct fake_host *host, kanal_op op, const char *external_id)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_SENT, "outcome %d, %.*s", result->outcome, (int)result->reason.len,
                 result->reason.ptr);
    cr_expect(kanal_str_is(result->external_id, external_id), "external_id is %.*s",
              (int)result->external_id.len, result->external_id.ptr);
}

void expect_failed(struct fake_host *host, kanal_op op, int32_t scope, const char *code)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_FAILED);
    cr_expect_eq(result->scope, scope, "scope %d for %s", result->scope, code);
    cr_expect(kanal_str_is(result->code, code), "code is %.*s, not %s", (int)result->code.len,
              result->code.ptr, code);
    cr_expect_gt(result->reason.len, 0);
}
