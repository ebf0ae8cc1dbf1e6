// Readers of bytes that nobody vouches for, each as a function of bytes. Read run_fuzz_target().
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace quantize::test {

/// One reader. Must return, or throw an Error that says what is wrong with the bytes.
struct FuzzTarget {
  const char* name;  // of its file in targets/, of the program fuzz_NAME, and of its folder in regressions/
  void (*read)(std::span<const uint8_t> bytes);
};

/// All targets. To add one: a file in targets/ and its line in targets.def.
std::span<const FuzzTarget> fuzz_targets();

/// Lets the target read the bytes. An Error that blames the input is a right answer and is swallowed. Errors:
/// Error(kInternal), which no bytes may cause, and every other exception.
void run_fuzz_target(const FuzzTarget& target, std::span<const uint8_t> bytes);

/// The path of a file with these bytes, for readers that take paths. The next call writes the same file anew;
/// it is removed when the program ends.
std::string file_with(std::span<const uint8_t> bytes, const std::string& ending);

}  // namespace quantize::test
