// The modes in which a node can be made smaller. A mode is one file under modes/ and one line in all_modes.cpp. Read Mode
// first.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"
#include "core/range_table.h"

namespace quantize {

class NodeWriter;

/// The graph that is planned, and the wishes that it is planned by.
struct ModeRequest {
  const Graph& graph;
  const QuantizationScheme& scheme;
  const TargetProfile& target;
  const RangeTable* ranges = nullptr;  // of the means of inputs; nullptr: none are needed
};

/// One choice of --mode. Functions that are nullptr: there is nothing to do.
struct Mode {
  const char* name;
  const char* description;     // for help texts
  bool takes_ranges = false;   // plan_quantization decides its nodes, from the ranges of activations
  bool takes_bits = false;     // --weight-bits says how it rounds weights
  bool takes_storage = false;  // --weight-block and WeightStorage do
  bool on_codes = false;       // it is for computing on integers
  /// The least opset of the graph that is planned; nullptr: any.
  int64_t (*opset)(const QuantizationScheme& scheme) = nullptr;
  /// Errors: Error(kInvalidArgument) for what of the scheme the mode or the target cannot do.
  void (*check)(const QuantizationScheme& scheme, const TargetProfile& target) = nullptr;
  /// Sets placement, reason and stored of a node. Requires: the node is planned as float, and not excluded.
  void (*plan)(const ModeRequest& request, const Node& node, PlannedNode& planned) = nullptr;
  /// Writes a node that has stored weights. `node` may read other values than in the planned graph.
  void (*write)(NodeWriter& writer, const Node& node, const PlannedNode& planned) = nullptr;
  /// True if it would store the weights of such a node: what a reason may advise.
  bool (*takes)(const ModeRequest& request, const Node& node) = nullptr;
};

/// The mode of a node of which nothing else is said.
extern const Mode kStaticMode;

/// The mode that stores weights and computes on reals.
extern const Mode kWeightOnlyMode;

/// Every mode. Defined in all_modes.cpp: the one line to add.
std::span<const Mode* const> all_modes();

/// Errors: Error(kInvalidArgument) listing the names there are.
const Mode& find_mode(const std::string& name);

/// The mode of each node by the scheme: its last mode rule that names the node, else that of node_modes, else the one of
/// all.
class ModeChoice {
 public:
  /// Errors: Error(kInvalidArgument) for a name that is no mode, or an expression that is none.
  explicit ModeChoice(const QuantizationScheme& scheme);
  const Mode& of(const Node& node) const;

 private:
  const Mode& all_;
  std::vector<std::pair<std::regex, const Mode*>> rules_;
  std::map<std::string, const Mode*> named_;
};

/// The modes that a scheme and its rules name, each once.
std::vector<const Mode*> modes_of(const QuantizationScheme& scheme);

/// True if some node is planned by ranges: without, a plan needs no samples.
bool takes_ranges(const QuantizationScheme& scheme);

/// True if some node is to be computed on integers.
bool asks_for_integers(const QuantizationScheme& scheme);

/// The least opset of a graph that is to be planned so. insert_qdq may write a higher one: between opset 21 and the newest,
/// no operator changed its meaning.
int64_t opset_of_modes(const QuantizationScheme& scheme);

/// Errors: those of Mode::check of all modes that the scheme names; Error(kInvalidArgument) for options of stored
/// weights that no mode takes.
void check_modes(const QuantizationScheme& scheme, const TargetProfile& target);

/// Plans all nodes of other modes than those by ranges, but for what a node before has taken over. Warns of weights
/// that are too coarse.
void plan_modes(const ModeRequest& request, QuantizationPlan& plan);

/// The modes, joined by "or", that would store the weights of a node; "" for none.
std::string modes_that_take(const ModeRequest& request, const Node& node);

}  // namespace quantize
