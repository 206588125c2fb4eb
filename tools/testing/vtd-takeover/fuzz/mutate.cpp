// SPDX-License-Identifier: GPL-2.0-only
//
// The structure-aware part of the fuzzers. Bytes changed at random hardly ever become a pointer to
// the next table, and the code behind it would not be reached. What is made here need not be right:
// tables are shared, contain each other and themselves, and have entries of other formats in them.

#include "fuzz/image.h"

#include <elf.h>
#include <random>

#include "fuzz/cross.h"
#include "model/capabilities.h"
#include "model/format.h"
#include "model/page_requests.h"
#include "model/registers.h"

namespace vtd::fuzz {

namespace {

using namespace model;

class Mutation {
public:
    Mutation(Image& image, unsigned seed) : image_(image), random_(seed) {}

    void run() {
        if (image_.stores.empty())
            begin();
        for (unsigned n = 1 + below(3); n; n--)
            one();
    }

private:
    unsigned below(unsigned end) { return static_cast<unsigned>(random_()) % end; }
    bool flip() { return below(2); }
    u64 word() { return u64{random_()} << 32 | random_(); }
    unsigned some_page() { return below(8) ? 1 + below(12) : below(pages); }

    // A machine to start from; with other registers little of the tables would be looked at.
    void begin() {
        Head& head = image_.head;
        // 256 ids, all widths, superpages, five levels of the first stage; posting.
        head.cap = 2 | u64{0xe} << 8 | u64{56} << 16 | u64{0x40} << 24 | u64{3} << 34 |
                   u64{1} << 56 | u64{1} << 59 | u64{1} << 60 | u64{flip()} << 63;
        head.ecap = 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 26 | u64{1} << 40 | u64{1} << 43 |
                    u64{1} << 29 | u64{1} << 42 | u64{1} << 46 | u64{1} << 47 | u64{1} << 49;
        head.iova = (word() & 0x7fffffffff) << page_bits >> below(18);
        head.pasid = below(200);
        for (u16& rid : head.rids)
            rid = static_cast<u16>(below(3) << 8 | below(256));
        head.gsts = u32{VTD_GSTS_TES};
        head.switches = static_cast<u16>(flip() | u32{flip()} << 2);
    }

    void one() {
        switch (below(13)) {
        case 0:
        case 1:
        case 2:
            way();
            break;
        case 3:
        case 4:
            interrupts();
            break;
        case 5:
            registers();
            break;
        case 6:
            header();
            break;
        case 7:
            put(some_page(), below(table_words), odd());
            break;
        case 8:
            page_requests();
            break;
        default:
            damage();
        }
    }

    void put(unsigned page, unsigned word, u64 value, unsigned count = 1, unsigned stride = 1) {
        image_.stores.push_back({static_cast<u16>(page), static_cast<u16>(word),
                                 static_cast<u16>(count), static_cast<u16>(stride), value});
    }

    // An address or a word that no kernel would write there.
    u64 odd() {
        const u64 values[] = {0,
                              ~u64{0},
                              fuzz::page(some_page()).value | 1,
                              memory.value + pages * fuzz::page_size,
                              memory.value + pages * fuzz::page_size - 8,
                              0xfee00000,
                              0xfed90000,
                              u64{1} << below(64),
                              word()};
        return values[below(std::size(values))];
    }

    // Entries of one kind fill a table now and then: one way for all, or a bomb.
    void link(unsigned page, unsigned at, unsigned stride, u64 value) {
        if (below(50))
            put(page, at, value);
        else
            put(page, at % stride, value, 1 + below(2 * table_words), stride);
    }

