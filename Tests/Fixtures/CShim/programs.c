// The C functions of the programs, for .ci/undefined.
#include <CFileServer.h>
#include <CKeyValue.h>
#include <assert.h>
#include <string.h>

static void check_passwords(void) {
    const char *hash = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
    assert(cfileserver_is_hash(hash));
    assert(!cfileserver_is_hash("$9$x$y"));
    assert(cfileserver_password_matches("secret", hash));
    assert(!cfileserver_password_matches("secrets", hash));
    assert(!cfileserver_password_matches("", hash));
    assert(!cfileserver_password_matches("secret", "$2y$05$abc"));
    assert(!cfileserver_password_matches("secret", ""));
}

static void check_crc32c(void) {
    if (!ckeyvalue_has_crc32c()) return;
    // The check value of the parameters: https://reveng.sourceforge.io/crc-catalogue
    char bytes[] = " 123456789";
    assert((ckeyvalue_crc32c(0xFFFFFFFF, bytes + 1, 9) ^ 0xFFFFFFFF) == 0xE3069283);
    assert(ckeyvalue_crc32c(7, bytes, 0) == 7);
}

static void check_memory(void) {
    ckeyvalue_spread_frees();
    ckeyvalue_return_pages();
}

int main(void) {
    check_passwords();
    check_crc32c();
    check_memory();
    return 0;
}
