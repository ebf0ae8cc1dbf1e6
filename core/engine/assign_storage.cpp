// Where every value of a Program lies. Read StorageAssigner::assign() first.
#include <algorithm>

#include "core/engine/assign_storage.h"
#include "core/engine/steps/pixel_steps.h"
#include "core/error.h"

namespace quantize {

namespace {

class StorageAssigner {
 public:
  StorageAssigner(Graph& graph, const std::vector<bool>& keep)
      : graph_(graph), keep_(keep), pixels_(graph.values.size(), false) {}

  std::vector<Storage> assign() {
    change_layouts();
    views_.assign(graph_.values.size(), {});
    const GraphIndex index(graph_);
    for (const Node& node : graph_.nodes) find_views(node, index);
    storage_.assign(graph_.values.size(), {});
    for (size_t id = 0; id < storage_.size(); ++id) place_in_root(static_cast<ValueId>(id));
    for (const Node& node : graph_.nodes) demand_border(node);
    for (size_t id = 0; id < storage_.size(); ++id) set_strides(static_cast<ValueId>(id));
    return std::move(storage_);
  }

 private:
  struct View {
    ValueId parent = kNoValue;
    int64_t first_channel = 0;
  };

  static const PixelSupport& support(const Node& node) { return engine_form_of(node).pixels; }
  bool takes_pixels(const Node& node) const {
    const PixelSupport& pixels = support(node);
    return pixels.takes != nullptr && pixels.takes(graph_, node);
  }
  bool must_be_row_major(ValueId id) const {
    const auto i = static_cast<size_t>(id);
    return (i < keep_.size() && keep_[i]) ||
           std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end();
  }
  bool is_pixels(ValueId id) const { return id != kNoValue && pixels_[static_cast<size_t>(id)]; }

  // Changes of layout.

  /// Finds the images that a node wants as pixels for its own work, not only because it can take them so.
  void find_wishes() {
    wanted_.assign(graph_.values.size(), false);
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      if (!takes_pixels(*node) || (support(*node).follows && !is_wanted(*node))) continue;
      for (ValueId id : node->inputs)
        if (id != kNoValue) wanted_[static_cast<size_t>(id)] = true;
    }
  }

