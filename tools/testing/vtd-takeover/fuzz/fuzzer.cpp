// SPDX-License-Identifier: GPL-2.0-only
//
// What libFuzzer calls, compiled once for each function of judge.h: JUDGE is its name.

#include <algorithm>
#include <cstring>
#include <random>

#include "fuzz/judge.h"

using namespace vtd::fuzz;

// libFuzzer's own mutations, of bytes.
extern "C" std::size_t LLVMFuzzerMutate(u8* data, std::size_t size, std::size_t most);

namespace {

// What has grown too long loses its end.
std::size_t put(const Image& image, std::span<u8> out) {
    const auto bytes = image.bytes();
    const std::size_t kept = std::min(bytes.size(), out.size());
    std::memcpy(out.data(), bytes.data(), kept);
    return kept;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    JUDGE(Image::parse({data, size}));
    return 0;
}

// Structure and bytes by turns.
extern "C" std::size_t LLVMFuzzerCustomMutator(u8* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    if (size && seed % 2)
        return LLVMFuzzerMutate(data, size, most);
    return put(mutate(Image::parse({data, size}), seed), {data, most});
}

// One's registers, and some stores of both.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const u8* one, std::size_t one_size,
                                                 const u8* other, std::size_t other_size, u8* out,
                                                 std::size_t most, unsigned seed) {
    std::minstd_rand random(seed);
    Image image = Image::parse({one, one_size});
    std::erase_if(image.stores, [&](const Store&) { return random() % 4 == 0; });
    for (const Store& store : Image::parse({other, other_size}).stores)
        if (random() % 2)
            image.stores.push_back(store);
    return put(image, {out, most});
}
