// For explicit_bzero(3).
#define _DEFAULT_SOURCE
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "CFileServer.h"

bool cfileserver_is_hash(const char *text) {
    int answer = crypt_checksalt(text);
    return answer != CRYPT_SALT_INVALID && answer != CRYPT_SALT_METHOD_DISABLED;
}

/// Compares all bytes, so that the time does not tell how many are right.
static bool is_equal(const char *one, const char *other) {
    size_t length = strlen(one);
    if (strlen(other) != length) return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < length; i++) difference |= (unsigned char)(one[i] ^ other[i]);
    return difference == 0;
}

bool cfileserver_password_matches(const char *password, const char *hash) {
    // 32 KiB.
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) return false;
    const char *found = crypt_r(password, hash, data);
    // After an error, some versions return NULL, and others a text that begins with a star.
    bool matches = found != NULL && found[0] != '*' && is_equal(found, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return matches;
}
