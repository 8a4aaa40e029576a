/* mail/private.h - what the files of mail share. [loop] */
#ifndef KANAL_MAIL_PRIVATE_H
#define KANAL_MAIL_PRIVATE_H
#include <curl/curl.h>
#include "mail/mail.h"

struct mail_watch;

struct mail {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct mail_watch *watches;
    char *ca_file;
    int closing;
};

/* Embedded first in what libcurl does. */
struct mail_easy {
    struct mail *mail;
    CURL *easy;
    uv_timer_t start; /* puts it to work in the next turn */
    int in_multi, closing;
    unsigned denied;
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
    char reason[NET_REASON_MAX];
    char error[CURL_ERROR_SIZE];
    void (*done)(struct mail_easy *, CURLcode);
    void (*gone)(struct mail_easy *); /* frees the whole */
};

/* 0 or KANAL_E_INTERNAL, and then nothing of it is left but the memory. */
int mail_easy_init(struct mail_easy *, struct mail *, const struct mail_login *);
/* Takes it out of libcurl and closes its connection; gone() follows in the loop. Not from a callback of libcurl. */
void mail_easy_close(struct mail_easy *);
/* What became of it, and the reason's words, from libcurl's result. */
kanal_status mail_easy_verdict(struct mail_easy *, CURLcode);

#endif
