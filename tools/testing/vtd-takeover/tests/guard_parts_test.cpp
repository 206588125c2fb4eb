// SPDX-License-Identifier: GPL-2.0-only
//
// What the guard is made of: which memory is forbidden, and the note of each table that was
// visited.

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/guarded.h"

using namespace vtd;

namespace {

TEST(Shield, IsOneOfAllItsParts) {
    forbid();
    EXPECT_EQ(takeover_forbidden_pages(),
              low_end / page + (crash_end - crash_start) / page + (ours_end - ours_start) / page);
    for (const u64 edge : {u64{0}, low_end, crash_start, crash_end, ours_start, ours_end})
        for (const u64 at : {edge - 2 * page, edge - page, edge, edge + page})
            for (const u64 size : {page, 2 * page, u64{1} << 21}) {
                if (at + size < at)
                    continue;
                takeover_span free{};
                EXPECT_EQ(takeover_forbidden(at, size, &free), forbidden(at, size)) << at << size;
                if (!forbidden(at, size)) {
                    EXPECT_LE(free.first, at);
                    EXPECT_GE(free.last, at + size - 1);
                    EXPECT_FALSE(forbidden(free.first));
                    EXPECT_FALSE(forbidden(free.last));
                    EXPECT_TRUE(free.first == 0 || forbidden(free.first - 1));
                    EXPECT_TRUE(free.last == ~u64{0} || forbidden(free.last + 1));
                }
                EXPECT_EQ(takeover_all_forbidden(at, size),
                          forbidden(at) && forbidden(at + size - 1))
                    << at << ' ' << size;
            }
    takeover_forbid_nothing();
    EXPECT_EQ(takeover_forbidden_pages(), 0U);
}

// More ranges than there is room for: nothing that was forbidden is allowed.
TEST(Shield, ForbidsTooMuchRatherThanTooLittle) {
    takeover_forbid_nothing();
    for (u64 n = 200; n; n--)
        takeover_forbid(n * n * page, n * n * page + page);
    takeover_span free{};
    for (u64 n = 1; n <= 200; n++)
        EXPECT_TRUE(takeover_forbidden(n * n * page, page, &free)) << n;
    EXPECT_FALSE(takeover_forbidden((200 * 200 - 1) * page, page, &free))
        << "the nearest are joined";
    takeover_forbid_nothing();
}

// Gaps that get smaller, and memory that is taken out again piece by piece.
TEST(Shield, JoinsTheNearestOfTooMany) {
    takeover_forbid_nothing();
    std::vector<u64> starts;
    for (u64 n = 0, at = 1; n < 100; at += 200 - n, n++)
        starts.push_back(at * page);
    for (const u64 start : starts)
        takeover_forbid(start, start + page);
    takeover_span free{};
    for (const u64 start : starts)
        EXPECT_TRUE(takeover_forbidden(start, page, &free));
    EXPECT_FALSE(takeover_forbidden(starts[0] + page, page, &free)) << "the widest gap";

    takeover_forbid_nothing();
    takeover_forbid(0, 1000 * page);
    for (u64 n = 1; n < 400; n += 2)
        EXPECT_TRUE(takeover_allow(n * page, n * page + page));
    for (u64 n = 0; n < 1000; n++)
        if (n > 400 || n % 2 == 0) {
            EXPECT_TRUE(takeover_forbidden(n * page, page, &free)) << n;
        }
    takeover_forbid_nothing();
}

TEST(Shield, IsWhatWasForbiddenAndNotAllowedSince) {
    constexpr u64 pages = 300;
    std::mt19937_64 random(3);
    for (unsigned round = 0; round < 100; round++) {
        takeover_forbid_nothing();
        std::vector<bool> all(pages);
        for (unsigned step = 0; step < 30; step++) {
            const u64 first = random() % pages, end = first + random() % (pages - first) / 4;
            const bool forbids = random() % 3 != 0;
            bool any = false;
            for (u64 n = first; n < end; n++) {
                any |= all[n];
                all[n] = forbids;
            }
            if (forbids)
                takeover_forbid(first * page, end * page);
            else
                ASSERT_EQ(takeover_allow(first * page, end * page), any);
        }
        for (u64 n = 0; n < pages; n++) {
            takeover_span free{};
            ASSERT_EQ(takeover_forbidden(n * page, page, &free), all[n]) << round << ' ' << n;
        }
        ASSERT_EQ(takeover_forbidden_pages(), static_cast<u64>(std::ranges::count(all, true)));
    }
    takeover_forbid_nothing();
}

class Memo : public testing::Test {
protected:
    Memo() {
        budget.unit = &machine.unit;
        memo.budget = &budget;
    }
    ~Memo() override {
        takeover_memo_forget(&memo);
        EXPECT_EQ(budget.used, 0U);
        EXPECT_EQ(machine.live_tables, 0U);
    }
    void begin(unsigned pages) {
        budget.left = pages;
        takeover_memo_begin(&memo);
    }
    // Any table, of some hundreds of thousands.
    u64 any_key() {
        return takeover_memo_key(random() % 50000 * page, 1 + unsigned(random() % 3),
                                 1 + unsigned(random() % 5));
    }

