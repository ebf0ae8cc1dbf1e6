// Activations as networks have them, drawn with fixed seeds.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace quantize::test {

struct Distribution {
  std::string name;
  std::vector<float> values;
};

/// Numbers that do not depend on the standard library's distributions.
class Draw {
 public:
  explicit Draw(uint32_t seed) : generator_(seed) {}
  double uniform() { return (static_cast<double>(generator_()) + 0.5) / 4294967296.0; }
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()); }
  double laplace() {
    const double u = uniform() - 0.5;
    return (u < 0 ? 1 : -1) * std::log(1 - 2 * std::abs(u));
  }

 private:
  std::mt19937 generator_;
};

inline std::vector<Distribution> distributions(size_t count = 20000) {
  std::vector<Distribution> list;
  const auto add = [&](const std::string& name, auto&& draw_one) {
    Draw draw(static_cast<uint32_t>(list.size() + 1));
    std::vector<float> values;
    for (size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(draw_one(draw)));
    list.push_back({name, values});
  };
  add("normal", [](Draw& d) { return d.normal(); });
  add("relu", [](Draw& d) { return std::max(0.0, d.normal()); });
  add("negative", [](Draw& d) { return -std::abs(d.laplace()); });
  add("relu6", [](Draw& d) { return std::min(6.0, std::max(0.0, 3 * d.normal())); });
  add("heavy tail", [](Draw& d) { return std::max(0.0, std::pow(d.laplace(), 3.0)); });
  add("silu", [](Draw& d) {
    const double x = 2 * d.laplace();
    return x / (1 + std::exp(-x));
  });
  add("shifted", [](Draw& d) { return 5 + d.normal(); });
  add("uniform", [](Draw& d) { return d.uniform() * 2 - 0.5; });
  add("few values", [](Draw& d) { return std::floor(d.uniform() * 7) / 4; });
  add("small", [](Draw& d) { return 1e-6 * d.laplace(); });
  list.push_back({"outlier", list[1].values});
  list.back().values.push_back(1000);
  return list;
}

}  // namespace quantize::test
