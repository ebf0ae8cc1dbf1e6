// ConvTranspose's two halves: conv_transpose.cpp defines the operator, conv_transpose_compile.cpp its fast
// form.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// OpDef::compile of ConvTranspose; the clamp behind it is applied.
StepFunction compile_conv_transpose(CompileContext& context);

}  // namespace quantize
