/* --version: the program, what it was built with, and the libraries that it runs with. */
#include "lae/cmd/cmd.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"
#include "lae/nn/product.h"
#include "lae/report/event_file.h"
#include "lae/sweep/setup.h"

#include <archive.h>
#include <gnu/libc-version.h>
#include <hdf5.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>
#include <zlib.h>

#include <jpeglib.h>

#define TEXT_OF(macro) #macro
#define VALUE_OF(macro) TEXT_OF(macro)

static void line(const char *name, const char *version)
{
    printf("%-14s %s\n", name, version);
}

/* Libraries that name themselves: what follows the name. */
static const char *without(const char *name, const char *text)
{
    size_t length = strlen(name);
    if (text == NULL) return "not built in";
    return strncmp(text, name, length) == 0 ? text + length : text;
}

static void print_mpi(void)
{
    char mpi[LAE_LIBRARY_TEXT];
    lae_dist_library(mpi);
    line("Open MPI", without("Open MPI v", mpi));
}

static void print_formats(void)
{
    char text[64];
    unsigned major, minor, release;
    int yaml[3];
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    line("HDF5", text);
    yaml_get_version(&yaml[0], &yaml[1], &yaml[2]);
    snprintf(text, sizeof text, "%d.%d.%d", yaml[0], yaml[1], yaml[2]);
    line("libyaml", text);
    line("libarchive", without("libarchive ", archive_version_string()));
    line("zlib", zlibVersion());
    line("libpng", png_get_libpng_ver(NULL));
    line("libjpeg-turbo", VALUE_OF(LIBJPEG_TURBO_VERSION));
    line("jansson", jansson_version_str());
    line("OpenSSL", without("OpenSSL ", OpenSSL_version(OPENSSL_VERSION)));
    line("protobuf-c", without("protobuf-c ", lae_event_file_library()));
}

void lae_print_version(void)
{
    char text[256];
    line("lae_mpi", LAE_VERSION);
    line("kernels", lae_kernels_best()->name);
    print_mpi();
    line("OpenBLAS", without("OpenBLAS ", lae_linear_backend(text, sizeof text)));
    line("oneDNN", without("oneDNN ", lae_onednn_version(text, sizeof text)));
    print_formats();
    line("libc", gnu_get_libc_version());
    line("compiler", lae_compiler());
}
