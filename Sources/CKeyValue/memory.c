#include <malloc.h>

#include "CKeyValue.h"

void ckeyvalue_spread_frees(void) { mallopt(M_MXFAST, 0); }

void ckeyvalue_return_pages(void) { malloc_trim(0); }
