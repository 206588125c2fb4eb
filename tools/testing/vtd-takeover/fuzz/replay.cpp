// SPDX-License-Identifier: GPL-2.0-only
//
// What is checked in for the guard's fuzzer, judged once each without the fuzzer: for counting
// which of the guard's code it reaches (scripts/gcov.py).

#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "fuzz/judge.h"

int main(int count, char** arguments) {
    unsigned inputs = 0;
    for (int n = 1; n < count; n++)
        for (const auto& entry : std::filesystem::directory_iterator(arguments[n])) {
            std::ifstream file(entry.path(), std::ios::binary);
            const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
            vtd::fuzz::guard(
                vtd::fuzz::Maze::parse({reinterpret_cast<const u8*>(bytes.data()), bytes.size()}));
            inputs++;
        }
    fmt::print("{} inputs\n", inputs);
    return inputs ? 0 : 1;
}
