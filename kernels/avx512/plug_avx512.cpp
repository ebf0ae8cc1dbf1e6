// AVX-512 F/BW/DQ/VL kernels.
#include "kernels/plug.h"

namespace quantize {

void plug_avx512(KernelTable&) {}

}  // namespace quantize
