// Read meet(), then fail().
#include "cli/mpi/mpi_team.h"

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/interrupt.h"
#include "cli/mpi/messages.h"

namespace quantize {

namespace {

/// So that a message goes at once: an error may be as long as a list of images.
constexpr size_t kLongestText = 1500;

std::string cut(const std::string& text) {
  return text.size() <= kLongestText ? text : text.substr(0, kLongestText) + "...";
}

/// CPUs by the ranks of this machine that may use them.
int share_of_cpus() {
  MPI_Comm machine = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
  int ranks = 1;
  MPI_Comm_size(machine, &ranks);
  cpu_set_t own;
  CPU_ZERO(&own);
  sched_getaffinity(0, sizeof own, &own);
  std::vector<cpu_set_t> sets(static_cast<size_t>(ranks));
  MPI_Allgather(&own, sizeof own, MPI_BYTE, sets.data(), sizeof own, MPI_BYTE, machine);
  MPI_Comm_free(&machine);
  const auto shares = [&](const cpu_set_t& set) {
    cpu_set_t both;
    CPU_AND(&both, &own, &set);
    return CPU_COUNT(&both) != 0;
  };
  const auto sharers = static_cast<int>(std::count_if(sets.begin(), sets.end(), shares));
  return std::max(1, CPU_COUNT(&own) / std::max(1, sharers));
}

void silence() {
  for (std::FILE* stream : {stdout, stderr})
    if (std::freopen("/dev/null", "w", stream) == nullptr) std::fclose(stream);
}

}  // namespace

std::string MpiTeam::encode(const Outcome& outcome) {
  nlohmann::json list = {cut(outcome.stage), outcome.facts};
  if (outcome.error) {
    nlohmann::json context = nlohmann::json::array();
    for (const std::string& frame : outcome.error->context()) context.push_back(cut(frame));
    list.push_back(static_cast<int>(outcome.error->kind()));
    list.push_back(cut(outcome.error->message()));
    list.push_back(std::move(context));
  }
  std::string bytes;
  nlohmann::json::to_cbor(list, bytes);
  return bytes;
}

MpiTeam::Outcome MpiTeam::decode(const std::string& bytes) {
  const nlohmann::json list = nlohmann::json::from_cbor(bytes);
  Outcome outcome{list[0], list[1], std::nullopt};
  if (list.size() == 2) return outcome;
  outcome.error = Error(static_cast<ErrorKind>(list[2].get<int>()), list[3].get<std::string>());
  for (const auto& frame : list[4]) outcome.error->add_context(frame.get<std::string>());
  return outcome;
}

MpiTeam::MpiTeam(int& argc, char**& argv) {
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &thread_level_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  outcomes_.resize(size());
  threads_ = share_of_cpus();
  if (rank_ != 0) silence();
}

void MpiTeam::require_threads() const {
  if (thread_level_ < MPI_THREAD_SERIALIZED)
    throw Error(ErrorKind::kUnsupported, "this MPI allows no threads; use one with MPI_THREAD_SERIALIZED");
}

void MpiTeam::meet(const std::string& stage, const std::string& facts) {
  const Outcome own{stage, facts, std::nullopt};
  if (rank_ != 0) {
    check();
    told_ = true;
    send_bytes(0, MessageTag::kOutcome, encode(own), {});
    verdict_ = decode(receive_bytes(0, MessageTag::kVerdict, {})).error;
    if (verdict_) throw *verdict_;
    told_ = false;
    return;
  }
  for (int rank = 1; rank < size_; ++rank) {
    while (!outcomes_[static_cast<size_t>(rank)]) {
      throw_if_interrupted();
      check();
      doze();
    }
    const Outcome& other = *outcomes_[static_cast<size_t>(rank)];
    if (other.stage != stage || other.facts != facts) throw differing(rank, own);
  }
  std::fill(outcomes_.begin(), outcomes_.end(), std::nullopt);
  for (int rank = 1; rank < size_; ++rank) send_bytes(rank, MessageTag::kVerdict, encode(own), {});
}

Error MpiTeam::differing(int rank, const Outcome& own) const {
  const bool elsewhere = outcomes_[static_cast<size_t>(rank)]->stage != own.stage;
  return Error(ErrorKind::kCalibration, "rank " + std::to_string(rank) + " has " +
                                            (elsewhere ? "other files" : "another model or other images") +
                                            " than rank 0; let all ranks see the same ones");
}

void MpiTeam::take_outcome(int from) {
  outcomes_[static_cast<size_t>(from)] = decode(receive_bytes(from, MessageTag::kOutcome, {}));
}

void MpiTeam::check() {
  if (verdict_) throw *verdict_;
  if (rank_ != 0) {
    int leader = 0;
    if (!has_message(leader, MessageTag::kVerdict)) return;
    verdict_ = decode(receive_bytes(0, MessageTag::kVerdict, {})).error;
    if (verdict_) throw *verdict_;
    return;
  }
  for (int from = kAnyRank; has_message(from, MessageTag::kOutcome); from = kAnyRank) {
    take_outcome(from);
    if (const auto& error = outcomes_[static_cast<size_t>(from)]->error) throw *error;
  }
}

Error MpiTeam::fail(const Error& error) {
  if (rank_ == 0) return stop(error);
  if (!told_) send_bytes(0, MessageTag::kOutcome, encode({"", "", error}), {});
  if (!verdict_) verdict_ = decode(receive_bytes(0, MessageTag::kVerdict, {})).error;
  return verdict_.value_or(error);
}

/// Of rank 0: every other rank gets the verdict first, so that it ends its work, and then says how far it was.
Error MpiTeam::stop(const Error& error) {
  for (int rank = 1; rank < size_; ++rank)
    send_bytes(rank, MessageTag::kVerdict, encode({"", "", error}), {});
  for (int rank = 1; rank < size_; ++rank)
    if (!outcomes_[static_cast<size_t>(rank)]) take_outcome(rank);
  return error;
}

std::string MpiTeam::sum(std::string own, const Add& add) {
  in_transfer_ = true;
  const auto waiting = [&] { check(); };
  for (int step = 1; step < size_; step *= 2) {
    if (rank_ % (2 * step) != 0) {
      send_bytes(rank_ - step, MessageTag::kData, own, waiting);
      own.clear();
      break;
    }
    if (rank_ + step < size_) own = add(own, receive_bytes(rank_ + step, MessageTag::kData, waiting));
  }
  in_transfer_ = false;
  return own;
}

std::string MpiTeam::share(std::string of_leader) {
  in_transfer_ = true;
  const auto waiting = [&] { check(); };
  int step = 1;
  while (step < size_ && rank_ % (2 * step) == 0) step *= 2;
  if (rank_ != 0) of_leader = receive_bytes(rank_ - step, MessageTag::kData, waiting);
  for (step /= 2; step > 0; step /= 2)
    if (rank_ + step < size_) send_bytes(rank_ + step, MessageTag::kData, of_leader, waiting);
  in_transfer_ = false;
  return of_leader;
}

int MpiTeam::end(int exit_code) {
  std::fflush(nullptr);
  if (in_transfer_) MPI_Abort(MPI_COMM_WORLD, exit_code);
  MPI_Finalize();
  return exit_code;
}

}  // namespace quantize
