// SPDX-License-Identifier: GPL-2.0-only
//
// See events.h.

#include "model/events.h"

namespace vtd::model {

u32 Event::read(unsigned at) const {
    switch (at) {
    case control:
        return (masked_ ? event_control::im : 0) | (pending_ ? event_control::ip : 0);
    case data:
        return data_;
    case address:
        return address_;
    default:
        return upper_;
    }
}

void Event::write(unsigned at, u32 value) {
    switch (at) {
    case control:
        masked_ = value & event_control::im;
        if (pending_ && !masked_)
            send();
        return;
    case data:
        data_ = value;
        return;
    case address:
        address_ = value & ~3U;
        return;
    default:
        upper_ = value;
    }
}

void Event::raise() {
    if (masked_)
        pending_ = true;
    else
        send();
}

void Event::send() {
    pending_ = false;
    sent.push_back({u64{upper_} << 32 | address_, data_});
}

} // namespace vtd::model
