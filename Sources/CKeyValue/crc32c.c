#include <string.h>

#include "CKeyValue.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

bool ckeyvalue_has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) uint32_t ckeyvalue_crc32c(uint32_t remainder, const void *bytes,
                                                            size_t count) {
  const unsigned char *next = bytes;
  uint64_t sum = remainder;
  for (; count >= 8; count -= 8, next += 8) {
    uint64_t word;
    memcpy(&word, next, 8);
    sum = _mm_crc32_u64(sum, word);
  }
  uint32_t rest = (uint32_t)sum;
  for (; count > 0; count--, next++) rest = _mm_crc32_u8(rest, *next);
  return rest;
}
#else
bool ckeyvalue_has_crc32c(void) { return false; }

uint32_t ckeyvalue_crc32c(uint32_t remainder, const void *bytes, size_t count) {
  (void)bytes;
  (void)count;
  return remainder;
}
#endif
