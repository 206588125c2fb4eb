// SPDX-License-Identifier: GPL-2.0-only
//
// Tables at random, with all that can be wrong in them, in the RAM of a machine; and addresses to
// try. Nothing is said here of what should become of these.

#pragma once

#include <random>
#include <span>
#include <vector>

#include "model/format.h"
#include "model/translation.h"

namespace vtd::compare {

using namespace vtd::model;

enum class Mode { legacy, second, first };

// Below are tables, above are pages, each word of which holds its own address.
inline constexpr Hpa first_page{8 << 20};

struct Try {
    std::size_t device;
    Iova iova;
    bool read;
};

class Tables {
public:
    Tables(std::span<u64> ram, Mode mode, Capabilities can, std::vector<Rid> devices, u64 seed);

    u64 rtaddr() const;
    std::vector<Try> tries(unsigned number);

private:
    bool chance(unsigned percent) { return below(100) < percent; }
    u64 below(u64 end) { return std::uniform_int_distribution<u64>(0, end - 1)(random_); }
    template <class T> T one_of(std::initializer_list<T> all) {
        return all.begin()[below(all.size())];
    }

    u64& word(Hpa at) { return ram_[at.value / sizeof(u64)]; }
    Hpa table();
    Hpa nowhere();
    void enter(Rid rid);
    u64 pasid_directory();
    void second(Hpa top, unsigned levels, Iova iova);
    void first(Hpa top, unsigned levels, Iova iova);
    Iova address();

    std::span<u64> ram_;
    Mode mode_;
    Capabilities can_;
    std::vector<Rid> devices_;
    std::mt19937_64 random_;
    Hpa next_{1 << 20}; // below lie a hole and firmware
    Hpa root_;
    struct Top {
        Hpa second, first;
        unsigned levels;
    };
    std::vector<Top> tops_; // of each device
    Top current_{};
};

} // namespace vtd::compare
