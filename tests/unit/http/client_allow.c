#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>
#include "client_rig.h"

static struct rig rig;
static struct answer answer;

static void setup(void)
{
    rig_open(&rig, NULL);
}

static void teardown(void)
{
    answer_clear(&answer);
    rig_close(&rig);
}

TestSuite(allow, .init = setup, .fini = teardown, .timeout = 30);

/* The test's own name server: this stands before libc's function for libcurl too.
 *   two.test   127.0.0.2 and then 127.0.0.1
 *   three.test 127.0.0.2, 127.0.0.3 and then 127.0.0.1
 *   rebind.test 127.0.0.3, the next time 127.0.0.1
 *   slow.test  takes three seconds, and then there is no such name */
#pragma GCC visibility push(default)
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret_list);
void freeaddrinfo(struct addrinfo *list);
#pragma GCC visibility pop

static atomic_int rebind_asked;

static struct addrinfo *address_of(const char *text, const char *port, struct addrinfo *next)
{
    struct addrinfo *one = calloc(1, sizeof *one);
    struct sockaddr_in *address = calloc(1, sizeof *address);

    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)(port ? strtoul(port, NULL, 10) : 0));
    inet_pton(AF_INET, text, &address->sin_addr);
    one->ai_family = AF_INET;
    one->ai_socktype = SOCK_STREAM;
    one->ai_protocol = IPPROTO_TCP;
    one->ai_addrlen = sizeof *address;
    one->ai_addr = (struct sockaddr *)address;
    one->ai_next = next;
    return one;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    struct addrinfo *list = address_of("127.0.0.1", port, NULL);

    (void)hints;
    if (strcmp(host, "rebind.test") == 0 && atomic_fetch_add(&rebind_asked, 1) == 0) {
        freeaddrinfo(list);
        list = address_of("127.0.0.3", port, NULL);
    }
    if (strcmp(host, "three.test") == 0)
        list = address_of("127.0.0.3", port, list);
    if (strcmp(host, "three.test") == 0 || strcmp(host, "two.test") == 0)
        list = address_of("127.0.0.2", port, list);
    *ret_list = list;
    if (strcmp(host, "slow.test") != 0)
        return 0;
    peer_sleep_ms(3000);
    freeaddrinfo(list);
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* ---- The gate ---- */

struct gate {
    const char *denied; /* one address, or "*" */
    int asked;
    uint16_t port;
    char last[INET6_ADDRSTRLEN];
};

static int gate_allow(void *user, const struct sockaddr *address)
{
    struct gate *gate = user;
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;

    cr_assert_eq(address->sa_family, AF_INET);
    inet_ntop(AF_INET, &four->sin_addr, gate->last, sizeof gate->last);
    gate->port = ntohs(four->sin_port);
    gate->asked++;
    return strcmp(gate->denied, "*") != 0 && strcmp(gate->denied, gate->last) != 0;
}

static void serve(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        peer_answer(conn, 200, "ok");
}

static void fetch(const char *host, struct gate *gate)
{
    struct http_out out = { .method = KANAL_LIT("POST"), .timeout_ms = 5000 };
    char url[96];

    if (!rig.peer)
        rig.peer = peer_start(serve, NULL, NULL);
    snprintf(url, sizeof url, "http://%s:%u/", host, (unsigned)peer_port(rig.peer));
    out.url = kanal_str_c(url);
    if (gate) {
        out.allow = gate_allow;
        out.allow_user = gate;
    }
    answer_clear(&answer);
    rig_fetch_out(&rig, &out, &answer);
}

