// SPDX-License-Identifier: GPL-2.0-only
//
// How a judge says that something does not hold, and what it has judged.

#pragma once

#include <cstdlib>
#include <vector>

#include <fmt/format.h>

namespace vtd::fuzz {

// The process ends: that is what a fuzzer looks for.
template <class... Values>
void must(bool holds, fmt::format_string<Values...> what, Values&&... values) {
    if (holds)
        return;
    fmt::print(stderr, "{}\n", fmt::format(what, std::forward<Values>(values)...));
    std::abort();
}

// What has been judged, and how often: told at the end, since a fuzzer that never gets to a table
// finds no fault in it either.
class Count {
public:
    explicit Count(const char* what) : what_(what) { all().push_back(this); }
    void operator++(int) { number_++; }

private:
    static std::vector<const Count*>& all() {
        static std::vector<const Count*> counts;
        [[maybe_unused]] static const int told = std::atexit(tell);
        return counts;
    }
    static void tell() {
        for (const Count* count : all())
            if (count->number_)
                fmt::print(stderr, "judged: {} {}\n", count->number_, count->what_);
    }

    const char* what_;
    unsigned long number_ = 0;
};

} // namespace vtd::fuzz
