/* upload.h - a file to VK in three steps (https://dev.vk.com/ru/api/upload/overview): ask for an upload server, post the
 * file there, save what it answered. The host streams the file from its URL into the second step. */
#ifndef VK_UPLOAD_H
#define VK_UPLOAD_H
#include "api.h"
#include "compose.h"

/* reply: NULL: the file's name is filled in; else the step that failed, for whose meaning exchange is
 * (KANAL_EXCHANGE_…). */
typedef void vk_uploaded_fn(void *user, const struct vk_reply *, uint32_t exchange);

/* Uploads a file for a peer; the callback runs exactly once, later. file lives until then. 0, or KANAL_E_INTERNAL when
 * out of memory (then the callback never runs). */
kanal_status vk_upload(struct kanal_channel *, kanal_op cause, struct vk_file *, int64_t peer,
                       uint32_t timeout_ms, vk_uploaded_fn *, void *user);

#endif
