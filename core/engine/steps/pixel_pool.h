// MaxPool on pixels, which is one of the two forms that it has.
#pragma once

#include "core/engine/steps/step.h"

namespace quantize {

/// PixelSupport::takes of MaxPool: u8 images.
bool takes_pixel_max_pool(const Graph& graph, const Node& node);

/// EngineForm::compile; nullptr where the images do not lie as pixels.
StepFunction compile_pixel_max_pool(CompileContext& context);

}  // namespace quantize
