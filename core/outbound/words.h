/* outbound/words.h - words as people type them, compared. Pure. [any thread] */
#ifndef KANAL_OUTBOUND_WORDS_H
#define KANAL_OUTBOUND_WORDS_H
#include "kanal/plugin.h"

/* Without white space around it. */
kanal_str words_trim(kanal_str);
/* 1: the same, whatever the case of Latin, Greek, Cyrillic and Armenian letters. */
int words_equal(kanal_str, kanal_str);

#endif
