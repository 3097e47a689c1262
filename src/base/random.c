#include "lae/base/random.h"

#include <Random123/philox.h>
#include <math.h>

struct lae_random lae_random_stream(uint64_t seed, enum lae_purpose purpose, uint32_t task,
                                    uint32_t epoch, uint32_t image)
{
    return (struct lae_random){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .image = image,
        .epoch_task = task << 16 | (epoch & 0xffffu),
        .purpose = (uint32_t)purpose,
    };
}

uint32_t lae_random_bits(const struct lae_random *stream, uint64_t index)
{
    philox4x32_ctr_t counter = {
        {(uint32_t)(index >> 2), stream->image, stream->epoch_task, stream->purpose}};
    philox4x32_key_t key = {{stream->key[0], stream->key[1]}};
    return philox4x32(counter, key).v[index & 3];
}

double lae_random_uniform(const struct lae_random *stream, uint64_t index)
{
    return (double)lae_random_bits(stream, index) * 0x1p-32;
}

uint32_t lae_random_below(const struct lae_random *stream, uint64_t index, uint32_t n)
{
    return (uint32_t)(((uint64_t)lae_random_bits(stream, index) * n) >> 32);
}

double lae_random_normal(const struct lae_random *stream, uint64_t index)
{
    double radius = 1.0 - lae_random_uniform(stream, 2 * index); /* (0, 1] */
    double angle = lae_random_uniform(stream, 2 * index + 1);
    return sqrt(-2.0 * log(radius)) * cos(6.283185307179586 * angle);
}
