// SPDX-License-Identifier: GPL-2.0-only
//
// Addresses and ids as types of their own, so that they cannot be mixed up.

#pragma once

#include <compare>
#include <cstdint>

namespace vtd::model {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = unsigned long long; // as the kernel has it

// Host physical: where memory is.
struct Hpa {
    u64 value{};
    auto operator<=>(const Hpa&) const = default;
    constexpr Hpa operator+(u64 bytes) const { return {value + bytes}; }
};

// What a device puts on the bus, and what a first stage of a nested pair yields.
struct Iova {
    u64 value{};
    auto operator<=>(const Iova&) const = default;
};

// 3.4.1: bus, device and function of a requester.
struct Rid {
    u16 value{};
    auto operator<=>(const Rid&) const = default;
    static constexpr Rid of(unsigned bus, unsigned device, unsigned function) {
        return {static_cast<u16>(bus << 8 | device << 3 | function)};
    }
    constexpr u8 bus() const { return static_cast<u8>(value >> 8); }
    constexpr u8 devfn() const { return static_cast<u8>(value); }
    constexpr unsigned device() const { return devfn() >> 3; }
    constexpr unsigned function() const { return devfn() & 7; }
};

// 20 bits.
struct Pasid {
    u32 value{};
    auto operator<=>(const Pasid&) const = default;
};

// Tags what caches hold (6.2.1).
struct Did {
    u16 value{};
    auto operator<=>(const Did&) const = default;
};

// 5.1.3: of an entry in the interrupt-remapping table. What a request yields may be beyond any
// table.
struct IrteIndex {
    u32 value{};
    auto operator<=>(const IrteIndex&) const = default;
};

inline constexpr unsigned page_bits = 12;
inline constexpr u64 page_size = u64{1} << page_bits;

} // namespace vtd::model
