// SPDX-License-Identifier: GPL-2.0-only
//
// What must hold of the takeover in whatever machine. Each function runs the code in one and ends
// the process with the name of the invariant if it does not.
//
// What is right is found out by the model, which walks the old tables and ours, and by a reading of
// the core header of its own.

#pragma once

#include "fuzz/image.h"
#include "fuzz/maze.h"

namespace vtd::fuzz {

// Registers, root, context and PASID tables: adoption, the new root table, release.
void tables(const Image& image);

// The interrupt table.
void interrupts(const Image& image);

// The page-request queue, and devices that go on asking while it is changed.
void page_requests(const Image& image);

// The core header: which memory was the crashed kernel's. Of the image its memory counts.
void core_header(const Image& image);

// Page tables, PASIDs and forbidden memory: who reaches what before and after; and the notes of
// tables by themselves.
void guard(const Maze& maze);

} // namespace vtd::fuzz
