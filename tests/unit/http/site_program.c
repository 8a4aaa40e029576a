/* The site of site.h as a program, for clients that others wrote: prints its port, ends with its standard input. */
#include <stdio.h>
#include <stdlib.h>
#include "site.h"

int main(void)
{
    struct site *s = site_start(NULL);
    int c;

    printf("%u\n", s->port);
    fflush(stdout);
    do
        c = getchar();
    while (c != EOF);
    fprintf(stderr, "begun %u, ran %u, gone %u; sockets: opened %u, closed %u\n", atomic_load(&s->begun),
            atomic_load(&s->ran), atomic_load(&s->gone), atomic_load(&s->opened), atomic_load(&s->closed));
    site_stop(s);
    return 0;
}
