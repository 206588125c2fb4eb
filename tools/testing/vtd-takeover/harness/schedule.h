// SPDX-License-Identifier: GPL-2.0-only
//
// Tasks that run by turns, on one processor and in one thread, and change where the harness says
// that they may. Which task goes on where is data: a run can be repeated, and all runs with up to
// so many changes can be made.

#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace vtd::harness {

class Schedule {
public:
    // The n-th point at which the running task may change, and so on, ascending.
    explicit Schedule(std::vector<unsigned> changes = {});
    ~Schedule();
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

    // All to their end, the first one first. Passes on what a task throws.
    void run(const std::vector<std::function<void()>>& tasks);

    // Called by the running task: here it may change.
    void point();
    // Called by a task that cannot go on before another one has.
    void wait();

    unsigned points() const { return points_; }
    // Where the running task changed: what repeats this run.
    const std::vector<unsigned>& changes() const { return changes_; }

    // Runs `once` with every schedule of up to `bound` changes; returns how many.
    static unsigned long all(unsigned bound, const std::function<unsigned(Schedule&)>& once);

private:
    struct Task;
    void change();

    std::vector<unsigned> changes_;
    std::vector<std::unique_ptr<Task>> tasks_;
    std::size_t running_{};
    unsigned points_{};
};

} // namespace vtd::harness
