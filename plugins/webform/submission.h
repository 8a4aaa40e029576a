/* submission.h - what came with a request, whichever way it was written: the two wire forms become one struct. */
#ifndef WEBFORM_SUBMISSION_H
#define WEBFORM_SUBMISSION_H
#include "kanal/sdk/sdk.h"

#define PAIRS_MAX 256u
#define CONSENTS_MAX 16u
#define CLICK_IDS_MAX 16u

struct pair {
    kanal_str name, value;
};

struct consent {
    kanal_str purpose, text, version; /* text, version: absent if not told */
    int given;
};

/* Absent where nothing was told. Texts are views into the decoded buffer, the document or the request. */
struct submission {
    yyjson_doc *doc;
    struct kanal_buffer decoded;
    kanal_str form, token, session;
    kanal_str page_url, page_title, page_referrer, landing_url, landing_referrer, first_visit;
    kanal_str utm[KANAL_UTM_COUNT];
    struct pair click_ids[CLICK_IDS_MAX], fields[PAIRS_MAX];
    struct consent consents[CONSENTS_MAX];
    size_t click_id_count, field_count, consent_count;
};

/* NULL: read. Otherwise what is wrong with the body, for its sender (static). The submission borrows the body; release it in either
 * case. */
const char *submission_read_form(struct submission *, kanal_str body);
const char *submission_read_json(struct submission *, kanal_str body);
void submission_release(struct submission *);
/* utm_* and click ids of the page's URL, where none were told. scratch keeps them: it must live as long. */
void submission_read_page_query(struct submission *, struct kanal_buffer *scratch);

#endif
