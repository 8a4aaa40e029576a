/* bench/bare_curl.h - what the way out is compared with: libcurl's multi interface on epoll in its best form. The easy handles are set up once
 * and only added again: nothing is copied, checked, parsed or told, and no broker is involved. */
#ifndef KANAL_BENCH_BARE_CURL_H
#define KANAL_BENCH_BARE_CURL_H
#include <stddef.h>

/* POSTs body to url so many times, `parallel` (at most 256) at once over kept connections. Requests a second; ends the bench if one fails. */
double bare_curl_run(const char *url, const char *body, size_t parallel, size_t requests);

#endif
