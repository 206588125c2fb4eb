# SPDX-License-Identifier: GPL-2.0-only
#
# KERNEL_FLAGS: those of the kernel's flags for x86-64 that change what is made of C, as far as they
# mean something in a process: no vector and floating-point registers, which GCC would copy tables
# with; aliasing, overflow and null pointers as the kernel has them; its char; no red zone and the
# kernel's stack alignment; the tuning. Left out is what belongs to the kernel's address space and
# to how it is patched at boot: -mcmodel=kernel, retpolines, return thunks, -mfentry, sanitizers,
# stack protectors, and -fno-PIE by way of the linker. These cost what they cost per call and jump.
set(KERNEL_FLAGS -std=gnu11 -O2 -mno-sse -mno-mmx -mno-sse2 -mno-3dnow -mno-avx -mno-80387
    -mno-fp-ret-in-387 -mno-red-zone -mpreferred-stack-boundary=3 -mskip-rax-setup -mtune=generic
    -falign-loops=1 -fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks
    -fno-allow-store-data-races -fno-common -fshort-wchar -funsigned-char -fconserve-stack
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-PIE -g)
