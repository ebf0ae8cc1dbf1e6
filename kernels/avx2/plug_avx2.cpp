// AVX2 + FMA kernels.
#include "kernels/plug.h"

namespace quantize {

void plug_avx2(KernelTable&) {}

}  // namespace quantize
