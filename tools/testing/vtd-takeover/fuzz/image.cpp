// SPDX-License-Identifier: GPL-2.0-only
//
// See image.h.

#include "fuzz/image.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "harness/vectors.h"

namespace vtd::fuzz {

namespace {

template <class T> std::span<const u8> take(std::span<const u8> bytes, T& into) {
    const std::size_t size = std::min(bytes.size(), sizeof(T));
    std::memcpy(&into, bytes.data(), size);
    return bytes.subspan(size);
}

template <class T> void append(std::vector<u8>& bytes, const T& value) {
    const auto at = bytes.size();
    bytes.resize(at + sizeof(T));
    std::memcpy(bytes.data() + at, &value, sizeof(T));
}

} // namespace

Image Image::parse(std::span<const u8> bytes) {
    Image image;
    if (bytes.empty())
        return image;
    bytes = take(bytes, image.head);
    while (bytes.size() >= sizeof(Store))
        bytes = take(bytes, image.stores.emplace_back());
    return image;
}

std::vector<u8> Image::bytes() const {
    std::vector<u8> all;
    append(all, head);
    for (const Store& store : stores)
        append(all, store);
    return all;
}

void Image::load(Machine& machine) const {
    machine.add_old_ram(memory, pages * page_size);
    const std::array ram{std::pair{memory, pages * page_size}};
    machine.write_elfcorehdr(memory, ram);
    std::array<u64*, pages> words;
    for (unsigned number = 0; number < pages; number++)
        words[number] = machine.old_page(page(number)).data();
    for (const Store& store : stores) {
        const unsigned first = store.page % pages * VTD_TABLE_WORDS + store.word % VTD_TABLE_WORDS;
        const unsigned stride = std::max<unsigned>(store.stride, 1);
        // At least once; what is beyond the last page is nowhere.
        for (unsigned n = 0; n < std::max<unsigned>(store.count, 1); n++) {
            const unsigned at = first + n * stride;
            if (at >= pages * VTD_TABLE_WORDS)
                break;
            words[at / VTD_TABLE_WORDS][at % VTD_TABLE_WORDS] = store.value;
        }
    }
    if (head.poisoned)
        machine.poisoned.insert(page(head.poisoned));

    takeover_unit& unit = machine.unit;
    unit.cap = head.cap;
    unit.ecap = head.ecap;
    unit.scalable = in_scalable_mode();
    learn_vectors(unit);
    if (has(few_vectors))
        for (unsigned vector = 0x40; vector < VTD_VECTORS; vector++)
            __set_bit(vector, unit.fatal_vectors);
    machine.gsts = head.gsts | (has(translated) ? u32{VTD_GSTS_TES} : 0);
    machine.rtaddr = head.rtaddr;
    machine.irta = head.irta;
    machine.fsts = head.fsts;
    machine.iqh = head.iqh;
    machine.iqt = head.iqt;
    machine.pqa = head.pqa;
    machine.pqh = u64{head.pqh} * VTD_PRQ_SIZE;
    machine.pqt = u64{head.pqt} * VTD_PRQ_SIZE;
    machine.drains = !has(stuck);
    machine.answers = !has(deaf);
    const auto records = static_cast<unsigned>(FIELD_GET(VTD_CAP_FRO, head.cap)) * VTD_FRCD_SIZE;
    const unsigned number = static_cast<unsigned>(FIELD_GET(VTD_CAP_NFR, head.cap)) + 1;
    for (unsigned n = 0; n < number; n++) {
        machine.fault_records[records + n * VTD_FRCD_SIZE] = head.fault_low + n;
        machine.fault_records[records + n * VTD_FRCD_SIZE + sizeof(u64)] = head.fault_high;
    }
    if (head.allocations)
        machine.allocations = head.allocations - 1;
    if (has(reserves)) {
        const u64 start = head.firmware & ~(page_size - 1);
        const u64 end = start + 3 * page_size - 1;
        if (end > start)
            machine.firmware.push_back({{head.rids[0]}, start, end});
    }
}

} // namespace vtd::fuzz
