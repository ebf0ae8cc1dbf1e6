// Values by themselves, as a table of what calibration saw and what the user asks for.
#include "core/quantization/own_values.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/measured_ranges.h"

namespace quantize {

using test::GraphBuilder;

namespace {

struct Fixture {
  GraphBuilder b;
  ValueId x = b.input("x", {1, 3, 8, 8});
  ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 1, 1})});
  ValueId z = b.node("Conv", {y, b.random("v", {2, 4, 1, 1})});

  /// The decision about a value.
  PlannedValue decide(ValueId id) {
    Graph graph = b.build({z});
    infer_shapes(graph);
    RangeTable table = test::measured_ranges(graph);
    if (change != nullptr) change(table.values.at("conv_0_out"));
    const GraphIndex index(graph);
    const TargetProfile& target = find_target("native");
    const auto candidates = find_candidates(graph, index, scheme, target);
    const Chains chains = find_chains(graph, index, candidates, target);
    const ActivationBits bits(graph, index, scheme, candidates, chains);
    OwnValues own({graph, index, table, scheme, target, candidates, chains, bits});
    CHECK(!own.decided(id));
    return own.of(id);
  }

  QuantizationScheme scheme;
  void (*change)(ValueRange& range) = nullptr;
};

struct Row {
  const char* name;
  void (*change)(ValueRange& range);
  void (*ask)(QuantizationScheme& scheme);
  bool is_codes;
  const char* reason;  // the whole, or its beginning
};
const Row kRows[] = {
    {"as measured", nullptr, nullptr, true, "max"},
    {"nothing seen", [](ValueRange& range) { range.ranges.clear(); }, nullptr, false,
     "calibration found no range for it"},
    {"NaN seen", [](ValueRange& range) { range.non_finite = 2; }, nullptr, false,
     "2 of its elements were NaN or infinite in calibration"},
    {"a range far wider than its channels",
     [](ValueRange& range) {
       range.ranges = {{-100, 100}};
     },
     nullptr, false, "rounded to steps of"},
    {"the same, any noise allowed",
     [](ValueRange& range) {
       range.ranges = {{-100, 100}};
     },
     [](QuantizationScheme& scheme) { scheme.max_noise = 1; }, true, "max"},
    {"left in float", nullptr,
     [](QuantizationScheme& scheme) { scheme.overrides["conv_0_out"].enabled = false; }, false,
     "left in float by its override"},
    {"another range",
     [](ValueRange& range) {
       range.ranges = {{-100, 100}};
     },
     [](QuantizationScheme& scheme) { scheme.overrides["conv_0_out"].amax = 3.0f; }, true,
     "max, changed by its override"},
};

}  // namespace

TEST_CASE("OwnValues: what is codes by itself, and why", "[own_values]") {
  for (const Row& row : kRows) {
    Fixture f;
    f.scheme.max_noise = 0.05;
    if (row.ask != nullptr) row.ask(f.scheme);
    f.change = row.change;
    const PlannedValue value = f.decide(f.y);
    INFO(row.name << ": " << value.reason);
    CHECK(value.params.has_value() == row.is_codes);
    CHECK(value.reason.rfind(row.reason, 0) == 0);
    CHECK(value.source == f.y);
  }
}

TEST_CASE("OwnValues: a result holds all that was seen, an override all that it says", "[own_values]") {
  Fixture f;
  f.scheme.max_noise = 1;
  const PlannedValue result = f.decide(f.z);
  CHECK(result.reason == "max, as for all results");
  f.scheme.overrides["conv_0_out"].amax = 3.0f;
  const PlannedValue asked = f.decide(f.y);
  REQUIRE(asked.params);
  CHECK(asked.range.max == 3.0f);
  CHECK(asked.range.min == -3.0f);
}

}  // namespace quantize
