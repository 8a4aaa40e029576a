/* kanal/sdk/sdk.h - all of the static helpers for plugin authors. None of them is part of the ABI: a plugin links its own
 * copy (libkanal-sdk.a; `pkg-config kanal-plugin`) or does without. */
#ifndef KANAL_SDK_SDK_H
#define KANAL_SDK_SDK_H
#include "base64.h"
#include "batch.h"
#include "buffer.h"
#include "calls.h"
#include "campaign.h"
#include "gsm7.h"
#include "imap.h"
#include "json.h"
#include "link.h"
#include "member.h"
#include "origin.h"
#include "outcome.h"
#include "phone.h"
#include "rate.h"
#include "reply.h"
#include "report.h"
#include "str.h"
#include "time.h"
#include "url.h"
#include "visitor.h"
#endif
