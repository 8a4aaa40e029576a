/* Extension kanal.transfer/1: mail is recorded and waits for the test's answer; login() makes a stream. */
#include "inside.h"

static void run(struct fake_host *, struct task *);

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
    kanal_str copy = fake_arena_str(&host->kept, kanal_buffer_view(&body));
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

/* The reply of a bad day; the script's own code otherwise. */
static kanal_status make_trouble(const struct fake_host *host, int *code, const char **text)
{
    static const struct {
        enum fake_trouble trouble;
        kanal_status status;
        int code;
        const char *text;
    } days[] = {
        { FAKE_429, KANAL_E_REJECTED, 451, "4.7.1 too fast, try again later" },
        { FAKE_500, KANAL_E_REJECTED, 451, "4.3.0 local error in processing" },
        { FAKE_401, KANAL_E_REJECTED, 535, "5.7.8 authentication credentials invalid" },
        { FAKE_400, KANAL_E_REJECTED, 554, "5.6.0 message refused" },
        { FAKE_TIMEOUT, KANAL_E_TIMEOUT, 0, "" },
        { FAKE_NETWORK, KANAL_E_NETWORK, 0, "" },
        { FAKE_MAYBE, KANAL_E_MAYBE, 0, "" },
        { FAKE_GARBAGE, KANAL_E_REJECTED, 599, "\xff\xfe\x01 ..5.9..9" },
        { FAKE_CUT, KANAL_E_REJECTED, 55, "5." },
        { FAKE_EMPTY, KANAL_E_REJECTED, 0, "" },
        { FAKE_STRANGE, KANAL_E_REJECTED, -7, "5.5.5.5.5.5.5.5.5 OK 250" },
    };
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        if (days[i].trouble != host->trouble)
            continue;
        *code = days[i].code;
        *text = days[i].text;
        return days[i].status;
    }
    return *code >= 400 ? KANAL_E_REJECTED : KANAL_OK;
}

/* A rule of the provider's script with the method MAIL answers; without one the mail waits for the test. */
static int is_answered(struct fake_host *host, struct task *task, const struct fake_mail *mail)
{
    const struct fake_request request = { .op = mail->op,
                                          .cause = mail->cause,
                                          .request = { .struct_size = sizeof request.request,
                                                       .method = KANAL_LIT("MAIL"),
                                                       .url = KANAL_LIT("http://mail/"),
                                                       .body = mail->body } };
    struct fake_reply reply = { 0 };
    const char *text = "2.0.0 queued";
    host->asked = 1;
    if (host->trouble == FAKE_SILENT || !fake_script_answers(host, &request, &reply))
        return 0;
    int code = reply.code >= 400 ? reply.code : 250;
    kanal_status status = reply.status != KANAL_OK ? reply.status : make_trouble(host, &code, &text);
    task->revision = (uint64_t)(int64_t)code;
    task->value = reply.body.len > 0 ? reply.body : fake_arena_str(&task->copies, kanal_str_c(text));
    fake_ready(host, task, status);
    return 1;
}

static kanal_op mail(const kanal_host *table, kanal_op cause, const kanal_mail *mail, kanal_mail_fn *callback,
                     void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "transfer mail", TASK_CALL, user, &refused);
    if (task == NULL)
        return 0;
    task->call.mail = callback;
    task->run = run;
    if (refused)
        return task->op;
    check(host, mail);
    struct fake_mail *copy = fake_arena_zeroed(&host->kept, sizeof *copy);
    struct fake_mail **longer = realloc(host->mails, (host->mail_count + 1) * sizeof(struct fake_mail *));
    if (longer == NULL)
        abort();
    *copy = (struct fake_mail){ .op = task->op,
                                .cause = cause,
                                .url = fake_arena_str(&host->kept, mail->login.url),
                                .user = fake_arena_str(&host->kept, mail->login.user),
                                .secret = fake_arena_str(&host->kept, mail->login.secret),
                                .token = fake_arena_str(&host->kept, mail->login.token),
                                .from = fake_arena_str(&host->kept, mail->from),
                                .body = join(host, mail),
                                .recipient_count = mail->recipient_count,
                                .flags = mail->login.flags };
    copy->recipients = fake_arena_zeroed(&host->kept, mail->recipient_count * sizeof *copy->recipients);
    for (size_t i = 0; i < mail->recipient_count; i++)
        copy->recipients[i] = fake_arena_str(&host->kept, mail->recipients[i]);
    host->mails = longer;
    host->mails[host->mail_count++] = copy;
    if (!is_answered(host, task, copy))
        fake_wait(host, task);
    return task->op;
}

static kanal_op login(const kanal_host *table, const kanal_login *login, uint32_t idle_ms, uint32_t credit)
{
    struct fake_host *host = fake_of(table);
    kanal_stream_target target = { .idle_timeout_ms = idle_ms, .credit = credit };
    if (login->user.len == 0)
        fake_fail(host, "login(): no user");
    kanal_op op = fake_stream_begin(host, "transfer login", &target, 1);
    if (op != 0) {
        host->streams->seen.login_url = fake_arena_str(&host->kept, login->url);
        host->streams->seen.login_user = fake_arena_str(&host->kept, login->user);
    }
    return op;
}

static const kanal_transfer_host table_of_host = { .struct_size = sizeof table_of_host,
                                                   .mail = mail,
                                                   .login = login };

static void release(struct fake_host *host)
{
    free(host->mails);
}

const struct fake_extension fake_extension_transfer = { .id = KANAL_EXT_TRANSFER,
                                                        .table = &table_of_host,
                                                        .release = release };

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

static void run(struct fake_host *host, struct task *task)
{
    struct fake_arena arguments = fake_arguments(host);
    size_t count = take(host, task->op);
    kanal_mail_reply *replies = fake_arena_zeroed(&arguments, (count + 1) * sizeof *replies);
    kanal_mail_result result = { .struct_size = sizeof result,
                                 .recipients = replies,
                                 .recipient_count = count };
    result.reply = (kanal_mail_reply){ .code = (int32_t)task->revision,
                                       .text = fake_arena_str(&arguments, task->value) };
    for (size_t i = 0; i < count; i++)
        replies[i] = result.reply;
    result.accepted = task->status == KANAL_OK ? (uint32_t)count : 0;
    if (task->call.mail != NULL)
        task->call.mail(task->user, task->status,
                        fake_arena_struct(&arguments, host, &result, sizeof result, FAKE_MAIL_RESULT_LEAST));
    fake_arena_release(&arguments);
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
    task->value = fake_arena_str(&task->copies, kanal_str_c(text));
    fake_ready(host, task, status);
    fake_run(host);
}