Test(allow, a_denied_address_is_not_connected_to)
{
    struct gate gate = { .denied = "127.0.0.1" };

    fetch("127.0.0.1", &gate);
    cr_assert_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_assert_not_null(strstr(answer.message, "127.0.0.1"), "%s", answer.message);
    cr_assert_eq(gate.port, peer_port(rig.peer));
    rig_turn_ms(&rig, 20);
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(allow, what_a_name_resolves_to_is_what_counts)
{
    struct gate gate = { .denied = "127.0.0.1" };

    fetch("harmless.test", &gate);
    cr_assert_eq(answer.status, KANAL_E_DENIED);
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(allow, a_kept_connection_is_no_way_around)
{
    struct gate open = { .denied = "" }, closed = { .denied = "*" };

    fetch("127.0.0.1", &open);
    cr_assert_eq(answer.status, KANAL_OK);
    fetch("127.0.0.1", NULL);
    cr_assert_eq(answer.status, KANAL_OK);
    cr_assert_eq(peer_connections(rig.peer), 1);

    fetch("127.0.0.1", &closed);
    cr_assert_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_assert_eq(closed.asked, 1);
    cr_assert_str_eq(closed.last, "127.0.0.1");
    cr_assert_eq(closed.port, peer_port(rig.peer));
    cr_assert_eq(peer_requests(rig.peer), 2, "a denied request was sent");

    fetch("127.0.0.1", &open);
    cr_assert_eq(answer.status, KANAL_OK);
    cr_assert_eq(peer_requests(rig.peer), 3);
}

/* The name was good when it was looked up first, and leads to a forbidden address when it is used. Whoever resolves a name
 * to check it and then lets the client resolve it again is caught here. */
Test(allow, a_rebound_name_is_caught)
{
    struct gate gate = { .denied = "127.0.0.1" };

    fetch("rebind.test", &gate); /* nobody listens on 127.0.0.3 */
    cr_assert_eq(answer.status, KANAL_E_NETWORK, "%d %s", answer.status, answer.message);
    rig_close(&rig); /* with its cache of names */
    rig_open(&rig, NULL);
    fetch("rebind.test", &gate);
    cr_assert_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_assert_eq(atomic_load(&rebind_asked), 2);
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(allow, of_several_addresses_an_allowed_one_is_used)
{
    struct gate gate = { .denied = "127.0.0.2" };

    fetch("two.test", &gate);
    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_str_eq(gate.last, "127.0.0.1");
}

Test(allow, denied_and_refused_is_not_denied)
{
    struct gate gate = { .denied = "127.0.0.1" };

    fetch("two.test", &gate); /* nobody listens on 127.0.0.2 */
    cr_assert_eq(answer.status, KANAL_E_NETWORK, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_connections(rig.peer), 0);
}

/* libcurl 7.88 says nothing when the socket of a refused address is replaced by one with the same number. */
Test(allow, the_next_address_gets_its_turn_at_once)
{
    fetch("three.test", NULL);
    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_lt(answer.total_ms, 2000);
}

Test(allow, a_certificate_for_another_name_is_refused)
{
    struct peer_tls files;
    struct http_client_options options = { .ca_file = files.ca_file };
    const char *hosts[] = { "other.test", "localhost" };
    char url[64];

    rig_close(&rig);
    peer_tls_make(&files);
    rig_open(&rig, &options);
    rig.peer = peer_start(serve, NULL, &files);
    for (size_t i = 0; i < 2; i++) { /* the certificate is localhost's; both are 127.0.0.1 */
        snprintf(url, sizeof url, "https://%s:%u/", hosts[i], (unsigned)peer_port(rig.peer));
        rig_fetch(&rig, "POST", strdup(url), "x", &answer);
        cr_assert_eq(answer.status, i == 0 ? KANAL_E_NETWORK : KANAL_OK, "%s: %s", hosts[i], answer.message);
        cr_assert_eq(peer_requests(rig.peer), i);
        answer_clear(&answer);
    }
    peer_tls_remove(&files);
}

Test(allow, a_slow_name_server_does_not_hold_up_the_loop)
{
    struct http_out out = { .method = KANAL_LIT("GET"),
                            .url = KANAL_LIT("http://slow.test/"),
                            .timeout_ms = 100 };
    uint64_t start_ns = uv_hrtime();

    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_TIMEOUT);
    http_client_free(rig.client);
    rig.client = NULL;
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    cr_assert_lt((uv_hrtime() - start_ns) / 1000000, 2500, "the loop waited for the name server");
    peer_sleep_ms(3000); /* the resolver's thread ends before its memory is looked at */
}
