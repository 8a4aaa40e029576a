/* api/customers.h - the endpoints customer-link and -unlink: a person says that two addresses are one customer, or that they are not. [loop] */
#ifndef KANAL_API_CUSTOMERS_H
#define KANAL_API_CUSTOMERS_H
#include "api/service.h"
#include "identity/identity.h"
#include "json/schema.h"

struct api_customers {
    struct identity *identity;
    struct ids *ids;
    struct json_schema *const *contract; /* compiled before the first request */
};

/* Handlers' user: a struct api_customers. */
extern const struct api_endpoint api_customer_endpoints[];
extern const size_t api_customer_endpoint_count;

#endif
