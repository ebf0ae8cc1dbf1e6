// The exports of the ISA folders: one function that overwrites the slots it has kernels for.
#pragma once

namespace quantize {

struct KernelTable;

void plug_scalar(KernelTable& table);
#define X86_LEVEL(isa, base, name, detect, flags) void plug_##name(KernelTable& table);
#define ARM_LEVEL X86_LEVEL
#include "kernels/levels.def"
#undef X86_LEVEL
#undef ARM_LEVEL

// Parts of a level with a file of their own.
void plug_scalar_conv(KernelTable& table);
void plug_scalar_elementwise(KernelTable& table);
void plug_scalar_winograd(KernelTable& table);
void plug_avx2_conv(KernelTable& table);

}  // namespace quantize