    // From a root table to a page, for one of the ids and the address that requests are tried for.
    void way() {
        Head& head = image_.head;
        const model::Rid rid{head.rids[below(4)]};
        const unsigned top = some_page(), contexts = some_page(), tables = some_page();
        const bool scalable = image_.in_scalable_mode();
        head.rtaddr = fuzz::page(top).value | rtaddr::ttm.make(scalable && below(8));
        image_.head.switches |= Switch::translated;
        const unsigned half = scalable ? rid.devfn() >> 7 : 0;
        link(top, rid.bus() * root::words + half, root::words,
             fuzz::page(contexts).value | present.make(1));

        const unsigned levels = 2 + 1 + below(3);
        const bool through = !below(6);
        const u64 did = flip() ? below(20) : word();
        if (scalable) {
            const unsigned pasids = some_page();
            const unsigned at = (rid.devfn() & 0x7f) * sm_context::words;
            link(contexts, at, sm_context::words,
                 fuzz::page(tables).value | sm_context::pdts.make(below(4) ? 0 : below(8)) |
                     sm_context::dte.make(flip()) | sm_context::paside.make(flip()) |
                     present.make(1));
            const u32 pasid = flip() ? 0 : head.pasid;
            link(tables, pasid / pasid_entry::per_table % table_words, 1,
                 fuzz::page(pasids).value | present.make(1));
            const unsigned entry = pasid % pasid_entry::per_table * pasid_entry::words;
            const unsigned paging = some_page();
            const unsigned type = 1 + below(4);
            link(pasids, entry + 1, pasid_entry::words, pasid_entry::did.make(did));
            if (type % 2)
                link(pasids, entry + 2, pasid_entry::words, fuzz::page(paging).value);
            link(pasids, entry, pasid_entry::words,
                 fuzz::page(paging).value | pasid_entry::aw.make(levels - aw_levels) |
                     pasid_entry::pgtt.make(through ? 4 : type) | present.make(1));
            pages_below(paging, levels);
            return;
        }
        const unsigned at = rid.devfn() * context::words;
        put(contexts, at + 1, context::did.make(did) | context::aw.make(levels - aw_levels));
        link(contexts, at, context::words,
             fuzz::page(tables).value | context::tt.make(through ? 2 : below(2)) | present.make(1));
        pages_below(tables, levels);
    }

    void pages_below(unsigned table, unsigned levels) {
        for (unsigned level = levels; level; level--) {
            const unsigned next = some_page();
            const auto at = static_cast<unsigned>(image_.head.iova >> level_shift(level) & 511);
            const bool last = level <= 3 && !below(4);
            // Present and writable, or readable and writable; of a user's.
            link(table, at, 1, fuzz::page(next).value | 7 | u64{last} << 7);
            if (last)
                return;
            table = next;
        }
    }

    void interrupts() {
        Head& head = image_.head;
        if (flip())
            head.irta = fuzz::page(some_page()).value | irta::size.make(below(16)) |
                        irta::eime.make(flip());
        const unsigned page = (head.irta - memory.value) / fuzz::page_size % pages;
        const unsigned at = below(table_words / 2) * irte::words;
        const u64 sid = flip() ? irte::sid.make(head.rids[below(4)]) | irte::svt.make(1) : word();
        u64 low = present.make(1) | irte::vector.make(below(256)) |
                  irte::delivery.make(below(4) ? below(2) : below(8)) |
                  irte::logical.make(!below(4));
        low |= irta::eime.in(head.irta) ? irte::destination.make(below(8) ? below(300) : word())
                                        : irte::destination_xapic.make(below(256));
        u64 high = sid;
        if (!below(3)) {
            const u64 to = fuzz::page(some_page()).value + below(64) * posted_descriptor::size;
            low = present.make(1) | irte::posted.make(1) | irte::vector.make(below(256)) |
                  posted_irte::address_low.make(to >> posted_irte::address_low_shift);
            high = (sid & ~posted_irte::address_high.mask()) |
                   posted_irte::address_high.make(to >> 32);
        }
        put(page, at + 1, high, below(8) ? 1 : 1 + below(table_words), irte::words);
        put(page, at, low, below(8) ? 1 : 1 + below(table_words), irte::words);
    }

