// quantize: the default command, an FP32 model and images to a quantized model.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kQuantizeCommand;

}  // namespace quantize
