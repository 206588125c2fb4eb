// SPDX-License-Identifier: GPL-2.0-only
//
// 6.5: which lines an invalidation has to remove. What it may remove beyond that stays: a line
// that might be there is there.

#include "model/caches.h"

namespace vtd::model {

namespace {

u64 extent(const Position& position) { return u64{1} << level_shift(position.level + 1); }
u64 extent(const Translation& page) { return u64{1} << page.page_bits; }

bool overlap(Iova a, u64 a_size, Iova b, u64 b_size) {
    return a.value - b.value < b_size || b.value - a.value < a_size;
}

} // namespace

void Caches::forget_contexts() { contexts.clear(); }

void Caches::forget_contexts(Did did, bool scalable) {
    std::erase_if(contexts, [=](const auto& line) { return scalable || line.did == did; });
}

void Caches::forget_contexts(Did did, Rid rid, unsigned function_mask, bool scalable) {
    // 6.5.2.1, FM: which bits of the function number count, the low one first to be left out.
    constexpr u16 left_out[] = {0, 4, 6, 7};
    const u16 mask = static_cast<u16>(~left_out[function_mask & 3]);
    std::erase_if(contexts, [=](const auto& line) {
        return (line.rid.value & mask) == (rid.value & mask) && (scalable || line.did == did);
    });
}

void Caches::forget_pasids() { pasids.clear(); }

void Caches::forget_pasids(Did did) {
    std::erase_if(pasids, [=](const auto& line) { return line.did == did; });
}

void Caches::forget_pasids(Did did, Pasid pasid) {
    std::erase_if(pasids, [=](const auto& line) { return line.did == did && line.pasid == pasid; });
}

void Caches::forget_pages() {
    pages.clear();
    walks.clear();
}

void Caches::forget_pages(Did did) {
    std::erase_if(pages, [=](const auto& line) { return line.tag.did == did; });
    std::erase_if(walks, [=](const auto& line) { return line.tag.did == did; });
}

void Caches::forget_pages(Did did, Iova first, unsigned order, bool leaves_only) {
    const u64 size = page_size << order;
    const Iova start{first.value & ~(size - 1)};
    std::erase_if(pages, [=](const auto& line) {
        return line.tag.did == did && line.tag.stage == Table::second_stage &&
               overlap(line.base, extent(line.page), start, size);
    });
    if (leaves_only)
        return;
    std::erase_if(walks, [=](const auto& line) {
        return line.tag.did == did && line.tag.stage == Table::second_stage &&
               overlap(line.base, extent(line.position), start, size);
    });
}

void Caches::forget_pages(Did did, Pasid pasid) {
    const auto named = [=](const auto& line) {
        return line.tag.did == did && line.tag.pasid == pasid;
    };
    std::erase_if(pages, named);
    std::erase_if(walks, named);
}

void Caches::forget_pages(Did did, Pasid pasid, Iova first, unsigned order, bool leaves_only) {
    const u64 size = page_size << order;
    const Iova start{first.value & ~(size - 1)};
    const auto named = [=](const auto& line, u64 bytes) {
        return line.tag.did == did && line.tag.pasid == pasid &&
               overlap(line.base, bytes, start, size);
    };
    std::erase_if(pages, [=](const auto& line) { return named(line, extent(line.page)); });
    if (!leaves_only)
        std::erase_if(walks, [=](const auto& line) { return named(line, extent(line.position)); });
}

void Caches::forget_device(Rid rid) {
    std::erase_if(devices, [=](const auto& line) { return line.rid == rid; });
}

void Caches::forget_device(Rid rid, std::optional<Pasid> pasid, Iova first, u64 size) {
    std::erase_if(devices, [=](const auto& line) {
        return line.rid == rid && line.pasid == pasid &&
               (!size || overlap(line.base, extent(line.page), first, size));
    });
}

void Caches::forget_device_pasids(Rid rid, Iova first, u64 size) {
    std::erase_if(devices, [=](const auto& line) {
        return line.rid == rid && line.pasid &&
               (!size || overlap(line.base, extent(line.page), first, size));
    });
}

void Caches::forget_interrupts() { interrupts.clear(); }

void Caches::forget_interrupts(IrteIndex index, unsigned order) {
    std::erase_if(interrupts, [=](const auto& line) {
        return line.index.value >> order == index.value >> order;
    });
}

} // namespace vtd::model
