// Conv's two halves: conv.cpp defines the operator, conv_compile.cpp its fast form.
#pragma once

#include "core/op.h"

namespace quantize {

/// OpDef::compile of Conv: products with a padded image, or depthwise kernels; the clamp behind it is
/// applied.
StepFunction compile_conv(CompileContext& context);

}  // namespace quantize
