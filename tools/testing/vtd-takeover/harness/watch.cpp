// SPDX-License-Identifier: GPL-2.0-only
//
// GCC's -fsanitize=thread calls these before each access of the code that it was given for. No
// runtime of the sanitizer is linked: the harness is.

#include <cstddef>

#include "harness/world.h"

using vtd::harness::World;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define WATCH(size)                                                                                \
    void __tsan_read##size(void* at) { World::current().about_to_read(at, size, false); }          \
    void __tsan_write##size(void* at) { World::current().about_to_write(at, size, false); }        \
    void __tsan_unaligned_read##size(void* at) {                                                   \
        World::current().about_to_read(at, size, false);                                           \
    }                                                                                              \
    void __tsan_unaligned_write##size(void* at) {                                                  \
        World::current().about_to_write(at, size, false);                                          \
    }                                                                                              \
    void __tsan_volatile_read##size(void* at) { World::current().about_to_read(at, size, true); }  \
    void __tsan_volatile_write##size(void* at) { World::current().about_to_write(at, size, true); }
WATCH(1)
WATCH(2)
WATCH(4)
WATCH(8)
WATCH(16)

void __tsan_read_range(void* at, std::size_t size) {
    World::current().about_to_read(at, size, false);
}
void __tsan_write_range(void* at, std::size_t size) {
    World::current().about_to_write(at, size, false);
}

// Bitmaps only: no table is accessed like this.
long __tsan_atomic64_load(const volatile long* at, int) {
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}
long __tsan_atomic64_fetch_or(volatile long* at, long value, int) {
    return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);
}
long __tsan_atomic64_fetch_and(volatile long* at, long value, int) {
    return __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);
}

} // extern "C"
