// Recipes as JSON.
#include "cli/recipe_file.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_recipe(std::span<const uint8_t> bytes) {
  parse_recipe({bytes.begin(), bytes.end()}, "recipe");
}

}  // namespace quantize::test
