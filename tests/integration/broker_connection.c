/* The connection itself: states, requests, failures, authentication. */
#include "broker_support.h"

Test(connection, request_and_reply, .timeout = 30)
{
    struct fixture f;
    struct noted n = { 0 };
    struct broker_out out = text_out("nobody.here", "hello");

    fixture_up(&f, NULL);
    cr_assert_str_eq(broker_server(f.broker), f.nats.url);
    cr_assert_eq(broker_max_payload(f.broker), 1048576);
    broker_request(f.broker, &out, 2000, note_reply, &n);
    cr_assert_eq(n.calls, 0);
    cr_assert(run_until(&f.loop, &n.calls, 1, 1000), "no responders must be told at once");
    cr_assert_eq(n.status, KANAL_E_NOT_FOUND);
    cr_assert_eq(broker_pending(f.broker), 0);
    fixture_down(&f);
}
