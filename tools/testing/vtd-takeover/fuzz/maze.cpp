// SPDX-License-Identifier: GPL-2.0-only
//
// See maze.h.

#include "fuzz/maze.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "fuzz/cross.h"
#include "model/format.h"

namespace vtd::fuzz {

namespace {

constexpr Phys root_table = page(1);

// Many words in few places: two tables that lead somewhere do so for the same addresses.
unsigned slot_of(const Step& step) {
    constexpr std::array<unsigned, 8> common{0, 1, 2, 255, 256, 299, 510, 511};
    return step.slot < 160 ? common[step.slot % common.size()] : step.slot * 4U % 512 + 3;
}

constexpr std::array<u64, 16> rights{7,    3,    0x83, 0x87,  1,    2,    0x85, 0x82,
                                     0x86, 0x81, 4,    0x107, 0x17, 0x15, 0,    0x1087};

// The pages at which something begins or ends.
constexpr std::array<u64, 8> edges{crash_start, crash_end, low_end,    u64{1} << 30,
                                   0x2a000000,  0,         0xfee00000, u64{1} << 39};

} // namespace

u64 table_at(unsigned number) {
    number %= all_tables;
    if (number < good_tables)
        return page(first_table + number).value;
    constexpr std::array<u64, all_tables - good_tables> bad{
        crash_start, crash_end - page_size, 0xfed90000, memory.value + pages * page_size};
    return bad[number - good_tables];
}

Maze Maze::parse(std::span<const u8> bytes) {
    Maze maze;
    if (bytes.empty())
        return maze;
    std::memcpy(&maze.head, bytes.data(), std::min(bytes.size(), sizeof(MazeHead)));
    for (std::size_t at = sizeof(MazeHead); at + sizeof(Step) <= bytes.size(); at += sizeof(Step))
        std::memcpy(&maze.steps.emplace_back(), bytes.data() + at, sizeof(Step));
    return maze;
}

std::vector<u8> Maze::bytes() const {
    std::vector<u8> all(sizeof(MazeHead) + steps.size() * sizeof(Step));
    std::memcpy(all.data(), &head, sizeof(MazeHead));
    if (!steps.empty())
        std::memcpy(all.data() + sizeof(MazeHead), steps.data(), steps.size() * sizeof(Step));
    return all;
}

// Few pages, or enough. To fill more takes seconds, for every device and range once more.
unsigned Maze::budget() const {
    constexpr unsigned enough = 400, vast = 40000;
    if (head.budget == 0xff && has(MazeSwitch::vast) && steps.size() == 1)
        return vast;
    return head.budget ? head.budget : enough;
}

u64 Maze::place(unsigned what, u64 number) const {
    const u64 edge = edges[number / 8 % edges.size()] + (number % 8 - 4) * page_size;
    switch (what % 16) {
    default:
        return table_at(static_cast<unsigned>(number));
    case 6:
        return crash_start + number % ((crash_end - crash_start) / page_size) * page_size;
    case 7:
    case 8:
        return edge;
    case 9:
        return edge & -(u64{1} << 21);
    case 10:
        return edge & -(u64{1} << 30);
    case 11:
        return number * page_size;
    case 12:
        return number << 21;
    case 13:
        return number << 30;
    case 14:
        return u64{1} << number % 64;
    case 15:
        return number * 0x9e3779b97f4a7c15ULL & ~(page_size - 1);
    }
}

void Maze::rule(u64 start, u64 end, bool forbids) {
    start &= ~(page_size - 1);
    end = (end + page_size - 1) & ~(page_size - 1);
    rulings.push_back({start, end, forbids});
}

void Maze::device(Machine& machine, const Step& step) {
    const Rid rid = devices[step.table % std::size(devices)];
    const bool scalable = has(MazeSwitch::scalable);
    const std::size_t words = scalable ? model::sm_context::words : model::context::words;
    const unsigned contexts = scalable && rid.value & 0x80 ? 3 : 2;
    u64* const entry =
        machine.old_page(page(contexts)).data() + (rid.value & (scalable ? 0x7f : 0xff)) * words;
    // A kernel of ours has few domains; the driver's id is 1.
    const u64 did = step.count < 8 ? 2 + step.count : step.count % 64U;
    const u64 high = step.slot == 0xff ? u64{1} << 43 : 0;
    const u64 top = table_at(step.number) | high;
    if (scalable) {
        entry[0] = top | model::sm_context::paside.make(step.how) |
                   model::sm_context::dte.make(step.how >> 1) |
                   model::sm_context::pdts.make(step.how >> 2) |
                   model::fault_disable.make(step.how >> 7) | 1;
        entry[1] = model::sm_context::rid_pasid.make(step.how & 0x20 ? step.slot : 0) |
                   model::sm_context::rid_priv.make(step.how >> 6);
        return;
    }
    entry[0] = (step.how & 0x40 ? high : top) | model::context::tt.make(step.how) |
               model::fault_disable.make(step.how >> 7) | 1;
    entry[1] = model::context::aw.make((step.how >> 2 ^ 2) & 7) | model::context::did.make(did);
}

void Maze::pasid_entry(Machine& machine, const Step& step) {
    using namespace model::pasid_entry;
    constexpr std::array<u64, 8> types{2, 1, 4, 3, 2, 1, 0, 5};
    const u64 type = types[step.how & 7];
    const u64 top = table_at(step.number), first = table_at(step.number >> 8);
    const unsigned number = step.slot % per_table;
    u64* const entry =
        machine.old_page({table_at(step.table)}).data() + number * std::size_t{words};
    const bool high = step.count & 0x8000;
    entry[0] = pgtt.make(type) | aw.make((step.how >> 3 & 3) ^ 2 ^ (step.count >> 12 & 4)) |
               model::fault_disable.make(step.count >> 13) | 1;
    entry[0] |= (type == 2 || type == 3 ? top : 0) | (high ? u64{1} << 43 : 0);
    entry[1] = did.make(step.count < 8 ? 2 + step.count : step.count % 64U);
    entry[2] = (type == 1   ? top
                : type == 3 ? first
                            : 0) |
               fspm.make(step.how >> 5) | sre.make(step.how >> 7) |
               (step.count & 0x1000 ? u64{1} << 43 : 0);
    // As an entry of every one of the first tables of a directory.
    if (used_pasids.size() < 8)
        used_pasids.push_back(number);
}

// Memory that is forbidden, a piece or many of them; or that firmware reserves.
void Maze::range(Machine& machine, const Step& step) {
    const u64 start = place(step.slot, step.number) & ((u64{1} << 50) - 1);
    const bool extreme = step.count == 0xffff;
    const u64 size = (1 + step.count % 512U) * page_size - (step.how & 2 ? 0x800 : 0);
    if (step.how & 1) {
        const Rid rid = devices[step.table % std::size(devices)];
        if (machine.firmware.size() < 4)
            // Firmware may have them the wrong way round.
            machine.firmware.push_back({rid, start, extreme ? start - 1 : start + size - 1});
        return;
    }
    if (extreme) { // a program header may say that nothing was moved to there
        rule(start, start, true);
        return;
    }
    if (step.table & 0x80) { // as much as a machine has
        rule(start, start + (size << 18), true);
        return;
    }
    u64 at = start;
    for (unsigned n = 0, left = 1 + (step.how >> 2) * 2U; n < left; n++) {
        rule(at, at + size, true);
        at += size + (1 + (step.table & 1 ? left - n : n)) * page_size;
    }
}

void Maze::load(Machine& machine) {
    const u64 ram_size = (pages + hole_pages) * page_size;
    machine.add_old_ram(memory, ram_size);
    const std::array ram{std::pair{memory, ram_size}};
    machine.write_elfcorehdr(elfcorehdr, ram);
    for (unsigned number = 0; number < first_table; number++)
        machine.old_page(page(number));
    for (unsigned number = 0; number + 1 < all_tables; number++)
        machine.old_page({table_at(number)});
    machine.old_page(root_table)[0] = page(2).value | 1;
    if (has(MazeSwitch::scalable))
        machine.old_page(root_table)[1] = page(3).value | 1;

    rule(elfcorehdr.value, elfcorehdr.value + page_size, true);
    if (!has(MazeSwitch::no_crash)) {
        rule(crash_start, crash_end, true);
        rule(0, low_end, true);
    }
    if (!has(MazeSwitch::far))
        rule(ours_start, ours_end, true);

    for (const Step& step : steps) {
        Page& table = machine.old_page({table_at(step.table % (all_tables - 1))});
        switch (step.kind % 16) {
        default: { // words of a table, to the same place or to one after the other
            const unsigned slot = slot_of(step), count = step.count >> 4;
            for (unsigned n = 0; n <= count && slot + n < table.size(); n++)
                table[slot + n] = place(step.how & 15, step.number + (step.count & 1) * u64{n}) |
                                  rights[step.how >> 4];
            break;
        }
        case 9:
        case 10:
            device(machine, step);
            break;
        case 11:
            table[step.slot & 0x80 ? slot_of(step) : step.slot % 4U] =
                table_at(step.number) | (step.how & 1 ? 2 : 0) | (step.how & 2 ? 0 : 1);
            if (used_pasids.size() < 8)
                used_pasids.push_back((step.slot & 0x80 ? slot_of(step) : step.slot % 4U) * 64);
            break;
        case 12:
            pasid_entry(machine, step);
            break;
        case 13:
            range(machine, step);
            break;
        case 14:
            failing[table_at(step.table % good_tables)] = {step.count % 16U,
                                                           static_cast<bool>(step.how & 1)};
            break;
        case 15:
            notes.push_back(step);
            break;
        }
    }

    takeover_unit& unit = machine.unit;
    const auto unless = [&](Lack lack, unsigned bit) { return u64{!lacks(lack)} << bit; };
    unit.scalable = has(MazeSwitch::scalable);
    // No unit has the larger pages alone.
    const bool has_1g = !lacks(Lack::pages_2m) && !lacks(Lack::pages_1g);
    // 256 ids; 48 and 57 bits
    unit.cap = 2 | (u64{0x0c} ^ (head.sagaw & 0x1f)) << 8 | (u64{56} ^ (head.width & 0x3f)) << 16 |
               unless(Lack::pages_2m, 34) | u64{has_1g} << 35 | unless(Lack::first_1g, 56) |
               unless(Lack::zlr, 22) | unless(Lack::first_5_levels, 60);
    unit.ecap = u64{has(MazeSwitch::scalable)} << 43 | unless(Lack::second_stage, 46) |
                unless(Lack::first_stage, 47) | unless(Lack::pass_through, 6) |
                unless(Lack::nesting, 26) | unless(Lack::pasids, 40) | unless(Lack::rid_pasid, 49) |
                unless(Lack::supervisors, 31) | unless(Lack::device_tlb, 2);
    unit.unguarded = head.odds & 2;
    machine.budget(budget());
    unit.strict = !lenient();
    unit.address_bits = has(MazeSwitch::wide) ? 42 : 36;
    unit.quarantine = has(MazeSwitch::cuts) ? TAKEOVER_CUT : TAKEOVER_SCRATCH;
    machine.gsts = u32{VTD_GSTS_TES} | u32{VTD_GSTS_RTPS};
    machine.rtaddr = root_table.value | (has(MazeSwitch::scalable) ? 1 << 10 : 0);
    machine.functions_answer = !has(MazeSwitch::unanswering);
    if (has(MazeSwitch::remembering))
        for (const Rid rid : devices)
            machine.functions[rid] = {{rid.value}, VTD_DEVICE_ATS | VTD_DEVICE_PASID};
    if (head.allocations)
        machine.allocations = head.allocations - 1;
    if (head.odds & 1)
        machine.no_did = -ENOSPC;
}

namespace {

class Changes {
public:
    Changes(Maze& maze, unsigned seed) : maze_(maze), random_(seed) {}

