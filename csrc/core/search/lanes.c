/* A quick look at many words at once; see lanes.h.
 *
 * AVX2 and NEON compare 64-bit words. SSE2 has no such comparison: it compares upper halves, 32
 * bits each, which leaves out what lies 4 GiB or more away.
 */
#include "lanes.h"

#include <stdbool.h>
#include <string.h>

#if defined(__aarch64__) || defined(_M_ARM64)
#define WITH_NEON 1
#include <arm_neon.h>
#elif defined(__SSE2__) || defined(_M_X64) || (defined(_M_IX86_FP) && _M_IX86_FP >= 2)
#define WITH_SSE2 1
#include <immintrin.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define AVX2
#else
/* For these functions alone: the rest of the module runs on every processor. */
#define AVX2 __attribute__((target("avx2")))
#endif
#endif

/* Defines a way: `prepare` makes its constants of the bounds, and `outside` returns whether all
 * words of a group, from one shift on, are outside of them. */
#define DEFINE_WAY(name, target, constants, prepare, outside)                                      \
    target static size_t name(const unsigned char *data, size_t groups,                            \
                              const search_bounds *bounds)                                         \
    {                                                                                              \
        constants prepared = prepare(bounds);                                                      \
        bool wide = bounds->width == 8;                                                            \
        size_t group = 0;                                                                          \
                                                                                                   \
        if (bounds->step < bounds->width) {                                                        \
            bool none = true;                                                                      \
                                                                                                   \
            while (none && group < groups) {                                                       \
                const unsigned char *at = data + group * SEARCH_GROUP;                             \
                                                                                                   \
                for (uint32_t shift = 0; none && shift < bounds->width; shift += bounds->step) {   \
                    none = outside(at + shift, &prepared, wide);                                   \
                }                                                                                  \
                group += none ? 1 : 0;                                                             \
            }                                                                                      \
        } else if (wide) {                                                                         \
            while (group < groups && outside(data + group * SEARCH_GROUP, &prepared, true)) {      \
                group++;                                                                           \
            }                                                                                      \
        } else {                                                                                   \
            while (group < groups && outside(data + group * SEARCH_GROUP, &prepared, false)) {     \
                group++;                                                                           \
            }                                                                                      \
        }                                                                                          \
        return group;                                                                              \
    }

static inline search_bounds portable_prepare(const search_bounds *bounds)
{
    return *bounds;
}

static inline bool portable_outside(const unsigned char *at, const search_bounds *bounds, bool wide)
{
    unsigned inside = 0;

    for (size_t i = 0; wide && i < SEARCH_GROUP; i += 8) {
        uint64_t word;

        memcpy(&word, at + i, sizeof word);
        inside |= (word & bounds->mask) - bounds->low <= bounds->span ? 1u : 0u;
    }
    for (size_t i = 0; !wide && i < SEARCH_GROUP; i += 4) {
        uint32_t word;

        memcpy(&word, at + i, sizeof word);
        word = (word & (uint32_t)bounds->mask) - (uint32_t)bounds->low;
        inside |= word <= (uint32_t)bounds->span ? 1u : 0u;
    }
    return inside == 0;
}

DEFINE_WAY(portable, , search_bounds, portable_prepare, portable_outside)

#if defined(WITH_SSE2)

#define TOP32 UINT32_C(0x80000000)
#define TOP64 UINT64_C(0x8000000000000000)

/* Comparisons are of signed numbers: x - (low - TOP) > span - TOP, both sides modulo 2^bits, is the
 * unsigned x - low > span. */
typedef struct sse2_bounds {
    __m128i mask, low, span; /* of 32-bit words, or of the upper halves of 64-bit words */
} sse2_bounds;

static inline sse2_bounds sse2_prepare(const search_bounds *bounds)
{
    unsigned shift = bounds->width == 8 ? 32 : 0;
    uint32_t low = (uint32_t)(bounds->low >> shift);
    uint32_t high = (uint32_t)((bounds->low + bounds->span) >> shift);
    sse2_bounds made;

    made.mask = _mm_set1_epi32((int)(uint32_t)(bounds->mask >> shift));
    made.low = _mm_set1_epi32((int)(low ^ TOP32));
    made.span = _mm_set1_epi32((int)((high - low) ^ TOP32));
    return made;
}

static inline __m128i sse2_above(__m128i words, const sse2_bounds *bounds)
{
    words = _mm_sub_epi32(_mm_and_si128(words, bounds->mask), bounds->low);
    return _mm_cmpgt_epi32(words, bounds->span);
}

static inline __m128i sse2_load(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Returns the upper halves of the four 64-bit words at `at`. */
static inline __m128i sse2_upper(const unsigned char *at)
{
    return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(sse2_load(at)),
                                           _mm_castsi128_ps(sse2_load(at + 16)), 0xDD));
}

static inline bool sse2_outside(const unsigned char *at, const sse2_bounds *bounds, bool wide)
{
    __m128i above;

    if (wide) {
        above = _mm_and_si128(sse2_above(sse2_upper(at), bounds),
                              sse2_above(sse2_upper(at + 32), bounds));
    } else {
        above = _mm_and_si128(_mm_and_si128(sse2_above(sse2_load(at), bounds),
                                            sse2_above(sse2_load(at + 16), bounds)),
                              _mm_and_si128(sse2_above(sse2_load(at + 32), bounds),
                                            sse2_above(sse2_load(at + 48), bounds)));
    }
    return _mm_movemask_epi8(above) == 0xFFFF;
}

