// equalized channels: channels of one tensor are brought to one size where the layers around it allow that.
#include "calibration/search/plan_maker.h"

namespace quantize {

void add_equalized_channels(std::vector<SearchStep>& steps) {
  const std::string name = "equalized channels";
  steps.push_back(
      {.name = name,
       .description = "channels of one tensor are brought to one size",
       .vary = [name](SearchState& state) -> std::optional<Variation> {
         PlanMaker& maker = state.maker;
         if (maker.scheme().equalization != Equalization::kTried) return std::nullopt;
         if (const uint64_t bytes = maker.bytes_to_equalize(); bytes > maker.budget().bytes) {
           state.left_out.push_back({name, "", bytes, 0});  // the equalized graph is another beside the first
           return std::nullopt;
         }
         const size_t changed = maker.equalize();
         if (changed == 0) return std::nullopt;
         Recipe recipe = state.recipe;
         recipe.equalized = true;
         return Variation{recipe, changed};
       }});
}

}  // namespace quantize