    Machine machine;
    takeover_budget budget{};
    takeover_memo memo{};
    std::mt19937_64 random{1};
};

// It may have forgotten, but it knows nothing that is not so.
TEST_F(Memo, FindsWhatWasKeptLastOrNothing) {
    begin(10000);
    std::map<u64, int> all;
    std::size_t known = 0;
    for (unsigned n = 0; n < 200000; n++) {
        const u64 key = any_key();
        const auto kept = all.find(key);
        const int found = takeover_memo_find(&memo, key);
        ASSERT_TRUE(found == -ENOENT || (kept != all.end() && found == kept->second));
        if (found != -ENOENT)
            continue;
        const auto value = static_cast<int>(random() % (TAKEOVER_MEMO_VALUE + 1));
        takeover_memo_add(&memo, key, static_cast<unsigned>(value));
        ASSERT_EQ(takeover_memo_find(&memo, key), value);
        all[key] = value;
    }
    for (const auto& [key, value] : all)
        known += takeover_memo_find(&memo, key) == value;
    EXPECT_GT(known, TAKEOVER_MEMO_PAGES * VTD_TABLE_WORDS * 9 / 10);
    takeover_memo_forget(&memo);
    for (const auto& [key, value] : all)
        ASSERT_EQ(takeover_memo_find(&memo, key), -ENOENT);
}

// A terabyte in pages of 4 KiB: of its upper tables none is forgotten for all the others.
TEST_F(Memo, RemembersUpperTables) {
    begin(10000);
    const auto upper = [](u64 n) { return takeover_memo_key((n + 1000000) * page, 1, 2); };
    for (u64 n = 0; n < 1024; n++) {
        takeover_memo_add(&memo, upper(n), 7);
        for (u64 leaf = 0; leaf < 512; leaf++)
            takeover_memo_add(&memo, takeover_memo_key((n * 512 + leaf) * page, 1, 1), 0);
    }
    for (u64 n = 0; n < 1024; n++)
        ASSERT_EQ(takeover_memo_find(&memo, upper(n)), 7) << n;
}

// Of what it may take it takes a quarter, and no more than it can use; without any it knows
// nothing.
TEST_F(Memo, TakesAPartOfAnyBudget) {
    for (unsigned pages = 0; pages < 600; pages++) {
        begin(pages);
        EXPECT_LE(memo.nr_pages, std::min(pages / 4, TAKEOVER_MEMO_PAGES));
        EXPECT_GE(memo.nr_pages, std::min(pages / 8, TAKEOVER_MEMO_PAGES));
        const u64 key = any_key();
        takeover_memo_ahead(&memo, key);
        takeover_memo_add(&memo, key, 5);
        EXPECT_EQ(takeover_memo_find(&memo, key), memo.nr_pages ? 5 : -ENOENT);
        EXPECT_EQ(budget.used, memo.nr_pages ? 1U : 0U);
        takeover_memo_forget(&memo);
        ASSERT_EQ(budget.left, pages);
    }
}

// The kernel may have less than its budget says: then it remembers less.
TEST_F(Memo, TakesWhatThereIs) {
    for (int pages = 0; pages < 70; pages++) {
        machine.allocations = pages;
        begin(10000);
        unsigned known = 0;
        for (unsigned n = 0; n < 1000; n++) {
            const u64 key = any_key();
            takeover_memo_add(&memo, key, 5);
            known += takeover_memo_find(&memo, key) == 5;
        }
        EXPECT_EQ(budget.used, std::min(static_cast<unsigned>(pages), TAKEOVER_MEMO_PAGES));
        EXPECT_EQ(known == 1000, pages >= 64) << pages;
        EXPECT_EQ(known == 0, pages == 0);
        takeover_memo_forget(&memo);
        ASSERT_EQ(machine.live_tables, 0U);
    }
}

} // namespace
