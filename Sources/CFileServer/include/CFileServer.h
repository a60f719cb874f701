// What FileServer needs of C: crypt(5), which Swift's Glibc does not show.
#pragma once

#include <stdbool.h>

/// Whether a text is a hash, or the settings of one, by a method that libcrypt has. Wraps
/// crypt_checksalt(3).
bool cfileserver_is_hash(const char *_Nonnull text);

/// Whether a password has a hash. Takes milliseconds or more of processor time, as the hash says,
/// and the same for a wrong password. Wraps crypt_r(3).
bool cfileserver_password_matches(const char *_Nonnull password, const char *_Nonnull hash);
