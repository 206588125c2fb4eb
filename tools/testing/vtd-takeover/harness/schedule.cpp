// SPDX-License-Identifier: GPL-2.0-only
//
// See schedule.h. A task has a stack of its own; the one that started them all waits in run().

#include "harness/schedule.h"

#include <algorithm>
#include <cassert>
#include <exception>
#include <ucontext.h>

namespace vtd::harness {

namespace {
constexpr std::size_t stack_size = 1 << 20;
}

struct Schedule::Task {
    std::function<void()> body;
    std::unique_ptr<std::byte[]> stack = std::make_unique<std::byte[]>(stack_size);
    ucontext_t context{}, runner{};
    bool done = false;
    std::exception_ptr thrown{};

    static void enter(unsigned high, unsigned low) {
        // makecontext() passes int only.
        auto* self = reinterpret_cast<Task*>(std::uintptr_t{high} << 32 | low);
        try {
            self->body();
        } catch (...) {
            self->thrown = std::current_exception();
        }
        self->done = true;
        swapcontext(&self->context, &self->runner);
    }
};

Schedule::Schedule(std::vector<unsigned> changes) : changes_(std::move(changes)) {}
Schedule::~Schedule() = default;

void Schedule::run(const std::vector<std::function<void()>>& tasks) {
    for (const auto& body : tasks) {
        Task& task = *tasks_.emplace_back(std::make_unique<Task>());
        task.body = body;
        getcontext(&task.context);
        task.context.uc_stack.ss_sp = task.stack.get();
        task.context.uc_stack.ss_size = stack_size;
        const auto self = reinterpret_cast<std::uintptr_t>(&task);
        makecontext(&task.context, reinterpret_cast<void (*)()>(Task::enter), 2,
                    static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    }
    running_ = 0;
    while (true) {
        Task& task = *tasks_[running_];
        swapcontext(&task.runner, &task.context);
        if (task.thrown)
            std::rethrow_exception(task.thrown); // the others end here, in the middle
        if (std::ranges::all_of(tasks_, [](const auto& each) { return each->done; }))
            return;
        do
            running_ = (running_ + 1) % tasks_.size();
        while (tasks_[running_]->done);
    }
}

void Schedule::change() {
    Task& task = *tasks_[running_];
    swapcontext(&task.context, &task.runner);
}

void Schedule::point() {
    if (std::ranges::binary_search(changes_, points_++))
        change();
}

void Schedule::wait() {
    assert(std::ranges::count_if(tasks_, [](const auto& each) { return !each->done; }) > 1);
    change();
}

unsigned long Schedule::all(unsigned bound, const std::function<unsigned(Schedule&)>& once) {
    unsigned long runs = 0;
    const std::function<void(std::vector<unsigned>)> from = [&](std::vector<unsigned> changes) {
        Schedule schedule(changes);
        const unsigned points = once(schedule);
        runs++;
        if (changes.size() == bound)
            return;
        const unsigned first = changes.empty() ? 0 : changes.back() + 1;
        for (unsigned at = first; at < points; at++) {
            changes.push_back(at);
            from(changes);
            changes.pop_back();
        }
    };
    from({});
    return runs;
}

} // namespace vtd::harness
