// Numbers, attributes and shapes that a fuzz target draws from bytes. Read Choices first.
#pragma once

#include <cstdint>
#include <span>

#include "core/graph.h"

namespace quantize::test {

/// Choices, one byte each; all 0 behind the end.
class Choices {
 public:
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  /// A number below `limit`, which is at most 256; 0 if that is 0.
  size_t below(size_t limit) {
    if (bytes_.empty() || limit == 0) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte % limit;
  }
  template <typename T>
  const T& of(std::span<const T> list) {
    return list[below(list.size())];
  }

 private:
  std::span<const uint8_t> bytes_;
};

/// Small numbers, and those that overflow.
int64_t draw_int(Choices& choices);
/// Small numbers, and those that are not finite or lead there.
float draw_float(Choices& choices);
/// At most four extents below 6.
Shape draw_shape(Choices& choices);
/// An element type that tensors have, of one byte or more.
DataType draw_type(Choices& choices);

/// Another constant: of another shape, or with one other element.
Tensor changed(const Tensor& tensor, Choices& choices);

/// Gives a node an attribute that some operator reads, or changes one that it has.
void change_attributes(Node& node, Choices& choices);

/// Changes a node, a constant, an input or the outputs of a graph; the result need not be valid.
void change_graph(Graph& graph, Choices& choices);

}  // namespace quantize::test
