// SPDX-License-Identifier: GPL-2.0-only
//
// 7.4 to 7.6: page requests. A device that may (PRI) asks for pages that are not there; the unit
// puts the request in a queue in memory, software answers a group of them by a descriptor in the
// invalidation queue. What nobody answers keeps the device waiting for ever: it is written down
// here who does.
//
// Whether the tables let a device ask is translation.cpp's. Streams (which revision 3.0 dropped)
// and private data are not modelled.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/events.h"
#include "model/memory.h"

namespace vtd::model {

struct PageRequest {
    Rid rid;
    std::optional<Pasid> pasid{};
    Iova address;
    bool read = true, write = false, execute = false, privileged = false;
    bool last = true; // of its group
    u16 group = 0;    // 9 bits
    auto operator<=>(const PageRequest&) const = default;
};

enum class Response : u8 { success = 0, invalid = 1, failure = 15 };

// To the device. The unit gives some by itself.
struct GroupResponse {
    Rid rid;
    std::optional<Pasid> pasid{};
    u16 group = 0;
    Response code = Response::success;
    bool automatic = false;
    auto operator<=>(const GroupResponse&) const = default;
};

namespace page_request { // an entry of the queue
inline constexpr u64 size = 32;
inline constexpr u64 request = 1; // type
inline constexpr Field type{0, 7, 0};
inline constexpr Field has_pasid{0, 8, 8};
inline constexpr Field rid{0, 31, 16};
inline constexpr Field pasid{0, 51, 32};
inline constexpr Field execute{0, 52, 52};
inline constexpr Field privileged{0, 53, 53};
inline constexpr Field read{1, 0, 0};
inline constexpr Field write{1, 1, 1};
inline constexpr Field last{1, 2, 2};
inline constexpr Field group{1, 11, 3};
inline constexpr Field address{1, 63, 12};
} // namespace page_request

class PageRequests {
public:
    PageRequests(Memory& memory, std::vector<std::string>& misuse)
        : memory_(memory), misuse_(misuse) {}

    // 11.4: PQH_REG, PQT_REG, PQA_REG, PRS_REG
    u64 head() const { return head_; }
    u64 tail() const { return tail_; }
    u64 address() const { return address_; }
    u32 status() const { return status_; }
    void set_head(u64 value);
    void set_tail(u64 value); // software writes it before anybody asks
    void set_address(u64 value);
    void clear_status(u32 bits);
    Event event; // PECTL and what follows it

    // A request that the tables let through, and one that they do not.
    void accept(const PageRequest& request);
    // The same, but it gets into the queue later: when page requests are drained (7.10), or sooner.
    // Whether there was room for it is decided now.
    void receive(const PageRequest& request);
    void arrive();
    void refuse(const PageRequest& request, Response code);
    // Software's answer. One that nobody waits for goes to the device all the same.
    void respond(const GroupResponse& response);
    // The device has been reset: it waits no more.
    void forget(Rid rid);

    // Requests that a device waits for, oldest first; those of all devices.
    std::vector<PageRequest> outstanding(Rid rid) const;
    const std::vector<PageRequest>& outstanding() const { return outstanding_; }

    std::vector<GroupResponse> responses;  // all that devices got
    std::vector<GroupResponse> unexpected; // those of them that answer nothing
    std::vector<PageRequest> lost;         // that never got into the queue

private:
    u64 bytes() const { return page_size << queue_address::size.in(address_); }
    bool full() const;
    void put(const PageRequest& request);
    bool store(const PageRequest& request);
    void overflow(const PageRequest& request);
    void notify(u32 bit);

    Memory& memory_;
    std::vector<std::string>& misuse_;
    u64 head_{}, tail_{}, address_{};
    u32 status_{};
    std::vector<PageRequest> outstanding_;
    std::vector<PageRequest> on_the_way_; // received, and not in the queue yet
};

} // namespace vtd::model
