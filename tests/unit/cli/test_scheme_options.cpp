#include <catch2/catch.hpp>

#include "cli/scheme_options.h"
#include "core/error.h"

using namespace quantize;

namespace {

std::string failure(const std::string& json) {
  try {
    parse_overrides(json);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("Overrides set what they name and nothing else") {
  const auto overrides = parse_overrides(
      R"({"a": {"min": -1.5, "max": 2, "num_bits": 4, "unsigned": false, "narrow_range": true, "axis": -1},
          "b": {"amax": 6, "scale_amax": 0.9, "method": "entropy", "enabled": false}, "c": {}})");
  REQUIRE(overrides.size() == 2);
  const ValueOverride& a = overrides.at("a");
  CHECK(a.min == -1.5f);
  CHECK(a.max == 2.0f);
  CHECK(a.num_bits == 4);
  CHECK(a.is_unsigned == false);
  CHECK(a.narrow_range == true);
  CHECK(a.axis == -1);
  CHECK_FALSE(a.amax.has_value());
  CHECK_FALSE(a.enabled.has_value());
  const ValueOverride& b = overrides.at("b");
  CHECK(b.amax == 6.0f);
  CHECK(b.scale_amax == 0.9f);
  CHECK(b.method == "entropy");
  CHECK(b.enabled == false);
  CHECK_FALSE(b.min.has_value());
}

TEST_CASE("An override that makes no sense names the value, the key and what it takes") {
  using Catch::Matchers::Contains;
  CHECK_THAT(failure("["), Contains("JSON"));
  CHECK_THAT(failure("[]"), Contains("JSON object"));
  CHECK_THAT(failure(R"({"a": 1})"), Contains("'a'"));
  CHECK_THAT(failure(R"({"a": {"bits": 4}})"),
             Contains("'a'") && Contains("\"bits\"") && Contains("num_bits"));
  CHECK_THAT(failure(R"({"a": {"num_bits": 9}})"), Contains("from 2 to 8"));
  CHECK_THAT(failure(R"({"a": {"num_bits": 4.5}})"), Contains("whole number"));
  CHECK_THAT(failure(R"({"a": {"min": 1}})"), Contains("\"min\" must be a number from -3.403e+38 to 0"));
  CHECK_THAT(failure(R"({"a": {"amax": "6"}})"), Contains("number"));
  CHECK_THAT(failure(R"({"a": {"max": 1e300}})"), Contains("number"));
  CHECK_THAT(failure(R"({"a": {"amax": 0}})"), Contains("number"));
  CHECK_THAT(failure(R"({"a": {"scale_amax": -1}})"), Contains("number"));
  CHECK_THAT(failure(R"({"a": {"axis": 18446744073709551606}})"), Contains("whole number"));
  CHECK_THAT(failure(R"({"a": {"min": 0, "max": 0}})"), Contains("'a'"));
  CHECK_THAT(failure(R"({"a": {"min": -3e38, "max": 3e38}})"), Contains("distance"));
  CHECK_THAT(failure(R"({"a": {"method": "kl"}})"), Contains("entropy"));
  CHECK_THAT(failure(R"({"a": {"enabled": 0}})"), Contains("true or false"));
}

TEST_CASE("Types that are not asked for are the target's") {
  const TargetProfile& target = find_target("ort-x86");
  SchemeFlags flags;
  CHECK(make_scheme(flags, target).activations.dtype == DataType::kU8);
  CHECK(make_scheme(flags, target).weights.dtype == DataType::kS8);
  flags.weight_type = "u8";
  CHECK(make_scheme(flags, target).activations.dtype == DataType::kU8);
  CHECK(make_scheme(flags, target).weights.dtype == DataType::kU8);
  flags.weight_type = "s8";
  flags.activations = "s8";
  CHECK(make_scheme(flags, target).activations.dtype == DataType::kS8);
  flags.weight_type = "u8";
  CHECK_THROWS_WITH(make_scheme(flags, target),
                    Catch::Matchers::Contains("does not multiply s8 activations by u8 weights") &&
                        Catch::Matchers::Contains("u8 activations by s8 weights"));

  static constexpr TypePair kSymmetric[] = {{DataType::kS8, DataType::kS8, true}};
  TargetProfile symmetric = target;
  symmetric.type_pairs = kSymmetric;
  CHECK(make_scheme({}, symmetric).activations.symmetric);
  CHECK(make_scheme({}, symmetric).activations.dtype == DataType::kS8);
}

TEST_CASE("Flags become a scheme") {
  SchemeFlags flags;
  flags.weights = "per-tensor";
  flags.activations = "s8";
  flags.symmetric = flags.reduce_range = true;
  flags.bias_correction = "off";
  const QuantizationScheme scheme = make_scheme(flags, find_target("ort-x86"));
  CHECK_FALSE(scheme.per_channel_weights);
  CHECK(scheme.activations.dtype == DataType::kS8);
  CHECK(scheme.activations.symmetric);
  CHECK(scheme.weights.num_bits == 7);
  CHECK(scheme.bias_correction == BiasCorrection::kOff);
  flags.scheme.exclude = {"conv("};
  CHECK_THROWS_WITH(make_scheme(flags, find_target("ort-x86")), Catch::Matchers::Contains("conv("));
}
