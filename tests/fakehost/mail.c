/* Extension kanal.transfer/1: mail is recorded and waits for the test's answer; login() makes a stream. */
#include "inside.h"

size_t fake_mail_count(const struct fake_host *host)
{
    return host->mail_count;
}

const struct fake_mail *fake_mail_at(const struct fake_host *host, size_t index)
{
    return index < host->mail_count ? host->mails[index] : NULL;
}

static kanal_str join(struct fake_host *host, const kanal_mail *mail)
{
    struct kanal_buffer body = { 0 };
    for (size_t i = 0; i < mail->piece_count; i++) {
        const kanal_piece *piece = &mail->pieces[i];
        if (piece->source.len > 0) {
            kanal_buffer_text(&body, "<source:");
            kanal_buffer_str(&body, piece->source);
            kanal_buffer_byte(&body, '>');
        } else {
            kanal_buffer_str(&body, piece->data);
        }
    }
    kanal_str copy = arena_str(&host->kept, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
    return copy;
}

static void check(struct fake_host *host, const kanal_mail *mail)
{
    if (mail->struct_size < sizeof *mail)
        fake_fail(host, "mail(): struct_size");
    if (mail->recipient_count == 0 || mail->recipient_count > 100 || mail->piece_count == 0 ||
        mail->piece_count > 64)
        fake_fail(host, "mail(): recipients or pieces");
    if (mail->login.secret.len > 0 && mail->login.token.len > 0)
        fake_fail(host, "mail(): a secret and a token");
}

static kanal_op mail(const kanal_host *table, kanal_op cause, const kanal_mail *mail, kanal_mail_fn *callback,
                     void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, TASK_MAIL, user, &refused);
    if (task == NULL)
        return 0;
    task->call.mail = callback;
    if (refused)
        return task->op;
    check(host, mail);
    struct fake_mail *copy = arena_zeroed(&host->kept, sizeof *copy);
    struct fake_mail **longer = realloc(host->mails, (host->mail_count + 1) * sizeof(struct fake_mail *));
    if (longer == NULL)
        abort();
    *copy = (struct fake_mail){ .op = task->op,
                                .cause = cause,
                                .url = arena_str(&host->kept, mail->login.url),
                                .user = arena_str(&host->kept, mail->login.user),
                                .secret = arena_str(&host->kept, mail->login.secret),
                                .token = arena_str(&host->kept, mail->login.token),
                                .from = arena_str(&host->kept, mail->from),
                                .body = join(host, mail),
                                .recipient_count = mail->recipient_count,
                                .flags = mail->login.flags };
    copy->recipients = arena_zeroed(&host->kept, mail->recipient_count * sizeof *copy->recipients);
    for (size_t i = 0; i < mail->recipient_count; i++)
        copy->recipients[i] = arena_str(&host->kept, mail->recipients[i]);
    host->mails = longer;
    host->mails[host->mail_count++] = copy;
    fake_wait(host, task);
    return task->op;
}

static kanal_op login(const kanal_host *table, const kanal_login *login, uint32_t idle_ms, uint32_t credit)
{
    struct fake_host *host = fake_of(table);
    kanal_stream_target target = { .idle_timeout_ms = idle_ms, .credit = credit };
    if (login->user.len == 0)
        fake_fail(host, "login(): no user");
    kanal_op op = fake_stream_begin(host, &target, 1);
    if (op != 0) {
        host->streams->seen.login_url = arena_str(&host->kept, login->url);
        host->streams->seen.login_user = arena_str(&host->kept, login->user);
    }
    return op;
}

const kanal_transfer_host fake_transfer_table = { .struct_size = sizeof fake_transfer_table,
                                                  .mail = mail,
                                                  .login = login };

/* The mail of a task leaves the list of those that wait. */
static size_t take(struct fake_host *host, kanal_op op)
{
    size_t kept = 0, recipients = 0;
    for (size_t i = 0; i < host->mail_count; i++) {
        if (host->mails[i]->op == op)
            recipients = host->mails[i]->recipient_count;
        else
            host->mails[kept++] = host->mails[i];
    }
    host->mail_count = kept;
    return recipients;
}

void fake_mail_run(struct fake_host *host, struct task *task)
{
    size_t count = take(host, task->op);
    kanal_reply *replies = arena_zeroed(&task->copies, (count + 1) * sizeof *replies);
    kanal_mail_result result = { .struct_size = sizeof result,
                                 .recipients = replies,
                                 .recipient_count = count };
    result.reply = (kanal_reply){ .code = (int32_t)task->revision, .text = task->value };
    for (size_t i = 0; i < count; i++)
        replies[i] = result.reply;
    result.accepted = task->status == KANAL_OK ? (uint32_t)count : 0;
    if (task->call.mail != NULL)
        task->call.mail(task->user, task->status, &result);
}

void fake_mail_answer(struct fake_host *host, size_t index, kanal_status status, int code, const char *text)
{
    const struct fake_mail *mail = fake_mail_at(host, index);
    struct task *task = mail ? fake_take_waiting(host, mail->op) : NULL;
    if (task == NULL) {
        fake_fail(host, "the test answers mail %zu, which does not wait", index);
        return;
    }
    task->revision = (uint64_t)code;
    task->value = arena_str(&task->copies, kanal_str_c(text));
    fake_ready(host, task, status);
    fake_run(host);
}

void fake_mails_free(struct fake_host *host)
{
    free(host->mails);
}
