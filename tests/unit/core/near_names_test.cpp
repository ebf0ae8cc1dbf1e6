#include "core/near_names.h"

#include <catch2/catch.hpp>

using namespace quantize;

using Names = std::vector<std::string>;

TEST_CASE("Names that hold the given one, or differ from it in few characters, are near", "[near_names]") {
  const Names names = {"Conv_3", "Conv_31", "Gemm_7", "/layer1/conv1/Conv"};
  CHECK(near_names("Covn_3", names) == Names{"Conv_3"});
  CHECK(near_names("layer1", names) == Names{"/layer1/conv1/Conv"});
  CHECK(near_names("conv_3", names) == Names{"Conv_3", "Conv_31"});
  CHECK(near_names("Gemm", names) == Names{"Gemm_7"});
  CHECK(near_names("zzzz", names).empty());
  CHECK(near_names("ab", {"cd"}).empty());
  CHECK(near_names("node", {"node1", "node2", "node3", "node4"}, 2) == Names{"node1", "node2"});
}

TEST_CASE("A hint suggests what is near, else lists what there is", "[near_names]") {
  CHECK(near_names_hint("conv2", {"conv1"}) == "; did you mean 'conv1'?");
  CHECK(near_names_hint("conv", {"conv1", "conv2", "conv3"}) ==
        "; did you mean 'conv1', 'conv2' or 'conv3'?");
  CHECK(near_names_hint("weights", {"a", "b"}) == "; there are 'a', 'b'");
  CHECK(near_names_hint("weights", {"a", "b", "c", "d", "e", "f", "g"}) ==
        "; there are 'a', 'b', 'c', 'd', 'e' and 2 more");
  CHECK(near_names_hint("weights", {}).empty());
}