DEFINE_WAY(by_sse2, , sse2_bounds, sse2_prepare, sse2_outside)

typedef struct avx2_bounds {
    __m256i mask, low, span;
} avx2_bounds;

static inline AVX2 avx2_bounds avx2_prepare(const search_bounds *bounds)
{
    avx2_bounds made;

    if (bounds->width == 8) {
        made.mask = _mm256_set1_epi64x((long long)bounds->mask);
        made.low = _mm256_set1_epi64x((long long)(bounds->low ^ TOP64));
        made.span = _mm256_set1_epi64x((long long)(bounds->span ^ TOP64));
    } else {
        made.mask = _mm256_set1_epi32((int)(uint32_t)bounds->mask);
        made.low = _mm256_set1_epi32((int)((uint32_t)bounds->low ^ TOP32));
        made.span = _mm256_set1_epi32((int)((uint32_t)bounds->span ^ TOP32));
    }
    return made;
}

static inline AVX2 bool avx2_outside(const unsigned char *at, const avx2_bounds *bounds, bool wide)
{
    __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i second = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));

    first = _mm256_and_si256(first, bounds->mask);
    second = _mm256_and_si256(second, bounds->mask);
    if (wide) {
        first = _mm256_cmpgt_epi64(_mm256_sub_epi64(first, bounds->low), bounds->span);
        second = _mm256_cmpgt_epi64(_mm256_sub_epi64(second, bounds->low), bounds->span);
    } else {
        first = _mm256_cmpgt_epi32(_mm256_sub_epi32(first, bounds->low), bounds->span);
        second = _mm256_cmpgt_epi32(_mm256_sub_epi32(second, bounds->low), bounds->span);
    }
    return _mm256_movemask_epi8(_mm256_and_si256(first, second)) == -1;
}

DEFINE_WAY(by_avx2, AVX2, avx2_bounds, avx2_prepare, avx2_outside)

/* Returns whether the processor has AVX2, and the system saves its registers. */
static bool has_avx2(void)
{
#if defined(_MSC_VER) && !defined(__clang__)
    int leaf[4];

    __cpuid(leaf, 0);
    if (leaf[0] < 7) {
        return false;
    }
    __cpuid(leaf, 1);
    if ((leaf[2] & (1 << 27)) == 0 || (_xgetbv(0) & 6) != 6) { /* OSXSAVE; XMM and YMM */
        return false;
    }
    __cpuidex(leaf, 7, 0);
    return (leaf[1] & (1 << 5)) != 0;
#else
    return __builtin_cpu_supports("avx2") != 0;
#endif
}

#elif defined(WITH_NEON)

typedef struct neon_bounds {
    uint64x2_t mask, low, span; /* of 32-bit words, each twice in a lane */
} neon_bounds;

static inline neon_bounds neon_prepare(const search_bounds *bounds)
{
    uint64_t twice = bounds->width == 8 ? 1 : (UINT64_C(1) << 32) + 1;
    neon_bounds made;

    made.mask = vdupq_n_u64(bounds->mask * twice);
    made.low = vdupq_n_u64(bounds->low * twice);
    made.span = vdupq_n_u64(bounds->span * twice);
    return made;
}

static inline uint64x2_t neon_above(const unsigned char *at, const neon_bounds *bounds, bool wide)
{
    uint64x2_t words = vandq_u64(vreinterpretq_u64_u8(vld1q_u8(at)), bounds->mask);

    if (wide) {
        return vcgtq_u64(vsubq_u64(words, bounds->low), bounds->span);
    }
    return vreinterpretq_u64_u32(
        vcgtq_u32(vsubq_u32(vreinterpretq_u32_u64(words), vreinterpretq_u32_u64(bounds->low)),
                  vreinterpretq_u32_u64(bounds->span)));
}

static inline bool neon_outside(const unsigned char *at, const neon_bounds *bounds, bool wide)
{
    uint64x2_t above =
        vandq_u64(vandq_u64(neon_above(at, bounds, wide), neon_above(at + 16, bounds, wide)),
                  vandq_u64(neon_above(at + 32, bounds, wide), neon_above(at + 48, bounds, wide)));

    return (vgetq_lane_u64(above, 0) & vgetq_lane_u64(above, 1)) == UINT64_MAX;
}

DEFINE_WAY(by_neon, , neon_bounds, neon_prepare, neon_outside)

#endif

size_t search_lanes_all(search_lanes ways[SEARCH_MOST_WAYS])
{
    size_t count = 0;

    ways[count++] = portable;
#if defined(WITH_SSE2)
    ways[count++] = by_sse2;
    if (has_avx2()) {
        ways[count++] = by_avx2;
    }
#elif defined(WITH_NEON)
    ways[count++] = by_neon;
#endif
    return count;
}

search_lanes search_lanes_best(void)
{
    search_lanes ways[SEARCH_MOST_WAYS];
    size_t count = search_lanes_all(ways);

    return ways[count - 1];
}