    void run() {
        if (maze_.steps.empty())
            begin();
        for (unsigned n = 1 + below(3); n; n--)
            one();
    }

private:
    unsigned below(unsigned end) { return static_cast<unsigned>(random_()) % end; }
    u8 byte(unsigned end = 256) { return static_cast<u8>(below(end)); }

    void begin() {
        maze_.head.switches = byte(4) & 3;
        way();
        way();
    }

    void one() {
        switch (below(8)) {
        case 0:
            way();
            break;
        case 1:
        case 2:
            maze_.steps.insert(maze_.steps.begin() + below(number() + 1), any());
            break;
        case 3:
            head();
            break;
        default:
            change();
        }
    }

    unsigned number() const { return static_cast<unsigned>(maze_.steps.size()); }

    Step any() {
        const bool special = below(2);
        return {special ? static_cast<u8>(9 + below(7)) : u8{0},
                byte(below(8) ? 8 : 32),
                byte(below(4) ? 8 : 256),
                byte(),
                static_cast<u16>(below(below(4) ? 64 : 65536)),
                static_cast<u16>(below(3) ? below(16) : below(65536))};
    }

    // From a context entry to a page.
    void way() {
        const u8 device = byte(4);
        u8 table = byte(8);
        const u8 stage = static_cast<u8>(below(4) ? byte(4) : byte());
        const u8 device_how = static_cast<u8>(below(4) ? 1 : byte());
        if (maze_.has(MazeSwitch::scalable)) {
            const u8 directory = static_cast<u8>(16 + byte(4)), pasid_table = byte(28);
            maze_.steps.push_back({9, device, 0, device_how, directory, 0});
            maze_.steps.push_back({11, directory, 0, 0, pasid_table, 0});
            maze_.steps.push_back({12, pasid_table, byte(2), stage, table, byte(8)});
        } else {
            const u8 how = static_cast<u8>(below(6) ? 0 : 0x42);
            maze_.steps.push_back({9, device, 0, how, table, byte(8)});
        }
        const u8 slot = byte(8);
        for (unsigned level = 4; level; level--) {
            const u8 next = byte(28);
            const bool last = level <= 3 && below(3) == 0;
            if (level == 1 || last) {
                const u8 how =
                    static_cast<u8>((last ? 2 + below(2) : below(2)) << 4 | (6 + below(8)));
                maze_.steps.push_back({0, table, slot, how, static_cast<u16>(below(64)),
                                       static_cast<u16>(below(4) ? 0 : below(65536))});
                return;
            }
            maze_.steps.push_back({0, table, slot, 0, next, 0});
            table = next;
        }
    }

