// SPDX-License-Identifier: GPL-2.0-only
//
// See page_requests.h.

#include "model/page_requests.h"

#include <algorithm>
#include <array>
#include <utility>

namespace vtd::model {

void PageRequests::set_head(u64 value) {
    if (value % page_request::size || value >= bytes())
        misuse_.emplace_back("the head of the page-request queue is beyond it, or within an entry");
    head_ = value % bytes() & ~(page_request::size - 1);
}

void PageRequests::set_tail(u64 value) { tail_ = value % bytes() & ~(page_request::size - 1); }

void PageRequests::set_address(u64 value) { address_ = value; }

// 11.4, PRS_REG: PPR and PRO are cleared by writing 1. With both clear there is nothing to tell
// about.
void PageRequests::clear_status(u32 bits) {
    status_ &= ~(bits & (page_request_status::ppr | page_request_status::pro));
    if (!status_)
        event.withdraw();
}

// One message for all that software has not dealt with.
void PageRequests::notify(u32 bit) {
    const bool told = status_ != 0;
    status_ |= bit;
    if (!told)
        event.raise();
}

bool PageRequests::store(const PageRequest& request) {
    std::array<u64, page_request::size / sizeof(u64)> words{};
    page_request::type.set(words, page_request::request);
    page_request::has_pasid.set(words, request.pasid.has_value());
    page_request::rid.set(words, request.rid.value);
    page_request::pasid.set(words, request.pasid.value_or(Pasid{}).value);
    page_request::execute.set(words, request.execute);
    page_request::privileged.set(words, request.privileged);
    page_request::read.set(words, request.read);
    page_request::write.set(words, request.write);
    page_request::last.set(words, request.last);
    page_request::group.set(words, request.group);
    page_request::address.set(words, request.address.value >> page_bits);

    const Hpa base{address_ & queue_address::address.mask()};
    for (std::size_t i = 0; i < words.size(); i++)
        if (!memory_.store(base + tail_ + i * sizeof(u64), words[i], Writer::page_request))
            return false;
    tail_ = (tail_ + page_request::size) % bytes();
    return true;
}

// Its tail is one behind its head.
bool PageRequests::full() const {
    return status_ & page_request_status::pro ||
           (tail_ + (on_the_way_.size() + 1) * page_request::size) % bytes() == head_;
}

void PageRequests::accept(const PageRequest& request) {
    receive(request);
    arrive();
}

void PageRequests::receive(const PageRequest& request) {
    outstanding_.push_back(request);
    if (full())
        overflow(request);
    else
        on_the_way_.push_back(request);
}

void PageRequests::arrive() {
    for (const PageRequest& request : std::exchange(on_the_way_, {}))
        put(request);
}

void PageRequests::put(const PageRequest& request) {
    if (!store(request)) {
        lost.push_back(request);
        misuse_.emplace_back("the page-request queue lies where there is no memory");
        return;
    }
    // 11.4, PRS_REG: a group is to be served when it is complete.
    if (request.last)
        notify(page_request_status::ppr);
}

// Until software clears PRO nothing is put in the queue. The last request of a group is
// answered as if all were well, so that the device tries again; the others get no answer.
void PageRequests::overflow(const PageRequest& request) {
    lost.push_back(request);
    notify(page_request_status::pro);
    if (request.last)
        respond({request.rid, request.pasid, request.group, Response::success, true});
}

// A group of which one request is refused is answered when its last one comes.
void PageRequests::refuse(const PageRequest& request, Response code) {
    outstanding_.push_back(request);
    lost.push_back(request);
    if (request.last)
        respond({request.rid, request.pasid, request.group, code, true});
}

void PageRequests::respond(const GroupResponse& response) {
    responses.push_back(response);
    const auto answered = std::erase_if(outstanding_, [&](const PageRequest& request) {
        return request.rid == response.rid && request.pasid == response.pasid &&
               request.group == response.group;
    });
    if (!answered)
        unexpected.push_back(response);
}

void PageRequests::forget(Rid rid) {
    std::erase_if(outstanding_, [=](const PageRequest& request) { return request.rid == rid; });
}

std::vector<PageRequest> PageRequests::outstanding(Rid rid) const {
    std::vector<PageRequest> found;
    std::ranges::copy_if(outstanding_, std::back_inserter(found),
                         [=](const PageRequest& request) { return request.rid == rid; });
    return found;
}

} // namespace vtd::model
