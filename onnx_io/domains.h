// Names of operator domains in files.
#pragma once

#include <string>

namespace quantize {

/// The domain as a Graph has it: ONNX's own, which files may call "ai.onnx", is "".
inline std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? "" : domain;
}

}  // namespace quantize