    void head() {
        MazeHead& head = maze_.head;
        switch (below(8)) {
        case 0:
        case 1:
            head.lacks ^= static_cast<u16>(1 << below(13));
            break;
        case 2:
            head.sagaw ^= static_cast<u8>(1 << below(5));
            break;
        case 3:
            head.width ^= static_cast<u8>(1 << below(6));
            break;
        case 4:
            head.switches ^= static_cast<u8>(1 << below(7));
            break;
        case 5:
            head.budget = below(4) ? byte(below(2) ? 40 : 255) : u8{0};
            break;
        case 6:
            head.allocations = below(2) ? byte(50) : u8{0};
            break;
        default:
            head.odds = below(2) ? byte(2) : static_cast<u8>(byte(16) << 2);
            if (!below(4))
                head.odds |= 0x80;
        }
    }

    void change() {
        if (maze_.steps.empty())
            return;
        Step& step = maze_.steps[below(number())];
        switch (below(7)) {
        case 0:
            step.table = byte(32);
            break;
        case 1:
            step.slot = byte();
            break;
        case 2:
            step.how ^= static_cast<u8>(1 << below(8));
            break;
        case 3:
            step.number = static_cast<u16>(below(below(4) ? 64 : 65536));
            break;
        case 4:
            step.count ^= static_cast<u16>(1 << below(16));
            break;
        case 5:
            maze_.steps.push_back(Step{step});
            break;
        default:
            maze_.steps.erase(maze_.steps.begin() + (&step - maze_.steps.data()));
        }
    }

    Maze& maze_;
    std::mt19937 random_;
};

} // namespace

Maze mutate(Maze maze, unsigned seed) {
    Changes(maze, seed).run();
    return maze;
}

Maze cross(Maze one, const Maze& other, unsigned seed) {
    cross(one.steps, other.steps, seed);
    return one;
}

} // namespace vtd::fuzz