  bool is_wanted(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId id) { return id != kNoValue && wanted_[static_cast<size_t>(id)]; });
  }

  /// True if `node` is to have its images as pixels.
  bool gets_pixels(const Node& node) const {
    if (!takes_pixels(node)) return false;
    return !support(node).follows || is_wanted(node) ||
           std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return is_pixels(id); });
  }

  /// Gives every node its images as it takes them: inserts ToPixels and ToRowMajor.
  void change_layouts() {
    find_wishes();
    std::vector<Node> nodes;
    other_layout_.assign(graph_.values.size(), kNoValue);
    for (Node& node : graph_.nodes) {
      const bool takes = gets_pixels(node);
      for (ValueId& id : node.inputs)
        if (is_u8_image(graph_, id) && is_pixels(id) != takes) id = in_other_layout(id, takes, nodes);
      std::vector<ValueId> row_major;
      for (ValueId& id : node.outputs) {
        if (!takes || !is_u8_image(graph_, id)) continue;
        const ValueId wanted = id;
        if (must_be_row_major(wanted)) {
          id = add_value_like(wanted, "_pixels");
          other_layout_[static_cast<size_t>(wanted)] = id;
          other_layout_[static_cast<size_t>(id)] = wanted;
          row_major.push_back(wanted);
        }
        pixels_[static_cast<size_t>(id)] = true;
      }
      nodes.push_back(std::move(node));
      for (ValueId id : row_major)
        nodes.push_back(layout_node("ToRowMajor", other_layout_[static_cast<size_t>(id)], id));
    }
    graph_.nodes = std::move(nodes);
  }

  /// The copy of `id` that lies as pixels or row-major; made by the first node that asks for it.
  ValueId in_other_layout(ValueId id, bool as_pixels, std::vector<Node>& nodes) {
    if (const ValueId known = other_layout_[static_cast<size_t>(id)]; known != kNoValue) return known;
    const ValueId copy = add_value_like(id, as_pixels ? "_pixels" : "_row_major");
    other_layout_[static_cast<size_t>(id)] = copy;
    pixels_[static_cast<size_t>(copy)] = as_pixels;
    nodes.push_back(layout_node(as_pixels ? "ToPixels" : "ToRowMajor", id, copy));
    return copy;
  }

  Node layout_node(const char* op_type, ValueId from, ValueId to) const {
    Node node;
    node.op_type = op_type;
    node.domain = kEngineDomain;
    node.name = graph_.value(from).name + "/" + op_type;
    node.inputs = {from};
    node.outputs = {to};
    return node;
  }

  ValueId add_value_like(ValueId id, const char* suffix) {
    const Value value = graph_.value(id);
    pixels_.push_back(false);
    other_layout_.push_back(kNoValue);
    return graph_.add_value(value.name + suffix, value.dtype, value.shape);
  }

  // Values that are channels of another.

  int64_t channels_of(ValueId id) const { return (*graph_.value(id).shape)[1]; }

  void find_views(const Node& node, const GraphIndex& index) {
    const PixelSupport& pixels = support(node);
    if (!is_pixels(node.output(0))) return;
    if (pixels.splits) split(node);
    if (pixels.joins != nullptr) join(node, pixels, index);
  }

  void split(const Node& node) {
    int64_t first = 0;
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      views_[static_cast<size_t>(id)] = {node.inputs[0], first};
      first += channels_of(id);
    }
  }

  /// The inputs that are computed into their place among the output's channels. All pieces of a split image
  /// that stand side by side move as that image.
  void join(const Node& node, const PixelSupport& pixels, const GraphIndex& index) {
    int64_t first = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (!is_u8_image(graph_, id)) continue;  // a scale
      if (pixels.joins(graph_, node, i)) {
        const View& view = views_[static_cast<size_t>(id)];
        if (view.parent == kNoValue && may_move(id, index))
          views_[static_cast<size_t>(id)] = {node.outputs[0], first};
        else if (view.parent != kNoValue && view.first_channel == 0 && stands_whole(node, i, pixels, index))
          views_[static_cast<size_t>(view.parent)] = {node.outputs[0], first};
      }
      first += channels_of(id);
    }
  }

  bool may_move(ValueId id, const GraphIndex& index) const {
    return index.producer(id) != kNoNode && is_pixels(id) && !must_be_row_major(id);
  }

  /// True if input i and those behind it are all pieces of one image that has a place of its own.
  bool stands_whole(const Node& join, size_t i, const PixelSupport& pixels, const GraphIndex& index) const {
    const ValueId whole = views_[static_cast<size_t>(join.inputs[i])].parent;
    if (views_[static_cast<size_t>(whole)].parent != kNoValue || !may_move(whole, index)) return false;
    int64_t channels = 0;
    for (; i < join.inputs.size() && channels < channels_of(whole); ++i) {
      const ValueId id = join.inputs[i];
      if (!is_u8_image(graph_, id)) continue;
      const View& view = views_[static_cast<size_t>(id)];
      if (view.parent != whole || view.first_channel != channels || !pixels.joins(graph_, join, i))
        return false;
      channels += channels_of(id);
    }
    return channels == channels_of(whole);
  }

  // The place of each value.

  void place_in_root(ValueId id) {
    Storage& storage = storage_[static_cast<size_t>(id)];
    storage.root = id;
    storage.pixels = is_pixels(id);
    if (!storage.pixels) return;
    const Shape& shape = *graph_.value(id).shape;
    storage.images = shape[0];
    storage.channels = shape[1];
    storage.height = shape[2];
    storage.width = shape[3];
    int64_t first_channel = 0;
    while (views_[static_cast<size_t>(storage.root)].parent != kNoValue) {
      first_channel += views_[static_cast<size_t>(storage.root)].first_channel;
      storage.root = views_[static_cast<size_t>(storage.root)].parent;
    }
    storage.offset = static_cast<size_t>(first_channel);  // set_strides adds the border
  }

  void demand_border(const Node& node) {
    const PixelSupport& pixels = support(node);
    if (pixels.border == nullptr || !is_pixels(node.inputs[0])) return;
    const PixelSupport::Border border = pixels.border(graph_, node);
    Storage& storage = storage_[static_cast<size_t>(node.inputs[0])];
    Halo& halo = storage_[static_cast<size_t>(storage.root)].halo;
    halo.top = std::max(halo.top, border.halo.top);
    halo.left = std::max(halo.left, border.halo.left);
    halo.bottom = std::max(halo.bottom, border.halo.bottom);
    halo.right = std::max(halo.right, border.halo.right);
    storage_[static_cast<size_t>(storage.root)].border = border.codes;
  }

  void set_strides(ValueId id) {
    Storage& storage = storage_[static_cast<size_t>(id)];
    if (!storage.pixels) return;
    const Storage& root = storage_[static_cast<size_t>(storage.root)];
    storage.halo = root.halo;
    storage.border = root.border;
    const Halo& halo = storage.halo;
    storage.pixel_stride = static_cast<size_t>(root.channels);
    storage.row_stride = static_cast<size_t>(halo.left + storage.width + halo.right) * storage.pixel_stride;
    storage.image_stride = static_cast<size_t>(halo.top + storage.height + halo.bottom) * storage.row_stride;
    storage.offset += static_cast<size_t>(halo.top) * storage.row_stride +
                      static_cast<size_t>(halo.left) * storage.pixel_stride;
  }

  Graph& graph_;
  const std::vector<bool>& keep_;
  std::vector<bool> pixels_;           // per value: lies as pixels
  std::vector<bool> wanted_;           // per value: is of use as pixels
  std::vector<ValueId> other_layout_;  // per value: the same image in the other layout
  std::vector<View> views_;            // per value: the larger one whose channels it is
  std::vector<Storage> storage_;
};

}  // namespace

std::vector<Storage> assign_storage(Graph& graph, const std::vector<bool>& keep) {
  return StorageAssigner(graph, keep).assign();
}

}  // namespace quantize
