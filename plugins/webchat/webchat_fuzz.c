/* webchat_fuzz.c - everything that comes from outside, against the whole plugin on the fake host.
 *
 * The input is lines; the first byte says what the rest is: 'f' a frame of visitor one, 'g' of visitor two, 'd' the data of a
 * message.send to visitor one, 'e' of a message.edit, 't' a token or ticket, 'n' a file name, 'm' a Content-Type, 'h' a stored
 * history, 'w' time passes. A failure that the fake host counts is a crash. */
#include <stdlib.h>
#include "channel.h"
#include "content.h"
#include "kanal/testing/fakehost.h"
#include "filetype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
    struct fake_host *host;
    kanal_op pages[2];
};

static void take_all(struct session *s)
{
    for (int i = 0; i < 2; i++) {
        const char *frame;

        while ((frame = fake_ws_take(s->host, s->pages[i]))) {
            yyjson_doc *doc = kanal_json_parse(kanal_str_c(frame));

            if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
                abort(); /* what we say must always be a JSON object */
            yyjson_doc_free(doc);
        }
    }
}

static kanal_op open_page(struct fake_host *host)
{
    kanal_op page = fake_ws_open(host, "/ws", NULL, 0, NULL);

    fake_ws_receive(host, page, "{\"type\":\"hello\",\"v\":1}");
    return page;
}

static void frame(struct session *s, int who, const char *text)
{
    struct connection *connection = connection_find(fake_channel(s->host), s->pages[who]);

    if (connection)
        memset(&connection->frames, 0,
               sizeof connection->frames); /* the limit of frames is not what is tested */
    else
        s->pages[who] = open_page(s->host);
    fake_ws_receive(s->host, s->pages[who], text);
}

static void deliver(struct session *s, const char *verb, const char *text)
{
    struct connection *connection = connection_find(fake_channel(s->host), s->pages[0]);
    kanal_delivery delivery = { .type = kanal_str_c(verb),
                                .command_id = KANAL_LIT("c1"),
                                .idempotency_key = KANAL_LIT("k1"),
                                .target_external_id = KANAL_LIT("a.k1") };

    if (!connection || !connection->visitor)
        return;
    delivery.chat = kanal_str_c(connection->visitor->id);
    delivery.data = kanal_str_c(text);
    if (!fake_answer(s->host, fake_deliver(s->host, &delivery))->answered)
        abort();
}

static void token(const char *text)
{
    struct session_claim claim;
    struct session_ticket ticket;

    session_parse(kanal_str_c(text), &claim);
    session_ticket_parse(kanal_str_c(text), &claim, &ticket);
    session_ticket_release(&ticket);
}

static void name(const char *text)
{
    struct kanal_buffer out = { 0 };

    filetype_name(kanal_str_c(text), &out);
    if (out.len == 0 || out.len > FILETYPE_NAME_BYTES || !kanal_str_utf8(kanal_buffer_view(&out)))
        abort();
    kanal_buffer_release(&out);
}

static void history(const char *text)
{
    struct kanal_buffer first = { 0 }, second = { 0 };
    struct history h, again;

    if (history_load(&h, kanal_str_c(text)) == KANAL_OK) {
        history_trim(&h, 5, 4096);
        history_write(&h, &first);
        if (history_load(&again, kanal_buffer_view(&first)) != KANAL_OK)
            abort(); /* what we write we can read */
        history_write(&again, &second);
        if (!kanal_str_equal(kanal_buffer_view(&first), kanal_buffer_view(&second)))
            abort();
        history_release(&again);
    }
    history_release(&h);
    kanal_buffer_release(&first);
    kanal_buffer_release(&second);
}

static void line(struct session *s, char kind, const char *text)
{
    char mime[FILETYPE_MIME_BYTES + 1];

    switch (kind) {
    case 'f':
        frame(s, 0, text);
        break;
    case 'g':
        frame(s, 1, text);
        break;
    case 'd':
        deliver(s, "message.send", text);
        break;
    case 'e':
        deliver(s, "message.edit", text);
        break;
    case 't':
        token(text);
        break;
    case 'n':
        name(text);
        break;
    case 'm':
        filetype_mime(kanal_str_c(text), mime);
        break;
    case 'h':
        history(text);
        break;
    case 'w':
        fake_advance(s->host, 20000);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[][2] = { { SESSION_SECRET, "not-a-secret" } };
    struct session s = { .host = fake_new(kanal_plugin_v1(), "{\"origins\":[\"*\"],\"history_messages\":5}",
                                          secrets, 1) };
    char *copy = malloc(size + 1), *rest = copy, *text;

    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    s.pages[0] = open_page(s.host);
    s.pages[1] = open_page(s.host);
    for (int lines = 0; lines < 64 && (text = strsep(&rest, "\n")); lines++) {
        if (*text)
            line(&s, text[0], text + 1);
        take_all(&s);
    }
    free(copy);
    if (fake_free(s.host) != 0)
        abort();
    return 0;
}
