// What KeyValueServer needs of C: of glibc, what Swift's Glibc does not show.
#pragma once

/// Has freed memory put together piece by piece. By default, glibc does that now and then for all
/// small pieces at once, which takes half a second for those of a million keys. Wraps mallopt(3).
void ckeyvalue_spread_frees(void);

/// Gives free pages back to the kernel. Wraps malloc_trim(3).
void ckeyvalue_return_pages(void);