    // A queue, and a run of requests in it, alike but for what their first says.
    void page_requests() {
        namespace request = page_request;
        Head& head = image_.head;
        const unsigned first = some_page(), order = below(4) ? below(3) : below(8);
        constexpr auto per_page = static_cast<unsigned>(fuzz::page_size / request::size);
        if (flip() || !head.pqa) {
            head.pqa = fuzz::page(first).value | queue_address::size.make(order);
            head.pqh = static_cast<u16>(below(per_page << order));
            head.pqt = static_cast<u16>((head.pqh + below(20)) % (per_page << order));
            head.asking = below(4) ? below(8) : below(70000);
        }
        constexpr auto stride = static_cast<unsigned>(request::size / sizeof(u64));
        const unsigned count = 1 + below(2 * per_page);
        const auto page = static_cast<unsigned>((head.pqa - memory.value) / fuzz::page_size +
                                                head.pqh / per_page) %
                          pages;
        const unsigned at = (head.pqh + below(8)) % per_page * stride;
        u64 low = request::type.make(below(8) ? request::request : below(256)) |
                  request::has_pasid.make(flip()) | request::rid.make(head.rids[below(4)]) |
                  request::pasid.make(head.pasid);
        u64 high = request::read.make(flip()) | request::write.make(flip()) |
                   request::last.make(below(4) != 0) | request::group.make(below(512)) |
                   (word() & request::address.mask());
        if (!below(4))
            (flip() ? low : high) = word();
        put(page, at, low, count, stride);
        put(page, at + 1, high, count, stride);
    }

    void registers() {
        Head& head = image_.head;
        u64* const words[] = {&head.cap,  &head.ecap,      &head.rtaddr,
                              &head.irta, &head.fault_low, &head.fault_high,
                              &head.iova, &head.firmware,  &head.pqa};
        u32* const halves[] = {&head.gsts, &head.fsts,  &head.iqh,
                               &head.iqt,  &head.pasid, &head.asking};
        switch (below(7)) {
        case 0:
            *words[below(std::size(words))] ^= u64{1} << below(64);
            break;
        case 1:
            *words[below(std::size(words))] = odd();
            break;
        case 2:
            *halves[below(std::size(halves))] ^= 1U << below(32);
            break;
        case 3:
            head.switches ^= static_cast<u16>(1 << below(10));
            break;
        case 4:
            head.rids[below(4)] = static_cast<u16>(flip() ? below(0x400) : word());
            break;
        case 5:
            (flip() ? head.pqh : head.pqt) ^= static_cast<u16>(1 << below(16));
            break;
        default:
            if (flip())
                head.allocations = static_cast<u8>(below(12));
            else
                head.poisoned = static_cast<u8>(below(13));
        }
    }

    // One more program header, behind the one that the core header has.
    void header() {
        constexpr unsigned e_phnum = 7, headers = 8, header_words = 7, p_paddr = 3, p_memsz = 5;
        const unsigned number = below(8);
        const unsigned at = headers + number * header_words;
        put(0, e_phnum, number + 1);
        put(0, at, PT_LOAD);
        put(0, at + p_paddr, flip() ? fuzz::page(some_page()).value : odd());
        put(0, at + p_memsz, flip() ? below(64) * fuzz::page_size : odd());
    }

    void damage() {
        if (image_.stores.empty())
            return;
        Store& store = image_.stores[below(static_cast<unsigned>(image_.stores.size()))];
        switch (below(7)) {
        case 0:
            store.value ^= u64{1} << below(64);
            break;
        case 1:
            store.value = odd();
            break;
        case 2: // itself
            store.value = (store.value & (fuzz::page_size - 1)) | fuzz::page(store.page).value;
            break;
        case 3:
            store.count = static_cast<u16>(1 + below(4 * table_words));
            store.stride = static_cast<u16>(1 << below(4));
            break;
        case 4:
            image_.stores.push_back(Store{store});
            break;
        case 5:
            store.page = static_cast<u16>(some_page());
            break;
        default:
            image_.stores.erase(image_.stores.begin() + (&store - image_.stores.data()));
        }
    }

    Image& image_;
    std::mt19937 random_;
};

} // namespace

Image mutate(Image image, unsigned seed) {
    Mutation(image, seed).run();
    return image;
}

Image cross(Image one, const Image& other, unsigned seed) {
    cross(one.stores, other.stores, seed);
    return one;
}

} // namespace vtd::fuzz
