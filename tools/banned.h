/* banned.h - functions that must not be called: unbounded, locale-bound, not reentrant, or blind to errors. Included before every file of the
 * tree; whoever names one gets a compile error. Instead: memcpy with a known length, snprintf, kanal_str_int(), kanal/sdk/time.h. */
#ifndef KANAL_BANNED_H
#define KANAL_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>
#ifndef __clang__ /* whose headers make macros of some of them, which it will not poison */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok localtime gmtime ctime asctime \
    atoi atol atof
#endif
#endif
