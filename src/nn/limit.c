#define _DEFAULT_SOURCE /* syscall */

/* Each loop has more sums under way than instructions are between their begin and their end. */
#include "lae/nn/limit.h"

#include <stdbool.h>
#include <stdint.h>

enum { SUMS = 12 };

/* Of rounds in each of which every sum takes in so many products. */
static double operations(int products, size_t rounds)
{
    return 2.0 * (double)(products * SUMS) * (double)rounds;
}

/* ---- Any processor: vectors of four, a multiplication and an addition ---- */

typedef float four __attribute__((vector_size(16)));

static double run_four(size_t rounds, float *sink)
{
    four sums[SUMS] = {0}, factor = {0.5F, 0.5F, 0.5F, 0.5F}, term = {*sink, 1.0F, 1.0F, 1.0F};
    for (size_t round = 0; round < rounds; round++)
        for (int i = 0; i < SUMS; i++)
            sums[i] = sums[i] * factor + term;
    for (int i = 0; i < SUMS; i++)
        *sink += sums[i][0];
    return operations(4, rounds);
}

static const struct lae_limit any_fp32 = {"vectors of 4, multiply and add", run_four};

#ifdef LAE_HAVE_X86_ISA

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- fp32 ---- */

__attribute__((target("avx2,fma"))) static double run_avx2(size_t rounds, float *sink)
{
    __m256 sums[SUMS], factor = _mm256_set1_ps(0.5F), term = _mm256_set1_ps(*sink);
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (size_t round = 0; round < rounds; round++)
        for (int i = 0; i < SUMS; i++)
            sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
    for (int i = 0; i < SUMS; i++)
        *sink += _mm256_cvtss_f32(sums[i]);
    return operations(8, rounds);
}

__attribute__((target("avx512f"))) static double run_avx512(size_t rounds, float *sink)
{
    __m512 sums[SUMS], factor = _mm512_set1_ps(0.5F), term = _mm512_set1_ps(*sink);
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_ps();
    for (size_t round = 0; round < rounds; round++)
        for (int i = 0; i < SUMS; i++)
            sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
    for (int i = 0; i < SUMS; i++)
        *sink += _mm512_cvtss_f32(sums[i]);
    return operations(16, rounds);
}

static const struct lae_limit avx2_fp32 = {"AVX2 multiply-add", run_avx2},
                              avx512_fp32 = {"AVX-512 multiply-add", run_avx512};

/* ---- bf16 ---- */

/* Each of 16 sums takes in the products of two pairs. */
__attribute__((target("avx512f,avx512bf16"))) static double run_pairs(size_t rounds, float *sink)
{
    __m512 sums[SUMS];
    __m512bh left = _mm512_cvtne2ps_pbh(_mm512_set1_ps(*sink), _mm512_set1_ps(0.25F));
    __m512bh right = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(0.5F));
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_ps();
    for (size_t round = 0; round < rounds; round++)
        for (int i = 0; i < SUMS; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], left, right);
    for (int i = 0; i < SUMS; i++)
        *sink += _mm512_cvtss_f32(sums[i]);
    return operations(32, rounds);
}

enum { TILE_ROWS = 16, TILE_BYTES = 64, TILES = 8 };

struct tile_layout {
    uint8_t palette, first_row, reserved[14];
    uint16_t bytes[16]; /* of a row of each tile */
    uint8_t rows[16];
};

/* Two tiles of each operand, four of sums: each operand is used twice. A product of tiles is one of
 * [16, 32] and [32, 16]. */
__attribute__((target("amx-tile,amx-bf16"))) static double run_tiles(size_t rounds, float *sink)
{
    static const uint16_t operands[4][TILE_ROWS * TILE_BYTES / sizeof(uint16_t)];
    float sums[TILE_ROWS * TILE_BYTES / sizeof(float)];
    struct tile_layout layout = {.palette = 1};
    for (int i = 0; i < TILES; i++) {
        layout.bytes[i] = TILE_BYTES;
        layout.rows[i] = TILE_ROWS;
    }
    _tile_loadconfig(&layout);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t round = 0; round < rounds; round++) {
        _tile_loadd(4, operands[0], TILE_BYTES);
        _tile_loadd(5, operands[1], TILE_BYTES);
        _tile_loadd(6, operands[2], TILE_BYTES);
        _tile_loadd(7, operands[3], TILE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, TILE_BYTES);
    _tile_release();
    *sink += sums[0];
    return 2.0 * 4 * 16 * 16 * 32 * (double)rounds;
}

static const struct lae_limit pairs_bf16 = {"AVX-512 products of bf16 pairs", run_pairs},
                              tiles_bf16 = {"AMX products of bf16 tiles", run_tiles};

/* ---- The choice ---- */

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_bf16_pairs(void)
{
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1) != 0;
}

/* Linux gives a process tiles when it asks for them. */
static bool has_tiles(void)
{
    enum { BF16_BIT = 22, TILE_BIT = 24, ASK = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if ((d >> BF16_BIT & 1) == 0 || (d >> TILE_BIT & 1) == 0) return false;
    return syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
}

const struct lae_limit *lae_limit_of(enum lae_precision precision)
{
    if (precision == LAE_PRECISION_BF16) {
        if (has_tiles()) return &tiles_bf16;
        return has_bf16_pairs() ? &pairs_bf16 : NULL;
    }
    if (has_avx512()) return &avx512_fp32;
    bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return fma ? &avx2_fp32 : &any_fp32;
}

#else

const struct lae_limit *lae_limit_of(enum lae_precision precision)
{
    return precision == LAE_PRECISION_BF16 ? NULL : &any_fp32;
}

#endif
