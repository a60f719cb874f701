// What KeyValueServer needs of C: of glibc, what Swift's Glibc does not show, and an instruction of
// the processor.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Has freed memory put together piece by piece. By default, glibc does that now and then for all
/// small pieces at once, which takes half a second for those of a million keys. Wraps mallopt(3).
void ckeyvalue_spread_frees(void);

/// Gives free pages back to the kernel. Wraps malloc_trim(3).
void ckeyvalue_return_pages(void);

/// Whether the processor has an instruction for CRC-32C: SSE4.2 on x86-64.
bool ckeyvalue_has_crc32c(void);

/// Continues a CRC-32C, by the processor's instruction. Only to be called if there is one.
uint32_t ckeyvalue_crc32c(uint32_t remainder, const void *_Nonnull bytes, size_t count);
