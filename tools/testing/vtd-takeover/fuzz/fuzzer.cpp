// SPDX-License-Identifier: GPL-2.0-only
//
// What libFuzzer calls, compiled once for each function of judge.h: JUDGE is its name.

#include <algorithm>
#include <cstring>

#include "fuzz/judge.h"

using namespace vtd::fuzz;

// libFuzzer's own mutations, of bytes.
extern "C" std::size_t LLVMFuzzerMutate(u8* data, std::size_t size, std::size_t most);

namespace {

template <class Input> Input judged_by(void (*)(const Input&));
using Input = decltype(judged_by(JUDGE));

// What has grown too long loses its end.
std::size_t put(const Input& input, std::span<u8> out) {
    const auto bytes = input.bytes();
    const std::size_t kept = std::min(bytes.size(), out.size());
    std::memcpy(out.data(), bytes.data(), kept);
    return kept;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    JUDGE(Input::parse({data, size}));
    return 0;
}

// Structure and bytes by turns.
extern "C" std::size_t LLVMFuzzerCustomMutator(u8* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    if (size && seed % 2)
        return LLVMFuzzerMutate(data, size, most);
    return put(mutate(Input::parse({data, size}), seed), {data, most});
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const u8* one, std::size_t one_size,
                                                 const u8* other, std::size_t other_size, u8* out,
                                                 std::size_t most, unsigned seed) {
    return put(cross(Input::parse({one, one_size}), Input::parse({other, other_size}), seed),
               {out, most});
}
