// A message is pieces of kPiece bytes, and at the end a shorter one.
#include "cli/mpi/messages.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

namespace quantize {

namespace {

constexpr size_t kPiece = size_t{1} << 30;  // MPI counts in int

/// Waits until the request is done. If `waiting` throws, MPI may still use the buffer, which is kept for it.
void wait(MPI_Request request, std::unique_ptr<std::string>& buffer, const WhileWaiting& waiting) {
  try {
    for (int done = 0;;) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (done != 0) return;
      if (waiting) waiting();
      doze();
    }
  } catch (...) {
    static_cast<void>(buffer.release());
    throw;
  }
}

}  // namespace

void doze() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool has_message(int& rank, MessageTag tag) {
  int there = 0;
  MPI_Status status;
  MPI_Iprobe(rank == kAnyRank ? MPI_ANY_SOURCE : rank, static_cast<int>(tag), MPI_COMM_WORLD, &there,
             &status);
  if (there != 0) rank = status.MPI_SOURCE;
  return there != 0;
}

void send_bytes(int rank, MessageTag tag, const std::string& bytes, const WhileWaiting& waiting) {
  for (size_t sent = 0;; sent += kPiece) {
    auto piece = std::make_unique<std::string>(bytes.substr(sent, kPiece));
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(piece->data(), static_cast<int>(piece->size()), MPI_BYTE, rank, static_cast<int>(tag),
              MPI_COMM_WORLD, &request);
    wait(request, piece, waiting);
    if (piece->size() < kPiece) return;
  }
}

std::string receive_bytes(int rank, MessageTag tag, const WhileWaiting& waiting) {
  std::string bytes;
  for (;;) {
    while (!has_message(rank, tag)) {
      if (waiting) waiting();
      doze();
    }
    MPI_Status status;
    MPI_Probe(rank, static_cast<int>(tag), MPI_COMM_WORLD, &status);
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    auto piece = std::make_unique<std::string>(static_cast<size_t>(size), '\0');
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(piece->data(), size, MPI_BYTE, rank, static_cast<int>(tag), MPI_COMM_WORLD, &request);
    wait(request, piece, waiting);
    bytes += *piece;
    if (piece->size() < kPiece) return bytes;
  }
}

}  // namespace quantize
