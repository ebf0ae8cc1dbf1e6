// The team whose members are MPI's ranks, on one machine or many.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/team.h"
#include "core/error.h"

namespace quantize {

/// How the ranks agree: every rank tells rank 0 once for each stage how it went (its outcome: done, or an error), and
/// hears once what becomes of the job (the verdict). Rank 0 says that the job stops as soon as it knows of an
/// error; the others listen for it while they work. So every message has somebody who receives it, and all ranks
/// end with the same error. Statistics go up a binary tree, and what all need comes down it.
class MpiTeam : public Team {
 public:
  /// Starts MPI. Of ranks other than 0 nothing is printed from now on: what they have to say reaches rank 0.
  MpiTeam(int& argc, char**& argv);
  MpiTeam(const MpiTeam&) = delete;
  MpiTeam& operator=(const MpiTeam&) = delete;

  size_t rank() const override { return static_cast<size_t>(rank_); }
  size_t size() const override { return static_cast<size_t>(size_); }
  /// The CPUs that this rank may use, divided by the ranks of its machine that may use them too; at least 1.
  int threads() const override { return threads_; }
  void meet(const std::string& stage, const std::string& facts) override;
  std::string sum(std::string own, const Add& add) override;
  std::string share(std::string of_leader) override;
  void check() override;

  /// Errors: Error(kUnsupported) unless MPI may be called by one thread after the other.
  void require_threads() const;

  /// This rank's work ended with an error. Returns, on every rank, the error that the job ends with, once all know it.
  Error fail(const Error& error);

  /// Ends MPI, and the process with it if messages were left on the way. Returns `exit_code`.
  int end(int exit_code);

 private:
  /// How far a rank is; or the error of what came after the last stage.
  struct Outcome {
    std::string stage, facts;
    std::optional<Error> error;
  };

  static std::string encode(const Outcome& outcome);
  static Outcome decode(const std::string& bytes);

  Error stop(const Error& error);
  void take_outcome(int from);
  void collect_outcomes();
  Error differing(int rank, const Outcome& own) const;

  int rank_ = 0, size_ = 1, threads_ = 1, thread_level_ = 0;
  bool in_transfer_ = false;                      // statistics are on the way
  bool told_ = false;                             // this rank's outcome of this stage
  std::vector<std::optional<Outcome>> outcomes_;  // rank 0: of this stage, by rank
  std::optional<Error> verdict_;                  // why the job stops
};

}  // namespace quantize
