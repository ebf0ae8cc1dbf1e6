// Reasons: each cause has a sentence, and details stand where it names them.
#include "core/quantization/reasons.h"

#include <catch2/catch.hpp>

#include "core/error.h"

namespace quantize {

TEST_CASE("text_of: details stand in their order", "[reasons]") {
  CHECK(text_of(Cause::kNoReader) == "no integer operator reads its output");
  CHECK(text_of(Cause::kHandedOn, {"a", "b"}) == "scale of 'a', handed on by 'b'");
  CHECK(text_of(Cause::kMethod, {"{}"}) == "{}");  // a detail is no sentence itself
}

TEST_CASE("text_of: as many details as the sentence names", "[reasons]") {
  CHECK_THROWS_AS(text_of(Cause::kHandedOn, {"a"}), Error);
  CHECK_THROWS_AS(text_of(Cause::kNoReader, {"a"}), Error);
}

TEST_CASE("text_of: every cause has a sentence", "[reasons]") {
  for (int i = 0; i <= static_cast<int>(Cause::kNoisyResult); ++i) {
    INFO(i);
    const auto takes = [&](std::initializer_list<std::string> details) {
      try {
        return !text_of(static_cast<Cause>(i), details).empty();
      } catch (const Error&) {
        return false;
      }
    };
    CHECK((takes({}) || takes({"a"}) || takes({"a", "b"}) || takes({"a", "b", "c", "d"}) ||
           takes({"a", "b", "c", "d", "e"})));
  }
}

}  // namespace quantize
