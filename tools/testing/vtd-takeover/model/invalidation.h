// SPDX-License-Identifier: GPL-2.0-only
//
// 6.5: invalidation, by registers and by a queue in memory. What each command removes from the
// caches is caches.cpp's; here is how software gives it, in what order it is carried out, and what
// goes wrong: descriptors that mean nothing, devices that do not answer.
//
// The queue moves when somebody looks, as far as `pace` lets it. An invalidation is carried out
// when its descriptor is fetched: software that does not wait for it cannot rely on that.

#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "model/caches.h"
#include "model/fault_log.h"
#include "model/memory.h"
#include "model/page_requests.h"

namespace vtd::model {

namespace descriptor { // 6.5.2: word 0, unless it says otherwise
enum class Type : u8 {
    context_cache = 1,
    iotlb = 2,
    device_tlb = 3,
    interrupt = 4,
    wait = 5,
    pasid_iotlb = 6,
    pasid_cache = 7,
    pasid_device_tlb = 8,
    group_response = 9
};
inline constexpr Field type{0, 3, 0}, type_high{0, 11, 9};
inline constexpr Field granularity{0, 5, 4}, did{0, 31, 16}, sid{0, 47, 32}, fm{0, 49, 48},
    pasid{0, 51, 32};
// 6.5.2.3, 6.5.2.4
inline constexpr Field order{1, 5, 0}, hint{1, 6, 6}, address{1, 63, 12};
// 6.5.2.5, 6.5.2.6
inline constexpr Field sized{1, 0, 0}, pasid_sized{1, 11, 11}, all_pasids{1, 0, 0},
    pasid_sid{0, 31, 16};
// 6.5.2.7
inline constexpr Field index_selective{0, 4, 4}, index_order{0, 31, 27}, index{0, 47, 32};
// 6.5.2.8
inline constexpr Field interrupts{0, 4, 4}, writes{0, 5, 5}, fence{0, 6, 6}, drain{0, 7, 7},
    status_data{0, 63, 32}, status_address{1, 63, 2};
// Chapter 7, the answer to a group of page requests
inline constexpr Field response_pasid{0, 4, 4}, response_code{0, 15, 12}, response_rid{0, 31, 16},
    response_group{1, 11, 3};
} // namespace descriptor

// 11.4, IQERCD_REG: why the queue stopped.
enum class QueueError : u8 {
    none = 0,
    tail = 1, // beyond the queue
    fetch = 2,
    type = 3,
    reserved = 4,
    width = 5, // of descriptors, for this mode or unit
    misaligned = 6,
};

// When a unit gives up on a device that does not complete an invalidation (6.5.2.10): never, before
// it fetches the wait that follows, or with that, which is then never completed.
enum class Patience { endless, before_wait, at_wait };

class Invalidation {
public:
    struct Surroundings {
        const Capabilities& capabilities;
        Memory& memory;
        Caches& caches;
        FaultLog& faults;
        PageRequests& pages;
        std::vector<std::string>& misuse;
        std::function<bool()> scalable;
    };
    explicit Invalidation(Surroundings around) : around_(std::move(around)) {}

    // 6.5.1: registers
    u64 context_command() const { return ccmd_; }
    void context_command(u64 value);
    u64 address_register() const { return iva_; }
    void address_register(u64 value) { iva_ = value; }
    u64 iotlb_command() const { return iotlb_; }
    void iotlb_command(u64 value);

    // 6.5.2: the queue's
    u64 head() const { return iqh_; }
    u64 tail() const { return iqt_; }
    u64 queue() const { return iqa_; }
    u64 error() const;
    u32 completion() const { return ics_; }
    void tail(u64 value);
    void queue(u64 value);
    void completion(u32 written);
    Event event; // IECTL and what follows it

    void on(bool on);
    bool on() const { return on_; }
    // Carries out what there is.
    void run();
    // The same of one descriptor that is in no memory here.
    QueueError run(const std::array<u64, 4>& words) { return carry_out(words); }
    // As the crashed kernel left it: it may have had no time to run.
    void leave(u64 queue, u64 head, u64 tail);

    // A device's answer to nothing (ICE); the queue goes on.
    void unexpected_answer(Rid rid);

    std::function<bool(Rid)> answers = [](Rid) { return true; };
    Patience patience = Patience::at_wait;
    bool moves = true;       // false: the queue hangs
    unsigned pace = ~0U;     // descriptors until somebody looks again
    unsigned long done{};    // descriptors that were fetched
    unsigned long aborted{}; // waits that never complete

private:
    using Words = std::array<u64, 4>;
    std::optional<QueueError> next();
    QueueError check_registers() const;
    QueueError fetch(Words& words) const;
    QueueError carry_out(const Words& words);
    QueueError context_cache(const Words& words);
    QueueError iotlb(const Words& words);
    QueueError pasid_iotlb(const Words& words);
    QueueError pasid_cache(const Words& words);
    QueueError device_tlb(const Words& words);
    QueueError pasid_device_tlb(const Words& words);
    QueueError interrupt(const Words& words);
    QueueError wait(const Words& words);
    QueueError group_response(const Words& words);
    void forget_device(Rid rid, const std::function<void()>& lines);
    void give_up();
    void forget_pages(Did did, Iova first, unsigned order, bool leaves_only);
    void refuse_registers();
    u32 width() const { return queue_address::wide.in(iqa_) ? 32 : 16; }
    u64 bytes() const { return page_size << queue_address::size.in(iqa_); }

    Surroundings around_;
    bool on_ = false;
    u64 ccmd_{}, iva_{}, iotlb_{}, iqa_{}, iqh_{}, iqt_{};
    u32 ics_{};
    QueueError why_ = QueueError::none;
    Rid late_{}, strange_{}; // ITESID, ICESID
    struct Unanswered {
        Rid rid;
        std::function<void()> lines; // what the device forgets when it does answer
    };
    std::vector<Unanswered> unanswered_;
};

} // namespace vtd::model
