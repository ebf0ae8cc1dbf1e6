// The processes that work on one calibration together. What they send each other is bytes.
#pragma once

#include <functional>
#include <string>

namespace quantize {

/// All members run the same program on the same files, and call the same functions below in the same order.
///
/// A member whose work fails throws as ever. Whoever runs the program lets the others know; these get an exception
/// out of the next function they call, `check` included, so that nobody waits for a member that is gone.
class Team {
 public:
  virtual ~Team() = default;

  virtual size_t rank() const = 0;  // from 0 to size() - 1; rank 0 leads: it alone prints and writes
  virtual size_t size() const = 0;
  bool leads() const { return rank() == 0; }

  /// Threads for each member while all of them work.
  virtual int threads() const = 0;

  /// Returns when all members have called it. Errors: Error(kCalibration) unless all name the same stage and
  /// know the same facts; whatever another member failed with.
  virtual void meet(const std::string& stage, const std::string& facts) = 0;

  using Add = std::function<std::string(const std::string&, const std::string&)>;
  /// The leader gets the sum of what all members have, added two at a time in the order of the ranks; the others
  /// get nothing. Directly after `meet`. Errors: those of `add`.
  virtual std::string sum(std::string own, const Add& add) = 0;

  /// Everybody gets what the leader has. Directly after `sum`.
  virtual std::string share(std::string of_leader) = 0;

  /// Throws if another member has failed. Called between samples; from one thread at a time.
  virtual void check() = 0;
};

}  // namespace quantize
