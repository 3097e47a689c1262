/* How libFuzzer changes files in HDF5. Addresses in them are absolute and most bytes are zeros, so
 * that inserting, erasing and changing at random hardly ever leaves a file: instead a number where
 * something is written becomes another one, in place. One change in eight is libFuzzer's own. */
#include "fuzz.h"

#include "../../src/store/seal.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed);

/* Numbers that depend on nothing but the seed (Numerical Recipes' congruential generator). */
static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A place behind the seal at or a little before a byte that is not zero. */
static size_t choose_place(const uint8_t *data, size_t size, uint32_t *state)
{
    size_t room = size - LAE_SEAL_BYTES, at = draw(state) % room;
    for (size_t i = 0; i < room; i++, at = (at + 1) % room)
        if (data[LAE_SEAL_BYTES + at] != 0) break;
    size_t back = draw(state) % 8;
    return LAE_SEAL_BYTES + (at > back ? at - back : at);
}

static uint64_t choose_value(const uint8_t *data, size_t size, uint64_t before, uint32_t *state)
{
    uint64_t other = 0;
    switch (draw(state) % 8) {
    case 0:
        return before + 1;
    case 1:
        return before - 1;
    case 2:
        return before ^ (uint64_t)1 << draw(state) % 64;
    case 3:
        return 0;
    case 4:
        return UINT64_MAX >> draw(state) % 64;
    case 5:
        return size - LAE_SEAL_BYTES - draw(state) % 16;
    case 6:
        memcpy(&other, data + choose_place(data, size - sizeof other, state), sizeof other);
        return other;
    default:
        return draw(state);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed)
{
    uint32_t state = seed;
    if (size < LAE_SEAL_BYTES + 64 || draw(&state) % 8 == 0)
        return LLVMFuzzerMutate(data, size, limit);
    for (uint32_t changes = 1 + draw(&state) % 3; changes > 0; changes--) {
        uint64_t value = 0;
        size_t at = choose_place(data, size - sizeof value, &state);
        size_t width = (size_t)1 << draw(&state) % 4;
        memcpy(&value, data + at, width);
        value = choose_value(data, size, value, &state);
        memcpy(data + at, &value, width); /* little-endian, as the file is */
    }
    return size;
}
