#include "CReactor.h"

#include <event2/http.h>
#include <event2/http_struct.h>

int creactor_minor_version(const struct evhttp_request *request) { return request->minor; }
