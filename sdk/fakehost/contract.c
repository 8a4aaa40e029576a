/* Events against the contract's schema, with the core's own validator. */
#include "inside.h"
#include <pthread.h>
#include <stdio.h>
#include "contract.h"
#include "json/schema.h"

/* Compiled once a process, never changed, given back by nobody: several hosts may be made one after another, or in threads. */
static struct json_schema *contract;
static pthread_once_t contract_once = PTHREAD_ONCE_INIT;

static void compile(void)
{
    struct kanal_buffer error = { 0 };
    if (json_schema_new(&contract, kanal_str_of((const char *)contract_schema, contract_schema_len),
                        &error) != 0) {
        fprintf(stderr, "fakehost: the contract's schema: %.*s\n", (int)error.len, error.data);
        abort(); /* a defect of the build */
    }
    kanal_buffer_release(&error);
}

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    fake_fault(user, FAKE_FAULT_EVENT, "publish(): the event breaks the contract at %.*s%s%.*s: %.*s",
               (int)pointer.len, pointer.ptr, member.len ? "/" : "", (int)member.len,
               member.len ? member.ptr : "", (int)message.len, message.ptr);
}

void fake_contract_check(struct fake_host *host, kanal_str line)
{
    pthread_once(&contract_once, compile);
    yyjson_doc *doc = kanal_json_parse(line);
    if (doc == NULL)
        fake_fault(host, FAKE_FAULT_EVENT, "publish(): the event is no JSON");
    else
        json_schema_check(contract, yyjson_doc_get_root(doc), on_violation, host);
    yyjson_doc_free(doc);
}
