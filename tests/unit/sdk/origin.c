#include "kanal/sdk/origin.h"
#include "expect.h"

static int allowed(const char *patterns, kanal_str origin)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(patterns));
    int yes = kanal_origin_allowed(yyjson_doc_get_root(doc), origin);
    yyjson_doc_free(doc);
    return yes;
}

Test(origin, exact_ones)
{
    const char *patterns = "[\"https://shop.example\",\"http://localhost:3000\"]";
    cr_assert(allowed(patterns, KANAL_LIT("https://shop.example")));
    cr_assert(allowed(patterns, KANAL_LIT("http://localhost:3000")));
    cr_assert_not(allowed(patterns, KANAL_LIT("http://shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://shop.example:8443")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://shop.example.evil.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("http://localhost:30000")));
    cr_assert_not(allowed("[]", KANAL_LIT("https://shop.example")));
    cr_assert_not(kanal_origin_allowed(NULL, KANAL_LIT("https://shop.example")));
}

Test(origin, every_name_below)
{
    const char *patterns = "[\"https://*.shop.example\"]";
    cr_assert(allowed(patterns, KANAL_LIT("https://a.shop.example")));
    cr_assert(allowed(patterns, KANAL_LIT("https://a.b.shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://.shop.example:1")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://evilshop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("http://a.shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://evil.example/.shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://evil.example@a.shop.example")));
    cr_assert_not(allowed(patterns, KANAL_LIT("https://evil.example?.shop.example")));
}

Test(origin, any)
{
    char name[300] = "https://";
    cr_assert(allowed("[\"*\"]", KANAL_LIT("https://a.example")));
    cr_assert_not(allowed("[\"*\"]", KANAL_LIT("null")));
    cr_assert_not(allowed("[\"*\"]", KANAL_LIT("")));
    cr_assert_not(allowed("[\"*\"]", kanal_str_of(NULL, 0)));
    memset(name + 8, 'a', 255 - 8);
    cr_assert(allowed("[\"*\"]", kanal_str_of(name, 255)));
    name[255] = 'a';
    cr_assert_not(allowed("[\"*\"]", kanal_str_of(name, 256)));
}
