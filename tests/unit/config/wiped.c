/* No block that Kanal's own code frees still holds a secret: free() is replaced (--wrap) by one that looks. */
#include <malloc.h>
#include "scratch.h"

TestSuite(wiped, .init = scratch_enter, .fini = scratch_leave);

static const char needle[] = "geheimnis-";
static unsigned found;

void __real_free(void *);
void __wrap_free(void *);

void __wrap_free(void *block)
{
    if (block && memmem(block, malloc_usable_size(block), needle, sizeof needle - 1))
        found++;
    __real_free(block);
}

/* The replacement looks at all, and also into blocks of the library under test. */
Test(wiped, would_be_noticed)
{
    struct kanal_buffer buffer = { 0 };

    kanal_buffer_text(&buffer, "xx geheimnis-1");
    kanal_buffer_release(&buffer);
    cr_expect_eq(found, 1);
}

static void load(const char *text)
{
    struct kanal_buffer errors = { 0 };
    struct config *config = NULL;

    load_text(&config, kanal_str_c(text), &errors);
    config_free(config);
    kanal_buffer_release(&errors);
}

Test(wiped, config_free)
{
    static char large[50001];

    memset(large, 'x', sizeof large - 1);
    memcpy(large + 40000, needle, sizeof needle - 1);
    scratch_write("secret", kanal_str_c(large));
    setenv("KANAL_TEST_SECRET", "geheimnis-1234567890", 1);
    load("identity: { salt: geheimnis-0123456789 }\n"
         "broker: { url: \"nats://u:geheimnis-1@n1\", password: geheimnis-2, user: u }\n"
         "channels:\n  - id: x\n    plugin: p\n    secrets:\n      a: ${env:KANAL_TEST_SECRET}\n"
         "      b: \"1 ${file:secret} 2 ${file:secret} $${\"\n      c: geheimnis-3\n");
    cr_expect_eq(found, 0);
}

Test(wiped, refused_configurations)
{
    load("identity: { salt: geheimnis-0123456789 }\nnonsense: 1\n");
    load("identity: { salt: [geheimnis-0123456789, \"geheimnis-");
    load("channels: [ { secrets: { a: \"${file:none} geheimnis-\" } } ]\n");
    cr_expect_eq(found, 0);
}
