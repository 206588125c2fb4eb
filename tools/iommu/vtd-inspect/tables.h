// SPDX-License-Identifier: GPL-2.0-only
//
// Going through all that a unit may read: the entries of its devices, the tables behind them, each
// once, however they are shared and whatever they point at. What an entry means is the model's to
// say; how a request is answered is translate()'s.

#pragma once

#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "dump.h"

namespace vtd::inspect {

// What one step of a walk read. The level is that of a page table, 0 elsewhere.
struct Step {
    Table table;
    Hpa at;
    std::vector<u64> words;
    unsigned level = 0;
};

// Memory, writing down what a walk reads.
class Recorder final : public Source {
public:
    explicit Recorder(const Ram& ram) : ram_(ram) {}
    std::optional<u64> word(Table table, Hpa at) override;
    void step(Table table, Hpa at, std::span<const u64> words) override {
        steps.push_back({table, at, {words.begin(), words.end()}});
    }
    std::vector<Step> steps;
    std::optional<std::pair<Table, Hpa>> missing; // what lies in no memory

private:
    const Ram& ram_;
};

// The requests of a device, with one PASID or without any, and where its entries lead them.
struct Stream {
    Rid rid;
    std::optional<Pasid> pasid;
    Destination destination;
    std::vector<Step> steps; // to the entries of this very device or PASID
    std::optional<std::pair<Table, Hpa>> missing;
};

Stream stream(const Dump& dump, const UnitState& unit, Rid rid, std::optional<Pasid> pasid);

// All whose context entry, and PASID entry, is present; first of each device that without PASID.
void for_each_stream(const Dump& dump, const UnitState& unit,
                     const std::function<void(const Stream&)>& see);

// What a page table may be asked.
struct Leaf {
    Iova first;
    Translation page;
    bool user;
    Hpa at; // of the entry
    unsigned level;
};
struct Flaw {
    Table table;
    Hpa at;
    u64 word;
    unsigned level;
    Iova first;
    std::string what;
};

// Page tables of one unit. By default a table is gone into once for each level and set of rights,
// whoever leads to it.
class PageTables {
public:
    PageTables(const Dump& dump, const UnitState& unit) : dump_(dump), unit_(unit) {}

    std::function<void(Table kind, Hpa at, unsigned level)> on_table;
    std::function<bool(const Leaf&)> on_leaf; // false: enough
    std::function<void(const Flaw&)> on_flaw;
    bool once = true;

    void go(const Destination& destination);

private:
    struct Place {
        Hpa table;
        unsigned level;
        Iova first;
        bool read = true, write = true, user = true;
    };
    struct Tree {
        Table kind;
        unsigned levels;
        unsigned width;
        const SecondStage* second; // of a nested pair
        Did did;
    };
    bool into(const Tree& tree, const Place& here);
    bool entry(const Tree& tree, const Place& here, unsigned slot, Hpa at, u64 word);
    bool leaf(const Tree& tree, const Place& here, const PageEntry& found, Hpa at);
    Page through(const SecondStage& second, u64 guest, Access access) const;

    const Dump& dump_;
    const UnitState& unit_;
    std::set<std::tuple<Table, Hpa, unsigned, unsigned>> seen_;
};

// A page that holds a table, and whose; which bits of it the unit sets by itself (3.6.2, 3.7.2).
struct TablePage {
    std::string what;
    u64 by_hardware;
};
// By address; the interrupt table is under `interrupts`.
struct Tables {
    std::map<Hpa, TablePage> pages;
    std::optional<std::pair<Hpa, u64>> interrupts; // address, bytes
};
Tables tables(const Dump& dump, const UnitState& unit);

// Levels of the page-table steps of a walk.
void number_levels(const Destination& destination, std::vector<Step>& steps);

std::string bdf(const UnitState& unit, Rid rid);

} // namespace vtd::inspect
