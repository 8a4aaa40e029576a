/* page_test.h - what the common tests of Messenger and Instagram want to know of the plugin they run against. */
#ifndef META_PAGE_TEST_H
#define META_PAGE_TEST_H
#include "support.h"

struct page_test {
    size_t fixtures;     /* at least */
    const char *foreign; /* the fixture of another page or account */
};
extern const struct page_test page_test;

#endif
