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
        budget.left = 10000;
        memo.budget = &budget;
    }
    ~Memo() override {
        takeover_memo_free(&memo);
        EXPECT_EQ(budget.used, 0U);
        EXPECT_EQ(machine.live_tables, 0U);
    }

    Machine machine;
    takeover_budget budget{};
    takeover_memo memo{};
};

TEST_F(Memo, FindsWhatWasKeptAndNothingElse) {
    std::mt19937_64 random(1);
    std::map<u64, unsigned> all;
    EXPECT_EQ(takeover_memo_find(&memo, takeover_memo_key(page, 1)), -ENOENT);
    while (all.size() < 200000) {
        // Half of them side by side, as a kernel has them.
        const u64 at = all.size() % 2 ? all.size() * page : random() % (u64{1} << 40) * page;
        const u64 key = takeover_memo_key(at, 1 + static_cast<unsigned>(random() % 30));
        const unsigned value = 1 + static_cast<unsigned>(random() % ((1 << 18) - 1));
        if (!all.emplace(key, value).second)
            continue;
        ASSERT_EQ(takeover_memo_find(&memo, key), -ENOENT);
        ASSERT_EQ(takeover_memo_add(&memo, key, value), 0);
        // Of a handful a page is more; this is about many.
        if (all.size() > 4096) {
            ASSERT_LE(memo.nr_pages * page, 16 * all.size()) << all.size();
        }
    }
    for (const auto& [key, value] : all)
        ASSERT_EQ(takeover_memo_find(&memo, key), static_cast<int>(value));
    EXPECT_EQ(memo.nr_keys, all.size());
}

// Most tables have no value, and eight of them one key; that of a neighbour is not theirs.
TEST_F(Memo, TellsNeighboursApart) {
    std::mt19937_64 random(2);
    std::map<u64, unsigned> all;
    while (all.size() < 50000) {
        const u64 key = takeover_memo_key(random() % 100000 * page, 1 + unsigned(random() % 3));
        const unsigned value = random() % 8 ? 0 : 1 + static_cast<unsigned>(random() % 255);
        if (!all.emplace(key, value).second)
            continue;
        ASSERT_EQ(takeover_memo_find(&memo, key), -ENOENT);
        ASSERT_EQ(takeover_memo_add(&memo, key, value), 0);
    }
    for (u64 n = 0; n < 100000; n++)
        for (unsigned kind = 1; kind <= 4; kind++) {
            const u64 key = takeover_memo_key(n * page, kind);
            const auto found = all.find(key);
            ASSERT_EQ(takeover_memo_find(&memo, key),
                      found == all.end() ? -ENOENT : static_cast<int>(found->second));
        }
    EXPECT_LT(memo.nr_keys, all.size());
}

// In the order in which they lie, as they mostly come: then the last one tells of the next one. Not
// if what is kept was moved meanwhile, which happens most while there is little.
TEST_F(Memo, TellsOfTheNextOne) {
    std::mt19937_64 random(3);
    for (unsigned round = 0; round < 500; round++) {
        std::map<u64, int> all;
        const auto key_of = [](unsigned n) {
            return takeover_memo_key((n / 100 * 50 + n % 50) * page, 1 + n / 50 % 2);
        };
        const unsigned first = static_cast<unsigned>(random() % 100000);
        for (unsigned n = first; n < first + 300; n++) {
            // The one before, others near by, one of the other kind, and one that is far away.
            for (const unsigned at :
                 {n, n ^ 1U, n ^ 6U, n - 50, first + static_cast<unsigned>(random() % 300)}) {
                const auto found = all.find(key_of(at));
                ASSERT_EQ(takeover_memo_find(&memo, key_of(at)),
                          found == all.end() ? -ENOENT : found->second);
            }
            const int value = random() % 2 ? 0 : 1 + static_cast<int>(random() % 255);
            ASSERT_EQ(takeover_memo_add(&memo, key_of(n), static_cast<unsigned>(value)), 0);
            all.emplace(key_of(n), value);
        }
        for (const auto& [key, value] : all)
            ASSERT_EQ(takeover_memo_find(&memo, key), value);
        takeover_memo_free(&memo);
    }
}

// Addresses that were chosen for it all get into one chain.
TEST_F(Memo, RefusesWhatLooksAlike) {
    unsigned kept = 0;
    int ret = 0;
    for (u64 n = 1; !ret && n < 1000000; n++) {
        const u64 key = takeover_memo_key(n * page, 1);
        if (((key & ~u64{TAKEOVER_MEMO_NEAR}) * 0x9e3779b97f4a7c15ULL >> 32) % (1 << 12))
            continue;
        ret = takeover_memo_add(&memo, key, 1);
        kept += !ret;
    }
    EXPECT_EQ(ret, -E2BIG);
    EXPECT_LE(kept, 400U);
    EXPECT_EQ(memo.nr_keys, kept);
}

// Wherever its memory ends, what it knows it goes on knowing.
TEST_F(Memo, EndsWithAnyBudget) {
    for (unsigned pages = 0; pages < 120; pages++) {
        budget.left = pages;
        unsigned kept = 0;
        int ret = 0;
        while (!ret && kept < 25000) {
            ret = takeover_memo_add(&memo, takeover_memo_key(kept * 11 * page, 1), kept % 3);
            kept += !ret;
        }
        ASSERT_TRUE(!ret || ret == -ENOMEM);
        for (unsigned n = 0; n < kept; n++)
            ASSERT_EQ(takeover_memo_find(&memo, takeover_memo_key(n * 11 * page, 1)), n % 3);
        ASSERT_EQ(takeover_memo_find(&memo, takeover_memo_key(kept * 11 * page, 1)), -ENOENT);
        takeover_memo_free(&memo);
        ASSERT_EQ(budget.used, 0U);
    }
}

// As if all the nodes that can be were there.
TEST_F(Memo, EndsWithItsNumbers) {
    ASSERT_EQ(takeover_memo_add(&memo, takeover_memo_key(page, 1), 0), 0);
    memo.nr_nodes = TAKEOVER_MEMO_PAGES * VTD_TABLE_WORDS * 32;
    memo.free = 0;
    EXPECT_EQ(takeover_memo_add(&memo, takeover_memo_key(100 * page, 1), 0), 0);
    int ret = 0;
    for (u64 n = 2; !ret && n < 20; n++)
        ret = takeover_memo_add(&memo, takeover_memo_key(100 * n * page, 1), 0);
    EXPECT_EQ(ret, -E2BIG);
    for (unsigned n = 1; n < TAKEOVER_MEMO_PAGES; n++)
        memo.nodes[n] = takeover_budget_page(&budget);
}

TEST_F(Memo, EndsWithItsBudget) {
    budget.left = 20;
    int ret = 0;
    u64 n = 1;
    for (; !ret; n++)
        ret = takeover_memo_add(&memo, takeover_memo_key(n * page, 1), 7);
    EXPECT_EQ(ret, -ENOMEM);
    EXPECT_LE(budget.most, 20U);
    EXPECT_EQ(takeover_memo_find(&memo, takeover_memo_key(page, 1)), 7);
    EXPECT_EQ(takeover_memo_find(&memo, takeover_memo_key((n - 1) * page, 1)), -ENOENT);
}

} // namespace
