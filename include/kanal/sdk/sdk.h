/* kanal/sdk/sdk.h - all of the static helpers for plugin authors. None of them is part of the ABI: a plugin links its own
 * copy (libkanal-sdk.a; `pkg-config kanal-plugin`) or does without. */
#ifndef KANAL_SDK_SDK_H
#define KANAL_SDK_SDK_H
#include "base64.h"
#include "buffer.h"
#include "imap.h"
#include "json.h"
#include "str.h"
#include "time.h"
#include "url.h"
#endif
