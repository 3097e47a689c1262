#include "lae/files/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHA256_BYTES = 32, BLOCK = 1 << 18 };

static void to_text(const unsigned char bytes[SHA256_BYTES], char text[LAE_DIGEST_TEXT])
{
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

lae_status lae_digest_memory(const void *data, size_t size, char text[LAE_DIGEST_TEXT])
{
    unsigned char bytes[SHA256_BYTES];
    text[0] = '\0';
    if (EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL) != 1)
        return lae_failed("libcrypto cannot compute SHA-256");
    to_text(bytes, text);
    return NULL;
}

/* Goes to `offset`; refuses directories and the like, and an offset behind the end. */
static lae_status seek_file(const char *path, int file, uint64_t offset)
{
    struct stat state;
    if (fstat(file, &state) != 0) return lae_bad_input("%s: %s", path, strerror(errno));
    if (S_ISDIR(state.st_mode)) return lae_bad_input("%s: is a directory, not a file", path);
    if (!S_ISREG(state.st_mode)) return lae_bad_input("%s: is not a regular file", path);
    if (offset > (uint64_t)state.st_size)
        return lae_bad_input("%s: is cut short: %lld bytes, less than its header of %llu", path,
                             (long long)state.st_size, (unsigned long long)offset);
    if (lseek(file, (off_t)offset, SEEK_SET) < 0)
        return lae_bad_input("%s: cannot be read: %s", path, strerror(errno));
    return NULL;
}

static lae_status digest_rest(const char *path, int file, EVP_MD_CTX *context, unsigned char *block)
{
    for (;;) {
        ssize_t count = read(file, block, BLOCK);
        if (count == 0) return NULL;
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return lae_bad_input("%s: cannot be read: %s", path, strerror(errno));
        if (EVP_DigestUpdate(context, block, (size_t)count) != 1)
            return lae_failed("libcrypto cannot compute SHA-256");
    }
}

static lae_status digest_open_file(const char *path, int file, const void *first, size_t count,
                                   char text[LAE_DIGEST_TEXT])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char *block = malloc(BLOCK);
    unsigned char bytes[SHA256_BYTES];
    lae_status status = NULL;
    if (context == NULL || block == NULL)
        status = lae_out_of_memory(BLOCK, path);
    else if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
             EVP_DigestUpdate(context, first, count) != 1)
        status = lae_failed("libcrypto cannot compute SHA-256");
    else
        status = digest_rest(path, file, context, block);
    if (status == NULL && EVP_DigestFinal_ex(context, bytes, NULL) != 1)
        status = lae_failed("libcrypto cannot compute SHA-256");
    if (status == NULL) to_text(bytes, text);
    EVP_MD_CTX_free(context);
    free(block);
    return status;
}

lae_status lae_digest_file(const char *path, uint64_t offset, char text[LAE_DIGEST_TEXT])
{
    return lae_digest_file_as(path, offset, NULL, 0, text);
}

lae_status lae_digest_file_as(const char *path, uint64_t offset, const void *first, size_t count,
                              char text[LAE_DIGEST_TEXT])
{
    text[0] = '\0';
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    lae_status status = seek_file(path, file, offset + count);
    if (status == NULL) status = digest_open_file(path, file, first, count, text);
    close(file);
    return status;
}
