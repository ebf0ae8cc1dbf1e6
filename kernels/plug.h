// The exports of the ISA folders: one function that overwrites the slots it has kernels for.
#pragma once

namespace quantize {

struct KernelTable;

void plug_scalar(KernelTable& table);
void plug_scalar_conv(KernelTable& table);
void plug_scalar_elementwise(KernelTable& table);
void plug_avx2(KernelTable& table);
void plug_avx2_conv(KernelTable& table);
void plug_avxvnni(KernelTable& table);
void plug_avx512(KernelTable& table);
void plug_avx512vnni(KernelTable& table);
void plug_amx(KernelTable& table);
void plug_neon(KernelTable& table);
void plug_neondot(KernelTable& table);
void plug_neoni8mm(KernelTable& table);

}  // namespace quantize
